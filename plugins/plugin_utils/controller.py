# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs Ansible, where, and in which process: what others are told who want to change the same system."""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import ipaddress
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: The process ids of the machine itself, and of no container: the kernel's PROC_PID_INIT_INO.
_INITIAL_NAMESPACE = "pid:[4026531836]"


def this_run() -> dict[str, Any]:
    """The user, the host and the process of this run. Actions run in processes of their own, whose parent is Ansible."""
    pid = os.getppid()
    where = {"host": socket.gethostname(), "machine": _machine(), "boot": _boot(), "namespace": _namespace()}
    return {"user": user(), **where, "pid": pid, "started": _started(pid)}


def sees_from_outside(address: str) -> bool:
    """Whether what runs at *address* takes this machine for another one; nothing is sent to find that out."""
    for family, kind, protocol, _name, there in _resolved(address):
        with contextlib.suppress(OSError), socket.socket(family, kind, protocol) as udp:
            udp.connect(there)
            here = ipaddress.ip_address(str(udp.getsockname()[0]).partition("%")[0])
            if here.is_loopback or str(here) == str(ipaddress.ip_address(str(there[0]).partition("%")[0])):
                return False
    return True


def _resolved(address: str) -> list[Any]:
    try:
        return socket.getaddrinfo(address, 9, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return []


def user() -> str:
    """Who runs Ansible, as the system calls that user; its number where it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def is_dead(holder: Mapping[str, Any]) -> bool:
    """Whether *holder*, as ``this_run`` described it then, is a run of this machine whose process is surely gone.

    Of another machine, of another container, or of a process that we may not look at nobody here can say so.
    """
    namespace, boot = _namespace(), _boot()
    if not namespace or not boot or not holder.get("boot"):
        return False
    if holder.get("host") != socket.gethostname() or holder.get("namespace") != namespace:
        return False
    if holder["boot"] == boot:
        return _is_gone(holder.get("pid"), holder.get("started"))
    # The machine has started anew since; unless it is another one, or a container on another one, with our name.
    return namespace == _INITIAL_NAMESPACE and _machine() is not None and holder.get("machine") == _machine()


def _is_gone(pid: Any, started: Any) -> bool:
    """Whether there is no such process in our namespace, or another one has its number now."""
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass  # it is somebody else's
    now = _started(pid)
    return started is not None and now is not None and now != started


def _machine() -> str | None:
    """What tells this machine from all others (machine-id(5), which is not to be shown); of hosts with one name only one is meant."""
    for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        with contextlib.suppress(OSError):
            content = Path(path).read_text(encoding="ascii").strip()
            if content:
                return hashlib.sha256(f"mutual.tls {content}".encode()).hexdigest()[:32]
    return None


def _namespace() -> str | None:
    """Which namespace our process ids are of."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return None


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
