# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate revocation lists, read (RFC 5280 section 5)."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.crypto import UnsupportedAlgorithm, serialization
from ansible_collections.mutual.tls.plugins.module_utils.crypto import x509 as crypto_x509
from ansible_collections.mutual.tls.plugins.module_utils.errors import TrustError

_LABEL = "X509 CRL"


@dataclass(frozen=True)
class Crl:
    """What a revocation list says."""

    #: The name of the CA whose list it is, DER.
    issuer: bytes
    #: And as people write it.
    issuer_name: str
    #: RFC 5280 section 5.2.3; None for a list that has none, as some CAs make them.
    number: int | None
    next_update: datetime.datetime
    #: The serial numbers on it.
    serials: frozenset[int]
    sha256: str
    pem: str

    def names(self, certificate: bytes) -> bool:
        """Whether it is on the list: serial numbers are an issuer's own. Raises TrustError for what is no certificate."""
        found = x509.load_certificate(certificate)
        return found.serial_number in self.serials and found.issuer.public_bytes() == self.issuer

    def is_by(self, ca: bytes) -> bool:
        """Whether the key of a CA's certificate (DER) signed the list."""
        try:
            key: Any = x509.load_certificate(ca).public_key()
            return bool(crypto_x509.load_pem_x509_crl(self.pem.encode("ascii")).is_signature_valid(key))
        except (ValueError, TypeError, UnsupportedAlgorithm):
            return False


def read_crls(text: str) -> tuple[Crl, ...]:
    """The revocation lists in a PEM text, in its order; none where there are none. Raises TrustError for one that cannot be read."""
    return tuple(map(_read, x509.pem_blocks(text, _LABEL)))


def _read(der: bytes) -> Crl:
    try:
        found = crypto_x509.load_der_x509_crl(der)
        return Crl(
            found.issuer.public_bytes(),
            x509.format_name(found.issuer),
            _number(found),
            x509.next_update(found),
            frozenset(each.serial_number for each in found),
            x509.sha256(der),
            x509.to_pem(found.public_bytes(serialization.Encoding.DER), _LABEL),
        )
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise TrustError(f"a revocation list cannot be read: {error}") from error


def _number(found: crypto_x509.CertificateRevocationList) -> int | None:
    try:
        return int(found.extensions.get_extension_for_class(crypto_x509.CRLNumber).value.crl_number)
    except crypto_x509.ExtensionNotFound:
        return None
