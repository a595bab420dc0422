# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A keystore as a set of entries: what is no keystore is never taken for an absent one."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.mutual.tls.plugins.module_utils import keystore
from ansible_collections.mutual.tls.plugins.module_utils.entries import Contents, PrivateKeyEntry, Protection, TrustedCertEntry
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, PasswordError, StoreError, UnsupportedStoreError
from ansible_collections.mutual.tls.plugins.module_utils.keystore import Store

from .factory import PASSWORD, cert_bag, chain_of, issue, new_key, pfx

pytestmark = pytest.mark.codec

EC1, EC2, PLATFORM = issue("ec1"), issue("ec2"), issue("platform")
IDENTITY = PrivateKeyEntry("ec1", EC1.pkcs8, EC1.chain, 1_500_000_000_000)
TRUSTED = TrustedCertEntry("platform", PLATFORM.der)
STORE = Store.empty().put(TRUSTED).put(IDENTITY)
DATA = keystore.serialize_store(STORE, PASSWORD)


# --- entries ---------------------------------------------------------------------------------------------------------


def test_keys_stay_before_certificates() -> None:
    assert STORE.entries == [IDENTITY, TRUSTED]
    second = PrivateKeyEntry("ec2", EC2.pkcs8, EC2.chain)
    assert STORE.put(second).entries == [IDENTITY, second, TRUSTED]
    assert STORE.entries == [IDENTITY, TRUSTED], "a store does not change; changing it gives another"


def test_an_entry_takes_the_place_of_its_alias() -> None:
    other = TrustedCertEntry("platform", EC2.der)
    assert STORE.put(TrustedCertEntry("a", EC1.der)).put(other).entries == [IDENTITY, other, TrustedCertEntry("a", EC1.der)]


def test_aliases_are_looked_up_in_lower_case() -> None:
    assert STORE.get("EC1") == IDENTITY
    assert STORE.get("ec") is None
    assert STORE.remove("PLATFORM").entries == [IDENTITY]
    assert STORE.remove("nobody") == STORE


def test_a_key_is_chosen_by_its_alias_or_by_being_the_only_one() -> None:
    two = STORE.put(PrivateKeyEntry("ec2", EC2.pkcs8, EC2.chain))
    assert STORE.key_entry() == STORE.key_entry("EC1") == two.key_entry("ec1") == IDENTITY
    for store, alias, message in [
        (two, None, "the store holds 2 private keys without an alias to choose it by; one is needed"),
        (STORE, "platform", "the store holds 0 private keys under the alias 'platform'; one is needed"),
        (Store.empty(), None, "the store holds 0 private keys without an alias to choose it by; one is needed"),
    ]:
        with pytest.raises(StoreError) as refused:
            store.key_entry(alias)
        assert str(refused.value) == message


def test_anchors_are_the_trusted_certificates_and_the_keys_own() -> None:
    assert STORE.put(PrivateKeyEntry("bare", EC2.pkcs8, ())).anchors() == [EC1.der, PLATFORM.der]


# --- passwords -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", ["123456", "      ", "~ !\"#$%&'()*+,-./", "x" * 1000])
def test_passwords_that_java_takes(password: str) -> None:
    keystore.check_password(password)


@pytest.mark.parametrize(
    "password",
    [
        pytest.param("", id="empty"),
        pytest.param("12345", id="five-characters"),
        pytest.param("passwörd", id="not-ascii"),
        pytest.param("pass\tword", id="tab"),
        pytest.param("password\n", id="newline"),
        pytest.param("password\x7f", id="delete"),
    ],
)
def test_passwords_that_java_refuses(password: str) -> None:
    with pytest.raises(InputError) as refused:
        keystore.check_password(password, "pkcs12", "store_password")
    assert str(refused.value) == (
        "'store_password' must have at least 6 characters: Java's keytool makes no store with a shorter one."
        if len(password) < 6
        else "'store_password' must be of printable ASCII characters: Java before 25 opens no PKCS#12 store with another."
    )
    assert password not in str(refused.value) or len(password) < 6


def test_a_jks_store_takes_a_password_in_any_script() -> None:
    keystore.check_password("пароль", "jks")
    with pytest.raises(InputError, match="at least 6 characters"):
        keystore.check_password("парол", "jks")


# --- kinds -----------------------------------------------------------------------------------------------------------

