# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stores of every content: written and read, written anew, converted, under another password or profile, nothing is lost.

This is our own reader's word on our own writer; Java's is in tests/interop. The cryptography package reads some of them too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization import pkcs12 as judge
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.mutual.tls.plugins.module_utils import der, jks, keystore, mac, pbe, pkcs12, profiles
from ansible_collections.mutual.tls.plugins.module_utils.derivation import Secret
from ansible_collections.mutual.tls.plugins.module_utils.entries import (
    Algorithm,
    Contents,
    Entry,
    PrivateKeyEntry,
    Protection,
    SecretKeyEntry,
    TrustedCertEntry,
)
from ansible_collections.mutual.tls.plugins.module_utils.errors import PasswordError
from ansible_collections.mutual.tls.plugins.module_utils.keystore import Store

from ..unit.factory import CRL_BAG, KEY_BAG, PASSWORD, SECRET_BAG, attribute, bag, cert_bag, chain_of, issue
from .cases import CASES

AES, DESEDE = Algorithm(pbe.AES_256, 1), Algorithm(pbe.DESEDE, 1)
PROTECTIONS = st.sampled_from(
    [Protection(Algorithm(seal, 1), under, under) for seal in (mac.SHA1, mac.SHA256, mac.PBMAC1) for under in (AES, DESEDE)]
)
OFTEN = settings(max_examples=max(CASES // 10, 20), deadline=None, suppress_health_check=list(HealthCheck))
RARELY = settings(max_examples=max(CASES // 100, 10), deadline=None, suppress_health_check=list(HealthCheck))

LEAF = chain_of("root", "middle", "leaf")
MIDDLE, ROOT = LEAF.above
TWIN = issue("twin", by=issue("middle"))  # issuers are found by their names
ISSUED = [LEAF.chain, (TWIN.der, MIDDLE, ROOT), issue("alone").chain, LEAF.chain[:2]]
KEYS = [LEAF.pkcs8, TWIN.pkcs8, issue("alone").pkcs8]
NOBODY = issue("nobody").der
OPAQUE = [
    bag(CRL_BAG, der.sequence(der.oid("1.2.840.113549.1.9.23.1"), der.explicit(0, der.octet_string(b"crl")))),
    bag(KEY_BAG, KEYS[2], "in the clear"),
    cert_bag(NOBODY, None, b"nobody's"),
    bag("1.2.840.113549.1.12.10.1.6", der.sequence()),
]
UNKNOWN = [attribute("1.3.6.1.4.1.311.17.1", der.bmp_string("Provider")), attribute("1.2.3", der.null(), der.integer(-1))]

#: Turkish letters, both sigmas, beyond U+FFFF, composed and not, ligatures, what stands for nothing.
STRANGE = ["", "\0", "i\u0307", "\u0131", "\u03b1\u03c2", "\u03c3", "\U0001f511", "e\u0301", "\u00e9"]
STRANGE += ["\ufb03", "\u00df", "a\n", " ", "1", "2", "\ufeff"]
ALIASES = (st.sampled_from(STRANGE) | st.text(st.characters(exclude_categories=["Cs"]), max_size=10)).map(str.lower)
ALIASES = ALIASES.filter(lambda alias: alias == alias.lower())
ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=6, max_size=12)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def test_the_strange_aliases_are_in_lower_case_or_never_drawn() -> None:
    assert [alias for alias in STRANGE if alias != alias.lower()] == []
    assert "\u0130".lower() == "i\u0307"


@st.composite
def stores(draw: st.DrawFn, *, for_jks: bool = False) -> Contents:
    """Entries of all kinds that share certificates, and what is beside them."""
    entries: list[Entry] = []
    for alias in draw(st.lists(ALIASES, unique=True, max_size=6)):
        attributes = () if for_jks else tuple(draw(st.lists(st.sampled_from(UNKNOWN), unique=True)))
        created = draw(st.none() | st.integers(0, 253_402_300_000_000))
        kind = draw(st.integers(0, 2 if for_jks else 4))
        if kind < 2:
            entries.append(PrivateKeyEntry(alias, draw(st.sampled_from(KEYS)), draw(st.sampled_from(ISSUED)), created, attributes))
        elif kind == 2:
            certificate = draw(st.sampled_from([LEAF.der, MIDDLE, ROOT, TWIN.der]))
            entries.append(TrustedCertEntry(alias, certificate, created if for_jks else None, attributes))
        elif kind == 3:
            entries.append(PrivateKeyEntry(alias, draw(st.sampled_from(KEYS)), (), created, attributes))
        else:
            entries.append(secret(alias))
    opaque = () if for_jks else tuple(draw(st.lists(st.sampled_from(OPAQUE), unique=True)))
    return Contents(tuple(entries), Protection(), opaque=opaque)


def secret(alias: str) -> SecretKeyEntry:
    """A key of AES as keytool -genseckey has it, under `PASSWORD`."""
    key = der.sequence(der.integer(0), der.sequence(der.oid("2.16.840.1.101.3.4.1")), der.octet_string(bytes(16)))
    algorithm, ciphertext = pbe.encrypt(key, Secret(PASSWORD), AES)
    wrapped = der.octet_string(der.sequence(algorithm, der.octet_string(ciphertext)))
    value = der.sequence(der.oid("1.2.840.113549.1.12.10.1.2"), der.explicit(0, wrapped))
    return SecretKeyEntry(alias, bag(SECRET_BAG, value, alias), None, key)


def by_alias(entries: Sequence[Entry]) -> dict[str, Entry]:
    """Without what a format or a password changes: dates of the moment, and how a secret key is wrapped."""
    found: dict[str, Entry] = {}
    for entry in entries:
        if isinstance(entry, SecretKeyEntry):
            found[entry.alias] = replace(entry, created=None, bag=b"")
        else:  # attributes are a SET
            found[entry.alias] = replace(entry, created=None, attributes=tuple(sorted(entry.attributes)))
    assert len(found) == len(entries)
    return found


def labels(contents: Contents) -> dict[bytes, tuple[bytes, ...]]:
    """Those that say something: a trusted certificate that has become part of a chain is written for the chain too, without any."""
    return {certificate: found for certificate, found in contents.labels.items() if found}


def with_chains_of(read: dict[str, Entry], meant: dict[str, Entry]) -> dict[str, Entry]:
    """*meant* with the chains as a reader has them, which lengthens them by what else is in the store, as Java does."""
    result: dict[str, Entry] = {}
    for alias, entry in meant.items():
        other = read.get(alias)
        if isinstance(entry, PrivateKeyEntry) and isinstance(other, PrivateKeyEntry):
            assert other.chain[: len(entry.chain)] == entry.chain
            entry = replace(entry, chain=other.chain)
        result[alias] = entry
    return result


@OFTEN
@given(contents=stores(), protection=PROTECTIONS, now=st.integers(0, 253_402_300_000_000))
def test_pkcs12_is_read_as_it_was_written_and_stays_so(contents: Contents, protection: Protection, now: int) -> None:
    data = pkcs12.write(contents, PASSWORD, protection, now=now)
    found = pkcs12.read(data, PASSWORD)
    read = by_alias(found.entries)
    assert read == with_chains_of(read, by_alias(contents.entries))
    assert set(found.opaque) == set(contents.opaque)
    again = pkcs12.read(pkcs12.write(found, PASSWORD, protection, now=now + 1), PASSWORD)
    assert [replace(each, bag=b"") if isinstance(each, SecretKeyEntry) else each for each in again.entries] == [
        replace(each, bag=b"") if isinstance(each, SecretKeyEntry) else each for each in found.entries
    ]
    assert (set(again.opaque), labels(again), again.remarks) == (set(found.opaque), labels(found), found.remarks)
    with pytest.raises(PasswordError):
        pkcs12.read(data, PASSWORD + "x")


@OFTEN
@given(contents=stores(), password=ASCII, protection=PROTECTIONS)
def test_another_password_and_protection_lose_nothing(contents: Contents, password: str, protection: Protection) -> None:
    first = pkcs12.read(pkcs12.write(contents, PASSWORD, Protection(Algorithm(mac.SHA256, 1), AES, AES), now=0), PASSWORD)
    second = pkcs12.read(pkcs12.write(first, password, protection, now=0), password)
    assert by_alias(second.entries) == by_alias(first.entries)
    assert (set(second.opaque), labels(second)) == (set(first.opaque), labels(first))
    assert second.protection.mac == protection.mac


@OFTEN
@given(contents=stores(for_jks=True), password=ANY)
def test_jks_is_read_as_it_was_written_and_stays_so(contents: Contents, password: str) -> None:
    data = jks.write(contents, password, now=5)
    found = jks.read(data, password)
    assert by_alias(found.entries) == by_alias(contents.entries)
    assert [each.created for each in contents.entries if each.created is not None] == [
        each.created for each, meant in ((by_name(found, one.alias), one) for one in contents.entries) if meant.created is not None
    ]
    assert jks.read(jks.write(found, password, now=9), password) == found
    with pytest.raises(PasswordError):
        jks.read(data, password + "x")


def by_name(contents: Contents, alias: str) -> Entry:
    return next(entry for entry in contents.entries if entry.alias == alias)


@OFTEN
@given(contents=stores(for_jks=True), protection=PROTECTIONS)
def test_conversions_keep_what_both_formats_hold(contents: Contents, protection: Protection) -> None:
    first = pkcs12.read(pkcs12.write(contents, PASSWORD, protection, now=0), PASSWORD)
    second = jks.read(jks.write(first, PASSWORD, now=0), PASSWORD)
    third = pkcs12.read(pkcs12.write(second, PASSWORD, protection, now=0), PASSWORD)
    assert by_alias(first.entries) == by_alias(second.entries) == by_alias(third.entries)


@RARELY
@given(contents=stores(), profile=st.sampled_from(list(profiles.PROFILES)), password=ASCII)
def test_every_profile_keeps_every_entry(contents: Contents, profile: str, password: str) -> None:
    store = Store(replace(contents, entries=contents.entries[:3]))
    found = keystore.parse_store(keystore.serialize_store(store, password, profile=profile, now=0), password)
    read = by_alias(found.entries)
    assert read == with_chains_of(read, by_alias(store.entries))
    assert keystore.misfits(found, None, profile) == []


@RARELY
@given(contents=stores(for_jks=True), protection=st.sampled_from([Protection(Algorithm(mac.SHA256, 1), AES, AES)]))
def test_the_cryptography_package_reads_the_first_key_and_all_certificates(contents: Contents, protection: Protection) -> None:
    data = pkcs12.write(contents, PASSWORD, protection, now=0)
    key, leaf, others = judge.load_key_and_certificates(data, PASSWORD.encode())
    keys = [entry for entry in contents.entries if isinstance(entry, PrivateKeyEntry)]
    assert (key is None) == (not keys)
    if key is not None:
        assert key.private_numbers() == keys[0].private_key().private_numbers()
    assert {each.public_bytes(Encoding.DER) for each in (leaf, *others) if each is not None} == {
        certificate for entry in contents.entries for certificate in keystore.chain_of(entry)
    }
