# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key/value files: reading and setting single values, with every other byte left as it is.

A document is a list of pieces; joined, they are the file. A piece is one setting (with the physical lines that it takes) or
something else (comments, blank lines), and only the piece of a setting that changes is written anew.

To add a format: write a class with the three methods of ``Syntax`` and name it in ``FORMATS``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError


@dataclass(frozen=True)
class Piece:
    """A part of the file. For a setting: *head* is what stands before a new value, *tail* what stands after it."""

    raw: str
    name: str | None = None
    value: str = ""
    head: str = ""
    tail: str = ""
    # In a block, settings lie one level deeper, below this name; they cannot be reached by their flat names.
    block: bool = False


class Syntax(Protocol):
    """One format of key/value files."""

    def pieces(self, text: str) -> Iterator[Piece]:
        """The pieces of *text*. Raises InputError, with the line's number, for what the format's own reader would refuse."""

    def written(self, piece: Piece, value: str) -> str:
        """The raw text of the setting *piece* with *value*."""

    def new(self, text: str, name: str, value: str) -> str:
        """*text* with a new setting at its end."""


class Document:
    """A key/value file in memory."""

    def __init__(self, text: str, syntax: Syntax, encoding: str = "utf-8") -> None:
        self._syntax = syntax
        self._encoding = encoding
        self._pieces = list(syntax.pieces(text))

    @property
    def text(self) -> str:
        return "".join(piece.raw for piece in self._pieces)

    @property
    def content(self) -> bytes:
        """The bytes of the file, in the encoding in which it was read."""
        return self.text.encode(self._encoding)

    @property
    def values(self) -> dict[str, str]:
        """Every setting; of those that are there twice the last, as Java reads them."""
        return {piece.name: piece.value for piece in self._pieces if piece.name is not None and not piece.block}

    def get(self, name: str) -> str | None:
        """The value of *name*, or None when it is not there."""
        self._refuse_blocks(name)
        return self.values.get(name)

    def set(self, name: str, value: str) -> None:
        """Give *name* that *value*. If it is there several times the last one changes, because that is the one that is read."""
        self._refuse_blocks(name)
        for index in reversed(range(len(self._pieces))):
            piece = self._pieces[index]
            if piece.name == name:
                if piece.value != value:
                    self._replace(index, self._syntax.written(piece, value))
                return
        self._pieces = list(self._syntax.pieces(self._syntax.new(self.text, name, value)))

    def remove(self, name: str) -> None:
        """Remove *name*, everywhere it is: the one before would come to light if only the last one went."""
        self._refuse_blocks(name)
        self._pieces = [piece for piece in self._pieces if piece.name != name]

    def _replace(self, index: int, raw: str) -> None:
        self._pieces[index : index + 1] = self._syntax.pieces(raw)

    def _refuse_blocks(self, name: str) -> None:
        for piece in self._pieces:
            if piece.block and piece.name is not None and (name == piece.name or name.startswith(f"{piece.name}.")):
                raise InputError(
                    f"The file has a nested block '{piece.name}:', so it cannot be told where '{name}' is or belongs. "
                    f"Write the block's settings as flat ones ('{piece.name}.<name>: <value>') first.",
                    name=name,
                )


def parse(text: str, file_format: str = "java_properties") -> Document:
    """The document that *text* is, in one of ``FORMATS``."""
    return Document(text, _syntax(file_format))


def read(content: bytes, file_format: str = "java_properties") -> Document:
    """The document that a file's bytes are: UTF-8, or Latin-1 when they are not UTF-8."""
    try:
        return Document(content.decode("utf-8"), _syntax(file_format), "utf-8")
    except UnicodeDecodeError:
        return Document(content.decode("latin-1"), _syntax(file_format), "latin-1")


def _syntax(file_format: str) -> Syntax:
    if file_format not in FORMATS:
        raise InputError(f"'{file_format}' is no format of key/value files; there are {', '.join(sorted(FORMATS))}.")
    return FORMATS[file_format]


_PHYSICAL_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_LINE_END = re.compile(r"\r\n|\r|\n")


def _line_end(text: str) -> str:
    """The line end that the text uses first."""
    found = _LINE_END.search(text)
    return found.group() if found else "\n"


