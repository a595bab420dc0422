# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Java has the last word on JKS: what keytool wrote is read whole, and what we wrote keytool lists exactly and uses."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from cryptography import x509 as certificates
from cryptography.hazmat.primitives import hashes

from ansible_collections.mutual.tls.plugins.module_utils import jks, pkcs12, x509
from ansible_collections.mutual.tls.plugins.module_utils.entries import Contents, Entry, PrivateKeyEntry, Protection, TrustedCertEntry
from ansible_collections.mutual.tls.plugins.module_utils.errors import PasswordError, StoreError, UnsupportedStoreError

from ..unit.factory import PASSWORD, Issued, Keytool, Listed, chain_of, issue, openssl, shared_key
from ..unit.test_jks import OWN, key, made, protected, trusted

pytestmark = pytest.mark.codec

KEY, TRUSTED = "PrivateKeyEntry", "trustedCertEntry"
#: 2020-02-03 04:05:06.789 UTC in milliseconds.
THEN = 1_580_702_706_789
DAY = 86_400_000
NEW = "a newer password"


@pytest.fixture(scope="module")
def java(keytool: Path) -> Keytool:
    return Keytool(keytool)


def ours(contents: Contents) -> dict[str, tuple[str, tuple[str, ...]]]:
    """What we see in a store, in keytool's words."""
    return {
        entry.alias: (KEY, tuple(map(x509.sha256, entry.chain)))
        if isinstance(entry, PrivateKeyEntry)
        else (TRUSTED, (x509.sha256(entry.certificate),))
        for entry in contents.entries
    }


def javas(listed: dict[str, Listed]) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {alias: (each.type, each.sha256) for alias, each in listed.items()}


def key_of(contents: Contents, alias: str) -> PrivateKeyEntry:
    [entry] = [each for each in contents.entries if each.alias == alias]
    assert isinstance(entry, PrivateKeyEntry)
    return entry


