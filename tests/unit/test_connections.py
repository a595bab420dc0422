# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is connected: real connections between addresses of this machine."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.mutual.tls.plugins.module_utils.connections import clients, source_address

pytestmark = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux has /proc/net/tcp")


@contextlib.contextmanager
def connected(bound: str, *sources: str) -> Iterator[int]:
    """Connections from *sources* to a server on *bound*; its port."""
    with contextlib.ExitStack() as stack:
        family = socket.AF_INET6 if ":" in bound else socket.AF_INET
        server = stack.enter_context(socket.create_server((bound, 0), family=family, dualstack_ipv6=bound == "::"))
        port = server.getsockname()[1]
        for source in sources:
            stack.enter_context(socket.create_connection(("127.0.0.1", port), source_address=(source, 0)))
        yield port


def test_everybody_who_is_connected_is_told_once() -> None:
    with connected("127.0.0.1", "127.0.0.7", "127.0.0.2", "127.0.0.7") as port:
        assert clients("127.0.0.1", port) == ["127.0.0.2", "127.0.0.7"]


def test_who_has_left_is_not_told() -> None:
    with connected("127.0.0.1", "127.0.0.2") as port:
        pass
    assert clients("127.0.0.1", port) == []


def test_the_machine_itself_is_not_told() -> None:
    with connected("127.0.0.1", "127.0.0.1", "127.0.0.3") as port:
        assert clients("127.0.0.1", port) == ["127.0.0.3"]


@pytest.mark.parametrize("asked", ["127.0.0.1", "localhost", "", "0.0.0.0", "no-such-host.invalid", "192.0.2.77", "127.0.0.9"])
def test_who_listens_everywhere_is_reached_by_any_address(asked: str) -> None:
    """Behind a NAT, or where the host's name stands for 127.0.1.1, the address in the inventory is none of the machine's own."""
    with connected("0.0.0.0", "127.0.0.2") as port:
        assert clients(asked, port) == ["127.0.0.2"]


def test_of_two_who_listen_on_one_port_each_has_its_own_clients() -> None:
    """As several containers on one machine have."""
    with connected("127.0.0.1", "127.0.0.2") as port, socket.create_server(("127.0.0.9", port)):
        assert clients("127.0.0.1", port) == ["127.0.0.2"]
        assert clients("127.0.0.9", port) == []


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_an_ipv6_socket_with_ipv4_clients() -> None:
    """As Java has it."""
    with connected("::", "127.0.0.2") as port:
        assert clients("127.0.0.1", port) == ["127.0.0.2"]


def test_a_machine_without_proc_knows_nobody(tmp_path: Path) -> None:
    with connected("127.0.0.1", "127.0.0.2") as port:
        assert clients("127.0.0.1", port, tmp_path) == []


@pytest.mark.parametrize("source", [None, "127.0.0.5"])
def test_where_a_connection_comes_from_is_what_the_other_side_sees(source: str | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), source_address=(source, 0) if source else None):
            accepted, address = server.accept()
            accepted.close()
        assert source_address("127.0.0.1", port, source) == address[0]


@pytest.mark.parametrize(("host", "wanted"), [("no-such-host.invalid", None), ("127.0.0.1", "no address")])
def test_no_way_there(host: str, wanted: str | None) -> None:
    assert source_address(host, 1, wanted) is None