def _split_end(line: str) -> tuple[str, str]:
    """(a physical line's content, its line end)."""
    for end in ("\r\n", "\r", "\n"):
        if line.endswith(end):
            return line[: -len(end)], end
    return line, ""


def _line_number(text: str, offset: int) -> int:
    return len(_LINE_END.findall(text[:offset])) + 1


# java_properties


@dataclass(frozen=True)
class _LogicalLine:
    """A setting's characters, joined over continuation lines, each with its place in the text."""

    start: int
    end: int
    characters: list[tuple[str, int]]


class JavaProperties:
    """``java.util.Properties``: the grammar of its ``load`` method, with the physical lines as the JDK's LineReader joins them."""

    _BLANK = " \t\f"
    _UNESCAPED: Mapping[str, str] = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
    _ESCAPED: Mapping[str, str] = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\f": "\\f"}
    _ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
    _CONTINUATION = re.compile(r"(?:\\(?:\r\n|\r|\n)[ \t\f]*)+\Z")

    def pieces(self, text: str) -> Iterator[Piece]:
        position = 0
        for line in self._scan(text)[0]:
            if line.start > position:
                yield Piece(text[position : line.start])
            yield self._setting(text, line)
            position = line.end
        if position < len(text):
            yield Piece(text[position:])

    def written(self, piece: Piece, value: str) -> str:
        # With no value to continue to, a continuation would take the line end, or the next line.
        head = piece.head if value else self._CONTINUATION.sub("", piece.head)
        return head + self._escaped_value(value) + piece.tail

    def new(self, text: str, name: str, value: str) -> str:
        end = _line_end(text)
        # A last line that has no end, or whose backslash draws the next line into it, would swallow the new one.
        while text and (not text.endswith(("\r", "\n")) or self._scan(text)[1]):
            text += end
        key = "".join(f"\\{character}" if character in " =:#!" else self._escaped(character) for character in name)
        return f"{text}{key}={self._escaped_value(value)}{end}"

    def _scan(self, text: str) -> tuple[list[_LogicalLine], bool]:
        """(the logical lines that are settings, whether the text ends where a continuation line is expected)."""
        lines: list[_LogicalLine] = []
        characters: list[tuple[str, int]] = []
        position = physical = start = 0
        leading, continued, backslash = True, False, False
        while position < len(text):
            character = text[position]
            if leading:
                if character in self._BLANK:
                    position += 1
                    continue
                if character in "\r\n" and not continued:
                    position = physical = position + 1
                    continue
                leading = continued = False
            if character in "#!" and not characters:
                position = physical = self._after_line(text, position)
                leading = True
            elif character not in "\r\n":
                if not characters:
                    start = physical
                characters.append((character, position))
                backslash = character == "\\" and not backslash
                position += 1
            else:
                position = self._after_line(text, position)
                leading, continued = True, backslash
                if backslash:
                    characters.pop()
                    backslash = False
                else:
                    if characters:
                        lines.append(_LogicalLine(start, position, characters))
                    characters, physical = [], position
        if backslash:
            characters.pop()
        if characters:
            lines.append(_LogicalLine(start, len(text), characters))
        return lines, backslash or continued

    @staticmethod
    def _after_line(text: str, position: int) -> int:
        found = _LINE_END.search(text, position)
        return found.end() if found else len(text)

    def _setting(self, text: str, line: _LogicalLine) -> Piece:
        logical = "".join(character for character, _place in line.characters)
        key_end, value_start = self._split(logical)
        where = f"line {_line_number(text, line.start)}"
        value_place = line.characters[value_start][1] if value_start < len(logical) else line.characters[-1][1] + 1
        raw = text[line.start : line.end]
        head = raw[: value_place - line.start] + ("=" if key_end == len(logical) else "")
        name, value = self._unescaped(logical[:key_end], where), self._unescaped(logical[value_start:], where)
        return Piece(raw, name, value, head, _split_end(raw)[1])

    def _split(self, logical: str) -> tuple[int, int]:
        """(where the key ends, where the value begins)."""
        end = 0
        while end < len(logical) and logical[end] not in f"=:{self._BLANK}":
            end += 2 if logical[end] == "\\" else 1
        end = min(end, len(logical))
        rest = logical[end:]
        separator = re.match(r"[ \t\f]*[=:]?[ \t\f]*", rest)
        return end, end + (separator.end() if separator else 0)

    def _unescaped(self, text: str, where: str) -> str:
        def character(found: re.Match[str]) -> str:
            if found[1]:
                return chr(int(found[1], 16))
            if found[2] == "u":
                raise InputError(f"In {where} of the file \\u is not followed by four hexadecimal digits; Java refuses the whole file.")
            return self._UNESCAPED.get(found[2], found[2])

        plain = self._ESCAPE.sub(character, text)
        # Two \u may be the halves of one character.
        return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass") if "\\" in text else plain

    def _escaped(self, text: str) -> str:
        return "".join(
            self._ESCAPED.get(character) or (character if " " <= character <= "~" else _utf16_escapes(character)) for character in text
        )

    def _escaped_value(self, value: str) -> str:
        # A blank at the beginning would be skipped; after a key that is followed by blanks only, '=' would be the separator.
        return ("\\" if value[:1] in (" ", "=", ":") else "") + self._escaped(value)