def save(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def written(*entries: Entry, password: str = PASSWORD) -> bytes:
    return jks.write(Contents(entries, Protection()), password, now=THEN)


# --- what keytool wrote ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(java: Keytool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """made.jks: an entry of every kind; the key `own` has its own password. moved.jks: the same after changes of passwords."""
    folder = tmp_path_factory.mktemp("keytool")
    store = ("-keystore", folder / "made.jks", "-storetype", "JKS")
    imported = chain_of("outer root", "outer middle", "imported")
    (folder / "platform.pem").write_text(issue("platform").pem)
    save(folder / "imported.jks", written(PrivateKeyEntry("imported", imported.pkcs8, imported.chain)))
    same = ("-keypass:env", "STORE")
    java("-genkeypair", *store, "-alias", "rsa", "-keyalg", "RSA", "-keysize", "2048", "-dname", "CN=rsa, O=Example\\, Inc.", *same)
    java("-genkeypair", *store, "-alias", "own", "-keyalg", "EC", "-groupname", "secp384r1", "-dname", "CN=own", "-keypass", OWN)
    java("-genkeypair", *store, "-alias", "Ed", "-keyalg", "Ed25519", "-dname", "CN=ed", *same)
    java("-importcert", *store, "-alias", "Größe 𝒶 İ", "-file", folder / "platform.pem", "-noprompt")
    passwords = ("-srcstorepass:env", "STORE", "-deststorepass:env", "STORE")
    java("-importkeystore", "-srckeystore", folder / "imported.jks", "-destkeystore", *store[1:2], "-deststoretype", "JKS", *passwords,
         password=None)  # fmt: skip
    moved = ("-keystore", save(folder / "moved.jks", (folder / "made.jks").read_bytes()), "-storetype", "JKS")
    java("-keypasswd", *moved, "-alias", "rsa", *same, "-new", OWN)
    java("-storepasswd", *moved, "-new", NEW)
    return folder


def test_what_keytool_made_is_read_whole(java: Keytool, folder: Path) -> None:
    found = jks.read((folder / "made.jks").read_bytes(), PASSWORD, {"own": OWN})
    listed = java.list(folder / "made.jks")
    assert ours(found) == javas(listed)
    assert {alias: len(each.sha256) for alias, each in listed.items()} == {"rsa": 1, "own": 1, "ed": 1, "größe 𝒶 i̇": 1, "imported": 3}
    assert found.remarks == ()
    for entry in found.entries:
        assert entry.created is not None
        assert abs(time.time() - entry.created / 1000) < 600
    for alias, password in {"rsa": None, "own": OWN, "ed": None, "imported": None}.items():
        entry = key_of(found, alias)
        assert entry.password == password
        assert x509.certifies(entry.chain[0], entry.private_key())


def test_a_key_whose_password_was_not_given_is_locked(folder: Path) -> None:
    """And what was not given, wrong passwords neither, changes nothing about the others."""
    data = (folder / "made.jks").read_bytes()
    for passwords in ({}, {"own": "another", "rsa": OWN}):
        found = jks.read(data, PASSWORD, passwords)
        assert [each.alias for each in found.entries if isinstance(each, PrivateKeyEntry) and each.pkcs8 is None] == ["own"]
        assert ours(found) == ours(jks.read(data, PASSWORD, {"own": OWN}))


def test_a_new_password_of_the_store_is_none_of_its_keys(java: Keytool, folder: Path) -> None:
    """keytool -storepasswd seals the file anew and leaves each key under the password that it has."""
    data = (folder / "moved.jks").read_bytes()
    assert javas(java.list(folder / "moved.jks", password=NEW)) == ours(jks.read(data, NEW))
    assert [key_of(jks.read(data, NEW), alias).pkcs8 for alias in ("rsa", "own", "ed", "imported")] == [None] * 4
    found = jks.read(data, NEW, {"rsa": OWN, "own": OWN, "ed": PASSWORD, "imported": PASSWORD})
    before = jks.read((folder / "made.jks").read_bytes(), PASSWORD, {"own": OWN})
    for alias, password in {"rsa": OWN, "own": OWN, "ed": PASSWORD, "imported": PASSWORD}.items():
        assert key_of(found, alias).password == password
        assert key_of(found, alias).pkcs8 == key_of(before, alias).pkcs8
    with pytest.raises(PasswordError):
        jks.read(data, PASSWORD)


def test_java_sees_the_same_after_a_rewrite(java: Keytool, folder: Path, tmp_path: Path) -> None:
    """Without the password of one key, which stays as it was: Java uses it after."""
    found = jks.read((folder / "made.jks").read_bytes(), PASSWORD)
    path = save(tmp_path / "again.jks", jks.write(found, NEW, now=0))
    assert java.list(path, password=NEW) == java.list(folder / "made.jks")
    assert java("-certreq", "-keystore", path, "-alias", "own", "-keypass", OWN, password=NEW).startswith("-----BEGIN")
    assert java("-certreq", "-keystore", path, "-alias", "rsa", "-keypass", NEW, password=NEW).startswith("-----BEGIN")
    refused = java.attempt("-certreq", "-keystore", path, "-alias", "own", "-keypass", NEW, password=NEW)
    assert "Cannot recover key" in refused.stdout


# --- what we wrote ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def identities() -> dict[str, Issued]:
    return {
        "ec1": issue("ec1"),
        "rsa": issue("rsa", key=shared_key("RSA")),
        "ed1": issue("ed1", key=shared_key("Ed25519")),
        "ключ 🔑": chain_of("root", "middle", "unicode"),
    }


@pytest.fixture(scope="module")
def many(identities: dict[str, Issued], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Contents]:
    """A store with whatever could confuse Java; the key `ec1` has its own password."""
    entries: list[Entry] = [
        PrivateKeyEntry(alias, each.pkcs8, each.chain, THEN, password=OWN if alias == "ec1" else None) for alias, each in identities.items()
    ]
    names = ("platform", "größe", "𝒶", "i̇stanbul ı", "ας", "1", "with 'quotes'", "x" * 300)
    entries += [TrustedCertEntry(alias, issue("trusted").der, THEN + DAY) for alias in names]
    entries.append(TrustedCertEntry("undated", issue("undated").der))
    data = jks.write(Contents(tuple(entries), Protection()), PASSWORD, now=THEN + 2 * DAY)
    return save(tmp_path_factory.mktemp("ours") / "store.jks", data), Contents(tuple(entries), Protection())


def test_keytool_lists_exactly_what_we_wrote(java: Keytool, many: tuple[Path, Contents]) -> None:
    path, contents = many
    listed = java.list(path)
    assert javas(listed) == ours(contents)
    dates = {None: "Feb 5, 2020", THEN: "Feb 3, 2020", THEN + DAY: "Feb 4, 2020"}
    assert {alias: each.created for alias, each in listed.items()} == {each.alias: dates[each.created] for each in contents.entries}


def test_java_uses_the_keys_that_we_wrote(
    java: Keytool, many: tuple[Path, Contents], identities: dict[str, Issued], tmp_path: Path
) -> None:
    """Java decrypts every key and encrypts it anew, for PKCS#12. That of its own password is asked for by itself."""
    path, contents = many
    copy = ("-destkeystore", tmp_path / "copy.p12", "-deststoretype", "PKCS12", "-deststorepass:env", "STORE", "-noprompt")
    source = ("-importkeystore", "-srckeystore", path, "-srcstorepass:env", "STORE", *copy)
    refused = java.attempt(*source, "-srcalias", "ec1", "-srckeypass", "another", password=None)
    assert "Cannot recover key" in refused.stdout
    java(*source, "-srcalias", "ec1", "-srckeypass", OWN, "-destkeypass:env", "STORE", password=None)
    for alias in identities.keys() - {"ec1"}:
        java(*source, "-srcalias", alias, password=None)
    copied = pkcs12.read((tmp_path / "copy.p12").read_bytes(), PASSWORD)
    assert ours(copied) == {alias: each for alias, each in ours(contents).items() if each[0] == KEY}
    for alias, issued in identities.items():
        assert x509.certifies(issued.der, key_of(copied, alias).private_key())


def test_java_signs_with_a_key_that_we_wrote(
    java: Keytool, many: tuple[Path, Contents], identities: dict[str, Issued], tmp_path: Path
) -> None:
    java("-certreq", "-keystore", many[0], "-alias", "ключ 🔑", "-file", tmp_path / "csr")
    request = certificates.load_pem_x509_csr((tmp_path / "csr").read_bytes())
    assert request.is_signature_valid
    assert request.public_key().public_numbers() == identities["ключ 🔑"].key.public_key().public_numbers()
    assert "verify OK" in openssl("req", "-verify", "-noout", "-in", tmp_path / "csr")


def test_java_changes_what_we_wrote_and_we_read_it_again(java: Keytool, many: tuple[Path, Contents], tmp_path: Path) -> None:
    path, contents = many
    shared = save(tmp_path / "shared.jks", path.read_bytes())
    java("-delete", "-keystore", shared, "-alias", "PLATFORM")
    java("-changealias", "-keystore", shared, "-alias", "rsa", "-destalias", "RSA renamed", "-keypass:env", "STORE")
    found = jks.read(shared.read_bytes(), PASSWORD, {"ec1": OWN})
    expected = ours(contents)
    del expected["platform"]
    expected["rsa renamed"] = expected.pop("rsa")
    assert ours(found) == expected == javas(java.list(shared))
    before = {each.alias: each.created for each in contents.entries if each.created is not None}
    assert all(entry.created == before[entry.alias] for entry in found.entries if entry.alias in before)


def test_java_refuses_a_wrong_password_as_we_do(java: Keytool, many: tuple[Path, Contents]) -> None:
    assert "password was incorrect" in java.attempt("-list", "-keystore", many[0], password="another password").stdout
    with pytest.raises(PasswordError, match="^the password is wrong, or the store was damaged: its digest does not hold$"):
        jks.read(many[0].read_bytes(), "another password")


def test_a_password_that_is_not_ascii_opens_the_store_in_both(java: Keytool, identities: dict[str, Issued], tmp_path: Path) -> None:
    """Which no PKCS#12 store of a Java before 25 has."""
    password, issued = "пароль 🔑 größe", identities["ec1"]
    path = save(tmp_path / "ours.jks", written(PrivateKeyEntry("a", issued.pkcs8, issued.chain), password=password))
    assert java.list(path, password=password) == {"a": Listed(KEY, "Feb 3, 2020", (issued.sha256,))}
    options = ("-alias", "b", "-keyalg", "EC", "-dname", "CN=b")
    java("-genkeypair", "-keystore", path, *options, "-keypass:env", "STORE", password=password)
    found = jks.read(path.read_bytes(), password)
    assert key_of(found, "a").pkcs8 == issued.pkcs8
    assert x509.certifies(key_of(found, "b").chain[0], key_of(found, "b").private_key())
    for wrong in (password[:-1], "пароль"):
        assert "password was incorrect" in java.attempt("-list", "-keystore", path, password=wrong).stdout
        with pytest.raises(PasswordError):
            jks.read(path.read_bytes(), wrong)


def test_an_empty_store_is_one(java: Keytool, tmp_path: Path) -> None:
    assert java.list(save(tmp_path / "empty.jks", written())) == {}


# --- files that Java reads in its own way ----------------------------------------------------------------------------

A, B, C = issue("a"), issue("b"), chain_of("root", "middle", "leaf")
VERSION_1 = made(key("leaf", protected(C.pkcs8), *C.chain, kind=None), trusted("platform", A.der, kind=None), version=1)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(VERSION_1, id="version-1"),
        pytest.param(made(trusted("a", A.der), trusted("b", B.der), trusted("a", B.der), trusted("b", A.der)), id="the-later-of-an-alias"),
        pytest.param(made(trusted("a", A.der), key("a", protected(C.pkcs8), *C.chain)), id="also-if-it-is-a-key"),
        pytest.param(made(trusted("a", A.der)) + b"trailing bytes", id="bytes-after-the-digest"),
        pytest.param(made(key("a", protected(A.pkcs8), A.der, kind="x509"), trusted("b", B.der, kind="X509")), id="types-of-keystore-go"),
        pytest.param(made(trusted(b"a\0b".replace(b"\0", b"\xc0\x80"), A.der), trusted(b"\xed\xa0\xb5\xed\xb2\xb6", B.der)), id="aliases"),
        pytest.param(made(trusted("", A.der)), id="an-alias-without-characters"),
        pytest.param(made(trusted("a", A.der, date=-1), trusted("b", B.der, date=2**63 - 1)), id="impossible-dates"),
        pytest.param(made(key("a", protected(A.pkcs8, OWN), A.der)), id="a-locked-key"),
        pytest.param(made(key("a", protected(A.pkcs8, scheme="1.2.3.4"), A.der)), id="a-key-under-another-scheme"),
    ],
)
def test_we_see_what_java_sees(java: Keytool, tmp_path: Path, data: bytes) -> None:
    """In the file, and in what we write of it."""
    path = save(tmp_path / "store.jks", data)
    found = jks.read(data, PASSWORD)
    assert found.entries
    assert ours(found) == javas(java.list(path))
    if "1.2.3.4" not in str(found.remarks):  # which is not written
        again = save(tmp_path / "again.jks", jks.write(found, PASSWORD, now=0))
        assert ours(found) == javas(java.list(again))


