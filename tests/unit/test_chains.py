# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chains as Java rebuilds them. That Java does so is judged in tests/interop/test_keystore_java.py."""

from __future__ import annotations

import itertools
import time

import pytest

from ansible_collections.mutual.tls.plugins.module_utils import chains, der
from ansible_collections.mutual.tls.plugins.module_utils.chains import Pool
from ansible_collections.mutual.tls.plugins.module_utils.errors import UnsupportedStoreError

from .factory import chain_of, issue

pytestmark = pytest.mark.codec

LEAF = chain_of("root", "middle", "leaf")
MIDDLE, ROOT = LEAF.above
DATES = der.sequence(der.encode(0x17, b"250101000000Z"), der.encode(0x17, b"350101000000Z"))


def named(text: str) -> bytes:
    return der.sequence(der.set_of(der.sequence(der.oid("2.5.4.3"), der.encode(0x0C, text.encode()))))


def extension(kind: str, value: bytes) -> bytes:
    return der.sequence(der.oid(kind), der.octet_string(value))


def subject_key(identifier: bytes) -> bytes:
    return extension("2.5.29.14", der.octet_string(identifier))


def authority_key(identifier: bytes) -> bytes:
    return extension("2.5.29.35", der.sequence(der.encode(0x80, identifier)))


def made(subject: str, issuer: str, *extensions: bytes, serial: int = 1) -> bytes:
    """The fields that chains are built from; nobody signed it."""
    fields = [der.integer(serial), der.sequence(), named(issuer), DATES, named(subject), der.sequence()]
    if extensions:
        fields.append(der.explicit(3, der.sequence(*extensions)))
    return der.sequence(der.sequence(*fields), der.sequence(), der.encode(0x03, b"\0"))


@pytest.mark.parametrize("order", list(itertools.permutations(LEAF.chain)))
def test_a_chain_is_found_whatever_the_order(order: tuple[bytes, ...]) -> None:
    assert Pool(order).chain(LEAF.der) == LEAF.chain
    assert Pool(order).chain(MIDDLE) == (MIDDLE, ROOT)


def test_a_chain_ends_where_the_store_does() -> None:
    assert Pool([LEAF.der, ROOT]).chain(LEAF.der) == (LEAF.der,)
    assert Pool([MIDDLE]).chain(LEAF.der) == (LEAF.der, MIDDLE)
    assert Pool([]).chain(LEAF.der) == (LEAF.der,)
    assert Pool(LEAF.chain).chain(None) == ()


def test_a_self_issued_certificate_ends_the_chain_though_there_are_others_of_its_name() -> None:
    roots = [issue("root", ca=True) for _each in range(3)]
    assert Pool(each.der for each in roots).chain(roots[1].der) == (roots[1].der,)


@pytest.mark.parametrize("length", [2, 3, 50])
def test_a_circle_is_gone_round_once(length: int) -> None:
    circle = tuple(made(str(number), str((number + 1) % length)) for number in range(length))
    assert Pool(circle).chain(circle[0]) == circle
    assert Pool(circle).chain(made("leaf", "0")) == (made("leaf", "0"), *circle)


def test_a_circle_that_the_leaf_is_no_part_of_ends_too() -> None:
    pair = made("a", "b"), made("b", "a")
    assert Pool(pair).chain(made("x", "a")) == (made("x", "a"), *pair)


LEAF_OF_TWO = made("leaf", "ca", authority_key(b"2"))


