# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who takes part in the tests of handshakes (a server, and clients good and bad), and the probe that one of them makes."""

from __future__ import annotations

import datetime
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ansible_collections.mutual.tls.plugins.module_utils.tls.identity import Identity
from ansible_collections.mutual.tls.plugins.module_utils.tls.probes import Outcome, Probe

CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
HOUR = datetime.timedelta(hours=1)
NOW = datetime.datetime.now(datetime.timezone.utc)
VERSIONS = ("TLSv1.2", "TLSv1.3")

both_versions = pytest.mark.parametrize("version", VERSIONS)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def pem_of(*chain: bytes) -> str:
    return "".join(ssl.DER_cert_to_PEM_cert(certificate) for certificate in chain)


class Authority:
    """A CA that signs what a test asks for."""

    def __init__(self, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(self.name, self.key, NOW - HOUR, NOW + 24 * HOUR)
        self.certificate = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(
            self.key, hashes.SHA256()
        )
        self.der = der(self.certificate)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, start: datetime.datetime, end: datetime.datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
        )

    def sign(self, name: str, usages=(CLIENT, SERVER), start=NOW - HOUR, end=NOW + 24 * HOUR, names=("server.test",)) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(subject, key, start, end)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(usages)), critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False)
        return Identity(key, [der(builder.sign(self.key, hashes.SHA256())), self.der])


class Parties:
    """Everybody who takes part in these tests."""

    def __init__(self) -> None:
        self.ca = Authority("ca")
        self.other = Authority("other ca")
        self.server = self.ca.sign("server.test")
        self.client = self.ca.sign("client")
        self.foreign = self.other.sign("client")
        self.expired = self.ca.sign("client", start=NOW - 48 * HOUR, end=NOW - 24 * HOUR)
        self.server_only = self.ca.sign("client", usages=(SERVER,))


def plain_pem(key) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def to(server, parties: Parties, **wishes) -> Probe:
    """A probe that is accepted, but for the *wishes*."""
    probe = {"name": "client-to-server", "host": "127.0.0.1", "port": server.port, "server_name": "server.test"}
    return Probe(**{**probe, "identity": parties.client, "trusted": [parties.ca.der], **wishes})


def refusal(outcome: Outcome) -> tuple:
    return outcome.outcome, outcome.refused_by, outcome.reason