def _utf16_escapes(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[index] << 8 | units[index + 1]:04x}" for index in range(0, len(units), 2))


# colon


class Colon:
    """Flat ``key: value`` lines, the common part of YAML and of the files that look like it (Apache Flink's ``config.yaml``).

    Values are quoted only where YAML would read something else than the text. Nested blocks are kept, and not looked into.
    """

    _SETTING = re.compile(
        r"""(?P<head>(?P<key>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|(?:[^\s"'#\[\]{}&*!|>%@`,?-]|[?-](?=\S)).*?)[ \t]*:)"""
        r"""(?P<gap>[ \t]+|$)(?P<rest>.*)"""
    )
    _VALUE = re.compile(r"""(?P<value>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|(?!["'\#]).*?)(?P<tail>[ \t]*|[ \t]+\#.*)""")
    _OTHER = re.compile(r"[ \t]*(?:#.*)?|---(?:[ \t].*)?|\.\.\.[ \t]*|%.*")
    _NESTED = re.compile(r"[ \t]|-(?:[ \t]|$)")
    _ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))")
    _UNESCAPED: Mapping[str, str] = {
        "0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
        " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
    }  # fmt: skip
    _PLAIN_KEY = re.compile(r"[A-Za-z_][\w./-]*", re.ASCII)
    _PLAIN = re.compile(r"(?![-?:,\[\]{}#&*!|>'\"%@`=<~ ])(?!.*(?:: | #))[ -~]*[!-9;-~]|-[0-9.]+")
    _EXACT = re.compile(r"true|false|0|-?[1-9][0-9]{0,14}|-?(?:0|[1-9][0-9]{0,8})\.[0-9]{0,3}[1-9]")
    # What some YAML reader (1.1 or 1.2) takes for a null, a boolean, a number or a date.
    _TYPED = re.compile(
        r"null|true|false|yes|no|on|off|y|n|[-+]?\.(?:inf|nan)|[-+]?[0-9_]*\.?[0-9_]*(?:e[-+]?[0-9]+)?"
        r"|[-+]?0[xob][0-9a-f_]+|[-+]?[0-9_]+(?::[0-9]+)+(?:\.[0-9_]*)?|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*|\.\.\.",
        re.IGNORECASE,
    )

    def pieces(self, text: str) -> Iterator[Piece]:
        setting: Piece | None = None
        waiting: list[Piece] = []  # what followed the setting and does not tell yet whether it heads a block
        for number, line in enumerate(_PHYSICAL_LINE.findall(text), 1):
            body, end = _split_end(line)
            if self._OTHER.fullmatch(body):
                waiting.append(Piece(line))
            elif self._NESTED.match(body):
                if setting is None:
                    raise InputError(f"Line {number} of the file is indented or a list item, and no 'key:' stands above it.")
                setting = replace(setting, block=True)
                waiting.append(Piece(line))
            else:
                if setting is not None:
                    yield setting
                yield from waiting
                setting, waiting = self._setting(line, body, end, number), []
        if setting is not None:
            yield setting
        yield from waiting

    def written(self, piece: Piece, value: str) -> str:
        return piece.head + self._quoted(value) + piece.tail

    def new(self, text: str, name: str, value: str) -> str:
        end = _line_end(text)
        if text and not text.endswith(("\r", "\n")):
            text += end
        key = name if self._PLAIN_KEY.fullmatch(name) and not self._TYPED.fullmatch(name) else self._double_quoted(name)
        return f"{text}{key}: {self._quoted(value)}{end}"

    def _setting(self, line: str, body: str, end: str, number: int) -> Piece:
        found = self._SETTING.fullmatch(body)
        if not found:
            raise InputError(f"Line {number} of the file is not 'key: value'.")
        name = self._unquoted(found["key"], number)
        if not found["rest"] or found["rest"].startswith("#"):
            return Piece(line, name, "", found["head"] + " ", (found["gap"] + found["rest"] if found["rest"] else "") + end)
        value = self._VALUE.fullmatch(found["rest"])
        if not value:
            raise InputError(f"Line {number} of the file has a quoted value that does not end, or more text behind its end.")
        return Piece(line, name, self._unquoted(value["value"], number), found["head"] + found["gap"], value["tail"] + end)

    def _unquoted(self, text: str, number: int) -> str:
        if text.startswith("'"):
            return text[1:-1].replace("''", "'")
        if not text.startswith('"'):
            return text

        def character(found: re.Match[str]) -> str:
            digits = found[1] or found[2] or found[3]
            try:
                return chr(int(digits, 16)) if digits else self._UNESCAPED[found[4]]
            except (KeyError, ValueError, OverflowError):
                raise InputError(f"Line {number} of the file has an escape that YAML does not know: {found[0]}") from None

        return self._ESCAPE.sub(character, text[1:-1])

    def _quoted(self, value: str) -> str:
        if self._EXACT.fullmatch(value) or (self._PLAIN.fullmatch(value) and not self._TYPED.fullmatch(value)):
            return value
        return self._double_quoted(value)

    @staticmethod
    def _double_quoted(text: str) -> str:
        named = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}

        def written(character: str) -> str:
            number = ord(character)
            if character in named or " " <= character <= "~":
                return named.get(character, character)
            return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"

        return '"' + "".join(map(written, text)) + '"'


