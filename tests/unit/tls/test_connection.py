# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections that come to no handshake: no TLS, no server, or one that is cut."""

from __future__ import annotations

import re
import socket
import time

import pytest

from ansible_collections.mutual.tls.plugins.module_utils.tls.observation import Observation, observe
from ansible_collections.mutual.tls.plugins.module_utils.tls.probes import Probe, probe

from .parties import both_versions, refusal, to
from .servers import TcpServer, TlsServer, closed_port, never_writes


def says_ssh(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    connection.recv(4096)


def says_http(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def closes(connection: socket.socket) -> None:
    connection.recv(4096)


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        (says_ssh, "the answer is not TLS, it starts with 'SSH-2.0-OpenSSH_9.2p1..'"),
        (says_http, "the answer is not TLS, it starts with 'HTTP/1.1 400 Bad Request....'"),
        (closes, "the connection was closed before any TLS record came"),
    ],
)
def test_a_host_without_tls(parties, behave, reason):
    with TcpServer(behave) as server:
        outcome = probe(to(server, parties))
        seen = observe("127.0.0.1", server.port)
    assert refusal(outcome) == ("not_tls", None, reason)
    assert not outcome.as_expected("refused") and not outcome.as_expected("accepted")
    assert seen == Observation(listening=True, tls=False, reason=reason)


def test_a_server_that_accepts_connections_and_never_writes(parties):
    with TcpServer(never_writes) as server:
        outcome = probe(to(server, parties, timeout=0.3))
        seen = observe("127.0.0.1", server.port, timeout=0.3)
    assert refusal(outcome) == ("unreachable", None, "no answer to the TLS greeting within 0.3 s")
    assert (seen.listening, seen.tls, seen.asks) == (True, False, None)


def test_a_server_that_stops_in_the_middle_is_not_taken_for_a_refusal(files, parties):
    with TlsServer(files) as real:

        def relays_a_little(connection):
            with socket.create_connection(("127.0.0.1", real.port)) as inner:
                inner.sendall(connection.recv(65536))
                connection.sendall(inner.recv(65536)[:60])
                never_writes(connection)

        with TcpServer(relays_a_little) as server:
            outcome = probe(to(server, parties, timeout=0.3))
    assert refusal(outcome) == ("unreachable", None, "the handshake was not finished within 0.3 s")


@both_versions
def test_a_connection_cut_before_the_client_presented_anything_proves_nothing(files, parties, version):
    with TlsServer(files, version) as real:

        def cuts(connection):
            with socket.create_connection(("127.0.0.1", real.port)) as inner:
                inner.sendall(connection.recv(65536))
                connection.sendall(inner.recv(65536)[:60])

        with TcpServer(cuts) as server:
            outcome = probe(to(server, parties))
    assert refusal(outcome) == ("refused", "server", "connection closed during the handshake")
    assert not outcome.as_expected("refused")


def test_a_closed_port_is_unreachable_and_no_refusal():
    port = closed_port()
    outcome = probe(Probe("nobody", "127.0.0.1", port, expect="refused"))
    assert refusal(outcome) == ("unreachable", None, "Connection refused")
    assert not outcome.as_expected("refused")
    assert observe("127.0.0.1", port) == Observation(listening=False, tls=False, reason="Connection refused")


def test_a_name_that_nobody_has_is_unreachable():
    outcome = probe(Probe("nobody", "no-such-host.invalid", 443))
    assert (outcome.outcome, outcome.refused_by) == ("unreachable", None)
    assert "ame" in outcome.reason  # "Name or service not known", in the resolver's words
    assert probe(Probe("nobody", "x" * 70 + ".invalid", 443)).outcome == "unreachable"


def test_no_answer_to_a_connection_is_unreachable():
    # A backlog that is full drops what comes: on Linux a connect() to it waits.
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = []
        for _try in range(3):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(full.getsockname())
            waiting.append(client)
        time.sleep(0.1)
        outcome = probe(Probe("late", "127.0.0.1", full.getsockname()[1], timeout=0.3))
        for client in waiting:
            client.close()
    assert refusal(outcome) == ("unreachable", None, "no connection within 0.3 s")


def test_the_source_address_is_bound(files, parties):
    with TlsServer(files) as server:
        assert probe(to(server, parties, source_address="127.0.0.9")).outcome == "accepted"
        assert observe("127.0.0.1", server.port, source_address="127.0.0.8").listening
        elsewhere = probe(to(server, parties, source_address="192.0.2.1"))
    assert server.peers == ["127.0.0.9", "127.0.0.8"]
    assert elsewhere.outcome == "unreachable"
    assert re.fullmatch(r".+ \(from 192\.0\.2\.1\)", elsewhere.reason)
