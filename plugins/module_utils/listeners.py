# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which process listens on an address of this machine, and since when it runs.

A process that started before its keystore was written serves the old one: that is how a pending restart is measured.
The source is Linux's /proc (proc(5)), which needs no further package; sockets of other network namespaces are not in it.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.mutual.tls.plugins.module_utils import tcp_sockets
from ansible_collections.mutual.tls.plugins.module_utils.tcp_sockets import Address, Socket

Endpoint = tuple[str, int]


@dataclass(frozen=True)
class Listener:
    """Somebody listens; who it is needs the right to look into that process."""

    pid: int | None
    #: When the process started, in seconds since the epoch.
    started: float | None
    #: When the oldest of the workers that it started, and that have the same socket, was started; its own start where it has none.
    workers_started: float | None = None


def listener(host: str, port: int) -> Listener | None:
    """Who listens on the local address *host*:*port*, or None; see listeners()."""
    return listeners([(host, port)])[(host, port)]


def listeners(endpoints: Iterable[Endpoint], proc: Path = tcp_sockets.PROC) -> dict[Endpoint, Listener | None]:
    """Who listens on each of *endpoints*, (host, port) pairs of this machine; None where nobody is known to.

    A listener on exactly that address is preferred to one on the wildcard (0.0.0.0 or ::). The wildcard itself, or an empty
    host, asks for any listener on the port, and a host name that this machine cannot resolve for one on the wildcard.
    ``pid`` and ``started`` are None where the process belongs to somebody else whose files we may not read. Of several
    processes with the same socket (a server and the workers that it started) it is the one that started first.

    On a system without /proc each answer is None, so None is no proof that nobody listens: only a connection is.
    """
    wanted = list(endpoints)
    open_sockets = list(tcp_sockets.sockets(tcp_sockets.LISTEN, proc))
    inodes = {endpoint: _inodes(endpoint, open_sockets) for endpoint in wanted}
    holders = _holders(set().union(*inodes.values()), proc)
    return {endpoint: _oldest(inodes[endpoint], holders, proc) for endpoint in wanted}


def _inodes(endpoint: Endpoint, open_sockets: list[Socket]) -> set[int]:
    """The inodes of the sockets that take connections to *endpoint*: those on its very address, else those on the wildcard."""
    host, port = endpoint
    on_port = [each for each in open_sockets if each.port == port]
    addresses = tcp_sockets.addresses(host)
    if host == "" or any(address.is_unspecified for address in addresses):
        return {each.inode for each in on_port}
    exact = {each.inode for each in on_port if each.address in addresses}
    return exact or {each.inode for each in on_port if each.address.is_unspecified and _serves(each.address, addresses)}


def _serves(wildcard: Address, addresses: set[Address]) -> bool:
    # A socket on :: takes IPv4 connections too, unless IPV6_V6ONLY is set, which /proc does not tell.
    return wildcard.version == 6 or not addresses or any(address.version == 4 for address in addresses)


def _holders(inodes: set[int], proc: Path) -> dict[int, list[int]]:
    """The process ids that hold each of the sockets *inodes*, as far as we may look; /proc is walked once."""
    holders: dict[int, list[int]] = {}
    if not inodes:
        return holders
    names = {f"socket:[{inode}]": inode for inode in inodes}
    for pid in _process_ids(proc):
        for target in _open_files(proc / str(pid) / "fd"):
            if target in names:
                holders.setdefault(names[target], []).append(pid)
    return holders


def _process_ids(proc: Path) -> list[int]:
    try:
        return [int(name) for name in os.listdir(proc) if name.isdigit()]
    except OSError:
        return []


def _open_files(folder: Path) -> Iterator[str]:
    # A process may end, or close a file, while we look; and others' processes are not ours to see.
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):
                yield os.readlink(f"{folder}/{name}")


def _oldest(inodes: set[int], holders: dict[int, list[int]], proc: Path) -> Listener | None:
    if not inodes:
        return None
    pids = {pid for inode in inodes for pid in holders.get(inode, [])}
    if len(pids) > 1 and _command(1, proc) == "systemd":
        pids.discard(1)  # with socket activation it keeps the socket that it handed to the service
    known = [(started, pid) for pid in pids for started in [_started(pid, proc)] if started is not None]
    if not known:
        return Listener(pid=None, started=None)
    (started, pid), *workers = sorted(known)
    if not workers and any(not _readable(child, proc) for child in _children(pid, proc)):
        return Listener(pid, started, None)  # it may have handed the socket to them: nobody here can say
    return Listener(pid, started, workers[0][0] if workers else started)


def _children(pid: int, proc: Path) -> list[int]:
    """The processes that *pid* started (proc(5): /proc/PID/task/TID/children, which everybody may read); none where nobody can tell."""
    try:
        return [int(child) for child in (proc / str(pid) / "task" / str(pid) / "children").read_text(encoding="ascii").split()]
    except OSError:
        return []


def _readable(pid: int, proc: Path) -> bool:
    """Whether we may look at what a process has open: root may list that of anybody, and without CAP_SYS_PTRACE read only its own."""
    try:
        folder = proc / str(pid) / "fd"
        for name in os.listdir(folder)[:1]:
            os.readlink(folder / name)
    except PermissionError:
        return False
    except OSError:  # it has just ended
        return True
    return True


def _stat(pid: int, proc: Path) -> str:
    try:
        return (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:  # it has just ended
        return ""


def _command(pid: int, proc: Path) -> str:
    return _stat(pid, proc).partition("(")[2].rpartition(")")[0]


def _started(pid: int, proc: Path) -> float | None:
    """When a process started, in seconds since the epoch (proc(5): starttime, field 22 of /proc/PID/stat)."""
    # The second field is the program's name, in which spaces and parentheses may be: count from the last parenthesis.
    fields = _stat(pid, proc).rpartition(")")[2].split()
    if len(fields) < 20:
        return None
    ticks = int(fields[19])
    # The kernel counts from boot. /proc/uptime is no clock for that: in LXC containers it counts from the container's start.
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.time() - (now - ticks / os.sysconf("SC_CLK_TCK"))
