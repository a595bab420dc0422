# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Java does with keystores and no standard says, fact by fact (reference/keystores.md, section 5).

Here are those that no other file has. The others:

=============================================  ==========================================================================
5a  version 1, types X.509 and X509, aliases    test_jks_java: test_we_see_what_java_sees, test_a_key_of_version_1_...
5a  modified UTF-8                              test_jks: test_aliases_are_modified_utf_8; test_jks_java: many
5a  the digest, and bytes after it              test_jks: test_every_flipped_byte_is_noticed; test_jks_java: test_we_see_...
5a  aliases with capitals, aliases twice        test_jks_java: test_an_alias_with_capitals_..., test_of_aliases_that_differ_...
5a  a password for each key                     test_jks_java: test_a_key_whose_password_...; test_keystore_passwords
5a  JCEKS                                       test_keystore_java: test_other_kinds_of_javas_stores_are_refused_by_name
5b  which part has what, and protected how      test_keystore_openssl: test_the_keys_come_first_...
5b  foreign bags                                test_keystore_java: test_foreign_bags_do_not_disturb_java
5b  Java's mark of trust                        test_incumbents: test_10_...
5b  key to certificate, chains, numbers         test_keystore_java: test_we_see_what_java_sees
5b  aliases twice, and in capitals              test_keystore_java: test_we_see_what_java_sees[aliases]
5b  keys locked by the KeyStore API             test_keystore_passwords: test_a_key_of_its_own_password_in_pkcs12_...
5b  a trusted CA lengthens a chain              test_keystore_identity: test_a_request_is_signed_elsewhere_and_installed
5b  the empty password has two forms            test_mac: test_an_empty_password_holds_in_one_of_its_forms
5b  we protect anew, and convert                test_keystore_formats
5b  bytes after the end                         test_pkcs12: test_bytes_after_the_end_are_ignored_as_in_java_and_remarked
5c  what is read, and what is left out          test_pbe, test_mac, test_rc2, test_derivation; test_keystore_openssl
5c  the DEFAULT of iterations                   test_mac: test_a_default_is_left_out, test_the_usual_count_may_be_...
5c  what each Java writes, and PBMAC1           test_java_matrix; for the bounds of PBMAC1, test_mac
=============================================  ==========================================================================
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12 as other_codec

from ansible_collections.mutual.tls.plugins.module_utils import der, derivation, keystore, x509
from ansible_collections.mutual.tls.plugins.module_utils import pkcs12 as codec
from ansible_collections.mutual.tls.plugins.module_utils.entries import Algorithm, PrivateKeyEntry, TrustedCertEntry
from ansible_collections.mutual.tls.plugins.module_utils.errors import PasswordError, UnsupportedStoreError
from ansible_collections.mutual.tls.plugins.modules import keystore_info

from ..unit.factory import (
    FRIENDLY_NAME,
    LOCAL_KEY_ID,
    PASSWORD,
    TRUSTED_KEY_USAGE,
    Keytool,
    cert_bag,
    chain_of,
    issue,
    key_bag,
    openssl,
    pem,
    pfx,
)
from .rhythm import Call

A, B, LEAF, PLATFORM = issue("a"), issue("b"), chain_of("root", "middle", "leaf"), issue("platform")
STORE = (
    keystore.Store.empty()
    .put(PrivateKeyEntry("leaf", LEAF.pkcs8, LEAF.chain, 1_580_702_706_789))
    .put(TrustedCertEntry("platform", PLATFORM.der))
)
SEEN = {"leaf": tuple(map(x509.sha256, LEAF.chain)), "platform": (PLATFORM.sha256,)}
#: As the cacerts of Java 18 and newer.
PASSWORDLESS = ("-J-Dkeystore.pkcs12.certProtectionAlgorithm=NONE", "-J-Dkeystore.pkcs12.macAlgorithm=NONE")