# nginx


class Nginx:
    """nginx's directives, ``name value;`` each on a line of its own, as in a file that is included in a server's block.

    The grammar is ngx_conf_read_token's. Blocks, several directives on a line and directives over several lines are refused: a file
    that is included for this purpose needs none.
    """

    _SETTING = re.compile(
        r"""(?P<head>[ \t]*(?P<name>[^\s;{}#"'\\]+)[ \t]+)"""
        r"""(?P<value>(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^"';{}#])*?)"""
        r"""(?P<tail>[ \t]*;[ \t]*(?:\#.*)?)"""
    )
    _OTHER = re.compile(r"[ \t]*(?:#.*)?")
    _PLAIN = re.compile(r"""[^\s;{}#"'\\$]+(?: [^\s;{}#"'\\$]+)*""")

    def pieces(self, text: str) -> Iterator[Piece]:
        for number, line in enumerate(_PHYSICAL_LINE.findall(text), 1):
            body, end = _split_end(line)
            found = self._SETTING.fullmatch(body)
            if found:
                yield Piece(line, found["name"], found["value"], found["head"], found["tail"] + end)
            elif self._OTHER.fullmatch(body):
                yield Piece(line)
            else:
                raise InputError(f"Line {number} of the file is not one directive of nginx that ends with ';' on the same line.")

    def written(self, piece: Piece, value: str) -> str:
        return piece.head + self._checked(piece.name or "", value) + piece.tail

    def new(self, text: str, name: str, value: str) -> str:
        end = _line_end(text)
        if text and not text.endswith(("\r", "\n")):
            text += end
        return f"{text}{name} {self._checked(name, value)};{end}"

    def _checked(self, name: str, value: str) -> str:
        """The value, which is made of plain words: a variable or a quote would mean something to nginx."""
        if not self._PLAIN.fullmatch(value):
            raise InputError(
                f"The value of '{name}' cannot be written for nginx: only words without quotes, braces, ';', '#', '$' and '\\'."
            )
        return value


# HOCON leaves would be one more of these.
FORMATS: Mapping[str, Syntax] = {"java_properties": JavaProperties(), "colon": Colon(), "nginx": Nginx()}
