# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs Ansible, where, and in which process: what others are told who want to change the same system."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def this_run() -> dict[str, Any]:
    """The user, the host and the process of this run. Actions run in processes of their own, whose parent is Ansible."""
    pid = os.getppid()
    return {"user": user(), "host": socket.gethostname(), "boot": _boot(), "pid": pid, "started": _started(pid)}


def user() -> str:
    """Who runs Ansible, as the system calls that user; its number where it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def is_dead(holder: Mapping[str, Any]) -> bool:
    """Whether *holder*, as ``this_run`` described it then, is a run of this host whose process is gone."""
    if not holder.get("boot") or holder.get("host") != socket.gethostname():
        return False
    return bool(holder["boot"] != _boot() or holder.get("started") != _started(holder.get("pid")))


def _boot() -> str | None:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None


def _started(pid: Any) -> int | None:
    """When a process began, in ticks since the start of the system, so that another one of the same number is told apart."""
    try:
        # The name of the program stands in parentheses and may hold anything: what follows the last one is regular.
        return int(Path(f"/proc/{int(pid)}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19])
    except (OSError, ValueError, TypeError, IndexError):
        return None
