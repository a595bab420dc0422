# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program ``mzsh``: running it, and what it says."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ansible_collections.mutual.tls.plugins.module_utils import programs, seals
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, PeerError

# What mzsh says. Its exit codes for `topo` are not documented, and it answers some failures with exit code 0.
SAYS_NOTHING_THERE = re.compile(r"no value found", re.IGNORECASE)
_SAYS_OWNER_ONLY = re.compile(r"\bowner\b|may not be run by|permission denied", re.IGNORECASE)
SAYS_NO_SUCH_PICO = re.compile(r"no such (server process|pico)|unknown (server process|pico)", re.IGNORECASE)
SAYS_DEGRADED = re.compile(r"started with errors", re.IGNORECASE)
SAYS_NOT_RESPONDING = re.compile(r"not responding", re.IGNORECASE)
SAYS_NOT_RUNNING = re.compile(r"not running", re.IGNORECASE)
SAYS_NO_PLATFORM = re.compile(r"without contact|no contact", re.IGNORECASE)

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")


class Mzsh:
    """The program at *path*, run by *run* (see ``programs.Run``), each call for at most *timeout* seconds."""

    def __init__(self, path: str, run: programs.Run, *, timeout: float = 120) -> None:
        self.path = path
        self.timeout = timeout
        self._run = run

    def call(self, arguments: Sequence[str], timeout: float | None = None) -> tuple[int, str, str]:
        """Run it with *arguments*: exit code, standard output, standard error. Raises PeerError when it does not end, or refuses the user.

        Raises DependencyError when it cannot be started.
        """
        what = " ".join(arguments[:2])
        try:
            rc, out, err = programs.started(self._run, [self.path, *arguments], None, self.timeout if timeout is None else timeout)
        except PeerError as error:
            raise PeerError(f"'mzsh {what}': {error}", **error.details) from None
        if rc != 0 and _SAYS_OWNER_ONLY.search(err + out):
            raise PeerError(
                f"'mzsh {what}' was refused: {programs.words(err, out)}. "
                "Only the owner of MZ_HOME may run it: set become and become_user to that user.",
                rc=rc,
            )
        return rc, out, err

    def failed(self, what: str, rc: int, out: str, err: str, *hidden: str) -> PeerError:
        """The error for a call that *what* says in words: with what it said, but for *hidden*."""
        return PeerError(f"mzsh {what} (exit code {rc}): {programs.scrubbed(programs.words(err, out), *hidden)}", rc=rc)

    def encrypt(self, password: str, handover: str = "stdin") -> str:
        """The form in which the registry takes *password*; another one each time. ``handover``: see ``seals.encrypt``.

        Whether ``mzsh encryptpassword`` reads standard input is not documented; where it does not, ``argument`` is left.
        """
        return seals.encrypt(self._run, [self.path, "encryptpassword"], password, handover, self.timeout)


def checked(name: str, kind: str) -> str:
    """*name*, when it can stand in a target or on a command line as it is."""
    if not _NAME.fullmatch(name):
        raise InputError(f"'{name}' is no name of a {kind}: letters, digits, '_', '-' and '.' are possible, and it begins with no '-'.")
    return name
