# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DER: what is written is read back, what is not DER is refused with a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mutual.tls.plugins.module_utils import der

from .factory import openssl

pytestmark = pytest.mark.codec


@given(st.integers(-(2**300), 2**300))
def test_integers_are_read_back(number: int) -> None:
    encoded = der.integer(number)
    assert der.integer_value(der.single(encoded, der.INTEGER, "it"), "it") == number
    content = encoded[2:]
    # X.690 section 8.3.2: the first nine bits are neither all ones nor all zeros.
    assert len(content) == 1 or (content[0], content[1] >> 7) not in ((0x00, 0), (0xFF, 1))


OIDS = st.one_of(
    st.tuples(st.integers(0, 1), st.integers(0, 39)),
    st.tuples(st.just(2), st.integers(0, 2**40)),
).flatmap(lambda start: st.lists(st.integers(0, 2**40), max_size=6).map(lambda rest: ".".join(map(str, (*start, *rest)))))


@given(OIDS)
def test_object_identifiers_are_read_back(dotted: str) -> None:
    assert der.oid_value(der.single(der.oid(dotted), der.OBJECT_IDENTIFIER, "it"), "it") == dotted


@given(st.text())
def test_texts_are_read_back(text: str) -> None:
    assert der.bmp_value(der.single(der.bmp_string(text), der.BMP_STRING, "it"), "it") == text


@given(st.lists(st.tuples(st.sampled_from([der.OCTET_STRING, der.SEQUENCE, der.SET, 0x80, 0xA5]), st.binary(max_size=300))))
def test_values_in_a_row_are_read_back(values: list[tuple[int, bytes]]) -> None:
    row = b"".join(der.encode(tag, content) for tag, content in values)
    found = list(der.elements(row, "it"))
    assert [(each.tag, each.content) for each in found] == values
    assert b"".join(each.raw for each in found) == row


@given(st.lists(st.binary(max_size=3).map(der.octet_string), max_size=6))
def test_a_set_is_in_the_order_of_der(members: list[bytes]) -> None:
    found = [each.raw for each in der.single(der.set_of(*members), der.SET, "it").values("it")]
    assert found == sorted(members)


@given(st.binary(max_size=60))
def test_whatever_the_bytes_only_a_der_error_is_raised(data: bytes) -> None:
    try:
        found = list(der.elements(data, "it"))
    except der.DerError:
        return
    assert b"".join(each.raw for each in found) == data


