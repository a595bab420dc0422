# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The system topology registry (STR): `master` (being edited), `.active` (what picos read), `.backup` (active before the last change).

Files are stored as JSON, which is HOCON; a file edited by hand may be any HOCON that hocon.py reads.
"""

from __future__ import annotations

import copy
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mediationzone import hocon, tree
from mediationzone.layout import write_atomically

MASTER = "master"
ACTIVE = ".active"
BACKUP = ".backup"

# Relative file name -> content.
Files = dict[str, tree.Tree]


class RegistryError(Exception):
    """The registry cannot be read, or a change is not valid."""


def container_file(container: str) -> str:
    return f"containers/{container}/container.conf"


def pico_file(container: str, pico: str) -> str:
    return f"containers/{container}/picos/{pico}.conf"


def containers(files: Files) -> list[str]:
    return sorted(name.split("/")[1] for name in files if name.endswith("/container.conf"))


def picos(files: Files, container: str) -> list[str]:
    prefix = f"containers/{container}/picos/"
    return sorted(name[len(prefix) : -len(".conf")] for name in files if name.startswith(prefix))


def digest(files: Files) -> str:
    """The value of `topo hash`."""
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def validate(files: Files) -> None:
    """Raise RegistryError naming the file that cannot become active."""
    for name, content in files.items():
        try:
            tree.check(content)
        except hocon.HoconError as error:
            raise RegistryError(f"validation failed ({name}): {error}") from error


class Registry:
    """The registries of one container, on its own disk."""

    def __init__(self, cell: Path) -> None:
        self.cell = cell

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One writer at a time: mzsh and the Platform pico both work on these files."""
        self.cell.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.cell / ".lock", os.O_RDWR | os.O_CREAT, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def load(self, which: str) -> Files:
        """Every file of one registry. Raises RegistryError for a file that is not HOCON."""
        root = self.cell / which
        files: Files = {}
        for path in sorted(root.rglob("*.conf")):
            text = path.read_text(encoding="utf-8")
            name = path.relative_to(root).as_posix()
            try:
                files[name] = _parse(text)
            except hocon.HoconError as error:
                raise RegistryError(f"{path} is not valid: {error}") from error
        return files

    def store(self, which: str, files: Files) -> None:
        """Make one registry hold exactly these files."""
        root = self.cell / which
        for name, content in files.items():
            write_atomically(root / name, json.dumps(content, indent=2) + "\n")
        for path in root.rglob("*.conf"):
            if path.relative_to(root).as_posix() not in files:
                path.unlink()

    def activate(self, files: Files) -> None:
        """Master becomes these files, active too; the active registry of before is the backup."""
        self.store(BACKUP, self.load(ACTIVE))
        self.store(MASTER, files)
        self.store(ACTIVE, files)


def _parse(text: str) -> tree.Tree:
    try:
        content: Any = json.loads(text)
    except ValueError:
        content = hocon.parse_object(text if text.lstrip().startswith("{") else "{" + text + "\n}")
    if not isinstance(content, dict):
        raise hocon.HoconError("the file holds no object")
    return content


def changed(files: Files, name: str) -> tree.Tree:
    """A copy of one file to change; Files themselves are treated as values."""
    return copy.deepcopy(files[name])
