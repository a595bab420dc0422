# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have a server load its files anew while it goes on serving, and wait until it has.

A server such as nginx answers a reload at once and carries it out later: it starts new workers, and the old ones stop listening. So
what is waited for are workers that were started since. A configuration that it refuses is found before it is asked.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable

from ansible_collections.mutual.tls.plugins.module_utils import listeners, programs
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, PeerError

#: Of a directive without a port.
_DEFAULT_PORT = 80


@dataclass
class Server:
    """A server that reloads."""

    #: Judges the configuration as it lies on disk, and changes nothing; empty: nothing does.
    check_command: Sequence[str]
    #: Has it loaded, or starts the server where it is down.
    reload_command: Sequence[str]
    #: Where it listens, (host, port).
    endpoints: Sequence[listeners.Endpoint]
    #: Seconds for each command, and for the new workers.
    timeout: float = 60
    run: programs.Run = programs.run_program
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    def check(self) -> None:
        """Have the server judge its configuration. Raises PeerError with its words when it refuses it."""
        if self.check_command:
            self._carry_out(self.check_command, "The server refuses its configuration, so nothing was reloaded")

    def reload(self) -> None:
        """Reload, once the configuration is judged; returns when every endpoint is served by workers that were started since.

        Raises PeerError when the server refuses, or *timeout* seconds after it agreed.
        """
        self.check()
        asked = self.clock()
        self._carry_out(self.reload_command, "The server could not be reloaded")
        hidden: set[listeners.Endpoint] = set()
        while True:
            found = listeners.listeners(self.endpoints)
            waiting = [
                endpoint for endpoint, seen in found.items() if not (_is_new(seen, asked) or (_is_hidden(seen) and endpoint in hidden))
            ]
            if not waiting:
                return
            # A socket whose last process ends while it is looked at is nobody's, too; but not for long.
            hidden = {endpoint for endpoint, seen in found.items() if _is_hidden(seen)}
            if self.clock() - asked > self.timeout:
                host, port = waiting[0]
                raise PeerError(
                    f"Waited {self.timeout:g} s after '{' '.join(self.reload_command)}' for new workers at {host}:{port}, in vain: the "
                    "server goes on with what it had loaded before, or is down. Its error log says why."
                )
            self.sleep(0.05)

    def _carry_out(self, command: Sequence[str], failure: str) -> None:
        try:
            code, out, err = self.run(command, None, self.timeout)
        except FileNotFoundError as error:
            raise InputError(
                f"The command '{command[0]}' is not there; 'check_command' and 'reload_command' name the server's own."
            ) from error
        except TimeoutError as error:
            raise PeerError(f"{failure}: {error}.") from error
        if code != 0:
            raise PeerError(f"{failure}: '{' '.join(command)}' ended with {code}. It said: {programs.words(err, out)}", rc=code)


def listening_at(directive: str) -> listeners.Endpoint | None:
    """Where nginx listens with these arguments of its directive ``listen``, at any address where it names none; None for a socket that
    is a file."""
    address = directive.split()[0]
    if address.startswith("unix:"):
        return None
    found = re.fullmatch(r"(?:(.*):)?(\d+)", address)
    host, port = (found.group(1) or "", int(found.group(2))) if found else (address, _DEFAULT_PORT)
    return "" if host == "*" else host.strip("[]"), port


def _is_new(found: listeners.Listener | None, asked: float) -> bool:
    """Whether what listens was started since."""
    # A process's start is known to a hundredth of a second.
    return found is not None and found.workers_started is not None and found.workers_started >= asked - 0.02


def _is_hidden(found: listeners.Listener | None) -> bool:
    """Whether somebody listens whose processes may not be looked at: that somebody does is all there is."""
    return found is not None and found.workers_started is None