OTHER = "it is a JCEKS file and only PKCS#12 and JKS are supported; 'keytool -importkeystore -deststoretype PKCS12' converts a keystore"
PEM = (
    "it is a PEM file, no keystore: hand its certificates in as trusted.cert_content, or make a keystore of a key and its certificate "
    "with 'openssl pkcs12 -export'"
)


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        pytest.param(b"", "unknown", "it is empty, so no keystore", id="empty"),
        pytest.param(b"# a text\n" * 10, "unknown", "it is no keystore of a known kind", id="text"),
        pytest.param(bytes(range(255, 0, -1)), "unknown", "it is no keystore of a known kind", id="binary"),
        pytest.param(b"\0" * 100, "unknown", "it is no keystore of a known kind", id="zeros"),
        pytest.param(EC1.der, "unknown", "it is no keystore of a known kind", id="certificate"),
        pytest.param(EC1.pkcs8, "unknown", "it is no keystore of a known kind", id="key"),
        pytest.param(b"\xce\xce\xce\xce\0\0\0\2", "JCEKS", OTHER, id="jceks"),
        pytest.param(b"\0\0\0\2\0\0\0\x14", "BKS (version 2)", OTHER.replace("JCEKS", "BKS (version 2)", 1), id="bks"),
        pytest.param(b"\0\0\0\1\0\0\0\x14", "BKS (version 1)", OTHER.replace("JCEKS", "BKS (version 1)", 1), id="bks-1"),
        pytest.param(EC1.pem.encode(), "PEM", PEM, id="pem-certificate"),
        pytest.param(EC1.key_pem, "PEM", PEM, id="pem-key"),
    ],
)
def test_other_files_are_refused_by_their_kind(tmp_path: Path, data: bytes, kind: str, message: str) -> None:
    path = tmp_path / "keys.p12"
    path.write_bytes(data)
    assert keystore.kind(data) == kind
    with pytest.raises(UnsupportedStoreError) as refused:
        keystore.open_store_if_present(str(path), PASSWORD)
    assert str(refused.value) == f"The keystore {path} cannot be read: {message}. It was left as it is."
    assert refused.value.details == {"path": str(path)}
    assert path.read_bytes() == data


def test_the_kind_is_the_bytes_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "store.jks"
    path.write_bytes(DATA)
    assert keystore.open_store(str(path), PASSWORD).entries == STORE.entries


def test_a_file_that_is_too_large_is_refused_soon(tmp_path: Path) -> None:
    path = tmp_path / "keys.p12"
    with open(path, "wb") as stream:
        stream.write(DATA)
        stream.truncate(2**40)
    begun = time.monotonic()
    with pytest.raises(UnsupportedStoreError) as refused:
        keystore.open_store(str(path), PASSWORD)
    assert str(refused.value) == (
        f"The keystore {path} cannot be read: it has more than 64 MiB, so it is no keystore. It was left as it is."
    )
    assert time.monotonic() - begun < 2


# --- files -----------------------------------------------------------------------------------------------------------


def test_only_a_file_that_is_not_there_is_an_absent_store(tmp_path: Path) -> None:
    path = tmp_path / "keys.p12"
    assert keystore.open_store_if_present(str(path), PASSWORD) is None
    with pytest.raises(StoreError, match=rf"^There is no keystore at {path}\.$"):
        keystore.open_store(str(path), PASSWORD)
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        keystore.open_store_if_present(str(path), PASSWORD)
    with pytest.raises(NotADirectoryError):
        (tmp_path / "file").touch()
        keystore.open_store_if_present(str(tmp_path / "file" / "keys"), PASSWORD)


def test_a_wrong_password_names_the_file_and_not_itself(tmp_path: Path) -> None:
    path = tmp_path / "keys.p12"
    path.write_bytes(DATA)
    with pytest.raises(PasswordError) as refused:
        keystore.open_store_if_present(str(path), "the wrong password")
    assert str(refused.value) == (
        f"The keystore {path} cannot be read: the password is wrong, or the store was damaged: its MAC does not hold. It was left as it is."
    )
    assert path.read_bytes() == DATA


def test_a_damaged_store_is_no_absent_one(tmp_path: Path) -> None:
    path = tmp_path / "keys.p12"
    for data in (DATA[:-1], DATA[:100], DATA[:500] + bytes([DATA[500] ^ 1]) + DATA[501:]):
        path.write_bytes(data)
        with pytest.raises(StoreError, match=rf"^The keystore {path} cannot be read: .*\. It was left as it is\.$"):
            keystore.open_store_if_present(str(path), PASSWORD)


def test_what_the_password_does_not_open_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "keys.p12"
    path.write_bytes(b"old")
    with pytest.raises(PasswordError):
        keystore.write_store(str(path), STORE, DATA, "another password")
    with pytest.raises(StoreError):
        keystore.write_store(str(path), STORE, DATA[:-1], PASSWORD)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["keys.p12"]
    assert keystore.write_store(str(path), STORE, DATA, PASSWORD).entries == STORE.entries
    assert path.read_bytes() == DATA


