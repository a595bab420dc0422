# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `topo` subcommands, run on a registry that lies on this host's disk.

Answers are (exit code, standard output, standard error), so that mzsh and the Platform's web port give the same ones.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mediationzone import hocon, tree
from mediationzone.registry import (
    ACTIVE,
    BACKUP,
    MASTER,
    Files,
    Registry,
    RegistryError,
    changed,
    container_file,
    containers,
    digest,
    picos,
    validate,
)
from mediationzone.targets import Target, address, matching, parse, resolved

Answer = tuple[int, str, str]

# Option -> whether a value follows it.
OPTIONS: dict[str, dict[str, bool]] = {
    "get": {"--format": True},
    "set": {"--no-activation": False},
    "unset": {"--no-activation": False},
    "activate": {"--dry-run": False, "--hash": True, "-v": False, "--verbose": False},
    "diff": {"-e": False, "--show-entries": False, "-q": False, "--brief": False, "-f": True, "--from": True},
    "hash": {},
    "reset": {},
}
READ_ONLY = ("get", "hash", "diff")


@dataclass
class Command:
    """One parsed command line."""

    name: str
    options: dict[str, str | bool]
    arguments: list[str]

    def has(self, *names: str) -> bool:
        return any(name in self.options for name in names)

    def target(self, count: int) -> Target:
        if len(self.arguments) != count:
            raise RegistryError(f"topo {self.name} takes {count} argument(s), got {len(self.arguments)}")
        return parse(self.arguments[0])


def parse_command(arguments: list[str]) -> Command:
    """Raises RegistryError for an unknown subcommand or option. A value may begin with `-`: options end at the target."""
    if not arguments or arguments[0] not in OPTIONS:
        raise RegistryError(f"unknown topo subcommand: {' '.join(arguments[:1]) or '(none)'}")
    known = {**OPTIONS[arguments[0]], "--allow-disconnected": False}
    command = Command(arguments[0], {}, [])
    rest = arguments[1:]
    while rest:
        word = rest.pop(0)
        if word.startswith("-") and not command.arguments:
            if word not in known or (known[word] and not rest):
                raise RegistryError(f"topo {command.name}: unknown or incomplete option {word}")
            command.options[word] = rest.pop(0) if known[word] else True
        else:
            command.arguments.append(word)
    return command


def run(arguments: list[str], registry: Registry, *, cached: bool = False) -> Answer:
    """Run one subcommand. `cached`: the registry is a container's copy while the Platform is away, so nothing can be changed."""
    try:
        command = parse_command(arguments)
        if cached and command.name not in READ_ONLY:
            raise RegistryError(f"topo {command.name} needs the Platform; only cached data can be read")
        with registry.locked():
            return COMMANDS[command.name](command, registry)
    except (RegistryError, hocon.HoconError) as error:
        return 1, "", f"mzsh topo: {error}\n"


def _get(command: Command, registry: Registry) -> Answer:
    """Reads the active registry at exactly the level named: no inheritance from the cell."""
    files = registry.load(ACTIVE)
    asked = command.target(1)
    lines = []
    for target in matching(asked, files):
        value = _read(target, files)
        if value is None:
            continue
        home = files[container_file(target.container)].get("home") if target.container else None
        value = resolved(value, home)
        plain = command.options.get("--format") == "data-only"
        text = value if plain and isinstance(value, str) else json.dumps(value)
        lines.append(text if plain else f"{hocon.join_path(list(target.path))}:{text}")
    if not lines:
        raise RegistryError(f"no value found for {command.arguments[0]}")
    return 0, "".join(f"{line}\n" for line in lines), ""


def _read(target: Target, files: Files) -> Any:
    if target.file not in files:
        return None
    if target.kind == "val":
        return tree.flatten(files[target.file]).get(target.name)
    if target.kind == "obj":
        return tree.get_object(files[target.file], target.name)
    return {**files[target.file], "_loc": f"{target.file}: 1"}


def _commit(command: Command, registry: Registry, files: Files) -> Answer:
    """Validate, write master and, unless the change is only staged, make the whole master active."""
    validate(files)
    if command.has("--no-activation"):
        registry.store(MASTER, files)
    else:
        registry.activate(files)
    return 0, "", ""


def _require_known(target: Target, files: Files) -> None:
    if target.container is not None and target.container not in containers(files):
        raise RegistryError(f"no such container: {target.container}")
    whole_pico = target.pico is not None and not target.kind
    if target.pico is not None and not whole_pico and target.pico not in picos(files, str(target.container)):
        raise RegistryError(f"no such pico: {target.pico} in container {target.container}")


