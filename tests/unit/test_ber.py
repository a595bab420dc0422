# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BER: what says the same becomes the same DER, what is not whole is refused with a sentence. OpenSSL judges both."""

from __future__ import annotations

import time
import tracemalloc
from typing import Union

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.mutual.tls.plugins.module_utils import ber, der

from .factory import openssl

pytestmark = pytest.mark.codec

END = b"\0\0"
STRING_IN_PIECES = 0x24

# --- values, encoded in both ways ------------------------------------------------------------------------------------

#: A tag, and content if it is primitive, else the values inside.
Tree = tuple[int, Union[bytes, list["Tree"]]]

PRIMITIVES = st.tuples(st.sampled_from([der.OCTET_STRING, der.INTEGER, der.OBJECT_IDENTIFIER, 0x80, 0x0C]), st.binary(max_size=200))
TREES = st.recursive(
    PRIMITIVES,
    lambda inner: st.tuples(st.sampled_from([der.SEQUENCE, der.SET, der.CONTEXT_0, 0x61]), st.lists(inner, max_size=4)),
    max_leaves=12,
)


def as_der(tree: Tree) -> bytes:
    tag, content = tree
    return der.encode(tag, content if isinstance(content, bytes) else b"".join(map(as_der, content)))


def as_ber(tree: Tree, data: st.DataObject) -> bytes:
    """The same with lengths, and strings, in one of the ways that BER allows."""
    tag, content = tree
    if isinstance(content, list):
        return constructed(tag, b"".join(as_ber(each, data) for each in content), data)
    if tag == der.OCTET_STRING and data.draw(st.booleans()):
        return in_pieces(content, data, 3)
    return bytes((tag,)) + definite(len(content), data) + content


def in_pieces(content: bytes, data: st.DataObject, depth: int) -> bytes:
    """A string in pieces, each of which may be in pieces again."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=3)))
    pieces = [content[start:end] for start, end in zip([0, *cuts], [*cuts, len(content)])]
    made = [
        in_pieces(piece, data, depth - 1) if depth and data.draw(st.booleans()) else b"\x04" + definite(len(piece), data) + piece
        for piece in pieces
    ]
    return constructed(STRING_IN_PIECES, b"".join(made), data)


def constructed(tag: int, content: bytes, data: st.DataObject) -> bytes:
    if data.draw(st.booleans()):
        return bytes((tag, 0x80)) + content + END
    return bytes((tag,)) + definite(len(content), data) + content


def definite(length: int, data: st.DataObject) -> bytes:
    """A length, perhaps in more bytes than it needs. OpenSSL takes none of these for 0 at the end of a value."""
    if length == 0 or (length < 0x80 and data.draw(st.booleans())):
        return bytes((length,))
    count = data.draw(st.integers(max(1, (length.bit_length() + 7) // 8), 4))
    return bytes((0x80 | count,)) + length.to_bytes(count, "big")


@given(TREES, st.data())
def test_whatever_says_the_same_becomes_the_same_der(tree: Tree, data: st.DataObject) -> None:
    expected = as_der(tree)
    assert ber.to_der(as_ber(tree, data)) == expected
    assert ber.to_der(expected) == expected


@pytest.mark.parametrize("data", [b"short", bytes(range(256)) * 20], ids=len)
def test_openssl_sees_the_same_in_what_it_wrote_and_in_what_is_made_of_it(data: bytes, tmp_path) -> None:
    """A CMS message that was streamed: lengths are indefinite and its string is in pieces, as in a PKCS#12 file of Firefox."""
    streamed, made = tmp_path / "streamed", tmp_path / "made"
    openssl("cms", "-data_create", "-stream", "-binary", "-outform", "DER", "-out", streamed, stdin=data)
    before = streamed.read_bytes()
    assert before[:2] == b"\x30\x80"
    made.write_bytes(ber.to_der(before))
    assert made.read_bytes() == der.sequence(der.oid("1.2.840.113549.1.7.1"), der.explicit(0, der.octet_string(data)))
    shown = ("cms", "-data_out", "-binary", "-inform", "DER", "-in")
    assert openssl(*shown, streamed) == openssl(*shown, made) == data.decode("utf-8", "replace")


