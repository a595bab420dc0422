# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DER, as much of it as keystores need (ITU-T X.690).

Reading is bounded: a length is checked against what remains before anything is copied, trailing bytes are an error,
and nothing recurses: the callers walk the structure that they expect, and say how many values it may have.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

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
_CONSTRUCTED_OCTET_STRING = 0x24

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


class IndefiniteLengthError(DerError):
    """The bytes are BER: a length is not said, or a string is in pieces. ber.to_der() makes DER of them."""


class Element:
    """One value inside a larger text of bytes. Nothing is copied until its bytes are asked for: stores have many megabytes."""

    __slots__ = ("_body", "_data", "_end", "_start", "tag")

    def __init__(self, tag: int, data: bytes, start: int, body: int, end: int) -> None:
        self.tag = tag
        self._data = data
        self._start = start
        self._body = body
        self._end = end

    @property
    def content(self) -> bytes:
        """The bytes after its header."""
        return self._data[self._body : self._end]

    @property
    def raw(self) -> bytes:
        """All its bytes, header included."""
        return self._data[self._start : self._end]

    @property
    def end(self) -> int:
        """Where it ends in the text that it is part of."""
        return self._end

    def values(self, what: str) -> Iterator[Element]:
        """The values that its content consists of, whether it is a constructed value or a string that wraps others."""
        return _walk(self._data, self._body, self._end, what)

    def expect(self, tag: int, what: str) -> Element:
        """This element, if it has *tag*; *what* names it in the error."""
        if self.tag != tag:
            raise DerError(f"{what} should be a {_tag_name(tag)} and is a {_tag_name(self.tag)}")
        return self


def elements(data: bytes, what: str) -> Iterator[Element]:
    """The values that follow one another in *data*; *what* names the whole in errors."""
    return _walk(data, 0, len(data), what)


def _walk(data: bytes, position: int, end: int, what: str) -> Iterator[Element]:
    """The values between *position* and *end*, which they must fill."""
    while position < end:
        start = position
        tag = data[position]
        if tag & 0x1F == 0x1F:
            raise DerError(f"{what} has a tag of more than one byte")
        if position + 1 >= end:
            raise DerError(f"{what} is cut short")
        length = data[position + 1]
        position += 2
        if length >= 0x80:
            position, length = _long_length(data, position, end, what)
        if length > end - position:
            raise DerError(f"{what} is cut short: {length} bytes announced, {end - position} left")
        if tag == _CONSTRUCTED_OCTET_STRING:
            raise IndefiniteLengthError(f"{what} has a string in pieces (BER)")
        yield Element(tag, data, start, position, position + length)
        position += length


def _long_length(data: bytes, position: int, end: int, what: str) -> tuple[int, int]:
    """The position after the length octets that follow the first one, and the length (X.690 section 8.1.3)."""
    count = data[position - 1] & 0x7F
    if count == 0:
        raise IndefiniteLengthError(f"{what} has an indefinite length (BER)")
    if count > 4 or count > end - position:
        raise DerError(f"{what} has a length that does not fit")
    length = int.from_bytes(data[position : position + count], "big")
    if length < 0x80 or data[position] == 0:
        raise DerError(f"{what} has a length that is not in its shortest form")
    return position + count, length


def first(values: Iterator[Element], what: str) -> Element:
    """The value that is there, whatever follows it."""
    found = next(values, None)
    if found is None:
        raise DerError(f"{what} should be a value and has none")
    return found


def only(values: Iterator[Element], what: str) -> Element:
    """The one value that is there."""
    found = list(islice(values, 2))
    if len(found) != 1:
        raise DerError(f"{what} should be one value and has {'more' if found else 'none'}")
    return found[0]


def single(data: bytes, tag: int, what: str) -> Element:
    """The one value that *data* consists of."""
    return only(elements(data, what), what).expect(tag, what)


def parts(value: bytes | Element, what: str, least: int, most: int) -> list[Element]:
    """The values inside a SEQUENCE, *least* to *most* of them; no more than these are looked at."""
    whole = value.expect(SEQUENCE, what) if isinstance(value, Element) else single(value, SEQUENCE, what)
    values = list(islice(whole.values(what), most + 1))
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
    dotted = _dotted(content) if len(content) <= 64 else None
    if dotted is None:
        raise DerError(f"{what} is not a whole OBJECT IDENTIFIER")
    return dotted


@lru_cache(maxsize=256)  # a store has a few of them, tens of thousands of times
def _dotted(content: bytes) -> str | None:
    """The dotted form of an OBJECT IDENTIFIER's content; None for what is none."""
    if not content or content[-1] & 0x80:
        return None
    arcs: list[int] = []
    value = 0
    for octet in content:
        if value == 0 and octet == 0x80:
            return None
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
    return bytes((tag,)) + length_octets(len(content)) + content


def length_octets(length: int) -> bytes:
    """The shortest form of a length (X.690 section 10.1)."""
    if length < 0x80:
        return bytes((length,))
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(octets),)) + octets


def sequence(*parts: bytes) -> bytes:
    """A SEQUENCE of *parts*."""
    return encode(SEQUENCE, *parts)


def set_of(*parts: bytes) -> bytes:
    """A SET OF *parts*, in the order that DER demands (X.690 section 11.6)."""
    return encode(SET, *sorted(parts))


def integer(value: int) -> bytes:
    """An INTEGER."""
    return encode(INTEGER, value.to_bytes((value if value >= 0 else ~value).bit_length() // 8 + 1, "big", signed=True))


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


@lru_cache(maxsize=256)
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