def _set(command: Command, registry: Registry) -> Answer:
    target = command.target(2)
    files = dict(registry.load(MASTER))
    _require_known(target, files)
    if target.kind == "val":
        value = hocon.parse_value(command.arguments[1])
        if isinstance(value, dict) or value is None:
            raise RegistryError(f"{target.name}: 'val:' takes one value, not an object or null")
    else:
        value = hocon.parse_object(command.arguments[1])
    if not target.kind:
        if target.pico is None:
            raise RegistryError("only a whole pico can be set; name a val: or an obj:")
        files[target.file] = value
        return _commit(command, registry, files)
    content = changed(files, target.file)
    if target.kind == "obj" and os.environ.get("MZ_STANDIN_OBJ_SET") == "merge":
        value = {**(tree.get_object(content, target.name) or {}), **value}
    tree.assign(content, list(target.path), value)
    files[target.file] = content
    return _commit(command, registry, files)


def _unset(command: Command, registry: Registry) -> Answer:
    target = command.target(1)
    files = dict(registry.load(MASTER))
    _require_known(target, files)
    if not target.kind:
        raise RegistryError("name a val: or an obj: to unset")
    content = changed(files, target.file)
    if not tree.remove(content, target.name):
        raise RegistryError(f"no value found for {command.arguments[0]}")
    files[target.file] = content
    return _commit(command, registry, files)


def _activate(command: Command, registry: Registry) -> Answer:
    files = registry.load(MASTER)
    current = digest(registry.load(ACTIVE))
    if command.options.get("--hash", current) != current:
        raise RegistryError("the active registry has another hash; somebody else activated a change")
    try:
        validate(files)
    except RegistryError as error:
        raise RegistryError(f"{error}; correct it or run 'mzsh topo reset'") from error
    if not command.has("--dry-run"):
        registry.activate(files)
    verbose = command.has("-v", "--verbose")
    return 0, f"{len(files)} files valid, active hash {digest(registry.load(ACTIVE))}\n" if verbose else "", ""


def _diff(command: Command, registry: Registry) -> Answer:
    """From the active registry (or the one of `--from`) to master."""
    names = {"active": ACTIVE, "master": MASTER, "backup": BACKUP}
    origin = str(command.options.get("--from", command.options.get("-f", "active")))
    if origin not in names:
        raise RegistryError(f"no such registry: {origin}")
    old, new = registry.load(names[origin]), registry.load(MASTER)
    lines: list[str] = []
    for file in sorted(set(old) | set(new)):
        before, after = tree.leaves(old.get(file, {})), tree.leaves(new.get(file, {}))
        entries = [(path, before.get(path), after.get(path)) for path in {**before, **after}]
        entries = [entry for entry in entries if entry[1] != entry[2]]
        if entries and command.has("-q", "--brief"):
            lines.append(file)
            continue
        show = _entry if command.has("-e", "--show-entries") else _statement
        lines += [show(file, path, was, now) for path, was, now in entries]
    return 0, "".join(f"{line}\n" for line in lines), ""


def _entry(file: str, path: tuple[str, ...], was: Any, now: Any) -> str:
    verb = "INSERT" if was is None else "DELETE" if now is None else "UPDATE"
    note = "" if was is None else f"  # (was: {json.dumps(was)})"
    return f"{verb:<8} ({file}) {hocon.join_path(list(path))}:{json.dumps(now if now is not None else was)}{note}"


def _statement(file: str, path: tuple[str, ...], was: Any, now: Any) -> str:
    note = "" if was is None else f"  # (was: {json.dumps(was)})"
    if now is None:
        return f"mzsh topo unset {address(file, path)}{note}"
    return f"mzsh topo set {address(file, path)} {json.dumps(now)}{note}"


def _hash(command: Command, registry: Registry) -> Answer:
    return 0, digest(registry.load(ACTIVE)) + "\n", ""


def _reset(command: Command, registry: Registry) -> Answer:
    """Drops every staged change, other people's too."""
    registry.store(MASTER, copy.deepcopy(registry.load(ACTIVE)))
    return 0, "", ""


COMMANDS: dict[str, Callable[[Command, Registry], Answer]] = {
    "get": _get,
    "set": _set,
    "unset": _unset,
    "activate": _activate,
    "diff": _diff,
    "hash": _hash,
    "reset": _reset,
}