#: OpenSSL says of a number or an OID with wrong content that it is bad.
PLAIN = st.recursive(
    st.tuples(st.sampled_from([der.OCTET_STRING, 0x80]), st.binary(max_size=200)),
    lambda inner: st.tuples(st.sampled_from([der.SEQUENCE, der.CONTEXT_0]), st.lists(inner, max_size=4)),
    max_leaves=60,
)


@settings(max_examples=8, deadline=None)
@given(PLAIN.filter(lambda tree: isinstance(tree[1], list)), st.data())
def test_openssl_parses_random_values_before_and_after(tree: Tree, data: st.DataObject) -> None:
    """Before: what the tests make is BER. After: it has no indefinite length any more."""
    before = as_ber(tree, data)
    parse = ("asn1parse", "-inform", "DER")
    openssl(*parse, stdin=before)
    assert "l=inf" not in openssl(*parse, stdin=ber.to_der(before))
    assert "cons: OCTET STRING" not in openssl(*parse, stdin=ber.to_der(before))
    with pytest.raises(AssertionError):
        openssl(*parse, stdin=before[:-1])


def test_der_says_that_it_is_ber_and_reads_what_is_made_of_it() -> None:
    whole = b"\x30\x80\x24\x80\x04\x02ab\x04\x01c\0\0\0\0"
    with pytest.raises(der.IndefiniteLengthError):
        der.parts(whole, "it", 1, 1)
    [string] = der.parts(ber.to_der(whole), "it", 1, 1)
    assert string.expect(der.OCTET_STRING, "it").content == b"abc"


def test_lengths_become_shortest() -> None:
    assert ber.to_der(b"\x30\x84\0\0\0\x05\x04\x83\0\0\0") == der.sequence(der.octet_string(b""))


def test_values_that_a_string_wraps_are_left() -> None:
    """They are another level: whoever reads the string asks for that."""
    inner = b"\x30\x80" + END
    assert ber.to_der(b"\x24\x80\x04\x02" + inner[:2] + b"\x04\x02" + inner[2:] + END) == der.octet_string(inner)


def test_pieces_of_a_string_with_another_tag_are_left() -> None:
    """EncryptedData has such a one: [0] IMPLICIT OCTET STRING. Nothing in it tells that from [0] EXPLICIT."""
    pieces = der.octet_string(b"ab") + der.octet_string(b"c")
    assert ber.to_der(b"\xa0\x80" + pieces + END) == der.explicit(0, pieces)


# --- what is not whole -----------------------------------------------------------------------------------------------

NOT_ONE = "it should be one value and has more"
NO_END = "it is cut short"
MISPLACED = "it has an end of contents where none belongs"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", NO_END, id="nothing"),
        pytest.param(b"\x30", NO_END, id="a-tag"),
        pytest.param(b"\x30\x80", NO_END, id="no-end"),
        pytest.param(b"\x30\x80\0", NO_END, id="half-an-end"),
        pytest.param(b"\x30\x80\x30\x80\0\0", NO_END, id="one-end-for-two"),
        pytest.param(b"\x30\x80\0\0\0\0", NOT_ONE, id="two-ends-for-one"),
        pytest.param(b"\x30\0\x30\0", NOT_ONE, id="two-values"),
        pytest.param(b"\0\0", MISPLACED, id="an-end-alone"),
        pytest.param(b"\x30\x02\0\0", MISPLACED, id="an-end-in-a-definite-length"),
        pytest.param(b"\x30\x80\x30\x02\0\0\0\0", MISPLACED, id="and-inside-an-indefinite-one"),
        pytest.param(b"\x30\x80\0\x01x\0\0", MISPLACED, id="an-end-with-content"),
        pytest.param(b"\x30\x80\0\x80\0\0", MISPLACED, id="an-end-of-indefinite-length"),
        pytest.param(b"\x30\x02\x30\x80\0\0", NO_END, id="an-end-beyond-the-value-around"),
        pytest.param(b"\x30\x03\x04\x02a", "it is cut short: 2 bytes announced, 1 left", id="longer-than-around"),
        pytest.param(b"\x04\x03ab", "it is cut short: 3 bytes announced, 2 left", id="short-content"),
        pytest.param(b"\x04\x82\x01", "it has a length that does not fit", id="short-length"),
        pytest.param(b"\x04\x85\0\0\0\0\0", "it has a length that does not fit", id="length-of-five-bytes"),
        pytest.param(b"\x04\xff" + bytes(127), "it has a length that does not fit", id="length-of-127-bytes"),
        pytest.param(b"\x04\x84\xff\xff\xff\xff", "it is cut short: 4294967295 bytes announced, 0 left", id="largest-length"),
        pytest.param(b"\x04\x80\0\0", "it has a value of indefinite length that cannot have one", id="primitive"),
        pytest.param(b"\x1f\x81\x01\0", "it has a tag of more than one byte", id="long-tag"),
        pytest.param(b"\x24\x80\x0c\x01a\0\0", "it has a string with a piece that is no string", id="other-piece"),
        pytest.param(b"\x24\x80\x30\x80\0\0\0\0", "it has a string with a piece that is no string", id="constructed-piece"),
    ],
)
def test_what_is_not_whole_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(der.DerError) as refused:
        ber.to_der(data, "it")
    assert str(refused.value) == message
    assert not isinstance(refused.value, der.IndefiniteLengthError)