def test_a_key_of_version_1_is_used_by_both(java: Keytool, tmp_path: Path) -> None:
    path = save(tmp_path / "store.jks", VERSION_1)
    assert key_of(jks.read(VERSION_1, PASSWORD), "leaf").pkcs8 == C.pkcs8
    request = certificates.load_pem_x509_csr(java("-certreq", "-keystore", path, "-alias", "leaf").encode())
    assert request.public_key().public_numbers() == C.key.public_key().public_numbers()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(made(trusted("a", A.der), version=3), id="version-3"),
        pytest.param(made(trusted("𝒶".encode(), A.der)), id="alias-in-plain-utf-8"),
        pytest.param(made(trusted("a", A.der, kind="PGP")), id="type-of-certificate"),
        pytest.param(made(trusted("a", b"text")), id="no-certificate"),
        pytest.param(made(trusted("a", A.der), count=2), id="too-few-entries"),
        pytest.param(made(trusted("a", A.der), count=0), id="too-many-entries"),
        pytest.param(made(trusted("a", A.der))[:-1], id="cut-short"),
        pytest.param(made(b"\0\0\0\3" + trusted("a", A.der)[4:]), id="kind-of-entry"),
    ],
)
def test_we_refuse_what_java_refuses(java: Keytool, tmp_path: Path, data: bytes) -> None:
    refused = java.attempt("-list", "-keystore", save(tmp_path / "store.jks", data), "-storetype", "JKS")
    assert refused.returncode == 1
    assert "keytool error: java." in refused.stdout
    with pytest.raises(StoreError):
        jks.read(data, PASSWORD)


