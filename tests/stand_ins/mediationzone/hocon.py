# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of HOCON that the product's examples use: JSON, unquoted keys and text, path keys, `=`/`:`, comments, concatenation.

A substitution is kept as the text `${name}`; it is resolved when a value is read. What is not listed here is refused.
"""

from __future__ import annotations

import json
import re
from typing import Any

UNQUOTED = re.compile(r"[^\s$\"{}\[\]:=,+#`^?!@*&\\]+")
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
SUBSTITUTION = re.compile(r"\$\{\??[A-Za-z0-9_.\-]+\}")
IGNORED = re.compile(r"(?:[ \t\r\n,]|#[^\n]*|//[^\n]*)*")
BLANK = re.compile(r"[ \t]*")


class HoconError(ValueError):
    """The text is not HOCON, or is a part of HOCON that the stand-in does not know."""


def split_path(path: str) -> list[str]:
    """`a."b.c".d` -> `["a", "b.c", "d"]`: only a quoted element may hold a dot."""
    elements: list[str] = []
    position = 0
    pattern = re.compile(r'"((?:[^"\\]|\\.)*)"|([^."]+)')
    while True:
        match = pattern.match(path, position)
        if not match:
            raise HoconError(f"'{path}' is not a path")
        elements.append(json.loads(match.group(0)) if match.group(1) is not None else match.group(2).strip())
        position = match.end()
        if position == len(path):
            return elements
        if path[position] != ".":
            raise HoconError(f"'{path}' is not a path")
        position += 1


def join_path(elements: list[str]) -> str:
    """The inverse of split_path: quotes an element that holds anything but letters, digits, `_` and `-`."""
    return ".".join(element if re.fullmatch(r"[\w\-]+", element) else json.dumps(element) for element in elements)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.position)
        if match:
            self.position = match.end()

    def peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def take(self, pattern: re.Pattern[str]) -> str | None:
        match = pattern.match(self.text, self.position)
        if not match:
            return None
        self.position = match.end()
        return match.group(0)

    def fail(self, expected: str) -> HoconError:
        found = self.text[self.position : self.position + 20] or "the end"
        return HoconError(f"expected {expected} at character {self.position}, found {found!r}")

    def fields(self, closing: str) -> dict[str, Any]:
        """Fields up to `closing` (`}` or the end of the text)."""
        tree: dict[str, Any] = {}
        while True:
            self.skip(IGNORED)
            if self.peek() == closing:
                self.position += len(closing)
                return tree
            elements = self.key()
            self.skip(BLANK)
            if self.peek() and self.peek() in ":=":
                self.position += 1
                self.skip(IGNORED)
            elif self.peek() != "{":
                raise self.fail("':', '=' or '{'")
            put(tree, elements, self.value())

    def key(self) -> list[str]:
        raw = ""
        while True:
            part = self.take(QUOTED) or self.take(UNQUOTED)
            if part is None:
                break
            raw += part
        if not raw:
            raise self.fail("a key")
        return split_path(raw)

    def value(self) -> Any:
        if self.peek() == "{":
            self.position += 1
            return self.fields("}")
        if self.peek() == "[":
            return self.array()
        return self.scalar()

    def array(self) -> list[Any]:
        self.position += 1
        items: list[Any] = []
        while True:
            self.skip(IGNORED)
            if self.peek() == "]":
                self.position += 1
                return items
            items.append(self.value())

    def scalar(self) -> Any:
        """Pieces on one line are joined; one unquoted piece may be a number, true, false or null."""
        pieces: list[str] = []
        quoted = False
        while True:
            start = self.position
            self.skip(BLANK)
            blank = self.text[start : self.position] if pieces else ""
            piece = self.take(QUOTED)
            if piece is not None:
                quoted = True
                pieces.append(blank + json.loads(piece))
                continue
            piece = self.take(SUBSTITUTION) or self.take(UNQUOTED)
            if piece is None:
                break
            pieces.append(blank + piece)
        if not pieces:
            raise self.fail("a value")
        text = "".join(pieces)
        return text if quoted else literal(text)


def literal(text: str) -> Any:
    """`true`, `null` and numbers as themselves, anything else as text."""
    if text in ("true", "false", "null") or re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?", text):
        return json.loads(text)
    return text


def put(tree: dict[str, Any], elements: list[str], value: Any) -> None:
    """Set a value at a path. Raises HoconError where text would have to be an object as well."""
    for index, element in enumerate(elements[:-1]):
        child = tree.setdefault(element, {})
        if not isinstance(child, dict):
            raise HoconError(f"{join_path(elements[: index + 1])} is a value and cannot also be the parent of {elements[index + 1]!r}")
        tree = child
    tree[elements[-1]] = value


def parse_object(text: str) -> dict[str, Any]:
    """An object in JSON or HOCON. Raises HoconError."""
    reader = _Reader(text)
    reader.skip(IGNORED)
    if reader.peek() != "{":
        raise reader.fail("'{'")
    reader.position += 1
    tree = reader.fields("}")
    reader.skip(IGNORED)
    if reader.peek():
        raise reader.fail("the end")
    return tree


def parse_value(text: str) -> Any:
    """A value as `topo set val:` takes it: JSON, a HOCON concatenation (`${mz.home}"/keys"`), else the bare text itself."""
    stripped = text.strip()
    try:
        return json.loads(stripped)
    except ValueError:
        pass
    if stripped.startswith(('"', "${", "[")):
        reader = _Reader(stripped)
        value = reader.value()
        if reader.position != len(stripped):
            raise reader.fail("the end")
        return value
    return stripped
