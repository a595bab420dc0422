# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MediationZone's command line, ``mzsh``: the values of its topology registry (STR) and its processes (picos).

The product is proprietary. What is relied on here is in its public documentation or in public code that drives it; where both are
silent, the words that are looked for stand in one table below, so that an installation that speaks otherwise needs one line changed.
"""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable

from ansible_collections.mutual.tls.plugins.module_utils import seals, settings
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, PeerError

# What mzsh says. Its exit codes for `topo` are not documented, and it answers some failures with exit code 0.
SAYS_NOTHING_THERE = re.compile(r"no value found", re.IGNORECASE)
SAYS_OWNER_ONLY = re.compile(r"\bowner\b|may not be run by|permission denied", re.IGNORECASE)
SAYS_NO_SUCH_PICO = re.compile(r"no such (server process|pico)|unknown (server process|pico)", re.IGNORECASE)
SAYS_DEGRADED = re.compile(r"started with errors", re.IGNORECASE)
SAYS_NOT_RESPONDING = re.compile(r"not responding", re.IGNORECASE)
SAYS_NOT_RUNNING = re.compile(r"not running", re.IGNORECASE)
SAYS_NO_PLATFORM = re.compile(r"without contact|no contact", re.IGNORECASE)

STARTUP_CODES = {
    1: "the JVM failed; too much on its standard error",
    102: "the JVM failed; it did not call back in time",
    103: "interrupted",
    104: "the JVM started with critical errors",
    130: "interrupted",
    255: "an old instance is running, or its .remote file in the temp directory cannot be removed",
}
SHUTDOWN_CODES = {1: "no such pico", 3: "interrupted", 4: "the shutdown failed"}

RUNNING = "running"
RUNNING_WITHOUT_PLATFORM = "running_without_platform"
NOT_RESPONDING = "not_responding"
NOT_RUNNING = "not_running"
UNKNOWN = "unknown"
UP = (RUNNING, RUNNING_WITHOUT_PLATFORM)

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")
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


class Mzsh:
    """The program at *path*, run by *run* (see ``seals.Run``), each call for at most *timeout* seconds."""

    def __init__(
        self,
        path: str,
        run: seals.Run,
        *,
        timeout: float = 120,
        allow_disconnected: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.path = path
        self.timeout = timeout
        self.allow_disconnected = allow_disconnected
        self._run = run
        self._sleep = sleep

    # The registry

    def read_common(self, container: str, allow_disconnected: bool = False) -> dict[str, str]:
        """The values of the container's ``common`` object: dotted name -> text. Raises PeerError when it cannot be read."""
        return dict(self.common(container, allow_disconnected).values)

    def common(self, container: str, allow_disconnected: bool = False) -> Common:
        """The container's ``common`` object with its spellings, in one call. What cannot be read is a PeerError, never empty."""
        pattern = _checked(container, "container").replace(".", "[.]")  # `topo get` takes names as regular expressions
        target = f"topo://container:{pattern}"
        rc, out, err = self._get(f"{target}/obj:common", allow_disconnected)
        if rc != 0 and SAYS_NOTHING_THERE.search(err + out):
            # The same words for "this container has no common object" and "there is no such container": only a container that
            # can be read itself has an empty common object.
            rc, out, err = self._get(target, allow_disconnected)
            if rc == 0 and "common" not in self._object(container, out):
                return Common()
        if rc != 0:
            raise self._failed(f"did not show the values of the container '{container}'", rc, out, err)
        return _flattened(self._object(container, out))

    def staged_changes(self) -> list[Staged]:
        """What is in the master registry and not active, whoever put it there."""
        rc, out, err = self._topo("diff")
        if rc != 0:
            raise self._failed("did not show the staged changes of the registry", rc, out, err)
        return [_staged(line) for line in out.splitlines() if line.strip()]

    def set_value(self, container: str, name: str, value: Any, spelling: Sequence[str] | None = None) -> None:
        """Stage one value. Written as one quoted key, because in HOCON ``a.b`` cannot be a text and the parent of ``a.b.c``.

        *spelling*: the path elements under which the name already is in the registry, if it is; two spellings of one name are none.
        """
        target = _target(container, name, spelling)
        rc, out, err = self._topo("set", "--no-activation", target, json.dumps(value))
        if rc != 0:
            raise self._failed(f"did not set '{name}' of the container '{container}'", rc, out, err, str(value), json.dumps(value))

    def unset(self, container: str, name: str, spelling: Sequence[str] | None = None) -> None:
        """Stage the removal of one value; that it is not there is right."""
        rc, out, err = self._topo("unset", "--no-activation", _target(container, name, spelling))
        if rc != 0 and not SAYS_NOTHING_THERE.search(err + out):
            raise self._failed(f"did not unset '{name}' of the container '{container}'", rc, out, err)

    def activate(self, dry_run: bool = False) -> None:
        """Validate what is staged and, without *dry_run*, make it active."""
        rc, out, err = self._topo("activate", *(["--dry-run"] if dry_run else []))
        if rc != 0:
            raise self._failed(f"{'refused' if dry_run else 'did not activate'} the staged changes", rc, out, err)

    # Passwords

    def encrypt(self, password: str, handover: str = "stdin") -> str:
        """The form in which the registry takes *password*; another one each time. ``handover``: see ``seals.encrypt``.

        Whether ``mzsh encryptpassword`` reads standard input is not documented; where it does not, ``argument`` is left.
        """
        return seals.encrypt(self._run, [self.path, "encryptpassword"], password, handover, self.timeout)

    # Processes

    def status(self, pico: str, timeout: float | None = None) -> str:
        """RUNNING, RUNNING_WITHOUT_PLATFORM, NOT_RESPONDING, NOT_RUNNING or UNKNOWN (no such pico in this container)."""
        state = self._status(pico, timeout)
        if state == NOT_RUNNING:  # seen in the field: said of a running pico, and not said again a second later
            self._sleep(1)
            state = self._status(pico, timeout)
        return state

    def startup(self, pico: str, timeout: float | None = None) -> None:
        """Start one pico; returns when it reports that it is up. Raises PeerError, also for the failures with exit code 0."""
        rc, out, err = self._call(["startup", _checked(pico, "pico")], timeout)
        said = f"{out}\n{err}"
        if SAYS_NO_SUCH_PICO.search(said):
            raise self.no_such(pico)
        if rc == 0 and not SAYS_DEGRADED.search(said):
            return
        meaning = STARTUP_CODES.get(rc, "a code that is not documented") if rc else "started with errors"
        log = self.log(pico)
        raise PeerError(
            f"The pico '{pico}' did not start: {meaning} (exit code {rc} of 'mzsh startup'). It said: {seals.words(err, out)}. "
            f"It may be running in part. Its log is {log}.",
            pico=pico,
            rc=rc,
            log=log,
        )

    def shutdown(self, pico: str, timeout: float | None = None) -> None:
        """Stop one pico; returns when its process is gone, or was not there."""
        rc, out, err = self._call(["shutdown", _checked(pico, "pico")], timeout)
        if SAYS_NO_SUCH_PICO.search(f"{out}\n{err}"):
            raise self.no_such(pico)
        if rc != 0:
            meaning = SHUTDOWN_CODES.get(rc, "a code that is not documented")
            log = self.log(pico)
            raise PeerError(
                f"The pico '{pico}' did not stop: {meaning} (exit code {rc} of 'mzsh shutdown'). It said: {seals.words(err, out)}. "
                f"Its log is {log}; 'mzsh kill {pico}' is the harder way.",
                pico=pico,
                rc=rc,
                log=log,
            )

    def log(self, pico: str) -> str:
        """Where the pico writes its log: ``MZ_HOME/log``, and mzsh is ``MZ_HOME/bin/mzsh``."""
        home = os.path.dirname(os.path.dirname(os.path.abspath(self.path)))
        return os.path.join(home, "log", f"{pico}.log")

    # Below: how it is called

    def _status(self, pico: str, timeout: float | None) -> str:
        rc, out, err = self._call(["status", _checked(pico, "pico")], timeout)
        said = f"{out}\n{err}"
        if SAYS_NO_SUCH_PICO.search(said):
            return UNKNOWN
        if SAYS_NOT_RESPONDING.search(said):
            return NOT_RESPONDING
        if SAYS_NOT_RUNNING.search(said):
            return NOT_RUNNING
        if SAYS_NO_PLATFORM.search(said):
            return RUNNING_WITHOUT_PLATFORM
        states = {0: RUNNING, 1: NOT_RESPONDING, 2: NOT_RUNNING}
        if rc not in states:
            raise self._failed(f"did not tell the status of the pico '{pico}'", rc, out, err)
        return states[rc]

    def _get(self, target: str, allow_disconnected: bool) -> tuple[int, str, str]:
        return self._topo("get", "--format", "data-only", target, allow_disconnected=allow_disconnected)

    def _topo(self, subcommand: str, *arguments: str, allow_disconnected: bool = False) -> tuple[int, str, str]:
        disconnected = ["--allow-disconnected"] if allow_disconnected or self.allow_disconnected else []
        return self._call(["topo", subcommand, *disconnected, *arguments])

    def _call(self, arguments: Sequence[str], timeout: float | None = None) -> tuple[int, str, str]:
        what = " ".join(arguments[:2])
        try:
            rc, out, err = seals.started(self._run, [self.path, *arguments], None, self.timeout if timeout is None else timeout)
        except PeerError as error:
            raise PeerError(f"'mzsh {what}': {error}", **error.details) from None
        if rc != 0 and SAYS_OWNER_ONLY.search(err + out):
            raise PeerError(
                f"'mzsh {what}' was refused: {seals.words(err, out)}. "
                "Only the owner of MZ_HOME may run it: set become and become_user to that user.",
                rc=rc,
            )
        return rc, out, err

    def _object(self, container: str, out: str) -> dict[str, Any]:
        try:
            content = json.loads(out)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise PeerError(f"'mzsh topo get' did not answer with one JSON object for the container '{container}'.", container=container)
        return content

    def _failed(self, what: str, rc: int, out: str, err: str, *hidden: str) -> PeerError:
        return PeerError(f"mzsh {what} (exit code {rc}): {seals.scrubbed(seals.words(err, out), *hidden)}", rc=rc)

    def no_such(self, pico: str) -> PeerError:
        """The error for a pico that its container does not know."""
        return PeerError(f"There is no pico '{pico}' in the container of {self.path}; 'mzsh status' lists those that there are.", pico=pico)