@pytest.mark.parametrize(
    ("length", "header"),
    [
        (0, "0400"),
        (127, "047f"),
        (128, "048180"),
        (255, "0481ff"),
        (256, "04820100"),
        (65535, "0482ffff"),
        (65536, "0483010000"),
    ],
)
def test_lengths_at_the_borders(length: int, header: str) -> None:
    encoded = der.octet_string(bytes(length))
    assert encoded == bytes.fromhex(header) + bytes(length)
    assert der.single(encoded, der.OCTET_STRING, "it").content == bytes(length)
    with pytest.raises(der.DerError, match=rf"^it is cut short: {length + 1} bytes announced, {length} left$"):
        longer = der.encode(der.OCTET_STRING, bytes(length + 1))
        list(der.elements(longer[:-1], "it"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param("30", "it is cut short", id="tag-without-length"),
        pytest.param("3001", "it is cut short: 1 bytes announced, 0 left", id="length-without-content"),
        pytest.param("308000000000", "it has an indefinite length (BER)", id="indefinite-length"),
        pytest.param("3082", "it has a length that does not fit", id="length-cut-short"),
        pytest.param("308201", "it has a length that does not fit", id="length-cut-in-the-middle"),
        pytest.param("3085000000000000", "it has a length that does not fit", id="length-of-five-bytes"),
        pytest.param("30ff" + "00" * 127, "it has a length that does not fit", id="length-of-127-bytes"),
        pytest.param("3084ffffffff00", "it is cut short: 4294967295 bytes announced, 1 left", id="length-of-4-gibibytes"),
        pytest.param("04810100", "it has a length that is not in its shortest form", id="long-form-for-a-short-length"),
        pytest.param("0482008000", "it has a length that is not in its shortest form", id="length-with-a-leading-zero"),
        pytest.param("1f8101", "it has a tag of more than one byte", id="long-tag"),
        pytest.param("0500" + "30", "it is cut short", id="second-value-cut-short"),
    ],
)
def test_what_is_not_der_is_refused(data: str, message: str) -> None:
    with pytest.raises(der.DerError) as refused:
        list(der.elements(bytes.fromhex(data), "it"))
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "it should be one value and has none"),
        ("05000500", "it should be one value and has more"),
        ("0500", "it should be a SEQUENCE and is a NULL"),
        ("8000", "it should be a SEQUENCE and is a value with tag 0x80"),
    ],
)
def test_one_value_is_one_value_of_its_tag(data: str, message: str) -> None:
    assert der.single(bytes.fromhex("3000"), der.SEQUENCE, "it").content == b""
    with pytest.raises(der.DerError) as refused:
        der.single(bytes.fromhex(data), der.SEQUENCE, "it")
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (0, "it should have 1 to 2 parts and has 0"),
        (1, None),
        (2, None),
        (3, "it should have 1 to 2 parts and has more"),
        (2_000_000, "it should have 1 to 2 parts and has more"),
    ],
)
def test_the_number_of_parts_is_bounded_before_they_are_read(count: int, message: str | None) -> None:
    data = der.sequence(der.null() * count)
    if message is None:
        assert len(der.parts(data, "it", 1, 2)) == count
        return
    with pytest.raises(der.DerError) as refused:
        der.parts(data, "it", 1, 2)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "it is not a whole OBJECT IDENTIFIER", id="empty"),
        pytest.param(b"\x2a\x86", "it is not a whole OBJECT IDENTIFIER", id="cut-in-an-arc"),
        pytest.param(b"\x2a\x80\x01", "it is not a whole OBJECT IDENTIFIER", id="arc-with-a-leading-zero"),
        pytest.param(b"\x2a" * 65, "it is not a whole OBJECT IDENTIFIER", id="longer-than-any"),
    ],
)
def test_object_identifiers_that_are_none(content: bytes, message: str) -> None:
    with pytest.raises(der.DerError) as refused:
        der.oid_value(der.single(der.encode(der.OBJECT_IDENTIFIER, content), der.OBJECT_IDENTIFIER, "it"), "it")
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("dotted", "content"),
    [
        ("0.0", "00"),
        ("0.39", "27"),
        ("1.0", "28"),
        ("1.39", "4f"),
        ("2.0", "50"),
        ("2.39", "77"),
        ("2.47", "7f"),
        ("2.48", "8100"),  # the first two arcs are one number, 40 * 2 + 48
        ("2.999", "8837"),
        ("1.2.127.128.16383.16384", "2a7f8100ff7f818000"),
    ],
)
def test_arcs_at_the_borders(dotted: str, content: str) -> None:
    assert der.oid(dotted) == der.encode(der.OBJECT_IDENTIFIER, bytes.fromhex(content))
    assert der.oid_value(der.single(der.oid(dotted), der.OBJECT_IDENTIFIER, "it"), "it") == dotted


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "it is an empty INTEGER", id="empty"),
        pytest.param(b"\x01" * 2000, "it is an INTEGER of 2000 bytes, which is too large", id="more-digits-than-python-prints"),
    ],
)
def test_integers_that_are_none(content: bytes, message: str) -> None:
    with pytest.raises(der.DerError) as refused:
        der.integer_value(der.single(der.encode(der.INTEGER, content), der.INTEGER, "it"), "it")
    assert str(refused.value) == message


@pytest.mark.parametrize("content", [b"\x00", b"\xd8\x3d", b"\xdd\x00\x00a"])
def test_texts_that_are_none(content: bytes) -> None:
    with pytest.raises(der.DerError, match="^it is not a whole BMPString$"):
        der.bmp_value(der.single(der.encode(der.BMP_STRING, content), der.BMP_STRING, "it"), "it")


def test_openssl_reads_the_same() -> None:
    values = [
        der.integer(-129),
        der.integer(65535),
        der.oid("1.2.840.113549.1.12.10.1.2"),
        der.octet_string(b"\x0a"),
        der.bmp_string("ä🔑"),
    ]
    said = openssl("asn1parse", "-inform", "DER", stdin=der.sequence(*values))
    found = [line.split("prim: ")[1].split() for line in said.splitlines() if "prim: " in line]
    assert found[:3] == [["INTEGER", ":-81"], ["INTEGER", ":FFFF"], ["OBJECT", ":pkcs8ShroudedKeyBag"]]
    assert [line[0] for line in found[3:]] == ["OCTET", "BMPSTRING"]
