# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The addresses of `topo`: `[topo://][container:<c>[/pico:<p>]/](val|obj):<path>`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from mediationzone import hocon
from mediationzone.registry import Files, RegistryError, container_file, containers, pico_file, picos

SHAPE = re.compile(r"(?:topo://)?(?:container:(?P<container>[^/]+)(?:/pico:(?P<pico>[^/]+))?(?:/|$))?(?:(?P<kind>val|obj):(?P<path>.+))?")


@dataclass(frozen=True)
class Target:
    """What a topo command names. `kind` is `val`, `obj` or `` (a whole file)."""

    container: str | None
    pico: str | None
    kind: str
    path: tuple[str, ...]

    @property
    def name(self) -> str:
        """The dotted property name, without quotes."""
        return ".".join(self.path)

    @property
    def file(self) -> str:
        if self.container is None:
            return "cell.conf"
        return container_file(self.container) if self.pico is None else pico_file(self.container, self.pico)


def parse(text: str) -> Target:
    """Raises RegistryError for an address that is none."""
    match = SHAPE.fullmatch(text.strip())
    if not match or not any(match.groups()):
        raise RegistryError(f"'{text}' is not a valid topology target")
    try:
        path = hocon.split_path(match["path"]) if match["path"] else []
    except hocon.HoconError as error:
        raise RegistryError(str(error)) from error
    return Target(match["container"], match["pico"], match["kind"] or "", tuple(path))


def matching(target: Target, files: Files) -> list[Target]:
    """The targets meant, when container and pico are regular expressions (as `topo get` allows)."""
    if target.container is None:
        return [target]
    try:
        return [
            Target(container, pico, target.kind, target.path)
            for container in containers(files)
            if re.fullmatch(target.container, container)
            for pico in ([None] if target.pico is None else [p for p in picos(files, container) if re.fullmatch(target.pico, p)])
        ]
    except re.error as error:
        raise RegistryError(f"'{target.container}' or '{target.pico}' is not a valid expression: {error}") from error


def address(file: str, path: tuple[str, ...]) -> str:
    """The address of one value in a registry file, as `topo diff` prints it."""
    parts = file[: -len(".conf")].split("/")
    where = ""
    if parts[0] == "containers":
        where = f"container:{parts[1]}/" if parts[2] == "container" else f"container:{parts[1]}/pico:{parts[3]}/"
    return f"topo://{where}val:{hocon.join_path(list(path))}"


def resolved(value: Any, home: str | None) -> Any:
    """`${mz.home}` replaced by the container's own MZ_HOME, everywhere in a value."""
    if home is None:
        return value
    return json.loads(json.dumps(value).replace("${mz.home}", json.dumps(home)[1:-1]))
