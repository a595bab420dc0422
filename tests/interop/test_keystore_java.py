# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Java has the last word on keystores: what keytool wrote is read whole, and what we wrote keytool lists exactly."""

from __future__ import annotations

import datetime
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509 as certificates
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.name import _ASN1Type

from ansible_collections.mutual.tls.plugins.module_utils import der, keystore, profiles, x509
from ansible_collections.mutual.tls.plugins.module_utils.entries import (
    Contents,
    PrivateKeyEntry,
    Protection,
    SecretKeyEntry,
    TrustedCertEntry,
)
from ansible_collections.mutual.tls.plugins.module_utils.errors import PasswordError, UnsupportedStoreError

from ..unit.factory import (
    CRL_BAG,
    KEY_BAG,
    PASSWORD,
    Issued,
    Keytool,
    Listed,
    bag,
    cert_bag,
    chain_of,
    issue,
    key_bag,
    new_key,
    openssl,
    pem,
    pfx,
    safe,
    shared_key,
)

pytestmark = pytest.mark.codec

KEY, TRUSTED, SECRET = "PrivateKeyEntry", "trustedCertEntry", "SecretKeyEntry"
#: 2020-02-03 04:05:06.789 UTC in milliseconds.
THEN = 1_580_702_706_789


@pytest.fixture(scope="module")
def java(keytool: Path) -> Keytool:
    return Keytool(keytool)


def ours(store: keystore.Store) -> dict[str, tuple[str, tuple[str, ...]]]:
    """What we see in a store, in keytool's words."""
    kinds = {PrivateKeyEntry: KEY, TrustedCertEntry: TRUSTED, SecretKeyEntry: SECRET}
    return {entry.alias: (kinds[type(entry)], tuple(map(x509.sha256, keystore.chain_of(entry)))) for entry in store.entries}


