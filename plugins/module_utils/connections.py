# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is connected to an endpoint of this machine, and from which address this machine connects to others.

Somebody who is connected and is no member shows that the inventory is not the whole system: that is how it is measured.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from pathlib import Path

from ansible_collections.mutual.tls.plugins.module_utils import tcp_sockets


def clients(host: str, port: int, proc: Path = tcp_sockets.PROC) -> list[str]:
    """The addresses from which others are connected to *host*:*port* of this machine, sorted; not this machine's own address."""
    own = tcp_sockets.addresses(host)
    listening = {each.address for each in tcp_sockets.sockets(tcp_sockets.LISTEN, proc) if each.port == port}
    # Others may reach it by an address that is not its own: behind a NAT, or where the host's name stands for 127.0.1.1.
    anywhere = not own & listening or any(address.is_unspecified for address in own)
    found = {
        each.remote
        for each in tcp_sockets.sockets(tcp_sockets.ESTABLISHED, proc)
        if each.port == port and (anywhere or each.address in own) and each.remote != each.address
    }
    return sorted(map(str, found))


def source_address(host: str, port: int, wanted: str | None = None) -> str | None:
    """The local address from which a connection to *host*:*port* comes: *wanted* if given, else what the routes say.

    None when there is no way there. Nothing is sent: a datagram socket is connected only.
    """
    if wanted:
        return str(ipaddress.ip_address(wanted)) if _is_address(wanted) else None
    with contextlib.suppress(OSError, UnicodeError):
        for family, kind, protocol, _name, address in socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM):
            with contextlib.suppress(OSError), socket.socket(family, kind, protocol) as datagram:
                datagram.connect(address)
                return str(datagram.getsockname()[0]).partition("%")[0]
    return None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
