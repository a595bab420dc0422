# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pico is told: read once when it starts, so that a running pico keeps its old settings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mediationzone import tree
from mediationzone.registry import Files, container_file, pico_file
from mediationzone.targets import resolved

ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


class SettingsError(Exception):
    """A property has a value that a pico cannot start with."""


@dataclass(frozen=True)
class Settings:
    """Effective properties of one pico by dotted name."""

    values: dict[str, Any]

    def text(self, name: str, default: str = "") -> str:
        value = self.values.get(name, default)
        return str(value).lower() if isinstance(value, bool) else str(value)

    def flag(self, name: str) -> bool:
        text = self.text(name).strip().lower()
        if text not in ("", "true", "false"):
            raise SettingsError(f"{name} must be true or false")
        return text == "true"

    def port(self, name: str, default: int = 0) -> int:
        """0: the pico opens no such port."""
        text = self.text(name, str(default)).strip()
        if not text.isdigit() or int(text) > 65535:
            raise SettingsError(f"{name} must be a port number")
        return int(text)

    def addresses(self) -> list[str]:
        """Where to listen; the extra interfaces count only beside pico.rcp.server.host, as the product's page says."""
        host = self.text("pico.rcp.server.host")
        extra = [name.strip() for name in self.text("pico.rcp.server.bind_interfaces").split(",") if name.strip()]
        if not host or "ALL" in extra:
            return ["0.0.0.0"]
        return list(dict.fromkeys([host, *extra]))


def effective(files: Files, home: Path, container: str, pico: str, overrides: dict[str, str]) -> Settings:
    """Cell < container < pico < MZ_HOME/etc/*.properties (a later file wins) < `startup -e`."""
    values: dict[str, Any] = {}
    for file, prefix in (("cell.conf", "common"), (container_file(container), "common"), (pico_file(container, pico), "config.properties")):
        values.update(tree.flatten(tree.get_object(files.get(file, {}), prefix) or {}))
    for path in sorted((home / "etc").glob("*.properties")):
        values.update(parse_properties(path.read_text(encoding="utf-8")))
    values.update(overrides)
    return Settings(resolved(values, str(home)))


def parse_properties(text: str) -> dict[str, str]:
    """A Java properties file: comments, continued lines, escapes, `=`, `:` or blank as separator."""
    logical: list[str] = []
    pending = ""
    for line in text.splitlines():
        stripped = line.lstrip(" \t\f")
        if not pending and stripped[:1] in ("", "#", "!"):
            continue
        pending += stripped
        trailing = len(pending) - len(pending.rstrip("\\"))
        if trailing % 2:
            pending = pending[:-1]
        else:
            logical.append(pending)
            pending = ""
    if pending:
        logical.append(pending)
    values: dict[str, str] = {}
    for line in logical:
        match = re.match(r"((?:\\.|[^\\:=\s])*)[ \t\f]*[:=]?[ \t\f]*(.*)", line, re.DOTALL)
        if match:
            values[_unescape(match[1])] = _unescape(match[2])
    return values


def _unescape(text: str) -> str:
    def plain(match: re.Match[str]) -> str:
        if match[1].startswith("u") and len(match[1]) > 1:
            return chr(int(match[1][1:], 16))
        return ESCAPES.get(match[1], match[1])

    return re.sub(r"\\(u[0-9A-Fa-f]{4}|.)", plain, text)