def save(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def ours(path: Path, password: str = PASSWORD) -> dict[str, tuple[str, ...]]:
    store = keystore.open_store(str(path), password)
    return {entry.alias: tuple(map(x509.sha256, keystore.chain_of(entry))) for entry in store.entries}


def javas(java: Keytool, path: Path, *options: str, password: str = PASSWORD) -> dict[str, tuple[str, ...]]:
    return {alias: each.sha256 for alias, each in java.list(path, *options, password=password).items()}


# --- 5a and 5b: passwords --------------------------------------------------------------------------------------------


def test_a_jks_store_under_a_password_in_any_script_is_opened_by_every_java(every_keytool: Path, tmp_path: Path) -> None:
    java, password = Keytool(every_keytool), "größe пароль 🔑"
    path = save(tmp_path / "store.jks", keystore.serialize_store(STORE, password, store_format="jks"))
    assert javas(java, path, password=password) == SEEN == ours(path, password)
    assert "password was incorrect" in java.attempt("-list", "-keystore", path, password="gr").stdout


def test_a_pkcs12_store_under_such_a_password_is_refused_by_java_before_25(every_keytool: Path, tmp_path: Path) -> None:
    """So we make none; we read what others made."""
    java, password = Keytool(every_keytool), "größe пароль 🔑"
    path = save(tmp_path / "store.p12", keystore.serialize_store(STORE, password))
    assert ours(path, password) == SEEN
    with pytest.raises(keystore.InputError, match="^'password' must be of printable ASCII characters: Java before 25 opens no PKCS#12 "):
        keystore.check_password(password)
    if java.major >= 25:
        assert javas(java, path, password=password) == SEEN
    else:
        # As it says of a wrong password; under the hood, "Password is not ASCII".
        assert "keystore password was incorrect" in java.attempt("-list", "-keystore", path, password=password).stdout
        made = java.attempt(
            "-genkeypair", "-keystore", tmp_path / "new", "-alias", "a", "-keyalg", "EC", "-dname", "CN=a", password=password
        )
        assert "Password is not ASCII" in made.stdout


@pytest.mark.parametrize("store_format", ["pkcs12", "jks"])
def test_a_password_of_five_characters_opens_a_store_and_makes_none(java: Keytool, tmp_path: Path, store_format: str) -> None:
    path = save(tmp_path / "store", keystore.serialize_store(STORE, "short", store_format=store_format))
    assert javas(java, path, password="short") == SEEN == ours(path, "short")
    made = java.attempt("-genkeypair", "-keystore", tmp_path / "new", "-storetype", store_format, "-alias", "a", "-keyalg", "EC", "-dname",
                        "CN=a", password="short")  # fmt: skip
    assert "Keystore password must be at least 6 characters" in made.stdout
    with pytest.raises(keystore.InputError, match="^'password' must have at least 6 characters: Java's keytool makes no store with a "):
        keystore.check_password("short", store_format)


def test_without_a_password_java_sees_an_empty_store_where_we_see_an_error(java: Keytool, tmp_path: Path) -> None:
    """KeyStore.load(in, null) leaves out what is encrypted: TLS then says 'trustAnchors parameter must be non-empty'."""
    path = save(tmp_path / "store.p12", keystore.serialize_store(STORE.remove("leaf"), PASSWORD))
    said = java("-list", "-keystore", path, password=None)
    assert "Your keystore contains 0 entries" in said
    with pytest.raises(PasswordError, match="has a password, and none was given: set 'password'"):
        keystore.open_store(str(path), "")
    assert javas(java, path) == ours(path) == {"platform": (PLATFORM.sha256,)}


# --- 5b: stores without a password -----------------------------------------------------------------------------------


def test_a_store_of_java_without_a_password_is_read_without_one(java: Keytool, call: Call, path: Path, tmp_path: Path) -> None:
    """Whatever password is said; the module, which could vouch for nothing in it, wants to hear that it has none."""
    (tmp_path / "platform.pem").write_text(PLATFORM.pem)
    java("-importcert", "-keystore", path, "-alias", "platform", "-file", tmp_path / "platform.pem", "-noprompt", *PASSWORDLESS)
    assert "Your keystore contains 1 entry" in java("-list", "-keystore", path, password=None)
    for password in ("", PASSWORD):
        assert ours(path, password) == javas(java, path) == {"platform": (PLATFORM.sha256,)}
    said = call(keystore_info, password="")
    assert (said["protection"]["mac"], said["protection"]["certificate_encryption"], said["profile"]) == (None, None, "other")
    assert f"The keystore {path} has no MAC, so anybody could have changed it." in call(fails=True)["msg"]
    assert call(old_password="")["store"]["profile"] == "default"
    assert javas(java, path) == {"platform": (PLATFORM.sha256,)}
    with pytest.raises(PasswordError):
        ours(path, "")


def test_the_cacerts_of_each_java_are_read(every_keytool: Path) -> None:
    """A JKS file or, since Java 18, one without a password: who builds Java chooses."""
    cacerts = every_keytool.resolve().parents[1] / "lib" / "security" / "cacerts"
    if not cacerts.exists():
        pytest.skip(f"this Java has no {cacerts}")
    listed = Keytool(every_keytool).list(cacerts, password="changeit")
    store = keystore.open_store(str(cacerts), "changeit")
    assert {entry.alias: tuple(map(x509.sha256, keystore.chain_of(entry))) for entry in store.entries} == {
        alias: each.sha256 for alias, each in listed.items()
    }
    assert len(listed) > 100
    if store.format == "pkcs12":
        assert keystore.open_store(str(cacerts), "").entries == store.entries
    else:
        with pytest.raises(PasswordError, match="has a password, and none was given: set 'password'"):
            keystore.open_store(str(cacerts), "")


def test_a_store_that_cryptography_made_without_a_password_has_the_empty_one(java: Keytool, tmp_path: Path) -> None:
    """It is sealed under it: Java opens it without a password, and with none other."""
    none = serialization.NoEncryption()
    data = other_codec.serialize_key_and_certificates(None, None, None, [PLATFORM.certificate], none)
    path = save(tmp_path / "store.p12", data)
    assert java.attempt("-list", "-keystore", path, password=None).returncode == 0
    assert "Failed PKCS12 integrity checking" in java.attempt("-list", "-keystore", path).stdout
    store = keystore.open_store(str(path), "")
    assert store.contents.protection.mac is not None
    assert [PLATFORM.der in each for each in store.contents.opaque] == [True]  # it is no trusted entry
    with pytest.raises(PasswordError, match="its MAC does not hold"):
        keystore.open_store(str(path), PASSWORD)


# --- 5b: bags --------------------------------------------------------------------------------------------------------


def test_a_key_that_is_not_encrypted_is_no_entry_for_java_and_is_kept(java: Keytool, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(A.key_pem + A.pem.encode())
    path = tmp_path / "store.p12"
    openssl("pkcs12", "-export", "-in", tmp_path / "key.pem", "-name", "a", "-keypbe", "NONE", "-out", path, "-passout", "env:STORE")
    assert javas(java, path) == ours(path) == {}
    store = keystore.open_store(str(path), PASSWORD)
    assert store.contents.remarks == ("the private key under the alias 'a' is not encrypted, and Java does not see it",)
    save(path, keystore.serialize_store(store.put(TrustedCertEntry("platform", PLATFORM.der)), PASSWORD))
    assert javas(java, path) == ours(path) == {"platform": (PLATFORM.sha256,)}
    assert A.key_pem.decode() in openssl("pkcs12", "-in", path, "-nocerts", "-nodes", "-passin", "env:STORE")


def test_a_second_key_without_an_id_is_no_entry_for_java_and_is_kept(java: Keytool, tmp_path: Path) -> None:
    """The first gets the id of an only key; with one of its own each is an entry."""
    first, second = (key_bag(A.pkcs8, "first"), cert_bag(A.der, "first")), (key_bag(B.pkcs8, "second"), cert_bag(B.der, "second"))
    path = save(tmp_path / "store.p12", pfx(*first, *second))
    assert ours(path) == javas(java, path) == {"first": (A.sha256,)}
    store = keystore.open_store(str(path), PASSWORD)
    [remark] = store.contents.remarks
    assert remark == (
        "the private key under the alias 'second' has no localKeyId, as only a store's first key may, and Java does not see it: "
        "it keeps the password that it has"
    )
    save(path, keystore.serialize_store(store, PASSWORD))
    assert ours(path) == javas(java, path) == {"first": (A.sha256,)}
    assert keystore.open_store(str(path), PASSWORD).contents.opaque == store.contents.opaque == second
    save(path, pfx(*first, key_bag(B.pkcs8, "second", b"2"), cert_bag(B.der, "second", b"2")))
    assert ours(path) == javas(java, path) == {"first": (A.sha256,), "second": (B.sha256,)}


def test_a_key_without_certificate_is_an_entry_without_a_chain(java: Keytool, tmp_path: Path) -> None:
    path = save(tmp_path / "store.p12", pfx(key_bag(A.pkcs8, "a", b"1")))
    again = save(tmp_path / "again.p12", keystore.serialize_store(keystore.open_store(str(path), PASSWORD), PASSWORD))
    for each in (path, again):
        assert ours(each) == javas(java, each) == {"a": ()}
        assert keystore.open_store(str(each), PASSWORD).key_entry("a").pkcs8 == A.pkcs8
    # With one it has it.
    save(path, pfx(key_bag(A.pkcs8, "a", b"1"), cert_bag(A.der, "a", b"1")))
    assert ours(path) == javas(java, path) == {"a": (A.sha256,)}


def test_a_key_with_another_id_than_javas_has_no_date(java: Keytool, tmp_path: Path) -> None:
    """Java shows the moment at which it opens the file; a rewrite keeps the id, and invents no date."""
    path = save(tmp_path / "store.p12", pfx(key_bag(A.pkcs8, "a", b"1"), cert_bag(A.der, "a", b"1")))
    assert keystore.open_store(str(path), PASSWORD).key_entry("a").created is None
    assert java.list(path)["a"].created == time.strftime("%b %d, %Y", time.gmtime()).replace(" 0", " ")
    save(path, keystore.serialize_store(keystore.open_store(str(path), PASSWORD), PASSWORD, now=1_580_702_706.789))
    assert keystore.open_store(str(path), PASSWORD).key_entry("a").created is None
    assert java.list(path)["a"].created == time.strftime("%b %d, %Y", time.gmtime()).replace(" 0", " ")


def attributes(path: Path) -> dict[bytes, set[str]]:
    """The attributes, by kind, of each certificate in a store whose certificates are not encrypted, as openssl takes it apart."""
    parsed = openssl("pkcs12", "-in", path, "-nokeys", "-passin", "env:STORE")
    found = {}
    for block in parsed.split("Bag Attributes")[1:]:
        head, _begin, body = block.partition("-----BEGIN CERTIFICATE-----")
        certificate = x509.pem_to_der("-----BEGIN CERTIFICATE-----" + body.partition("-----END")[0] + "-----END CERTIFICATE-----\n", "it")[
            0
        ]
        kinds = {"friendlyName": FRIENDLY_NAME, "localKeyID": LOCAL_KEY_ID, TRUSTED_KEY_USAGE: TRUSTED_KEY_USAGE}
        found[certificate] = {kind for name, kind in kinds.items() if f"    {name}: " in head}
    return found


def test_javas_mark_of_trust_is_on_trusted_certificates_alone(java: Keytool, tmp_path: Path) -> None:
    """On a key's own it would make entries of them. openssl shows it on what we wrote, and on what Java made of that."""
    path = save(tmp_path / "ours.p12", keystore.serialize_store(STORE, PASSWORD))
    named = {FRIENDLY_NAME, LOCAL_KEY_ID}
    leaf, *above = LEAF.chain
    assert attributes(path) == {leaf: named, **{each: set() for each in above}, PLATFORM.der: {FRIENDLY_NAME, TRUSTED_KEY_USAGE}}
    java("-changealias", "-keystore", path, "-alias", "leaf", "-destalias", "renamed")
    # Java names the certificates above by their subjects. We keep that.
    by_java = attributes(path)
    assert by_java == {leaf: named, **{each: {FRIENDLY_NAME} for each in above}, PLATFORM.der: {FRIENDLY_NAME, TRUSTED_KEY_USAGE}}
    save(path, keystore.serialize_store(keystore.open_store(str(path), PASSWORD), PASSWORD))
    assert attributes(path) == by_java


# --- 5b: files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("store_format", "other"), [("pkcs12", "JKS"), ("jks", "PKCS12")])
def test_java_and_we_open_a_store_under_the_name_of_the_other_format(java: Keytool, tmp_path: Path, store_format: str, other: str) -> None:
    path = save(tmp_path / f"store.{other.lower()}", keystore.serialize_store(STORE, PASSWORD, store_format=store_format))
    assert javas(java, path, "-storetype", other) == ours(path) == SEEN
    assert "unknown" not in keystore.kind(path.read_bytes())
    assert "JCEKS" in java.attempt("-list", "-keystore", path, "-storetype", "JCEKS").stdout or other == "JKS"


def test_java_keeps_an_old_protection_and_the_module_does_not(java: Keytool, call: Call, path: Path) -> None:
    """keytool never brings a store up to date by itself. No entry is lost, neither there nor back."""
    save(path, keystore.serialize_store(STORE, PASSWORD, profile="java8"))
    java("-genkeypair", "-keystore", path, "-alias", "javas", "-keyalg", "EC", "-dname", "CN=j")
    old = keystore.open_store(str(path), PASSWORD).contents.protection
    assert old.mac == Algorithm("HmacPBESHA1", 100_000)
    assert old.certificates == Algorithm("PBEWithSHA1AndDESede", 50_000)
    assert old.keys is not None
    assert old.keys.name == "PBEWithSHA1AndDESede, PBEWithHmacSHA256AndAES_256"  # the new key has the new protection
    before = javas(java, path)
    assert before.keys() == {*SEEN, "javas"}
    for wishes in ({}, {"profile": "java8"}, {"format": "jks"}, {"format": "pkcs12"}):
        assert call(**wishes)["changed"] is True
        assert javas(java, path) == before
    assert call(profile="modern")["store"]["profile"] == "modern"
    assert ours(path) == before
    assert "HmacPBE1.2.840.113549.1.5.14 not available" in java.attempt("-list", "-v", "-keystore", path).stdout
    call()
    assert javas(java, path) == before


# --- 5c: what Java refuses -------------------------------------------------------------------------------------------


def exported(path: Path, *options: str) -> bytes:
    (path.parent / "a.pem").write_text(A.key_pem.decode() + pem(A.der))
    openssl("pkcs12", "-export", "-in", path.parent / "a.pem", "-name", "a", "-out", path, "-passout", "env:STORE", *options)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(["-certpbe", "AES-192-CBC"], "the encrypted safe is protected with AES-192-CBC", id="aes-192"),
        pytest.param(["-certpbe", "CAMELLIA-256-CBC"], "the encrypted safe is protected with CAMELLIA-256-CBC", id="camellia"),
        pytest.param(["-certpbe", "DES-EDE3-CBC"], "the encrypted safe is protected with DES-EDE3-CBC", id="3des-in-pbes2"),
        pytest.param(["-macalg", "sha3-256"], "the MAC is protected with SHA3-256", id="sha3"),
    ],
)
def test_what_java_refuses_we_refuse_by_its_name(java: Keytool, path: Path, options: list[str], message: str) -> None:
    data = exported(path, *options)
    assert "keytool error: java.io.IOException" in java.attempt("-list", "-keystore", path).stdout
    with pytest.raises(UnsupportedStoreError, match=f"^{message} "):
        codec.read(data, PASSWORD)
    # Nothing else is in the way.
    exported(path, "-certpbe", "AES-128-CBC", "-macalg", "sha384")
    assert javas(java, path) == ours(path) == {"a": (A.sha256,)}


def test_java_and_we_take_five_million_iterations_and_no_more(java: Keytool, path: Path) -> None:
    algorithm = der.sequence(der.oid("2.16.840.1.101.3.4.2.1"), der.null())
    digest = der.sequence(algorithm, der.octet_string(bytes(32)))
    mac = der.sequence(digest, der.octet_string(bytes(20)), der.integer(derivation.MAX_ITERATIONS + 1))
    data = pfx(cert_bag(A.der, "a", trusted=True), mac=mac)
    assert "MAC iteration count too large: 5000001" in java.attempt("-list", "-keystore", save(path, data)).stdout
    with pytest.raises(UnsupportedStoreError, match="^the MAC asks for 5000001 iterations; 1 to 5000000 are accepted$"):
        codec.read(data, PASSWORD)
