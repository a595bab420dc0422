# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PKCS#12 files that others made: the cryptography package's own, NIST's PKITS, and RFC 9879's (PBMAC1).

The package itself is the judge of what is in them. Files with the parameters of RFC 9879, appendix A, are made anew here with
hashlib: of the RFC's own only the first is in a package.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import warnings

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.backends.openssl import backend
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization import pkcs12 as judge

from ansible_collections.mutual.tls.plugins.module_utils import der, keystore
from ansible_collections.mutual.tls.plugins.module_utils.entries import Algorithm, PrivateKeyEntry
from ansible_collections.mutual.tls.plugins.module_utils.errors import PasswordError, UnsupportedStoreError

from ..unit.factory import CERT_BAG, DATA, FRIENDLY_NAME, KEY_BAG, cert_bag, content, issue, key_bag, safe
from ..unit.vectors import cryptography_file, cryptography_names, rfc9879_a1

pytestmark = pytest.mark.codec

OTHERS = [name for name in cryptography_names("pkcs12") if name.endswith(".p12")] or ["not-fetched.p12"]
PKITS = [name for name in cryptography_names("x509/PKITS_data/pkcs12") if name.endswith(".p12")] or ["not-fetched.p12"]
#: NIST's 405 files take half a minute, so usually a tenth of them is read.
ALL = int(os.environ.get("MUTUAL_TLS_FUZZ_CASES", "0")) > 2_000


def password_of(name: str) -> str:
    """Those with which the cryptography package tests itself."""
    if name.startswith(("java", "no-password")) or name.endswith("no-pwd.p12"):
        return ""
    return "password" if name.endswith("-pwd.p12") else "cryptography"


def judged(data: bytes, password: str):
    """What the cryptography package reads, or a skipped test where it cannot."""
    if not hasattr(judge, "load_pkcs12"):
        pytest.skip("cryptography before 36 tells no names, so it is no judge here")
    try:
        with warnings.catch_warnings():  # that a file is BER: a default is said in it
            warnings.simplefilter("ignore")
            return judge.load_pkcs12(data, password.encode())
    except (UnsupportedAlgorithm, ValueError) as error:
        if "legacy" in str(error) or "unsupported" in str(error).lower():
            pytest.skip(f"this cryptography does not read the file, so it is no judge: {error}")
        raise


def names_in(bag: bytes) -> tuple[bytes, str | None, bytes]:
    """The kind of a bag, its friendlyName, and its value."""
    kind, value, *attributes = der.parts(bag, "a bag", 2, 3)
    names = [name_in(attribute.raw) for attribute in (attributes[0].values("the attributes") if attributes else ())]
    return kind.raw, next(filter(None, names), None), next(value.values("a value")).raw


def name_in(attribute: bytes) -> str | None:
    """The friendlyName, if the attribute is one; OpenSSL does not tell the NUL at the end of an old file's."""
    kind, values = der.parts(attribute, "an attribute", 2, 2)
    if kind.raw != der.oid(FRIENDLY_NAME):
        return None
    return der.bmp_value(next(values.values("a name")), "a name").rstrip("\0")


def entry_leaf(entry: keystore.Entry) -> bytes:
    return keystore.chain_of(entry)[0]


def seen(store: keystore.Store) -> tuple[set[bytes], dict[bytes, set[str | None]]]:
    """The keys, encrypted or not, and the certificates with their names."""
    keys: set[bytes] = set()
    certificates: dict[bytes, set[str | None]] = {}
    for entry in store.entries:
        if isinstance(entry, PrivateKeyEntry):
            assert entry.pkcs8 is not None
            keys.add(entry.pkcs8)
        for certificate in keystore.chain_of(entry):
            names = [name_in(attribute) for attribute in store.contents.labels.get(certificate, ())]
            certificates.setdefault(certificate, set()).update(names or [None], [entry.alias] if certificate == entry_leaf(entry) else [])
    for bag in store.contents.opaque:
        kind, name, value = names_in(bag)
        if kind == der.oid(KEY_BAG):
            keys.add(value)
        elif kind == der.oid(CERT_BAG):
            wrapped = next(der.parts(value, "a certificate", 2, 2)[1].values("a certificate"))
            certificates.setdefault(wrapped.content, set()).add(name)
    return keys, certificates


@pytest.mark.parametrize("name", OTHERS)
def test_files_of_the_cryptography_package_are_read_as_it_reads_them(name: str) -> None:
    data = cryptography_file(f"pkcs12/{name}")
    store = keystore.parse_store(data, password_of(name))
    keys, certificates = seen(store)
    with pytest.raises(PasswordError):
        keystore.parse_store(data, "another password")
    said = judged(data, password_of(name))
    theirs = [each for each in (said.cert, *said.additional_certs) if each is not None]
    assert set(certificates) == {each.certificate.public_bytes(Encoding.DER) for each in theirs}
    assert len(certificates) == len(theirs)
    numbers = {judge_key(each).private_numbers() for each in keys}
    assert numbers == (set() if said.key is None else {said.key.private_numbers()})
    for each in theirs:
        ours = {found.lower() if found else None for found in certificates[each.certificate.public_bytes(Encoding.DER)]}
        assert (each.friendly_name.decode().lower() if each.friendly_name else None) in ours