@dataclass(frozen=True)
class Outcome:
    """What ``reconcile`` did, or in check mode would do."""

    changes: Sequence[settings.SettingChange]
    diff: Mapping[str, str]
    activated: bool


def reconcile(
    mzsh: Mzsh,
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
        _checked(name, "setting")
    staged = mzsh.staged_changes()
    common = mzsh.common(container)
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
    writes = settings.settle(desired, common.values, changes, lambda secret: mzsh.encrypt(secret, handover))
    _stage_and_activate(mzsh, container, common, writes)
    return Outcome(changes, diff, True)


def _stage_and_activate(mzsh: Mzsh, container: str, common: Common, writes: Mapping[str, str | None]) -> None:
    begun: list[str] = []
    try:
        for name, value in writes.items():
            begun.append(name)
            for spelling in common.spellings.get(name, [(name,)]):
                if value is None:
                    mzsh.unset(container, name, spelling)
                else:
                    mzsh.set_value(container, name, value, spelling)
        mzsh.activate(dry_run=True)
        mzsh.activate()
    except PeerError as error:
        left = _put_back(mzsh, container, common, begun)
        raise PeerError(f"{error} {left}", **{**error.details, "staged": begun}) from None


def _put_back(mzsh: Mzsh, container: str, common: Common, names: Iterable[str]) -> str:
    """Stage what was there before, for *names*; says in a sentence what is left to do. ``topo reset`` would drop others' changes too."""
    advice = "see 'mzsh topo diff', and drop them with 'mzsh topo reset' if they are nobody else's"
    try:
        for name in names:
            for spelling in common.spellings.get(name, [(name,)]):
                if name in common.raw:
                    mzsh.set_value(container, name, common.raw[name], spelling)
                else:
                    mzsh.unset(container, name, spelling)
        left = mzsh.staged_changes()
    except PeerError as error:
        return f"Putting our staged values back failed too ({error}): {advice}."
    if left:
        return f"Our values were put back, yet changes are staged ({'; '.join(str(entry) for entry in left)}): {advice}."
    return "Our staged values were put back; nothing is staged, and what is active was not changed."


@dataclass(frozen=True)
class Endpoint:
    """An address at which a pico listens."""

    pico: str
    host: str
    port: int


@dataclass
class Pico:
    """One pico, its status before and after (``failed``: its command failed), and ``none``, ``start``, ``stop`` or ``restart``."""

    name: str
    before: str
    after: str
    action: str = "none"

    def as_result(self) -> dict[str, str]:
        return {"name": self.name, "before": self.before, "after": self.after, "action": self.action}


def accepts(host: str, port: int) -> bool:
    """Whether somebody accepts a TCP connection there."""
    try:
        with socket.create_connection((host, port), timeout=2):
            return True
    except OSError:
        return False


@dataclass
class Control:
    """Brings picos to a state, one after the other in the order given (stopping: in reverse, as ``mzsh restart`` does)."""

    mzsh: Mzsh
    wait: bool = True
    timeout: float = 360  # seconds for each start and each stop, waiting included
    endpoints: Sequence[Endpoint] = ()
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    accepts: Callable[[str, int], bool] = accepts

    def bring(self, names: Sequence[str], state: str, *, check: bool = False) -> list[Pico]:
        """*state*: ``started``, ``stopped`` or ``restarted``. With *check* the status is read and nothing is done.

        Raises PeerError with ``picos`` (what was done until then) among its details.
        """
        _no_strangers(names, self.endpoints)
        picos = [self._measured(name) for name in names]
        if check:
            for pico in picos:
                _foretell(pico, state)
            return picos
        try:
            if state in ("stopped", "restarted"):
                for pico in reversed(picos):
                    self._stop(pico)
            if state in ("started", "restarted"):
                for pico in picos:
                    self._start(pico)
        except PeerError as error:
            error.details["picos"] = [pico.as_result() for pico in picos]
            raise
        return picos

    def _measured(self, name: str) -> Pico:
        state = self.mzsh.status(name)
        if state == UNKNOWN:
            raise self.mzsh.no_such(name)
        return Pico(name, state, state)

    def _start(self, pico: Pico) -> None:
        deadline = self.clock() + self.timeout
        if pico.after == NOT_RUNNING:
            pico.action = "restart" if pico.action == "stop" else "start"
            pico.after = "failed"
            self.mzsh.startup(pico.name, self.timeout)
            pico.after = RUNNING
        if self.wait:
            self._until(lambda: self._is(pico, UP), deadline, f"the pico '{pico.name}' to be running", pico)
            for endpoint in self._endpoints(pico):
                where = f"{endpoint.host}:{endpoint.port} of the pico '{pico.name}'"
                self._until(lambda at=endpoint: self.accepts(at.host, at.port), deadline, f"{where} to accept connections", pico)  # type: ignore[misc]

    def _stop(self, pico: Pico) -> None:
        deadline = self.clock() + self.timeout
        if pico.after != NOT_RUNNING:
            pico.action = "stop"
            pico.after = "failed"
            self.mzsh.shutdown(pico.name, self.timeout)
            pico.after = NOT_RUNNING
            if self.wait:
                self._until(lambda: self._is(pico, (NOT_RUNNING,)), deadline, f"the pico '{pico.name}' to be gone", pico)
        if self.wait:
            for endpoint in self._endpoints(pico):
                where = f"{endpoint.host}:{endpoint.port} of the pico '{pico.name}'"
                self._until(lambda at=endpoint: not self.accepts(at.host, at.port), deadline, f"{where} to be free", pico)  # type: ignore[misc]

    def _is(self, pico: Pico, states: Sequence[str]) -> bool:
        pico.after = self.mzsh.status(pico.name)
        return pico.after in states

    def _endpoints(self, pico: Pico) -> list[Endpoint]:
        return [endpoint for endpoint in self.endpoints if endpoint.pico == pico.name]

    def _until(self, condition: Callable[[], bool], deadline: float, what: str, pico: Pico) -> None:
        while not condition():
            if self.clock() >= deadline:
                log = self.mzsh.log(pico.name)
                raise PeerError(
                    f"Waited {self.timeout:g} s for {what}, in vain; its status is '{pico.after}'. Its log is {log}.",
                    pico=pico.name,
                    log=log,
                )
            self.sleep(0.5)


def _foretell(pico: Pico, state: str) -> None:
    """What ``bring`` would do, for check mode."""
    if state == "stopped" and pico.before != NOT_RUNNING:
        pico.action, pico.after = "stop", NOT_RUNNING
    elif state == "started" and pico.before == NOT_RUNNING:
        pico.action, pico.after = "start", RUNNING
    elif state == "restarted":
        pico.action, pico.after = ("start" if pico.before == NOT_RUNNING else "restart"), RUNNING


def _no_strangers(names: Sequence[str], endpoints: Sequence[Endpoint]) -> None:
    if not names:
        raise InputError("No pico was named in 'picos'.")
    if len(set(names)) != len(names):
        raise InputError(f"A pico is named twice in 'picos': {', '.join(names)}.")
    for endpoint in endpoints:
        if endpoint.pico not in names:
            raise InputError(f"'endpoints' names the pico '{endpoint.pico}', which is not in 'picos'.")


def _checked(name: str, kind: str) -> str:
    """*name*, when it can stand in a target or on a command line as it is."""
    if not _NAME.fullmatch(name):
        raise InputError(f"'{name}' is no name of a {kind}: letters, digits, '_', '-' and '.' are possible, and it begins with no '-'.")
    return name


def _target(container: str, name: str, spelling: Sequence[str] | None) -> str:
    _checked(name, "setting")
    # A path of nested objects is written as such, anything else as one quoted key.
    path = ".".join(f'"{part}"' if "." in part else part for part in spelling) if spelling and len(spelling) > 1 else f'"{name}"'
    return f"topo://container:{_checked(container, 'container')}/val:common.{path}"


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
