# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The TCP sockets of this machine, as Linux's /proc/net/tcp tells them (proc(5)); those of other network namespaces are not in it."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Union

PROC = Path("/proc")
#: States, by the kernel's net/tcp_states.h.
ESTABLISHED, LISTEN = "01", "0A"

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


@dataclass(frozen=True)
class Socket:
    """One socket; the remote address of one that listens is the wildcard."""

    address: Address
    port: int
    remote: Address
    inode: int


def sockets(state: str, proc: Path = PROC) -> Iterator[Socket]:
    """The sockets in that state; none on a system without /proc."""
    for name in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / name).read_text(encoding="ascii").splitlines()[1:]
        except OSError:  # no /proc, or a kernel without IPv6
            continue
        for line in lines:
            fields = line.split()
            if len(fields) > 9 and fields[3] == state:
                address, _separator, port = fields[1].rpartition(":")
                remote = fields[2].rpartition(":")[0]
                yield Socket(_parse_address(address), int(port, 16), _parse_address(remote), int(fields[9]))


def addresses(host: str) -> set[Address]:
    """What this machine resolves *host* to, or the wildcard for an empty one; nothing when it cannot."""
    try:
        found = socket.getaddrinfo(host or None, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return set()
    return {_unmapped(ipaddress.ip_address(str(each[4][0]).partition("%")[0])) for each in found}


def _parse_address(text: str) -> Address:
    """An address as the kernel prints it: hexadecimal, 32 bits at a time, each in the machine's own byte order."""
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    return _unmapped(ipaddress.ip_address(struct.pack(f"={len(words)}I", *words)))


def _unmapped(address: Address) -> Address:
    """Java listens on IPv4 addresses with IPv6 sockets, as ::ffff:192.0.2.7."""
    return getattr(address, "ipv4_mapped", None) or address
