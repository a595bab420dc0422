# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JKS: what is written is read back, what is damaged is refused. Java's own word is in tests/interop."""

from __future__ import annotations

import os
import time
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mutual.tls.plugins.module_utils import der, jks
from ansible_collections.mutual.tls.plugins.module_utils.entries import (
    Algorithm,
    Contents,
    Entry,
    PrivateKeyEntry,
    Protection,
    SecretKeyEntry,
    TrustedCertEntry,
)
from ansible_collections.mutual.tls.plugins.module_utils.errors import (
    InputError,
    MtlsError,
    PasswordError,
    StoreError,
    UnsupportedStoreError,
)

from .factory import PASSWORD, chain_of, issue
from .jks_by_hand import PLATFORM, PROTECTOR, THEN, key, made, protected, sealed, trusted, u32, utf

pytestmark = pytest.mark.codec

OWN = "a key's own"
EC1, EC2, LEAF = issue("ec1"), issue("ec2"), chain_of("root", "middle", "leaf")


def contents(*entries: Entry, **more: Any) -> Contents:
    return Contents(entries, Protection(), **more)


def written(*entries: Entry, password: str = PASSWORD) -> bytes:
    return jks.write(contents(*entries), password, now=THEN)


SMALL = made(key("ec1", protected(EC1.pkcs8), EC1.der), trusted("platform"))


# --- whole stores ----------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ALIASES = TEXT.map(str.lower).filter(lambda alias: alias == alias.lower())


@given(aliases=st.lists(ALIASES, unique=True, max_size=6), keys=st.integers(0, 3), password=TEXT, own=st.none() | TEXT, data=st.data())
def test_stores_are_read_back_whole(aliases: list[str], keys: int, password: str, own: str | None, data: st.DataObject) -> None:
    own = None if own == password else own
    entries: list[Entry] = []
    for number, alias in enumerate(aliases):
        date = data.draw(st.integers(0, 253_402_300_799_999))
        issued = (EC1, EC2, LEAF)[number % 3]
        if number < keys:
            entries.append(PrivateKeyEntry(alias, issued.pkcs8, issued.chain, date, password=own))
        else:
            entries.append(TrustedCertEntry(alias, issued.der, date))
    file = written(*entries, password=password)
    found = jks.read(file, password, {} if own is None else dict.fromkeys(aliases, own))
    assert found.entries == tuple(entries)
    assert found.remarks == ()
    assert jks.is_jks(file)
    with pytest.raises(PasswordError):
        jks.read(file, password + "x")


def test_a_file_made_by_hand_is_read() -> None:
    """The twin of reading back: writer and reader might be wrong in the same way."""
    found = jks.read(SMALL, PASSWORD)
    assert found == Contents(
        (PrivateKeyEntry("ec1", EC1.pkcs8, EC1.chain, THEN), TrustedCertEntry("platform", PLATFORM.der, THEN)),
        Protection(mac=Algorithm("SHA1", 0), keys=Algorithm("JKS", 0)),
        format="jks",
    )
    assert jks.read(made(), PASSWORD) == Contents((), Protection(mac=Algorithm("SHA1", 0)), format="jks")


