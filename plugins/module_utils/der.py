# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DER, as much of it as keystores need (ITU-T X.690).

Reading is bounded: a length is checked against what remains before anything is copied, trailing bytes are an error,
and nothing recurses: the callers walk the structure that they expect, and say how many values it may have. Indefinite
lengths (BER) are refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from ansible_collections.mutual.tls.plugins.module_utils.errors import StoreError

BOOLEAN = 0x01
INTEGER = 0x02
OCTET_STRING = 0x04
NULL = 0x05
OBJECT_IDENTIFIER = 0x06
BMP_STRING = 0x1E
SEQUENCE = 0x30
SET = 0x31
CONTEXT_0 = 0xA0

_TAG_NAMES = {
    BOOLEAN: "BOOLEAN",
    INTEGER: "INTEGER",
    OCTET_STRING: "OCTET STRING",
    NULL: "NULL",
    OBJECT_IDENTIFIER: "OBJECT IDENTIFIER",
    BMP_STRING: "BMPString",
    SEQUENCE: "SEQUENCE",
    SET: "SET",
    CONTEXT_0: "[0]",
}


class DerError(StoreError):
    """The bytes are not the DER that was expected."""


class Element(NamedTuple):
    """One value: its tag, its content and all its bytes, header included."""

    tag: int
    content: bytes
    raw: bytes

    def expect(self, tag: int, what: str) -> Element:
        """This element, if it has *tag*; *what* names it in the error."""
        if self.tag != tag:
            raise DerError(f"{what} should be a {_tag_name(tag)} and is a {_tag_name(self.tag)}")
        return self


def elements(data: bytes, what: str) -> Iterator[Element]:
    """The values that follow one another in *data*; *what* names the whole in errors."""
    position = 0
    while position < len(data):
        start = position
        tag = data[position]
        if tag & 0x1F == 0x1F:
            raise DerError(f"{what} has a tag of more than one byte")
        position, length = _length(data, position + 1, what)
        end = position + length
        if end > len(data):
            raise DerError(f"{what} is cut short: {length} bytes announced, {len(data) - position} left")
        yield Element(tag, data[position:end], data[start:end])
        position = end


def _length(data: bytes, position: int, what: str) -> tuple[int, int]:
    """The position after the length octets, and the length (X.690 section 8.1.3)."""
    if position >= len(data):
        raise DerError(f"{what} is cut short")
    first = data[position]
    position += 1
    if first < 0x80:
        return position, first
    count = first & 0x7F
    if count == 0:
        raise DerError(f"{what} has an indefinite length (BER), which is not supported")
    if count > 4 or position + count > len(data):
        raise DerError(f"{what} has a length that does not fit")
    length = int.from_bytes(data[position : position + count], "big")
    if length < 0x80 or data[position] == 0:
        raise DerError(f"{what} has a length that is not in its shortest form")
    return position + count, length


def single(data: bytes, tag: int, what: str) -> Element:
    """The one value that *data* consists of."""
    values = list(islice(elements(data, what), 2))
    if len(values) != 1:
        raise DerError(f"{what} should be one value and has {'more' if values else 'none'}")
    return values[0].expect(tag, what)


def children(data: bytes, tag: int, what: str) -> list[Element]:
    """The values inside the one value that *data* consists of."""
    return list(elements(single(data, tag, what).content, what))


def parts(data: bytes, what: str, least: int, most: int) -> list[Element]:
    """The values inside the one SEQUENCE that *data* consists of, *least* to *most* of them; no more than these are looked at."""
    values = list(islice(elements(single(data, SEQUENCE, what).content, what), most + 1))
    if not least <= len(values) <= most:
        wished = f"{least} to {most}" if least < most else str(most)
        raise DerError(f"{what} should have {wished} parts and has {'more' if len(values) > most else len(values)}")
    return values


def integer_value(element: Element, what: str) -> int:
    """The value of an INTEGER."""
    content = element.expect(INTEGER, what).content
    if not content:
        raise DerError(f"{what} is an empty INTEGER")
    if len(content) > 64:
        raise DerError(f"{what} is an INTEGER of {len(content)} bytes, which is too large")
    return int.from_bytes(content, "big", signed=True)


def oid_value(element: Element, what: str) -> str:
    """The dotted form of an OBJECT IDENTIFIER (X.690 section 8.19)."""
    content = element.expect(OBJECT_IDENTIFIER, what).content
    if not content or content[-1] & 0x80 or len(content) > 64:
        raise DerError(f"{what} is not a whole OBJECT IDENTIFIER")
    arcs: list[int] = []
    value = 0
    for octet in content:
        if value == 0 and octet == 0x80:
            raise DerError(f"{what} is not a whole OBJECT IDENTIFIER")
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in (first, arcs[0] - 40 * first, *arcs[1:]))


def bmp_value(element: Element, what: str) -> str:
    """The text of a BMPString; pairs of surrogates, as Java writes them, are one character."""
    try:
        return element.expect(BMP_STRING, what).content.decode("utf-16-be")
    except UnicodeDecodeError as error:
        raise DerError(f"{what} is not a whole BMPString") from error


def encode(tag: int, *parts: bytes) -> bytes:
    """One value with *tag* whose content is *parts*, one after the other."""
    content = b"".join(parts)
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def sequence(*parts: bytes) -> bytes:
    """A SEQUENCE of *parts*."""
    return encode(SEQUENCE, *parts)


def set_of(*parts: bytes) -> bytes:
    """A SET OF *parts*, in the order that DER demands (X.690 section 11.6)."""
    return encode(SET, *sorted(parts))


def integer(value: int) -> bytes:
    """An INTEGER."""
    return encode(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def octet_string(content: bytes) -> bytes:
    """An OCTET STRING."""
    return encode(OCTET_STRING, content)


def null() -> bytes:
    """NULL."""
    return encode(NULL)


def explicit(number: int, *parts: bytes) -> bytes:
    """A constructed, context-specific value [number]."""
    return encode(CONTEXT_0 | number, *parts)


def bmp_string(text: str) -> bytes:
    """A BMPString."""
    return encode(BMP_STRING, text.encode("utf-16-be"))


def oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    content = bytearray()
    for arc in (40 * first + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        content.extend(reversed(groups))
    return encode(OBJECT_IDENTIFIER, bytes(content))


def _tag_name(tag: int) -> str:
    return _TAG_NAMES.get(tag, f"value with tag 0x{tag:02x}")
