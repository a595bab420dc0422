# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an installed stand-in keeps its files: one MZ_HOME per container, as in the product."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """The paths below one MZ_HOME."""

    home: Path

    @property
    def cell(self) -> Path:
        """Directory of the topology registry (STR): holds `master`, `.active` and `.backup`."""
        return self.home / "common" / "config" / "cell" / "default"

    @property
    def mzsh(self) -> Path:
        return self.home / "bin" / "mzsh"

    @property
    def code(self) -> Path:
        """The installation's own copy of this package, so that its owner can read it wherever the checkout lies."""
        return self.home / "lib" / "mediationzone"

    @property
    def etc(self) -> Path:
        return self.home / "etc"

    @property
    def tmp(self) -> Path:
        return self.home / "tmp"

    def log(self, pico: str) -> Path:
        return self.home / "log" / f"{pico}.log"

    def pid(self, pico: str) -> Path:
        return self.tmp / f"{pico}.pid"

    def lock(self, pico: str) -> Path:
        return self.tmp / f"{pico}.lock"

    def counters(self, pico: str) -> Path:
        """JSON for tests and `mzsh status`: state, connected, attempts, failures, last_error. Its time is the pico's heartbeat."""
        return self.tmp / f"{pico}.counters.json"


def write_atomically(path: Path, text: str, mode: int = 0o640) -> None:
    """Replace a file so that a reader sees the old or the new text, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.replace(temporary, path)
