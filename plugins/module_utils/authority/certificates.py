# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates, requests and revocation lists as an authority makes and judges them (RFC 5280, RFC 2986)."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import x509 as ours
from ansible_collections.mutual.tls.plugins.module_utils.crypto import (
    ExtendedKeyUsageOID,
    rsa,
    serialization,
    x509,
)
from ansible_collections.mutual.tls.plugins.module_utils.entries import SigningKey

_PURPOSES = {"server": "SERVER_AUTH", "client": "CLIENT_AUTH"}


@dataclass(frozen=True)
class Issuer:
    """A CA that can sign."""

    key: SigningKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        """Its certificate, DER."""
        return ours.to_der(self.certificate)

    def key_identifier(self) -> x509.AuthorityKeyIdentifier:
        """What certificates and revocation lists name it by (RFC 5280 section 4.2.1.1)."""
        subject = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return x509.AuthorityKeyIdentifier(subject.digest, None, None)


def make_authority(
    key: SigningKey, subject: x509.Name, permitted: Sequence[x509.GeneralName], *, now: datetime.datetime, valid_for: datetime.timedelta
) -> bytes:
    """A CA's own certificate, DER: it signs end-entity certificates and revocation lists, and no further CA."""
    builder = (
        _certificate(subject, subject, key.public_key(), now - ours.BACKDATE, now + valid_for)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(ours.key_usage("key_cert_sign", "crl_sign"), critical=True)
    )
    if permitted:
        builder = builder.add_extension(x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None), critical=True)
    return ours.to_der(builder.sign(key, ours.signature_digest(key)))


def issue(
    issuer: Issuer,
    public_key: Any,
    subject: x509.Name,
    names: Sequence[x509.GeneralName],
    usages: Sequence[str],
    *,
    now: datetime.datetime,
    valid_for: datetime.timedelta,
) -> bytes:
    """An end-entity certificate, DER; it does not outlive its issuer's."""
    begin = max(now - ours.BACKDATE, ours.not_before(issuer.certificate))
    end = min(now + valid_for, ours.not_after(issuer.certificate))
    encipherment = ["key_encipherment"] if isinstance(public_key, rsa.RSAPublicKey) else []
    purposes = [getattr(ExtendedKeyUsageOID, _PURPOSES[usage]) for usage in usages]
    builder = (
        _certificate(subject, issuer.certificate.subject, public_key, begin, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(ours.key_usage("digital_signature", *encipherment), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(issuer.key_identifier(), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return ours.to_der(builder.sign(issuer.key, ours.signature_digest(issuer.key)))


def _certificate(
    subject: x509.Name, issuer: x509.Name, public_key: Any, begin: datetime.datetime, end: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


@dataclass(frozen=True)
class Revoked:
    """A certificate on a revocation list."""

    serial: int
    when: datetime.datetime
    #: One of wishes.REASONS.
    reason: str


def make_crl(issuer: Issuer, revoked: Iterable[Revoked], number: int, *, now: datetime.datetime, valid_for: datetime.timedelta) -> bytes:
    """A revocation list, DER, with its number and its issuer's key identifier (RFC 5280 sections 5.2.1 and 5.2.3)."""
    # All at once: the builder copies its list for each one that is added, which takes minutes for 10,000.
    builder = (
        x509.CertificateRevocationListBuilder(revoked_certificates=[_revoked(each) for each in revoked])
        .issuer_name(issuer.certificate.subject)
        .last_update(now - ours.BACKDATE)
        .next_update(now + valid_for)
        .add_extension(issuer.key_identifier(), critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    return builder.sign(issuer.key, ours.signature_digest(issuer.key)).public_bytes(serialization.Encoding.DER)


def _revoked(revoked: Revoked) -> Any:
    """One entry; "unspecified" is said by leaving the reason out (RFC 5280 section 5.3.1)."""
    builder = x509.RevokedCertificateBuilder().serial_number(revoked.serial).revocation_date(revoked.when)
    if revoked.reason != "unspecified":
        builder = builder.add_extension(x509.CRLReason(getattr(x509.ReasonFlags, revoked.reason)), critical=False)
    return builder.build()