@pytest.mark.parametrize(
    ("meant", "message"),
    [
        pytest.param(STORE.put(TrustedCertEntry("lost", EC2.der)), "the entry under the alias 'lost' would not be read back", id="lost"),
        pytest.param(STORE.put(TrustedCertEntry("platform", EC2.der)), "the entry under the alias 'platform' would not", id="another"),
        pytest.param(STORE.put(replace(IDENTITY, pkcs8=EC2.pkcs8)), "the entry under the alias 'ec1' would not be", id="another-key"),
        pytest.param(STORE.put(replace(IDENTITY, chain=EC2.chain)), "the entry under the alias 'ec1' would not be", id="another-leaf"),
        pytest.param(STORE.remove("platform"), "other entries than these would be read back", id="one-too-many"),
    ],
)
def test_what_would_not_be_read_back_as_it_is_meant_is_not_written(tmp_path: Path, meant: Store, message: str) -> None:
    path = tmp_path / "keys.p12"
    with pytest.raises(StoreError, match=f"^{message}.*so nothing was written$"):
        keystore.write_store(str(path), meant, DATA, PASSWORD)
    assert not path.exists()


def test_nothing_is_written_while_it_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert keystore.verified(STORE, DATA, PASSWORD).entries == STORE.entries
    with pytest.raises(StoreError, match=r"^the entry under the alias 'platform' would not be read back"):
        keystore.verified(STORE.put(TrustedCertEntry("platform", EC2.der)), DATA, PASSWORD)
    assert os.listdir(tmp_path) == []


def test_a_chain_that_pkcs12_cannot_keep_is_not_written() -> None:
    """Two issuers of one name and key, as cross-signed ones are: in a JKS store each key has its own."""
    key = new_key()
    entries = []
    for alias in ("a", "b"):
        middle = issue("middle", by=issue(f"root of {alias}", ca=True, key_ids=True), key=key, ca=True, key_ids=True)
        leaf = issue(alias, by=middle, key_ids=True)
        entries.append(PrivateKeyEntry(alias, leaf.pkcs8, leaf.chain, 1))
    store = Store(Contents(tuple(entries), Protection(), "jks"))
    assert keystore.verified(store, keystore.serialize_store(store, PASSWORD), PASSWORD).entries == store.entries
    with pytest.raises(StoreError) as refused:
        keystore.verified(store, keystore.serialize_store(store, PASSWORD, store_format="pkcs12"), PASSWORD)
    assert str(refused.value) == (
        "the certificate chain under the alias 'b' would not be read back as it is: PKCS#12 finds issuers by name and "
        "key identifier alone, which lead to other certificates of this store, so nothing was written"
    )


def test_a_chain_may_be_lengthened_by_what_the_store_has_anyway() -> None:
    """Also by an opaque part, which then is one no more; but none may be lost."""
    leaf = chain_of("root", "leaf")
    store = Store.empty().put(PrivateKeyEntry("leaf", leaf.pkcs8, (leaf.der,), 1))
    root, stray = cert_bag(leaf.above[0]), cert_bag(EC2.der)
    with_both = Store(replace(store.contents, opaque=(root, stray)))
    written = keystore.verified(with_both, keystore.serialize_store(with_both, PASSWORD), PASSWORD)
    assert (written.key_entry("leaf").chain, written.contents.opaque) == (leaf.chain, (stray,))
    with_root = Store(replace(store.contents, opaque=(root,)))
    with pytest.raises(StoreError, match=r"^parts of the store that are no entries would not be read back as they are, so nothing was"):
        keystore.verified(with_both, keystore.serialize_store(with_root, PASSWORD), PASSWORD)


# --- protection ------------------------------------------------------------------------------------------------------


def test_a_store_that_anybody_could_have_changed_is_not_vouched_for() -> None:
    unsealed = keystore.parse_store(pfx(cert_bag(EC1.der, "a", trusted=True), password=None), PASSWORD)
    for old_password in (None, PASSWORD):
        with pytest.raises(StoreError, match=r"^The keystore /keys has no MAC, so anybody could have changed it\."):
            keystore.check_sealed("/keys", unsealed, old_password)
    keystore.check_sealed("/keys", unsealed, "")
    keystore.check_sealed("/keys", keystore.parse_store(DATA, PASSWORD), None)


def test_new_entries_are_dated_and_old_ones_keep_their_dates() -> None:
    store = STORE.put(PrivateKeyEntry("new", EC2.pkcs8, EC2.chain))
    found = keystore.parse_store(keystore.serialize_store(store, PASSWORD, now=1_600_000_000.25), PASSWORD)
    assert [found.key_entry(alias).created for alias in ("ec1", "new")] == [1_500_000_000_000, 1_600_000_000_250]