@given(TREES, st.data())
def test_no_part_of_a_value_is_one(tree: Tree, data: st.DataObject) -> None:
    encoded = as_ber(tree, data)
    with pytest.raises(der.DerError):
        ber.to_der(encoded[: data.draw(st.integers(0, len(encoded) - 1))])
    with pytest.raises(der.DerError, match="^the store should be one value and has more$"):
        ber.to_der(encoded + data.draw(st.binary(min_size=1)))


@given(st.lists(st.sampled_from([b"\x30", b"\x24", b"\x04", b"\x80", b"\0\0", b"\0", b"\x01", b"\x81", b"a"]), max_size=30).map(b"".join))
def test_whatever_the_bytes_the_result_is_der_or_a_der_error_is_raised(data: bytes) -> None:
    try:
        made = ber.to_der(data)
    except der.DerError:
        return
    assert ber.to_der(made) == made
    assert len(list(der.elements(made, "it"))) == 1


@pytest.mark.parametrize("tag", [b"\x30", b"\x24"], ids=["values", "strings"])
def test_32_values_may_be_inside_one_another(tag: bytes) -> None:
    ber.to_der((tag + b"\x80") * 32 + END * 32)
    with pytest.raises(der.DerError, match="^the store has more than 32 values inside one another$"):
        ber.to_der((tag + b"\x80") * 33 + END * 33)


HOSTILE = 1_100_000


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x30\x80" + b"\x30\x80\0\0" * HOSTILE + END, id="many-indefinite-lengths"),
        pytest.param(b"\x30\x80" * 31 + b"\x24\x80" + b"\x04\x01a" * HOSTILE + END * 32, id="many-pieces-far-inside"),
    ],
)
def test_a_file_of_nothing_but_headers_costs_little(data: bytes) -> None:
    started = time.monotonic()
    with pytest.raises(der.DerError, match="^the store has more than 1000000 values$"):
        ber.to_der(data)
    assert time.monotonic() - started < 10


def test_a_large_string_in_small_pieces_is_joined_once() -> None:
    """As a stream writes it, inside 30 others: were each level joined by itself, that would be 30 copies."""
    content = bytes(range(256)) * 4
    count = 16_000
    data = b"\x30\x80" * 30 + b"\x24\x80" + (b"\x04\x82\x04\x00" + content) * count + END * 31
    tracemalloc.start()
    try:
        started = time.monotonic()
        made = ber.to_der(data)
        assert time.monotonic() - started < 5
        assert tracemalloc.get_traced_memory()[1] < 3 * len(data)
    finally:
        tracemalloc.stop()
    assert made.endswith(content * count)
    assert len(made) < len(content) * count + 200