@pytest.mark.parametrize(
    ("leaf", "issuers", "chosen"),
    [
        pytest.param(LEAF_OF_TWO, [subject_key(b"1"), subject_key(b"2")], 1, id="the-one-with-the-identifier"),
        pytest.param(LEAF_OF_TWO, [subject_key(b"1"), None], 1, id="rather-one-of-which-nothing-is-known"),
        pytest.param(LEAF_OF_TWO, [None, subject_key(b"2")], 1, id="the-identifier-before-the-unknown"),
        pytest.param(LEAF_OF_TWO, [subject_key(b"1"), subject_key(b"3")], None, id="none-of-others"),
        pytest.param(LEAF_OF_TWO, [subject_key(b"2"), subject_key(b"2")], 0, id="the-first-with-the-identifier"),
        pytest.param(LEAF_OF_TWO, [None, subject_key(b"1"), None], 2, id="the-last-of-those-of-which-nothing-is-known"),
        pytest.param(made("leaf", "ca"), [subject_key(b"1"), None], 0, id="without-identifier-the-first-even-if-it-has-one"),
        pytest.param(made("leaf", "ca"), [None, subject_key(b"1")], 0, id="without-identifier-the-first-even-if-it-has-none"),
        pytest.param(made("leaf", "ca"), [subject_key(b"1"), subject_key(b"2")], 0, id="without-identifier-the-first"),
        pytest.param(
            made("leaf", "ca", extension("2.5.29.35", b"\x30\x05\x80")), [subject_key(b"1"), None], 0, id="a-strange-authority-is-none"
        ),
        pytest.param(
            made("leaf", "ca", extension("2.5.29.35", der.sequence(der.encode(0x82, b"1")))),
            [subject_key(b"1"), subject_key(b"2")],
            0,
            id="an-authority-named-by-its-serial-number-is-none",
        ),
    ],
)
def test_of_several_issuers_of_one_name_the_key_identifier_chooses(leaf: bytes, issuers: list[bytes | None], chosen: int | None) -> None:
    pool = [made("ca", "root", *([] if each is None else [each]), serial=number) for number, each in enumerate(issuers)]
    assert Pool(pool).chain(leaf) == (leaf, *([] if chosen is None else [pool[chosen]]))


STRANGE = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"\x30\x05\x30", id="cut-short"),
    pytest.param(der.sequence(), id="empty"),
    pytest.param(der.sequence(der.null(), der.null(), der.null()), id="no-fields"),
    pytest.param(der.sequence(der.sequence(*[der.null()] * 5), der.null(), der.null()), id="too-few-fields"),
    pytest.param(der.sequence(der.sequence(*[der.null()] * 11), der.null(), der.null()), id="too-many-fields"),
    pytest.param(
        der.sequence(der.sequence(der.explicit(0), *[der.null()] * 5), der.null(), der.null()), id="only-as-many-with-the-version"
    ),
]


@pytest.mark.parametrize("strange", STRANGE)
def test_what_is_no_certificate_is_a_chain_of_its_own_and_hides_no_other(strange: bytes) -> None:
    pool = Pool([strange, *LEAF.chain, strange])
    assert pool.chain(LEAF.der) == LEAF.chain
    assert pool.chain(strange) == (strange,)


@pytest.mark.parametrize(
    ("strange", "is_issuer"),
    [
        pytest.param(extension("2.5.29.14", b""), False, id="empty"),
        pytest.param(extension("2.5.29.14", b"\x04\x09"), False, id="cut-short"),
        pytest.param(extension("2.5.29.14", b"\x24\x80\0\0"), False, id="in-pieces"),
        pytest.param(der.sequence(der.oid("2.5.29.14")), True, id="no-value"),
        pytest.param(der.sequence(der.oid("2.5.29.14"), der.null()), True, id="a-value-of-another-type"),
        pytest.param(der.null(), True, id="no-extension"),
    ],
)
def test_a_strange_key_identifier_is_another_one(strange: bytes, is_issuer: bool) -> None:
    """Java compares it without looking into it; where there is none at all, the name is enough."""
    leaf, issuer = made("leaf", "ca", authority_key(b"1")), made("ca", "root", strange)
    assert Pool([issuer]).chain(leaf) == ((leaf, issuer) if is_issuer else (leaf,))


PRINTABLE, UTF8, IA5, BMP = 0x13, 0x0C, 0x16, 0x1E
COMMON_NAME, COUNTRY, EMAIL = "2.5.4.3", "2.5.4.6", "1.2.840.113549.1.9.1"


def part(text: bytes, tag: int = UTF8, kind: str = COMMON_NAME) -> bytes:
    return der.sequence(der.oid(kind), der.encode(tag, text))


def name_of(*attributes: bytes) -> bytes:
    """A name, each of its attributes by itself."""
    return der.sequence(*map(der.set_of, attributes))


