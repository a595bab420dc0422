# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of MediationZone (picos): their status, and bringing them to a state."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable

from ansible_collections.mutual.tls.plugins.module_utils import programs
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, PeerError
from ansible_collections.mutual.tls.plugins.module_utils.mediationzone.mzsh import (
    SAYS_DEGRADED,
    SAYS_NO_PLATFORM,
    SAYS_NO_SUCH_PICO,
    SAYS_NOT_RESPONDING,
    SAYS_NOT_RUNNING,
    Mzsh,
    checked,
)

_STARTUP_CODES = {
    1: "the JVM failed; too much on its standard error",
    102: "the JVM failed; it did not call back in time",
    103: "interrupted",
    104: "the JVM started with critical errors",
    130: "interrupted",
    255: "an old instance is running, or its .remote file in the temp directory cannot be removed",
}
_SHUTDOWN_CODES = {1: "no such pico", 3: "interrupted", 4: "the shutdown failed"}

RUNNING = "running"
RUNNING_WITHOUT_PLATFORM = "running_without_platform"
NOT_RESPONDING = "not_responding"
NOT_RUNNING = "not_running"
UNKNOWN = "unknown"
_UP = (RUNNING, RUNNING_WITHOUT_PLATFORM)


class Commands:
    """What *mzsh* can do with one pico of its own container."""

    def __init__(self, mzsh: Mzsh, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._mzsh = mzsh
        self._sleep = sleep

    def status(self, pico: str, timeout: float | None = None) -> str:
        """RUNNING, RUNNING_WITHOUT_PLATFORM, NOT_RESPONDING, NOT_RUNNING or UNKNOWN (no such pico in this container)."""
        state = self._status(pico, timeout)
        if state == NOT_RUNNING:  # seen in the field: said of a running pico, and not said again a second later
            self._sleep(1)
            state = self._status(pico, timeout)
        return state

    def startup(self, pico: str, timeout: float | None = None) -> None:
        """Start one pico; returns when it reports that it is up. Raises PeerError, also for the failures with exit code 0."""
        rc, out, err = self._mzsh.call(["startup", checked(pico, "pico")], timeout)
        said = f"{out}\n{err}"
        if SAYS_NO_SUCH_PICO.search(said):
            raise self.no_such(pico)
        if rc == 0 and not SAYS_DEGRADED.search(said):
            return
        meaning = _STARTUP_CODES.get(rc, "a code that is not documented") if rc else "started with errors"
        log = self.log(pico)
        raise PeerError(
            f"The pico '{pico}' did not start: {meaning} (exit code {rc} of 'mzsh startup'). It said: {programs.words(err, out)}. "
            f"It may be running in part. Its log is {log}.",
            pico=pico,
            rc=rc,
            log=log,
        )

    def shutdown(self, pico: str, timeout: float | None = None) -> None:
        """Stop one pico; returns when its process is gone, or was not there."""
        rc, out, err = self._mzsh.call(["shutdown", checked(pico, "pico")], timeout)
        if SAYS_NO_SUCH_PICO.search(f"{out}\n{err}"):
            raise self.no_such(pico)
        if rc != 0:
            meaning = _SHUTDOWN_CODES.get(rc, "a code that is not documented")
            log = self.log(pico)
            raise PeerError(
                f"The pico '{pico}' did not stop: {meaning} (exit code {rc} of 'mzsh shutdown'). It said: {programs.words(err, out)}. "
                f"Its log is {log}; 'mzsh kill {pico}' is the harder way.",
                pico=pico,
                rc=rc,
                log=log,
            )

    def log(self, pico: str) -> str:
        """Where the pico writes its log: ``MZ_HOME/log``, and mzsh is ``MZ_HOME/bin/mzsh``."""
        home = os.path.dirname(os.path.dirname(os.path.abspath(self._mzsh.path)))
        return os.path.join(home, "log", f"{pico}.log")

    def no_such(self, pico: str) -> PeerError:
        """The error for a pico that its container does not know."""
        return PeerError(
            f"There is no pico '{pico}' in the container of {self._mzsh.path}; 'mzsh status' lists those that there are.", pico=pico
        )

    def _status(self, pico: str, timeout: float | None) -> str:
        rc, out, err = self._mzsh.call(["status", checked(pico, "pico")], timeout)
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
            raise self._mzsh.failed(f"did not tell the status of the pico '{pico}'", rc, out, err)
        return states[rc]


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
        """It as the module returns it."""
        return {"name": self.name, "before": self.before, "after": self.after, "action": self.action}


def _accepts(host: str, port: int) -> bool:
    """Whether somebody accepts a TCP connection there."""
    try:
        with socket.create_connection((host, port), timeout=2):
            return True
    except OSError:
        return False


@dataclass
class Control:
    """Brings picos to a state, one after the other in the order given (stopping: in reverse, as ``mzsh restart`` does)."""

    commands: Commands
    wait: bool = True
    timeout: float = 360  # seconds for each start and each stop, waiting included
    endpoints: Sequence[Endpoint] = ()
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    accepts: Callable[[str, int], bool] = _accepts

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
        state = self.commands.status(name)
        if state == UNKNOWN:
            raise self.commands.no_such(name)
        return Pico(name, state, state)

    def _start(self, pico: Pico) -> None:
        deadline = self.clock() + self.timeout
        if pico.after == NOT_RUNNING:
            pico.action = "restart" if pico.action == "stop" else "start"
            pico.after = "failed"
            self.commands.startup(pico.name, self.timeout)
            pico.after = RUNNING
        if self.wait:
            self._until(lambda: self._is(pico, _UP), deadline, f"the pico '{pico.name}' to be running", pico)
            for endpoint in self._endpoints(pico):
                where = f"{endpoint.host}:{endpoint.port} of the pico '{pico.name}'"
                self._until(lambda at=endpoint: self.accepts(at.host, at.port), deadline, f"{where} to accept connections", pico)  # type: ignore[misc]

    def _stop(self, pico: Pico) -> None:
        deadline = self.clock() + self.timeout
        if pico.after != NOT_RUNNING:
            pico.action = "stop"
            pico.after = "failed"
            self.commands.shutdown(pico.name, self.timeout)
            pico.after = NOT_RUNNING
            if self.wait:
                self._until(lambda: self._is(pico, (NOT_RUNNING,)), deadline, f"the pico '{pico.name}' to be gone", pico)
        if self.wait:
            for endpoint in self._endpoints(pico):
                where = f"{endpoint.host}:{endpoint.port} of the pico '{pico.name}'"
                self._until(lambda at=endpoint: not self.accepts(at.host, at.port), deadline, f"{where} to be free", pico)  # type: ignore[misc]

    def _is(self, pico: Pico, states: Sequence[str]) -> bool:
        pico.after = self.commands.status(pico.name)
        return pico.after in states

    def _endpoints(self, pico: Pico) -> list[Endpoint]:
        return [endpoint for endpoint in self.endpoints if endpoint.pico == pico.name]

    def _until(self, condition: Callable[[], bool], deadline: float, what: str, pico: Pico) -> None:
        while not condition():
            if self.clock() >= deadline:
                log = self.commands.log(pico.name)
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
