# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The topology registry (STR): the values of a container's ``common`` object, read, staged and made active."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable

from ansible_collections.mutual.tls.plugins.module_utils import settings
from ansible_collections.mutual.tls.plugins.module_utils.errors import PeerError
from ansible_collections.mutual.tls.plugins.module_utils.mediationzone.mzsh import SAYS_NOTHING_THERE, Mzsh, checked

_STATEMENT = re.compile(r"""mzsh topo (?P<verb>set|unset) (?P<target>'?(?:[^\s"']|"(?:[^"\\]|\\.)*")+'?)""")
_COMMON_TARGET = re.compile(r"'?(?:topo://)?container:(?P<container>[^/]+)/val:common\.(?P<path>[^']+)'?")


@dataclass(frozen=True)
class Common:
    """A container's ``common`` object. A name may be spelled as nested objects or as one quoted key; both are the same name."""

    values: Mapping[str, str] = field(default_factory=dict)  # dotted name -> text
    spellings: Mapping[str, Sequence[tuple[str, ...]]] = field(default_factory=dict)  # dotted name -> the path elements in use
    raw: Mapping[str, Any] = field(default_factory=dict)  # dotted name -> the JSON value, its type kept


@dataclass(frozen=True)
class Staged:
    """One change in the master registry that is not active yet, without its value."""

    verb: str
    target: str
    container: str | None = None  # container and name are set only for a value of a container's common object
    name: str | None = None

    def __str__(self) -> str:
        return f"{self.verb} {self.target}"


class Registry:
    """The registry, by *mzsh*; with *allow_disconnected* its cached copy when the Platform cannot be reached."""

    def __init__(self, mzsh: Mzsh, *, allow_disconnected: bool = False) -> None:
        self.mzsh = mzsh
        self.allow_disconnected = allow_disconnected

    def read_common(self, container: str, allow_disconnected: bool = False) -> dict[str, str]:
        """The values of the container's ``common`` object: dotted name -> text. Raises PeerError when it cannot be read."""
        return dict(self.common(container, allow_disconnected).values)

    def common(self, container: str, allow_disconnected: bool = False) -> Common:
        """The container's ``common`` object with its spellings, in one call. What cannot be read is a PeerError, never empty."""
        pattern = checked(container, "container").replace(".", "[.]")  # `topo get` takes names as regular expressions
        target = f"topo://container:{pattern}"
        rc, out, err = self._get(f"{target}/obj:common", allow_disconnected)
        if rc != 0 and SAYS_NOTHING_THERE.search(err + out):
            # The same words for "this container has no common object" and "there is no such container": only a container that
            # can be read itself has an empty common object.
            rc, out, err = self._get(target, allow_disconnected)
            if rc == 0 and "common" not in self._object(container, out):
                return Common()
        if rc != 0:
            raise self.mzsh.failed(f"did not show the values of the container '{container}'", rc, out, err)
        return _flattened(self._object(container, out))

    def staged_changes(self) -> list[Staged]:
        """What is in the master registry and not active, whoever put it there."""
        rc, out, err = self._topo("diff")
        if rc != 0:
            raise self.mzsh.failed("did not show the staged changes of the registry", rc, out, err)
        return [_staged(line) for line in out.splitlines() if line.strip()]

    def set_value(self, container: str, name: str, value: Any, spelling: Sequence[str] | None = None) -> None:
        """Stage one value. Written as one quoted key, because in HOCON ``a.b`` cannot be a text and the parent of ``a.b.c``.

        *spelling*: the path elements under which the name already is in the registry, if it is; two spellings of one name are none.
        """
        target = _target(container, name, spelling)
        rc, out, err = self._topo("set", "--no-activation", target, json.dumps(value))
        if rc != 0:
            raise self.mzsh.failed(f"did not set '{name}' of the container '{container}'", rc, out, err, str(value), json.dumps(value))

    def unset(self, container: str, name: str, spelling: Sequence[str] | None = None) -> None:
        """Stage the removal of one value; that it is not there is right."""
        rc, out, err = self._topo("unset", "--no-activation", _target(container, name, spelling))
        if rc != 0 and not SAYS_NOTHING_THERE.search(err + out):
            raise self.mzsh.failed(f"did not unset '{name}' of the container '{container}'", rc, out, err)

    def activate(self, dry_run: bool = False) -> None:
        """Validate what is staged and, without *dry_run*, make it active."""
        rc, out, err = self._topo("activate", *(["--dry-run"] if dry_run else []))
        if rc != 0:
            raise self.mzsh.failed(f"{'refused' if dry_run else 'did not activate'} the staged changes", rc, out, err)

    def _get(self, target: str, allow_disconnected: bool) -> tuple[int, str, str]:
        return self._topo("get", "--format", "data-only", target, allow_disconnected=allow_disconnected)

    def _topo(self, subcommand: str, *arguments: str, allow_disconnected: bool = False) -> tuple[int, str, str]:
        disconnected = ["--allow-disconnected"] if allow_disconnected or self.allow_disconnected else []
        return self.mzsh.call(["topo", subcommand, *disconnected, *arguments])

    def _object(self, container: str, out: str) -> dict[str, Any]:
        try:
            content = json.loads(out)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise PeerError(f"'mzsh topo get' did not answer with one JSON object for the container '{container}'.", container=container)
        return content