def test_what_is_written_is_the_file_made_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte for byte, when the salts are the same: nothing else is left to chance."""
    monkeypatch.setattr(os, "urandom", lambda count: b"s" * count)
    by_hand = made(key("ec1", protected(EC1.pkcs8), EC1.der), trusted("platform"))
    entries = jks.read(SMALL, PASSWORD).entries
    assert written(*entries) == written(*reversed(entries)) == by_hand
    monkeypatch.undo()
    assert written(*entries) != by_hand


def test_new_entries_are_dated_now_and_others_keep_their_date() -> None:
    file = jks.write(contents(TrustedCertEntry("new", PLATFORM.der), TrustedCertEntry("old", PLATFORM.der, 5)), PASSWORD, now=7)
    assert [entry.created for entry in jks.read(file, PASSWORD).entries] == [7, 5]


def test_private_keys_come_first_whatever_the_order_of_entries() -> None:
    file = made(trusted("a"), key("b", protected(EC1.pkcs8), EC1.der), trusted("c"), key("d", protected(EC2.pkcs8), EC2.der))
    found = jks.read(file, PASSWORD)
    assert [entry.alias for entry in found.entries] == ["b", "d", "a", "c"]


def test_a_key_without_certificate_is_read_and_remarked_and_not_written() -> None:
    found = jks.read(made(key("a", protected(EC1.pkcs8))), PASSWORD)
    assert found.entries == (PrivateKeyEntry("a", EC1.pkcs8, (), THEN),)
    assert found.remarks == ("the key under the alias 'a' has no certificate: Java's keytool takes it for a secret key",)
    with pytest.raises(UnsupportedStoreError, match="^the key under the alias 'a' has no certificate, which a key in JKS must have: give"):
        jks.write(found, PASSWORD, now=0)


def test_version_1_which_has_no_certificate_types_is_read() -> None:
    entries = (key("leaf", protected(LEAF.pkcs8), *LEAF.chain, kind=None), trusted("platform", kind=None))
    found = jks.read(made(*entries, version=1), PASSWORD)
    assert found.entries == (PrivateKeyEntry("leaf", LEAF.pkcs8, LEAF.chain, THEN), TrustedCertEntry("platform", PLATFORM.der, THEN))
    with pytest.raises(StoreError, match="^the store is cut short: "):
        jks.read(made(*entries, version=2), PASSWORD)
    assert jks.write(found, PASSWORD, now=0)[4:8] == u32(2)


@pytest.mark.parametrize("version", [0, 3, 2**32 - 1])
def test_other_versions_are_refused(version: int) -> None:
    with pytest.raises(UnsupportedStoreError, match=f"^the store is of JKS version {version}: Java knows 1 and 2$"):
        jks.read(made(version=version), PASSWORD)


def test_no_key_is_in_the_clear() -> None:
    secret = EC1.key.private_numbers().private_value.to_bytes(32, "big")
    assert secret in EC1.pkcs8
    assert secret not in written(*jks.read(SMALL, PASSWORD).entries)
    assert EC1.der in written(*jks.read(SMALL, PASSWORD).entries), "certificates are"


# --- passwords -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", ["пароль 🔑 \0", "", "\ud83d half a pair", "x" * 1000], ids=["unicode", "none", "surrogate", "long"])
def test_any_text_is_a_password(password: str) -> None:
    file = written(PrivateKeyEntry("a", EC1.pkcs8, EC1.chain), password=password)
    [entry] = jks.read(file, password).entries
    assert isinstance(entry, PrivateKeyEntry)
    assert entry.pkcs8 == EC1.pkcs8
    with pytest.raises(PasswordError, match="^the password is wrong, or the store was damaged: its digest does not hold$"):
        jks.read(file, password + "!")


def test_a_key_has_its_own_password() -> None:
    blob = protected(EC1.pkcs8, OWN)
    file = made(key("ec1", blob, EC1.der), key("ec2", protected(EC2.pkcs8), EC2.der))
    ec2 = PrivateKeyEntry("ec2", EC2.pkcs8, EC2.chain, THEN)
    opened = PrivateKeyEntry("ec1", EC1.pkcs8, EC1.chain, THEN, password=OWN)
    locked = PrivateKeyEntry("ec1", None, EC1.chain, THEN, locked=blob)
    assert jks.read(file, PASSWORD, {"EC1": OWN, "ec2": "not needed"}).entries == (opened, ec2)
    assert jks.read(file, PASSWORD).entries == (locked, ec2)
    assert jks.read(file, PASSWORD, {"ec1": "another", "ec2": OWN}).entries == (locked, ec2)
    with pytest.raises(PasswordError, match="^the key under the alias 'ec1' has a password of its own, which was not given$"):
        locked.private_key()


def test_a_locked_key_is_written_as_it_was() -> None:
    blob = protected(EC1.pkcs8, OWN)
    found = jks.read(made(key("ec1", blob, EC1.der)), PASSWORD)
    moved = jks.write(found, "the store's new", now=0)
    assert blob in moved
    assert jks.read(moved, "the store's new").entries == found.entries
    assert jks.read(moved, "the store's new", {"ec1": OWN}).entries == (
        PrivateKeyEntry("ec1", EC1.pkcs8, EC1.chain, THEN, password=OWN),
    )  # fmt: skip


def test_a_key_keeps_its_own_password_when_it_is_written() -> None:
    file = written(PrivateKeyEntry("ec1", EC1.pkcs8, EC1.chain, password=OWN))
    [entry] = jks.read(file, PASSWORD).entries
    assert isinstance(entry, PrivateKeyEntry)
    assert entry.pkcs8 is None
    [entry] = jks.read(file, PASSWORD, {"ec1": OWN}).entries
    assert isinstance(entry, PrivateKeyEntry)
    assert (entry.pkcs8, entry.password) == (EC1.pkcs8, OWN)


def test_a_key_under_another_scheme_is_kept_unread() -> None:
    blob = protected(EC1.pkcs8, scheme="1.3.6.1.4.1.42.2.19.1")
    found = jks.read(made(key("a", blob, EC1.der)), PASSWORD)
    assert found.entries == (PrivateKeyEntry("a", None, EC1.chain, THEN, locked=blob),)
    assert found.remarks == (
        "the key under the alias 'a' is encrypted with 1.3.6.1.4.1.42.2.19.1, which Java does not use in JKS: it is kept, unread",
    )  # fmt: skip
    with pytest.raises(UnsupportedStoreError, match="^the key under the alias 'a' is locked in a way that JKS does not know: give its pas"):
        jks.write(found, PASSWORD, now=0)


@pytest.mark.parametrize(
    ("blob", "message"),
    [
        pytest.param(protected(b""), "the key under the alias 'a' should be one value and has none", id="nothing"),
        pytest.param(protected(b"not a key"), "the key under the alias 'a' is cut short: 111 bytes announced, 7 left", id="no-der"),
        pytest.param(protected(b"\x30\x00\x00\x00"), "the key under the alias 'a' should be one value and has more", id="more-than-it"),
        pytest.param(b"junk", "the key under the alias 'a' is cut short: 117 bytes announced, 2 left", id="no-blob"),
        pytest.param(b"", "the key under the alias 'a' should be one value and has none", id="no-bytes"),
        pytest.param(bytes(65_537), "the key under the alias 'a' has 65537 bytes: no private key is so large", id="too-large"),
    ],
)
def test_a_key_that_is_none_is_refused_by_its_alias(blob: bytes, message: str) -> None:
    with pytest.raises(StoreError) as refused:
        jks.read(made(key("a", blob, EC1.der)), PASSWORD)
    assert str(refused.value) == message


@pytest.mark.parametrize("size", [0, 19, 39, 40])
def test_a_key_too_short_for_salt_and_digest_is_opened_by_nothing(size: int) -> None:
    blob = der.sequence(der.sequence(der.oid(PROTECTOR)), der.octet_string(bytes(size)))
    [entry] = jks.read(made(key("a", blob, EC1.der)), PASSWORD, {"a": ""}).entries
    assert isinstance(entry, PrivateKeyEntry)
    assert entry.locked == blob


def test_a_large_key_takes_no_time() -> None:
    """Of the largest size that is read; and a locked one is tried with two passwords."""
    blob = protected(der.sequence(bytes(65_000)), "a third")
    started = time.monotonic()
    [entry] = jks.read(made(key("a", blob, EC1.der)), PASSWORD, {"a": OWN}).entries
    assert time.monotonic() - started < 1
    assert isinstance(entry, PrivateKeyEntry)
    assert entry.locked == blob


# --- aliases ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "alias"),
    [
        (b"", ""),
        ("größe".encode(), "größe"),
        pytest.param(b"a\xc0\x80b", "a\0b", id="nul-of-java"),
        pytest.param(b"a\0b", "a\0b", id="nul-which-java-reads-too"),
        pytest.param(b"\xed\xa0\xb5\xed\xb2\xb6", "𝒶", id="pair-of-surrogates"),
    ],
)
def test_aliases_are_modified_utf_8(stored: bytes, alias: str) -> None:
    [entry] = jks.read(made(trusted(stored)), PASSWORD).entries
    assert entry.alias == alias
    assert utf(stored.replace(b"\0", b"\xc0\x80")) in written(entry)


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param("𝒶".encode(), id="four-bytes"),
        pytest.param(b"\xed\xa0\xb5", id="first-half-of-a-pair"),
        pytest.param(b"a\xed\xb2\xb6", id="second-half-of-a-pair"),
        pytest.param(b"\xed\xb2\xb6\xed\xa0\xb5", id="pair-in-the-wrong-order"),
        pytest.param(b"\xc3", id="cut-short"),
        pytest.param(b"\x80", id="continuation"),
        pytest.param(b"\xc1\xa1", id="longer-than-needed"),
        pytest.param(b"\xe1\xc0\x80", id="nul-inside-a-character"),
        pytest.param(b"\xff", id="nothing-at-all"),
    ],
)
def test_aliases_that_are_no_text_are_refused(stored: bytes) -> None:
    with pytest.raises(StoreError, match="^the alias of entry 2 is not whole text in Java's modified UTF-8$"):
        jks.read(made(trusted("a"), trusted(stored)), PASSWORD)


def test_an_alias_with_capitals_is_read_in_lower_case_and_remarked() -> None:
    found = jks.read(made(trusted("MyRoot"), trusted("other"), trusted("ÄÖ Ω İ")), PASSWORD)
    assert [entry.alias for entry in found.entries] == ["myroot", "other", "äö ω i̇"]
    assert found.repairs == (
        "the alias 'MyRoot' is not in lower case, so Java cannot find it",
        "the alias 'ÄÖ Ω İ' is not in lower case, so Java cannot find it",
    )
    again = jks.read(jks.write(found, PASSWORD, now=0), PASSWORD)
    assert again.entries == found.entries
    assert again.repairs == again.remarks == ()


TWICE = "the alias 'a' is there more than once: only the entry that Java finds was read"
CAPITAL = "the alias 'A' is not in lower case, so Java cannot find it"


@pytest.mark.parametrize(
    ("aliases", "winner", "remarks"),
    [
        pytest.param(["a", "a"], 1, (TWICE,), id="the-later"),
        pytest.param(["a", "a", "a"], 2, (TWICE,), id="the-latest"),
        pytest.param(["A", "a"], 1, (TWICE,), id="the-one-in-lower-case-that-is-later"),
        pytest.param(["a", "A"], 0, (TWICE,), id="and-that-is-earlier"),
        pytest.param(["a", "A", "a", "A"], 2, (TWICE,), id="the-later-of-these"),
        pytest.param(["A", "A"], 1, (TWICE, CAPITAL), id="the-later-of-those-java-does-not-find"),
        pytest.param(["a"], 0, (), id="no-two"),
    ],
)
def test_of_entries_with_one_alias_the_one_that_java_finds_counts(aliases: list[str], winner: int, remarks: tuple[str, ...]) -> None:
    certificates = [LEAF.der, EC1.der, EC2.der, PLATFORM.der]
    found = jks.read(made(*map(trusted, aliases, certificates)), PASSWORD)
    assert found.entries == (TrustedCertEntry("a", certificates[winner], THEN),)
    assert (*found.remarks, *found.repairs) == remarks


def test_aliases_are_written_in_lower_case() -> None:
    assert utf("myroot") in written(TrustedCertEntry("MyRoot", PLATFORM.der))


@pytest.mark.parametrize("alias", ["a" * 65_535, "é" * 32_767 + "a", "𝒶" * 10_922 + "aaa"], ids=["ascii", "two-bytes", "pairs"])
def test_an_alias_has_up_to_65535_bytes(alias: str) -> None:
    [entry] = jks.read(written(TrustedCertEntry(alias, PLATFORM.der)), PASSWORD).entries
    assert entry.alias == alias
    with pytest.raises(InputError, match=r"^The alias '.{64}\.\.\.' has 65536 bytes, and JKS has place for 65535: shorten it\.$"):
        written(TrustedCertEntry(alias + "a", PLATFORM.der))


def test_an_alias_that_is_no_text_is_not_written() -> None:
    with pytest.raises(InputError, match=r"^An alias has characters that are no text: it cannot be written\.$"):
        written(TrustedCertEntry("half a pair: \ud835", PLATFORM.der))


# --- dates, certificates, what follows -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("date", "created"),
    [(0, 0), (253_402_300_799_999, 253_402_300_799_999), (253_402_300_800_000, None), (-1, None), (2**63 - 1, None), (-(2**63), None)],
)
def test_the_date_is_one_of_a_calendar_or_none(date: int, created: int | None) -> None:
    [entry] = jks.read(made(trusted("a", date=date)), PASSWORD).entries
    assert entry.created == created


@pytest.mark.parametrize("kind", ["X.509", "X509", "x.509"])
def test_certificate_types_that_java_takes_are_read(kind: str) -> None:
    [entry] = jks.read(made(key("a", protected(EC1.pkcs8), EC1.der, kind=kind)), PASSWORD).entries
    assert isinstance(entry, PrivateKeyEntry)
    assert entry.chain == EC1.chain


@pytest.mark.parametrize(("kind", "said"), [("PGP", "PGP"), ("", ""), ("größe", r"gr\xc3\xb6\xc3\x9fe"), ("x" * 300, "x" * 40)])
def test_certificates_of_other_types_are_refused_by_alias(kind: str, said: str) -> None:
    for entry in (trusted("a", kind=kind), key("a", protected(EC1.pkcs8), EC1.der, kind=kind)):
        with pytest.raises(UnsupportedStoreError) as refused:
            jks.read(made(entry), PASSWORD)
        assert str(refused.value) == f"a certificate under the alias 'a' is of the type '{said}': only X.509 is supported"


@pytest.mark.parametrize("data", [b"", b"text"])
def test_a_certificate_that_is_none_is_refused_by_alias(data: bytes) -> None:
    with pytest.raises(StoreError, match="^a certificate under the alias 'a' is none: it is no DER$"):
        jks.read(made(trusted("a", data)), PASSWORD)


def test_what_follows_the_digest_is_ignored_and_remarked() -> None:
    clean = jks.read(SMALL, PASSWORD)
    assert clean.remarks == ()
    for rest in (b"\n", bytes(21), SMALL):
        found = jks.read(SMALL + rest, PASSWORD)
        assert found.remarks == (f"after its end the file has more ({len(rest)} bytes), which Java ignores",)
        assert replace(found, remarks=()) == clean


# --- what JKS cannot hold --------------------------------------------------------------------------------------------


def test_secret_keys_and_foreign_parts_are_not_written() -> None:
    secret = SecretKeyEntry("secret", b"\x30\x00")
    with pytest.raises(
        UnsupportedStoreError,
        match="^the entry under the alias 'secret' is a secret key, which JKS cannot hold: keep the store PKCS#12, or remove the entry$",
    ):
        written(secret)
    with pytest.raises(UnsupportedStoreError, match="^1 of the store's parts are neither private keys nor trusted certificates, and JKS"):
        jks.write(contents(opaque=(b"\x30\x00",)), PASSWORD, now=0)
    with pytest.raises(UnsupportedStoreError, match="^1 of the store's parts are neither private keys nor trusted certificates, and JKS"):
        jks.write(contents(shadowed=(("a", b"\x30\x00"),)), PASSWORD, now=0)
    assert jks.read(written(), PASSWORD).entries == ()


def test_a_key_locked_in_a_pkcs12_file_is_not_written() -> None:
    pbes2 = der.sequence(der.sequence(der.oid("1.2.840.113549.1.5.13"), der.sequence()), der.octet_string(bytes(64)))
    with pytest.raises(UnsupportedStoreError, match="^the key under the alias 'a' is locked in a way that JKS does not know: give its pas"):
        written(PrivateKeyEntry("a", None, EC1.chain, locked=pbes2))


# --- damage and malice -----------------------------------------------------------------------------------------------


def test_every_flipped_byte_is_noticed() -> None:
    for position in range(len(SMALL)):
        for flip in (0x01, 0xFF):
            damaged = bytearray(SMALL)
            damaged[position] ^= flip
            with pytest.raises(StoreError):
                jks.read(bytes(damaged), PASSWORD)


def test_every_truncation_is_noticed() -> None:
    for length in range(len(SMALL)):
        with pytest.raises(StoreError, match=r"^the store is cut short: \d+ (bytes|entries|certificates) announced, \d+"):
            jks.read(SMALL[:length], PASSWORD)


def survives(data: bytes) -> None:
    """A clear error or a store, which can be written; nothing else."""
    try:
        found = jks.read(data, PASSWORD, {"ec1": OWN})
    except MtlsError:
        return
    try:
        again = jks.read(jks.write(found, PASSWORD, now=0), PASSWORD, {"ec1": OWN})
    except UnsupportedStoreError:  # a key locked in a way that JKS does not know
        return
    assert [replace(entry, created=None) for entry in again.entries] == [replace(entry, created=None) for entry in found.entries]


def test_whoever_knows_the_password_breaks_nothing_either() -> None:
    body = SMALL[:-20]
    for position in range(4, len(body)):
        for flip in (0x01, 0x20, 0x80, 0xFF):
            damaged = bytearray(body)
            damaged[position] ^= flip
            survives(sealed(bytes(damaged)))


@given(st.binary(max_size=200), st.sampled_from([1, 2]))
def test_whatever_the_bytes_only_a_clear_error_is_raised(data: bytes, version: int) -> None:
    survives(data)
    survives(sealed(b"\xfe\xed\xfe\xed" + u32(version) + data))
    survives(made(u32(1) + data, version=version))
    survives(made(u32(2) + data, version=version))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the store is cut short: 4 bytes announced, 0 left"),
        (bytes(32), "the store is no JKS file"),
        (made(count=1), "the store is cut short: 1 entries announced, 0 bytes left"),
        (made(count=2**32 - 1), "the store is cut short: 4294967295 entries announced, 0 bytes left"),
        (made(bytes(100), count=6), "the store is cut short: 6 entries announced, 100 bytes left"),
        (made(u32(3) + bytes(20)), "entry 1 is of kind 3: JKS has private keys (1) and trusted certificates (2)"),
        (
            made(key("a", b"blob")[:-4] + u32(2**31)),
            "the store is cut short: 2147483648 certificates announced, 0 bytes left",
        ),
        (
            made(trusted("a")[: -len(PLATFORM.der) - 4] + u32(2**32 - 1)),
            "the store is cut short: 4294967295 bytes announced, 0 left",
        ),
    ],
)
def test_lengths_and_counts_are_checked_before_anything_is_made(data: bytes, message: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(StoreError) as refused:
            jks.read(data, PASSWORD)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert str(refused.value) == message


def test_a_file_of_too_many_entries_is_refused_before_they_are_read() -> None:
    """Also if its password is not known: there are 18 bytes in the smallest entry, which is 3.7 million in 64 MiB."""
    entry = trusted("", b"", kind=None)
    for data in (
        made(entry * 200_001, version=1, count=200_001),
        made(key("a", protected(EC1.pkcs8))[:-4] + u32(200_000) + bytes(800_000), version=1),
    ):
        started = time.monotonic()
        with pytest.raises(UnsupportedStoreError, match="^the store has more than 200000 entries and certificates, so it is none of Jav"):
            jks.read(data, "not the password")
        assert time.monotonic() - started < 1
    with pytest.raises(PasswordError):
        jks.read(made(entry * 20_000, version=1, count=20_000), "not the password")


def test_a_store_with_ten_thousand_certificates_takes_less_than_a_second() -> None:
    file = made(*(trusted(f"certificate {number}") for number in range(10_000)))
    started = time.monotonic()
    assert len(jks.read(file, PASSWORD).entries) == 10_000
    assert time.monotonic() - started < 1
