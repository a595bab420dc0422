# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests make certificates and stores of, and the programs that judge them.

Three nouns: `issue` makes a certificate, each of its properties by itself, so that a test names the one it is about; `pfx`
makes a PKCS#12 file bag by bag, so that it may be wrong in just one place; `Keytool` is Java's word on a store.
"""

from __future__ import annotations

import datetime
import functools
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ansible_collections.mutual.tls.plugins.module_utils import der, pbe
from ansible_collections.mutual.tls.plugins.module_utils import mac as seal
from ansible_collections.mutual.tls.plugins.module_utils.derivation import Secret
from ansible_collections.mutual.tls.plugins.module_utils.entries import Algorithm

PASSWORD = "correct-horse"
NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
DAY = datetime.timedelta(days=1)

SERVER = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH


# --- certificates ----------------------------------------------------------------------------------------------------


class Issued(NamedTuple):
    """A key, its certificate, and the certificates above it."""

    key: Any
    der: bytes
    above: tuple[bytes, ...] = ()

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.der)

    @property
    def chain(self) -> tuple[bytes, ...]:
        return (self.der, *self.above)

    @property
    def pkcs8(self) -> bytes:
        return self.key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())

    @property
    def pem(self) -> str:
        return pem(self.der)

    @property
    def sha256(self) -> str:
        return self.certificate.fingerprint(hashes.SHA256()).hex()


def pem(*certificates: bytes) -> str:
    """PEM, written by the cryptography package."""
    return "".join(x509.load_der_x509_certificate(each).public_bytes(serialization.Encoding.PEM).decode() for each in certificates)


def new_key(kind: str = "EC") -> Any:
    """A private key. EC unless the type matters: it takes a tenth of a millisecond."""
    if kind == "RSA":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ed25519.Ed25519PrivateKey.generate() if kind == "Ed25519" else ec.generate_private_key(ec.SECP256R1())


@functools.cache
def shared_key(kind: str = "EC") -> Any:
    """One key of the kind for all tests that do not care whose it is: RSA keys are slow to make."""
    return new_key(kind)


def name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def issue(
    common_name: str,
    *,
    by: Issued | None = None,
    key: Any = None,
    subject: x509.Name | None = None,
    san: Sequence[str] = (),
    usages: Sequence[x509.ObjectIdentifier] | None = (SERVER, CLIENT),
    ca: bool | None = False,
    begins: datetime.datetime = NOW - DAY,
    ends: datetime.datetime = NOW + 365 * DAY,
    key_ids: bool = False,
) -> Issued:
    """A certificate for *key*, signed *by* another or by itself. None leaves the usages or the CA flag out."""
    key = key if key is not None else new_key()
    signer = by if by is not None else Issued(key, b"")
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject or name(common_name))
        .issuer_name(by.certificate.subject if by is not None else subject or name(common_name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    if usages is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(usages)), critical=False)
    if san:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in san]), critical=False)
    if key_ids:
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())
        builder = builder.add_extension(own, critical=False).add_extension(authority, critical=False)
    digest = None if isinstance(signer.key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    made = builder.sign(signer.key, digest).public_bytes(serialization.Encoding.DER)
    return Issued(key, made, by.chain if by is not None else ())


def revocation_list(by: Issued, *serials: int, ends: datetime.datetime = NOW + 30 * DAY) -> str:
    """A revocation list (PEM), made by the cryptography package."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(by.certificate.subject).last_update(NOW - DAY).next_update(ends)
    for serial in serials:
        builder = builder.add_revoked_certificate(x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW - DAY).build())
    return builder.sign(by.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def chain_of(*common_names: str, **options: Any) -> Issued:
    """The last of a chain: the first name's certificate signs itself, each other one is signed by the one before."""
    issued: Issued | None = None
    for each in common_names[:-1]:
        issued = issue(each, by=issued, ca=True, usages=None, **options)
    return issue(common_names[-1], by=issued, **options)


# --- PKCS#12 files, bag by bag ---------------------------------------------------------------------------------------

DATA = "1.2.840.113549.1.7.1"
KEY_BAG = "1.2.840.113549.1.12.10.1.1"
SHROUDED_KEY_BAG = "1.2.840.113549.1.12.10.1.2"
CERT_BAG = "1.2.840.113549.1.12.10.1.3"
CRL_BAG = "1.2.840.113549.1.12.10.1.4"
SECRET_BAG = "1.2.840.113549.1.12.10.1.5"
FRIENDLY_NAME = "1.2.840.113549.1.9.20"
LOCAL_KEY_ID = "1.2.840.113549.1.9.21"
#: Few iterations, because tests make many stores.
QUICK_ENCRYPTION = Algorithm("PBEWithHmacSHA256AndAES_256", 1)
QUICK_MAC = Algorithm("HmacPBESHA256", 1)
TRUSTED_KEY_USAGE = "2.16.840.1.113894.746875.1.1"


def attribute(kind: str, *values: bytes) -> bytes:
    return der.sequence(der.oid(kind), der.set_of(*values))


def bag(
    kind: str,
    value: bytes,
    alias: str | None = None,
    key_id: bytes | None = None,
    *,
    trusted: bool = False,
    attributes: Sequence[bytes] = (),
) -> bytes:
    """A SafeBag; *value* is DER."""
    found = list(attributes)
    if alias is not None:
        found.append(attribute(FRIENDLY_NAME, der.bmp_string(alias)))
    if key_id is not None:
        found.append(attribute(LOCAL_KEY_ID, der.octet_string(key_id)))
    if trusted:
        found.append(attribute(TRUSTED_KEY_USAGE, der.oid("2.5.29.37.0")))
    return der.sequence(der.oid(kind), der.explicit(0, value), *([der.set_of(*found)] if found else []))


def key_bag(pkcs8: bytes, *labels: Any, password: str = PASSWORD, **more: Any) -> bytes:
    """A key, encrypted under *password*."""
    algorithm, ciphertext = pbe.encrypt(pkcs8, Secret(password), QUICK_ENCRYPTION)
    return bag(SHROUDED_KEY_BAG, der.sequence(algorithm, der.octet_string(ciphertext)), *labels, **more)


def cert_bag(certificate: bytes, *labels: Any, **more: Any) -> bytes:
    value = der.sequence(der.oid("1.2.840.113549.1.9.22.1"), der.explicit(0, der.octet_string(certificate)))
    return bag(CERT_BAG, value, *labels, **more)


def content(kind: str, value: bytes) -> bytes:
    return der.sequence(der.oid(kind), der.explicit(0, value))


def encrypted_safe(algorithm: bytes, ciphertext: bytes = bytes(32)) -> bytes:
    """EncryptedData that says it is encrypted with *algorithm*."""
    info = der.sequence(der.oid(DATA), algorithm, der.encode(0x80, ciphertext))
    return content("1.2.840.113549.1.7.6", der.sequence(der.integer(0), info))


def safe(*bags: bytes) -> bytes:
    return content(DATA, der.octet_string(der.sequence(*bags)))


def pfx(*bags: bytes, safes: Sequence[bytes] | None = None, password: str | None = PASSWORD, mac: bytes | None = None) -> bytes:
    """A file of *bags* in one safe that is not encrypted, or of *safes*. Sealed under *password*; with None it has no MAC."""
    sealed = der.sequence(*(safes if safes is not None else [safe(*bags)]))
    parts = [der.integer(3), content(DATA, der.octet_string(sealed))]
    if mac is not None or password is not None:
        parts.append(mac if mac is not None else seal.make(sealed, Secret(password or ""), QUICK_MAC))
    return der.sequence(*parts)


# --- judges ----------------------------------------------------------------------------------------------------------


class Listed(NamedTuple):
    """What keytool says of one entry."""

    type: str
    created: str
    #: The fingerprints of the chain, leaf first.
    sha256: tuple[str, ...]


class Keytool:
    """Java's own tool, on stores under `PASSWORD` unless another is named."""

    def __init__(self, program: Path) -> None:
        self.program = program

    @functools.cached_property
    def major(self) -> int:
        """The major version of its Java."""
        done = self.attempt("-J-version", password=None)
        return int(re.findall(r'version "(\d+)', done.stdout + done.stderr)[0])

    def attempt(self, *words: str | Path, password: str | None = PASSWORD) -> subprocess.CompletedProcess[str]:
        """Run it, whatever comes of it."""
        # A start takes half a second: the first tier of the JVM's compiler is enough. Passwords come in the environment.
        speed = ("-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC", "-J-Xshare:auto")
        speech = ("-J-Duser.language=en", "-J-Duser.country=US", "-J-Duser.timezone=UTC", "-J-Dstdout.encoding=UTF-8")
        secret = () if password is None else ("-storepass:env", "STORE")
        return subprocess.run(
            [str(self.program), *speed, *speech, *map(str, words), *secret],
            env={**os.environ, "LC_ALL": "C.UTF-8", "STORE": password or PASSWORD},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )

    def __call__(self, *words: str | Path, password: str | None = PASSWORD) -> str:
        done = self.attempt(*words, password=password)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def list(self, path: Path, *options: str, password: str = PASSWORD) -> dict[str, Listed]:
        """All entries as Java sees them."""
        said = self("-list", "-v", "-keystore", path, *options, password=password)
        count = int(re.findall(r"Your keystore contains (\d+) entr", said)[0])
        entries = {}
        for block in re.split(r"^Alias name: ", said, flags=re.MULTILINE)[1:]:
            alias, _newline, rest = block.partition("\n")
            created = re.findall(r"^Creation date: (.*)$", rest, re.MULTILINE)[0]
            kind = re.findall(r"^Entry type: (.*)$", rest, re.MULTILINE)[0]
            found = tuple(each.replace(":", "").lower() for each in re.findall(r"SHA256: ([0-9A-F:]+)", rest))
            length = re.findall(r"^Certificate chain length: (\d+)$", rest, re.MULTILINE)
            assert not length or int(length[0]) == len(found), block
            entries[alias] = Listed(kind, created, found)
        assert len(entries) == count, said
        return entries


def openssl(*words: str | Path, stdin: bytes = b"", password: str = PASSWORD, check: bool = True) -> str:
    """What openssl answers, on standard output and standard error. The calling test is skipped where there is no openssl."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("the program openssl is not installed, which judges here")
    done = subprocess.run(
        [program, *map(str, words)],
        env={**os.environ, "STORE": password},
        input=stdin,
        capture_output=True,
        check=False,
    )
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert not check or done.returncode == 0, said
    return said