def test_java_takes_a_key_without_certificate_for_a_secret_one(java: Keytool, tmp_path: Path) -> None:
    """keytool 25 even dies of that; so we write none."""
    data = made(key("a", protected(A.pkcs8)))
    said = java.attempt("-list", "-keystore", save(tmp_path / "store.jks", data)).stdout
    assert "SecretKeyEntry" in said
    assert KEY not in said
    found = jks.read(data, PASSWORD)
    assert key_of(found, "a").pkcs8 == A.pkcs8
    with pytest.raises(UnsupportedStoreError, match="^the key under the alias 'a' has no certificate"):
        jks.write(found, PASSWORD, now=0)


@pytest.mark.parametrize("entries", [(trusted("MyRoot", A.der), trusted("other", B.der)), (key("EC1", protected(A.pkcs8), A.der),)])
def test_an_alias_with_capitals_is_not_found_by_java_until_we_wrote_the_store_anew(
    java: Keytool, tmp_path: Path, entries: tuple[bytes, ...]
) -> None:
    """reference/keystores.md 5a: Java loads the alias that is written, and looks for it in lower case."""
    path = save(tmp_path / "store.jks", made(*entries))
    died = java.attempt("-list", "-keystore", path)
    assert died.returncode == 1
    found = jks.read(path.read_bytes(), PASSWORD)
    stored = found.repairs[0].split("'")[1]
    assert f"Alias <{stored}> does not exist" in died.stdout
    path.write_bytes(jks.write(found, PASSWORD, now=0))
    assert javas(java.list(path)) == ours(found)
    assert jks.read(path.read_bytes(), PASSWORD).repairs == ()


@pytest.mark.parametrize(("aliases", "winner"), [(("a", "A"), A), (("A", "a"), B)], ids=["first", "last"])
def test_of_aliases_that_differ_by_case_java_finds_the_one_in_lower_case(
    java: Keytool, tmp_path: Path, aliases: tuple[str, str], winner: Issued
) -> None:
    data = made(*map(trusted, aliases, (A.der, B.der)))
    path = save(tmp_path / "store.jks", data)
    for alias in aliases:
        found = java("-exportcert", "-rfc", "-keystore", path, "-alias", alias)
        assert certificates.load_pem_x509_certificate(found.encode()).fingerprint(hashes.SHA256()).hex() == winner.sha256
    assert jks.read(data, PASSWORD).entries == (TrustedCertEntry("a", winner.der, THEN),)
