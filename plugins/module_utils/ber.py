# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BER made DER (ITU-T X.690), as far as keystores need it: Firefox (NSS) and old macOS write lengths that only the end tells.

What Java does when it reads such a file (sun.security.util.DerIndefLenConverter), and strings in pieces made whole with it. The
result is only as long as its values are: nothing else that BER leaves open (the order of a SET, what a BOOLEAN's true is) is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.mutual.tls.plugins.module_utils import der

_CONSTRUCTED = 0x20
_STRING_IN_PIECES = der.OCTET_STRING | _CONSTRUCTED
_END_OF_CONTENTS = 0x00

#: A keystore has a dozen levels.
_MAX_DEPTH = 32
#: Each value costs a microsecond and a hundred bytes. A store with 50,000 certificates has no more.
_MAX_VALUES = 1_000_000


@dataclass
class _Open:
    """A constructed value whose end has not been reached."""

    tag: int
    #: Where its own end is, if its length said so, else where that of the nearest value around it is whose length did.
    end: int
    definite: bool
    #: Which piece of the output is its header. A string inside a string in pieces has none: only its content counts.
    header: int | None
    #: How long its content has become.
    length: int = 0


def budget() -> Iterator[int]:
    """What several conversions may have in values together."""
    return iter(range(_MAX_VALUES))


def to_der(data: bytes, what: str = "the store", values: Iterator[int] | None = None) -> bytes:
    """The one value that *data* is, every length in it definite and shortest, every OCTET STRING in one piece.

    What a primitive value holds is not looked into, even if it is BER again. A string with a context-specific tag stays in
    pieces, as nothing in it tells that it is one. Time and memory are linear. Raises DerError for what is not whole. *values* is
    a budget() that conversions share, or else there is one for this.
    """
    made: list[bytes] = []
    inside: list[_Open] = []
    position = 0
    for _value in budget() if values is None else values:
        limit = inside[-1].end if inside else len(data)
        tag, body, length = _header(data, position, limit, what)
        in_string = bool(inside) and inside[-1].tag == _STRING_IN_PIECES
        if tag == _END_OF_CONTENTS:
            if length != 0 or not inside or inside[-1].definite:
                raise der.DerError(f"{what} has an end of contents where none belongs")
            _close(inside, made)
            position = body
        elif in_string and tag not in (der.OCTET_STRING, _STRING_IN_PIECES):
            raise der.DerError(f"{what} has a string with a piece that is no string")
        elif tag & _CONSTRUCTED:
            if len(inside) == _MAX_DEPTH:
                raise der.DerError(f"{what} has more than {_MAX_DEPTH} values inside one another")
            inside.append(_Open(tag, limit if length is None else body + length, length is not None, None if in_string else len(made)))
            made.append(b"")  # the header's place
            position = body
        elif length is None:
            raise der.DerError(f"{what} has a value of indefinite length that cannot have one")
        else:
            position = body + length
            content = data[body:position]
            made.append(content if in_string else der.encode(tag, content))
            if inside:
                inside[-1].length += len(made[-1])
        while inside and inside[-1].definite and inside[-1].end == position:
            _close(inside, made)
        if not inside:
            if position != len(data):
                raise der.DerError(f"{what} should be one value and has more")
            return b"".join(made)
    raise der.DerError(f"{what} has more than {_MAX_VALUES} values")


def _close(inside: list[_Open], made: list[bytes]) -> None:
    """End the innermost value: its length is known now."""
    closed = inside.pop()
    length = closed.length
    if closed.header is not None:
        tag = der.OCTET_STRING if closed.tag == _STRING_IN_PIECES else closed.tag
        made[closed.header] = bytes((tag,)) + der.length_octets(length)
        length += len(made[closed.header])
    if inside:
        inside[-1].length += length


def _header(data: bytes, position: int, limit: int, what: str) -> tuple[int, int, int | None]:
    """The tag at *position*, where the content begins, and its length: None if it is indefinite."""
    if limit - position < 2:
        raise der.DerError(f"{what} is cut short")
    tag, length = data[position], data[position + 1]
    if tag & 0x1F == 0x1F:
        raise der.DerError(f"{what} has a tag of more than one byte")
    body = position + 2
    if length == 0x80:
        return tag, body, None
    if length > 0x80:
        count = length & 0x7F
        if count > 4 or count > limit - body:
            raise der.DerError(f"{what} has a length that does not fit")
        length = int.from_bytes(data[body : body + count], "big")
        body += count
    if length > limit - body:
        raise der.DerError(f"{what} is cut short: {length} bytes announced, {limit - body} left")
    return tag, body, length


__all__ = ["budget", "to_der"]
