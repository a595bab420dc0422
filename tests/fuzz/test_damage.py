# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damaged stores: the same store or a clear error where something seals it, a store or a clear error where nothing does."""

from __future__ import annotations

import functools

import pytest

from ansible_collections.mutual.tls.plugins.module_utils import der, jks, keystore, mac
from ansible_collections.mutual.tls.plugins.module_utils.derivation import Secret
from ansible_collections.mutual.tls.plugins.module_utils.entries import Algorithm, Contents, Protection, TrustedCertEntry

from ..unit import jks_by_hand
from ..unit.factory import DATA, PASSWORD, cert_bag, content, issue, pfx
from .cases import CASES, LEAF, MEGABYTES, bags, chance, damaged, opened, peak, restructured, sealed_again, small_stores, whole

#: Newer versions of the package warn of serial numbers and curves that they will refuse.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*:DeprecationWarning"),
]

KINDS = pytest.mark.parametrize("kind", small_stores())
MASKS = (0x01, 0x20, 0x80, 0xFF)


@pytest.fixture(autouse=True, scope="module")
def little_memory():
    before = peak()
    yield
    assert peak() - before < MEGABYTES


@KINDS
def test_stores_are_whole_before_they_are_damaged(kind: str) -> None:
    store = opened(small_stores()[kind])
    assert store is not None
    assert store.entries[0].alias == "leaf"
    assert opened(small_stores()[kind], "another password") is None


def is_sealed(kind: str) -> bool:
    return not kind.endswith("without-mac")


@KINDS
def test_no_flipped_byte_gives_another_store(kind: str) -> None:
    data = small_stores()[kind]
    meant = whole(keystore.parse_store(data, PASSWORD))
    for position in range(len(data)):
        for mask in MASKS if CASES > 2000 else MASKS[position % 4 :: 4]:
            store = opened(data[:position] + bytes([data[position] ^ mask]) + data[position + 1 :])
            assert store is None or not is_sealed(kind) or whole(store) == meant, (position, mask)


@KINDS
def test_no_truncated_store_is_read(kind: str) -> None:
    data = small_stores()[kind]
    for length in range(len(data)):
        assert opened(data[:length]) is None, length


@KINDS
def test_random_damage_gives_no_other_store(kind: str) -> None:
    data = small_stores()[kind]
    meant = whole(keystore.parse_store(data, PASSWORD))
    for number in range(CASES // 10):
        store = opened(damaged(chance(kind, number), data))
        assert store is None or not is_sealed(kind) or whole(store) == meant, number


def test_whoever_seals_it_again_damages_no_more_than_the_store() -> None:
    """With the MAC made afterwards damage reaches every part of the reader, and the certificates."""
    inside = der.sequence(*bags())
    read = 0
    for number in range(CASES):
        dice = chance("sealed again", number)
        read += opened(sealed_again(dice, restructured(dice, inside))) is not None
    assert 0 < read < CASES, "all or nothing was read, so nothing was shown"


def test_whoever_seals_the_safes_again_damages_no_more_than_the_store() -> None:
    """The same of what is around the bags: content types, algorithms, parameters."""
    for kind in ("default", "java8", "rc2"):
        auth_safe = der.parts(small_stores()[kind], "it", 3, 3)[1]
        inside = der.only(der.parts(auth_safe, "it", 2, 2)[1].values("it"), "it").content
        for number in range(CASES // 8):
            safes = restructured(chance(f"safes {kind}", number), inside)
            made = mac.make(safes, Secret(PASSWORD), Algorithm(mac.SHA256, 1))
            opened(der.sequence(der.integer(3), content(DATA, der.octet_string(safes)), made))


def test_whatever_a_mac_is_made_of_only_a_clear_error_comes_of_it() -> None:
    for kind in ("default", "java8", "modern"):
        version, auth_safe, made = der.parts(small_stores()[kind], "it", 3, 3)
        for number in range(CASES // 8):
            again = restructured(chance(f"mac {kind}", number), made.raw)
            opened(der.sequence(version.raw, auth_safe.raw, again))


def test_a_jks_file_sealed_again_is_damaged_no_more_than_that() -> None:
    body = small_stores()["jks"][:-20]
    for number in range(CASES):
        opened(jks_by_hand.sealed(body[:8] + damaged(chance("jks", number), body[8:])))


def test_certificates_of_every_shape_are_described_or_said_to_be_unreadable() -> None:
    for number in range(CASES):
        dice = chance("certificate", number)
        certificate = restructured(dice, dice.choice(LEAF.chain))
        store = opened(pfx(cert_bag(certificate, "it", trusted=True)))
        assert store is not None, number
        assert [entry.certificate for entry in store.entries if isinstance(entry, TrustedCertEntry)] == [certificate]
        file = jks.write(Contents((TrustedCertEntry("it", certificate),), Protection()), PASSWORD, now=0)
        assert (opened(file) is not None) == (certificate[0] == der.SEQUENCE)


@functools.cache
def large_stores() -> dict[str, bytes]:
    own = issue("large").der
    aliases = [f"certificate {number}" for number in range(1_500)]
    entries = tuple(TrustedCertEntry(alias, own) for alias in aliases)
    return {
        "pkcs12": pfx(*bags(), *(cert_bag(own, alias, trusted=True) for alias in aliases), password=None),
        "jks": jks.write(Contents(entries, Protection()), PASSWORD, now=0),
    }


@pytest.mark.parametrize("kind", ["pkcs12", "jks"])
def test_large_stores_are_damaged_at_random(kind: str) -> None:
    data = large_stores()[kind]
    for number in range(CASES // 100):
        hurt = damaged(chance(f"large {kind}", number), data)
        opened(jks_by_hand.sealed(hurt[:-20]) if kind == "jks" else hurt)