@dataclass(frozen=True)
class Outcome:
    """What ``reconcile`` did, or in check mode would do."""

    changes: Sequence[settings.SettingChange]
    diff: Mapping[str, str]
    activated: bool


def reconcile(
    registry: Registry,
    container: str,
    desired: settings.Desired,
    *,
    handover: str = "stdin",
    check: bool = False,
    keep: Callable[[Mapping[str, str | None]], None] | None = None,
) -> Outcome:
    """Bring the container's ``common`` values to *desired*: everything is staged, validated and then made active at once.

    *keep* is given the present values of all names (None: there is none) before anything is staged.

    Changes that others have staged would become active with ours, so with some of them there nothing is done. What an earlier run
    staged of the same names and did not activate is finished. After a failure our staged values are put back.
    """
    for name in desired.names:
        checked(name, "setting")
    staged = registry.staged_changes()
    common = registry.common(container)
    leftover = {entry.name for entry in staged if entry.container == container and entry.name in desired.names}
    changes = settings.plan(desired, common.values, [name for name in leftover if name is not None])
    diff = settings.diff(desired, common.values, changes, f"container {container}: common")
    if not changes:
        return Outcome(changes, diff, False)
    foreign = [str(entry) for entry in staged if entry.container != container or entry.name not in leftover]
    if foreign:
        raise PeerError(
            f"Somebody else's changes are staged in the registry and would become active with ours: {'; '.join(foreign)}. "
            "Nothing was changed. Look at 'mzsh topo diff', then activate them ('mzsh topo activate') or drop them ('mzsh topo reset').",
            staged=foreign,
        )
    if check:
        return Outcome(changes, diff, False)
    if keep is not None:
        keep({name: common.values.get(name) for name in desired.names})
    writes = settings.settle(desired, common.values, changes, lambda secret: registry.mzsh.encrypt(secret, handover))
    _stage_and_activate(registry, container, common, writes)
    return Outcome(changes, diff, True)


def _stage_and_activate(registry: Registry, container: str, common: Common, writes: Mapping[str, str | None]) -> None:
    begun: list[str] = []
    try:
        for name, value in writes.items():
            begun.append(name)
            for spelling in common.spellings.get(name, [(name,)]):
                if value is None:
                    registry.unset(container, name, spelling)
                else:
                    registry.set_value(container, name, value, spelling)
        registry.activate(dry_run=True)
        registry.activate()
    except PeerError as error:
        left = _put_back(registry, container, common, begun)
        raise PeerError(f"{error} {left}", **{**error.details, "staged": begun}) from None


def _put_back(registry: Registry, container: str, common: Common, names: Iterable[str]) -> str:
    """Stage what was there before, for *names*; says in a sentence what is left to do. ``topo reset`` would drop others' changes too."""
    advice = "see 'mzsh topo diff', and drop them with 'mzsh topo reset' if they are nobody else's"
    try:
        for name in names:
            for spelling in common.spellings.get(name, [(name,)]):
                if name in common.raw:
                    registry.set_value(container, name, common.raw[name], spelling)
                else:
                    registry.unset(container, name, spelling)
        left = registry.staged_changes()
    except PeerError as error:
        return f"Putting our staged values back failed too ({error}): {advice}."
    if left:
        return f"Our values were put back, yet changes are staged ({'; '.join(str(entry) for entry in left)}): {advice}."
    return "Our staged values were put back; nothing is staged, and what is active was not changed."


def _target(container: str, name: str, spelling: Sequence[str] | None) -> str:
    checked(name, "setting")
    # A path of nested objects is written as such, anything else as one quoted key.
    path = ".".join(f'"{part}"' if "." in part else part for part in spelling) if spelling and len(spelling) > 1 else f'"{name}"'
    return f"topo://container:{checked(container, 'container')}/val:common.{path}"


def _flattened(content: Mapping[str, Any]) -> Common:
    raw: dict[str, Any] = {}
    spellings: dict[str, list[tuple[str, ...]]] = {}
    texts: dict[str, list[str]] = {}

    def visit(node: Mapping[str, Any], above: tuple[str, ...]) -> None:
        for key, value in node.items():
            path = (*above, key)
            if isinstance(value, dict):
                visit(value, path)
            elif value is not None and not path[0].startswith("_"):  # "_loc", "_execution": mzsh's own remarks
                name = ".".join(path)
                raw[name] = value
                spellings.setdefault(name, []).append(path)
                text = value if isinstance(value, str) else json.dumps(value)
                if text not in texts.setdefault(name, []):
                    texts[name].append(text)

    visit(content, ())
    # One name in two spellings with two values has none that could be right: its text differs from every value.
    values = {name: found[0] if len(found) == 1 else " and ".join(json.dumps(text) for text in found) for name, found in texts.items()}
    return Common(values, spellings, raw)


def _staged(line: str) -> Staged:
    statement = _STATEMENT.match(line.strip())
    if not statement:
        # Whatever it is, it may hold a value, so it is not repeated.
        return Staged("a line of 'mzsh topo diff'", "that is not understood")
    target = statement["target"].strip("'")
    common = _COMMON_TARGET.fullmatch(target)
    if not common:
        return Staged(statement["verb"], target)
    return Staged(statement["verb"], target, common["container"], common["path"].replace('"', ""))