def javas(listed: dict[str, Listed]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """The same of what keytool listed."""
    return {alias: (each.type, each.sha256) for alias, each in listed.items()}


def store_of(*entries: PrivateKeyEntry | TrustedCertEntry, opaque: tuple[bytes, ...] = ()) -> keystore.Store:
    return keystore.Store(Contents(entries, Protection(), opaque=opaque))


def save(folder: Path, store: keystore.Store, name: str = "store.p12", password: str = PASSWORD) -> Path:
    path = folder / name
    keystore.write_store(str(path), store, keystore.serialize_store(store, password), password)
    return path


def copy_all(java: Keytool, source: Path, destination: Path, password: str = PASSWORD) -> None:
    """All entries, each of which Java decrypts and encrypts anew."""
    passwords = ("-srcstorepass", password, "-deststorepass", password)
    java("-importkeystore", "-srckeystore", source, "-destkeystore", destination, *passwords, password=None)


# --- what keytool wrote ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(java: Keytool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """made.p12: an entry of every kind. Beside it stores of other formats and protections, each with one key."""
    folder = tmp_path_factory.mktemp("keytool")
    made = ("-keystore", folder / "made.p12")
    trusted, imported = issue("platform"), chain_of("outer root", "outer middle", "imported")
    (folder / "platform.pem").write_text(trusted.pem)
    save(folder, store_of(PrivateKeyEntry("imported", imported.pkcs8, imported.chain)), "imported.p12")

    def make_all_in_one() -> None:
        java("-genkeypair", *made, "-alias", "rsa", "-keyalg", "RSA", "-keysize", "2048", "-dname", "CN=rsa, O=Example\\, Inc.")
        java("-genkeypair", *made, "-alias", "ec", "-keyalg", "EC", "-groupname", "secp384r1", "-dname", "CN=ec", "-ext", "san=dns:ec.test")
        java("-genkeypair", *made, "-alias", "Ed", "-keyalg", "Ed25519", "-dname", "CN=ed")
        java("-genkeypair", *made, "-alias", "dsa", "-keyalg", "DSA", "-dname", "CN=dsa")
        java("-genseckey", *made, "-alias", "secret", "-keyalg", "AES", "-keysize", "256")
        java("-importcert", *made, "-alias", "Platform", "-file", folder / "platform.pem", "-noprompt")
        copy_all(java, folder / "imported.p12", folder / "made.p12")
        java("-certreq", *made, "-alias", "ec", "-file", folder / "ec.csr")
        request = certificates.load_pem_x509_csr((folder / "ec.csr").read_bytes())
        (folder / "ec.reply").write_text(reply(request))
        java("-importcert", *made, "-alias", "ec", "-file", folder / "ec.reply", "-noprompt")

    def make(name: str, *options: str, kind: str = "PKCS12") -> None:
        java("-genkeypair", "-keystore", folder / name, "-storetype", kind, "-alias", "a", "-keyalg", "EC", "-dname", "CN=a",
             *options, *(("-keypass:env", "STORE") if kind != "PKCS12" else ()))  # fmt: skip

    with ThreadPoolExecutor() as pool:
        for done in [
            pool.submit(make_all_in_one),
            pool.submit(make, "legacy.p12", "-J-Dkeystore.pkcs12.legacy"),
            pool.submit(make, "no-mac.p12", "-J-Dkeystore.pkcs12.macAlgorithm=NONE"),
            pool.submit(make, "sha1-mac.p12", "-J-Dkeystore.pkcs12.macAlgorithm=HmacPBESHA1"),
            pool.submit(make, "jks", kind="JKS"),
            pool.submit(make, "jceks", kind="JCEKS"),
        ]:
            done.result()
    return folder


def reply(request: certificates.CertificateSigningRequest) -> str:
    """A CA's answer: a chain of three."""
    root = issue("reply root", ca=True, usages=None)
    middle = issue("reply middle", by=root, ca=True, usages=None)
    return pem(*issue("ec", by=middle, key=_Public(request.public_key())).chain)


class _Public:
    """What `issue` needs of the key of somebody else."""

    def __init__(self, key: object) -> None:
        self.key = key

    def public_key(self) -> object:
        return self.key


def test_what_keytool_made_is_read_whole(java: Keytool, folder: Path) -> None:
    store = keystore.open_store(str(folder / "made.p12"), PASSWORD)
    listed = java.list(folder / "made.p12")
    assert ours(store) == javas(listed)
    assert {alias: len(each.sha256) for alias, each in listed.items()} == {
        "rsa": 1, "ec": 3, "ed": 1, "dsa": 1, "secret": 0, "platform": 1, "imported": 3,
    }  # fmt: skip
    assert profiles.profile_of(store.contents.protection) == "default"
    today = datetime.datetime.now(datetime.timezone.utc)
    for entry in store.entries:
        if not isinstance(entry, TrustedCertEntry):
            assert entry.created is not None
            assert abs(today.timestamp() - entry.created / 1000) < 600
    for alias in ("rsa", "ec", "ed", "imported"):
        entry = store.key_entry(alias)
        assert x509.certifies(entry.chain[0], entry.private_key())
    with pytest.raises(UnsupportedStoreError, match="^the key under the alias 'dsa' is neither RSA nor EC nor Ed25519$"):
        store.key_entry("dsa").private_key()


def secret_key(store: keystore.Store) -> SecretKeyEntry:
    [entry] = [entry for entry in store.entries if isinstance(entry, SecretKeyEntry)]
    return entry


def test_java_sees_the_same_after_a_rewrite(java: Keytool, folder: Path, tmp_path: Path) -> None:
    """Keys of every kind. A symmetric key's bag is kept byte for byte while password and protection stay."""
    store = keystore.open_store(str(folder / "made.p12"), PASSWORD)
    extended = store.put(TrustedCertEntry("newcomer", issue("newcomer").der))
    path = save(tmp_path, extended)
    before, after = java.list(folder / "made.p12"), java.list(path)
    newcomer = after.pop("newcomer")
    assert newcomer.type == TRUSTED
    assert after == before
    assert secret_key(keystore.open_store(str(path), PASSWORD)) == secret_key(store)


def test_java_opens_every_key_after_a_change_of_the_password(java: Keytool, folder: Path, tmp_path: Path) -> None:
    """The symmetric key too, which would stay under the old password if its bag were just copied."""
    store = keystore.open_store(str(folder / "made.p12"), PASSWORD)
    path = save(tmp_path, store, password="another password")
    assert java.list(path, password="another password") == java.list(folder / "made.p12")
    copy = tmp_path / "copy.p12"
    copy_all(java, path, copy, password="another password")
    found = keystore.open_store(str(copy), "another password")
    assert ours(found) == ours(store)
    assert secret_key(found).pkcs8 is not None
    assert secret_key(found).pkcs8 == secret_key(store).pkcs8


@pytest.mark.parametrize("name", ["jks", "legacy.p12"])
def test_older_kinds_of_javas_stores_are_read(java: Keytool, folder: Path, name: str) -> None:
    store = keystore.open_store(str(folder / name), PASSWORD)
    assert ours(store) == javas(java.list(folder / name))
    assert x509.certifies(store.key_entry("a").chain[0], store.key_entry("a").private_key())
    with pytest.raises(PasswordError):
        keystore.open_store(str(folder / name), "another password")


def test_other_kinds_of_javas_stores_are_refused_by_name(folder: Path) -> None:
    path = folder / "jceks"
    with pytest.raises(UnsupportedStoreError) as refused:
        keystore.open_store(str(path), PASSWORD)
    assert str(refused.value) == (
        f"The keystore {path} cannot be read: it is a JCEKS file and only PKCS#12 and JKS are supported; "
        "'keytool -importkeystore -deststoretype PKCS12' converts a keystore. It was left as it is."
    )


@pytest.mark.parametrize(("name", "mac"), [("no-mac.p12", None), ("sha1-mac.p12", "HmacPBESHA1")])
def test_other_macs_of_java_are_read(java: Keytool, folder: Path, name: str, mac: str | None) -> None:
    store = keystore.open_store(str(folder / name), PASSWORD)
    assert ours(store) == javas(java.list(folder / name))
    assert (store.contents.protection.mac and store.contents.protection.mac.name) == mac
    assert profiles.profile_of(store.contents.protection) == "other"
    with pytest.raises(PasswordError):
        keystore.open_store(str(folder / name), "another password")


# --- what we wrote ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, keystore.Store, dict[str, Issued]]:
    """A store with whatever could confuse Java."""
    identities = {
        "ec1": issue("ec1"),
        "ec2": issue("ec2", key=shared_key("RSA")),
        "ed1": issue("ed1", key=shared_key("Ed25519")),
        "ключ 🔑": chain_of("root", "middle", "unicode"),
        "ca itself": issue("a ca", ca=True, usages=None),
    }
    child = issue("child", by=identities["ca itself"])
    trusted = {"platform": issue("platform").der, "ec1 itself": identities["ec1"].der, "größe": issue("groesse").der, "𝒶": issue("a").der}
    entries: list[PrivateKeyEntry | TrustedCertEntry] = [TrustedCertEntry(alias, certificate) for alias, certificate in trusted.items()]
    entries += [PrivateKeyEntry(alias, each.pkcs8, each.chain, THEN) for alias, each in identities.items()]
    entries.append(PrivateKeyEntry("child", child.pkcs8, child.chain, THEN + 86_400_000))
    folder = tmp_path_factory.mktemp("ours")
    store = store_of(*entries)
    return save(folder, store), store, {**identities, "child": child}


def test_keytool_lists_exactly_what_we_wrote(java: Keytool, many: tuple[Path, keystore.Store, dict[str, Issued]]) -> None:
    path, store, identities = many
    listed = java.list(path)
    assert javas(listed) == ours(store)
    assert {alias: each.created for alias, each in listed.items() if each.type == KEY} == {
        **dict.fromkeys(identities, "Feb 3, 2020"),
        "child": "Feb 4, 2020",
    }


def test_java_uses_the_keys_that_we_wrote(java: Keytool, many: tuple[Path, keystore.Store, dict[str, Issued]], tmp_path: Path) -> None:
    """Java decrypts and encrypts anew every key; each must fit its own certificate, also those of one millisecond."""
    path, store, identities = many
    copy = tmp_path / "copy.p12"
    copy_all(java, path, copy)
    copied = keystore.open_store(str(copy), PASSWORD)
    assert ours(copied) == ours(store)
    for alias, issued in identities.items():
        entry = copied.key_entry(alias)
        assert entry.pkcs8 == issued.pkcs8 or x509.certifies(issued.der, entry.private_key())


def test_java_signs_with_a_key_that_we_wrote(java: Keytool, many: tuple[Path, keystore.Store, dict[str, Issued]], tmp_path: Path) -> None:
    path, _store, identities = many
    java("-certreq", "-keystore", path, "-alias", "ключ 🔑", "-file", tmp_path / "csr")
    request = certificates.load_pem_x509_csr((tmp_path / "csr").read_bytes())
    assert request.is_signature_valid
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert request.public_key().public_bytes(*form) == identities["ключ 🔑"].key.public_key().public_bytes(*form)
    assert "verify OK" in openssl("req", "-verify", "-noout", "-in", tmp_path / "csr")


def test_java_changes_what_we_wrote_and_we_read_it_again(
    java: Keytool, many: tuple[Path, keystore.Store, dict[str, Issued]], tmp_path: Path
) -> None:
    path, store, _identities = many
    shared = tmp_path / "shared.p12"
    shared.write_bytes(path.read_bytes())
    java("-delete", "-keystore", shared, "-alias", "platform")
    java("-changealias", "-keystore", shared, "-alias", "ec1", "-destalias", "EC1 renamed")
    found = ours(keystore.open_store(str(shared), PASSWORD))
    expected = ours(store)
    del expected["platform"]
    expected["ec1 renamed"] = expected.pop("ec1")
    assert found == expected == javas(java.list(shared))


def test_java_refuses_a_wrong_password_as_we_do(java: Keytool, many: tuple[Path, keystore.Store, dict[str, Issued]]) -> None:
    path = many[0]
    assert "keystore password was incorrect" in java.attempt("-list", "-keystore", path, password="another password").stdout
    with pytest.raises(PasswordError, match="the password is wrong, or the store was damaged"):
        keystore.open_store(str(path), "another password")


def test_an_empty_store_is_one(java: Keytool, tmp_path: Path) -> None:
    assert java.list(save(tmp_path, store_of())) == {}


def test_foreign_bags_do_not_disturb_java(java: Keytool, tmp_path: Path) -> None:
    """What other programs put into a store: kept byte for byte, and Java sees the same entries with and without it."""
    ec1, stray = issue("ec1"), issue("nobody's")
    foreign = (
        bag(CRL_BAG, der.sequence(der.oid("1.2.840.113549.1.9.23.1"), der.explicit(0, der.octet_string(b"\x30\x00")))),
        bag(KEY_BAG, issue("unencrypted").pkcs8, "unencrypted", b"2"),
        cert_bag(stray.der, "nobody's", b"3"),
    )
    first = tmp_path / "first.p12"
    first.write_bytes(pfx(key_bag(ec1.pkcs8, "ec1", b"Time 1"), cert_bag(ec1.der, "ec1", b"Time 1"), *foreign))
    store = keystore.open_store(str(first), PASSWORD)
    assert store.contents.opaque == foreign
    second = save(tmp_path, store)
    assert keystore.open_store(str(second), PASSWORD).contents.opaque == foreign
    assert java.list(first) == java.list(second)


# --- files that Java reads in its own way ----------------------------------------------------------------------------

A, B, C = issue("a"), issue("b"), issue("c")
CHAIN, SECOND_CHAIN = chain_of("root", "middle", "leaf"), chain_of("second root", "second middle", "second leaf")
OLD_CA, NEW_CA = (issue("ca", ca=True, usages=None, key_ids=True) for _each in range(2))
UNDER_NEW = issue("under new", by=NEW_CA, key_ids=True)
LOST_CA, WRONG_CA = (issue("another ca", ca=True, usages=None, key_ids=True) for _each in range(2))
UNDER_LOST = issue("under lost", by=LOST_CA, key_ids=True)
RENEWED_KEY = new_key()
BEFORE, AFTER = (issue("renewed ca", key=RENEWED_KEY, ca=True, usages=None, key_ids=True) for _each in range(2))
UNDER_RENEWED = issue("under renewed", by=BEFORE, key_ids=True)
UNNAMED_KEY = new_key()
WITH_ID, WITHOUT_ID = (issue("unnamed ca", key=UNNAMED_KEY, ca=True, usages=None, key_ids=each) for each in (True, False))
UNDER_UNNAMED = issue("under unnamed", by=WITH_ID)


def ca_named(text: str, encoding: _ASN1Type) -> Issued:
    subject = certificates.Name([certificates.NameAttribute(certificates.NameOID.COMMON_NAME, text, _type=encoding)])
    return issue("", subject=subject, key=RENEWED_KEY, ca=True, usages=None)


PRINTABLE_CA, UTF8_CA = ca_named("Text  CA", _ASN1Type.PrintableString), ca_named("TEXT ca", _ASN1Type.UTF8String)
UNDER_PRINTABLE = issue("under printable", by=PRINTABLE_CA)


def key(issued: Issued, alias: str | None, key_id: bytes | None = None) -> bytes:
    return key_bag(issued.pkcs8, alias, key_id)


def cert(issued: Issued, alias: str | None = None, key_id: bytes | None = None, **more: bool) -> bytes:
    return cert_bag(issued.der, alias, key_id, **more)


def above(issued: Issued) -> list[bytes]:
    return [cert_bag(each) for each in issued.above]


MATCHES = [
    *(key(A, "the id counts before the alias", b"1"), cert(B, "the id counts before the alias", b"-"), cert(A, "x", b"1")),
    *(key(A, "OF ONE ID the alias counts", b"2"), cert(B, "x", b"2"), cert(A, "of one id THE ALIAS COUNTS", b"2"), cert(C, "y", b"2")),
    *(key(A, "of one id and other aliases", b"3"), cert(B, "x", b"3"), cert(A, "y", b"3")),
    *(key(A, "WITHOUT the id the alias counts", b"4"), cert(A, "without the id the alias counts", b"-")),
    *(key(A, "a trusted certificate is no leaf", b"5"), cert(A, "trusted", b"5", trusted=True)),
]
CHAINS = [
    *reversed(above(CHAIN)),
    *(cert(CHAIN, "backwards", b"1"), key(CHAIN, "backwards", b"1")),
    *(above(SECOND_CHAIN)[0], key(SECOND_CHAIN, "in pieces", b"2"), above(SECOND_CHAIN)[1], cert(SECOND_CHAIN, "in pieces", b"2")),
    *(key(UNDER_NEW, "two issuers of one name", b"3"), cert(UNDER_NEW, "two issuers of one name", b"3")),
    *(cert(OLD_CA, "old", trusted=True), cert(NEW_CA, "new", trusted=True)),
    *(key(UNDER_LOST, "an issuer of the name alone", b"4"), cert(UNDER_LOST, "an issuer of the name alone", b"4")),
    cert(WRONG_CA, "wrong", trusted=True),
    *(key(UNDER_RENEWED, "an issuer renewed with its key", b"5"), cert(UNDER_RENEWED, "an issuer renewed with its key", b"5")),
    *(cert(BEFORE), cert(AFTER, "renewed", trusted=True)),
    *(key(UNDER_UNNAMED, "no identifier wanted", b"6"), cert(UNDER_UNNAMED, "no identifier wanted", b"6"), cert(WITH_ID), cert(WITHOUT_ID)),
    *(key(UNDER_PRINTABLE, "a name of another type", b"7"), cert(UNDER_PRINTABLE, "a name of another type", b"7"), cert(UTF8_CA)),
]
ALIASES = [
    *(key(A, "", b"1"), cert(A, "", b"1")),
    *(cert(A, "THE LATER COUNTS", trusted=True), cert(B, "the later counts", trusted=True)),
    *(cert(B, "also if IT IS A KEY", trusted=True), key(C, "also if it is a key", b"2"), cert(C, "also if it is a key", b"2")),
    cert(A, "İstanbul ΑΣ ẞ", trusted=True),
]


@pytest.mark.parametrize(
    "safes",
    [
        pytest.param([MATCHES], id="which-certificate-is-whose"),
        pytest.param([CHAINS], id="chains"),
        pytest.param([ALIASES], id="aliases"),
        pytest.param([[key(A, "k")], [cert(A, "x"), cert(B, "y")]], id="an-only-key-takes-the-certificate-that-begins-a-safe"),
        pytest.param([[cert(A, "x")], [key(A, "k")]], id="but-none-that-comes-before-it"),
        pytest.param([[key(A, "k")], [cert(B, "y", b"2"), cert(A, "x")]], id="nor-one-that-does-not-begin-it"),
        pytest.param([[cert(B, trusted=True), key(A, None, b"1"), cert(A, None, b"1")]], id="entries-without-alias-are-numbered"),
        pytest.param([[key(A, "a", b"1"), cert(A, "a", b"1"), key(B, None, b"2"), cert(B, None, b"2")]], id="and-only-these"),
    ],
)
def test_we_see_what_java_sees(java: Keytool, tmp_path: Path, safes: list[list[bytes]]) -> None:
    path = tmp_path / "store.p12"
    path.write_bytes(pfx(safes=[safe(*bags) for bags in safes]))
    assert ours(keystore.open_store(str(path), PASSWORD)) == javas(java.list(path))