def judge_key(pkcs8: bytes):
    return PrivateKeyEntry("it", pkcs8, ()).private_key()


@pytest.mark.parametrize("name", PKITS if ALL else PKITS[::10])
def test_files_of_nist_are_read_and_survive_a_rewrite(name: str) -> None:
    data = cryptography_file(f"x509/PKITS_data/pkcs12/{name}")
    store = keystore.parse_store(data, "password")
    keys, certificates = seen(store)
    assert len(keys) == 1
    assert certificates
    with pytest.raises(PasswordError):
        keystore.parse_store(data, "Password")
    again = seen(keystore.parse_store(keystore.serialize_store(store, "other words"), "other words"))
    assert (again[0], set(again[1])) == (keys, set(certificates))


# --- PBMAC1 ----------------------------------------------------------------------------------------------------------

SECRET = "1234"
HMACS = {"sha256": "1.2.840.113549.2.9", "sha512": "1.2.840.113549.2.11"}


def test_the_first_file_of_rfc_9879_is_read() -> None:
    store = keystore.parse_store(rfc9879_a1(), SECRET)
    assert store.contents.protection.mac == Algorithm("PBEWithHmacSHA256", 2048)
    keys, certificates = seen(store)
    assert (len(keys), len(certificates)) == (1, 1)
    with pytest.raises(PasswordError, match="^the password is wrong, or the store was damaged: its MAC does not hold$"):
        keystore.parse_store(rfc9879_a1(), "12345")


ISSUED = issue("pbmac1")


def pbmac1(prf: str, digest: str, *, said: int = 2048, salt: bytes = b"eight by", length: int | None = 32) -> bytes:
    """A file whose MAC was made of 2048 iterations and the salt "eight by", and which says what the arguments do."""
    size = 32 if length is None else length
    sealed = der.sequence(safe(key_bag(ISSUED.pkcs8, "it", b"1", password=SECRET)), safe(cert_bag(ISSUED.der, "it", b"1")))
    key = hashlib.pbkdf2_hmac(prf, SECRET.encode(), b"eight by", 2048, size)
    count = () if length is None else (der.integer(length),)
    derived = der.sequence(der.octet_string(salt), der.integer(said), *count, der.sequence(der.oid(HMACS[prf]), der.null()))
    function = der.sequence(der.oid("1.2.840.113549.1.5.12"), derived)
    parameters = der.sequence(function, der.sequence(der.oid(HMACS[digest]), der.null()))
    scheme = der.sequence(der.oid("1.2.840.113549.1.5.14"), parameters)
    info = der.sequence(scheme, der.octet_string(hmac.new(key, sealed, digest).digest()))
    mac_data = der.sequence(info, der.octet_string(b"NOT USED"), der.integer(2))
    return der.sequence(der.integer(3), content(DATA, der.octet_string(sealed)), mac_data)


def judge_has_pbmac1() -> bool:
    """OpenSSL has it since 3.4."""
    version = backend.openssl_version_text().split()[1].split(".")
    return "OpenSSL" in backend.openssl_version_text() and (int(version[0]), int(version[1])) >= (3, 4)


@pytest.mark.parametrize(
    ("prf", "digest", "length"),
    [
        pytest.param("sha256", "sha256", 32, id="A.1"),
        pytest.param("sha256", "sha512", 32, id="A.2"),
        pytest.param("sha512", "sha512", 64, id="A.3"),
    ],
)
def test_what_rfc_9879_holds_valid_is_read(prf: str, digest: str, length: int) -> None:
    data = pbmac1(prf, digest, length=length)
    store = keystore.parse_store(data, SECRET)
    assert store.contents.protection.mac == Algorithm(f"PBEWithHmac{digest.upper()}", 2048)
    assert store.entries == [PrivateKeyEntry("it", ISSUED.pkcs8, ISSUED.chain)]
    with pytest.raises(PasswordError):
        keystore.parse_store(data, SECRET + "5")
    if not judge_has_pbmac1():
        pytest.skip("this cryptography comes with an OpenSSL before 3.4, which judges no PBMAC1")
    key, certificate, _others = judge.load_key_and_certificates(data, SECRET.encode())
    assert key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()) == ISSUED.pkcs8
    assert certificate == ISSUED.certificate


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        pytest.param(
            pbmac1("sha256", "sha256", said=2049),
            PasswordError,
            "the password is wrong, or the store was damaged: its MAC does not hold",
            id="A.4-wrong-count",
        ),
        pytest.param(
            pbmac1("sha256", "sha256", salt=b"eight bz"),
            PasswordError,
            "the password is wrong, or the store was damaged: its MAC does not hold",
            id="A.5-wrong-salt",
        ),
        pytest.param(
            pbmac1("sha256", "sha256", length=None),
            UnsupportedStoreError,
            "the MAC is a PBMAC1 with a key whose length is not said; 20 to 64 bytes are accepted (RFC 9879)",
            id="A.6-no-length",
        ),
    ],
)
def test_what_rfc_9879_holds_invalid_is_refused(data: bytes, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as refused:
        keystore.parse_store(data, SECRET)
    assert str(refused.value) == message
    if judge_has_pbmac1():
        with pytest.raises(ValueError):
            judge.load_key_and_certificates(data, SECRET.encode())