CA = name_of(part(b"My CA"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param(CA, name_of(part(b"My CA", PRINTABLE)), True, id="types"),
        pytest.param(CA, name_of(part(b" MY \x20 ca  ")), True, id="case-and-spaces"),
        pytest.param(name_of(part("É".encode())), name_of(part(b"\xe9", PRINTABLE)), True, id="letters-beyond-ascii"),
        pytest.param(name_of(part("ﬁ Å".encode())), name_of(part("FI A\u030a".encode())), True, id="compatible-characters"),
        pytest.param(name_of(part(b"strasse")), name_of(part("Straße".encode())), True, id="upper-case-of-more-letters"),
        pytest.param(CA, name_of(part(b"MyCA")), False, id="a-space-less"),
        pytest.param(CA, name_of(part(b"My\tCA")), False, id="a-tab-is-no-space"),
        pytest.param(CA, name_of(part(b"My CA", IA5)), False, id="a-type-that-java-does-not-decode"),
        pytest.param(CA, name_of(part("My CA".encode("utf-16-be"), BMP)), False, id="nor-does-it-this"),
        pytest.param(CA, name_of(part(b"My CA", kind=COUNTRY)), False, id="another-attribute"),
        pytest.param(name_of(part(b"a", kind=EMAIL)), name_of(part(b"A", kind=EMAIL)), False, id="an-attribute-without-keyword"),
        pytest.param(CA, name_of(part(b"My CA"), part(b"x", kind=COUNTRY)), False, id="more"),
        pytest.param(name_of(part(b"a"), part(b"b")), name_of(part(b"b"), part(b"a")), False, id="another-order"),
        pytest.param(name_of(part(b"a"), part(b"b")), der.sequence(der.set_of(part(b"a"), part(b"b"))), False, id="together-or-not"),
        pytest.param(
            der.sequence(der.set_of(part(b"a"), part(b"b"))),
            der.sequence(der.set_of(part(b"B"), part(b"A"))),
            True,
            id="order-inside-a-part",
        ),
        pytest.param(name_of(part(b"\xff")), name_of(part(b"\xfe")), False, id="no-utf-8"),
        pytest.param(name_of(part("\ufdfa".encode())), name_of(part("\ufdfa ".encode())), False, id="a-character-that-becomes-many"),
        pytest.param(der.sequence(der.null()), der.sequence(), False, id="no-name"),
    ],
)
def test_names_are_compared_as_java_does(one: bytes, other: bytes, same: bool) -> None:
    assert (chains.canonical(one) == chains.canonical(other)) is same
    assert chains.canonical(one) == chains.canonical(bytes(bytearray(one)))


def test_an_issuer_is_found_whatever_the_type_of_its_name() -> None:
    leaf, issuer = made("leaf", "My CA"), made("my  ca", "root")
    assert Pool([issuer]).chain(leaf) == (leaf, issuer)
    itself = made("MY CA", "my ca")
    assert Pool([issuer, itself]).chain(itself) == (itself,)


def test_names_are_those_of_issuer_and_subject() -> None:
    assert chains.names(made("subject", "issuer")) == (named("issuer"), named("subject"))
    with_version = issue("x", by=LEAF)
    assert chains.names(with_version.der) == (named("leaf"), named("x"))
    assert chains.names(b"\x30\x00") is None


def test_a_chain_has_a_longest_length() -> None:
    row = tuple(made(str(number), str(number + 1)) for number in range(chains.MAX_LENGTH + 1))
    assert Pool(row[:-1]).chain(row[0]) == row[:-1]
    assert len(Pool(row).chain(row[1])) == chains.MAX_LENGTH
    with pytest.raises(UnsupportedStoreError, match=f"^a key has a chain of more than {chains.MAX_LENGTH} certificates$"):
        Pool(row).chain(row[0])


def test_many_keys_with_one_chain_and_many_issuers_of_one_name_cost_little() -> None:
    """Each certificate is looked at once, however many keys it certifies."""
    row = [made(str(number), str(number + 1)) for number in range(chains.MAX_LENGTH - 1)]
    same = [made("ca", "root", subject_key(b"%d" % number), serial=number) for number in range(10_000)]
    leaves = [made(f"leaf {number}", "ca", authority_key(b"%d" % number)) for number in range(2_000)]
    pool = Pool([*row, *same, *leaves])
    begun = time.process_time()
    for number, leaf in enumerate(leaves):
        assert pool.chain(leaf) == (leaf, same[number])
        assert len(pool.chain(row[0])) == len(row)
    assert time.process_time() - begun < 2
