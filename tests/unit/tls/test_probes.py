# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes, one and many at a time: those that cannot be made, and outcomes in words."""

from __future__ import annotations

import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError
from ansible_collections.mutual.tls.plugins.module_utils.tls import context
from ansible_collections.mutual.tls.plugins.module_utils.tls.identity import Identity
from ansible_collections.mutual.tls.plugins.module_utils.tls.probes import Outcome, probe_all

from .parties import to
from .servers import TlsServer, closed_port


def test_many_probes_are_made_at_a_time_and_answered_in_order(files, parties):
    with TlsServer(files) as server:
        port = closed_port()
        probes = []
        for number in range(24):
            kind = [{}, {"identity": None}, {"port": port}][number % 3]
            probes.append(to(server, parties, name=str(number), **kind))
        started = time.monotonic()
        outcomes = probe_all(probes)
        took = time.monotonic() - started
    assert [outcome.name for outcome in outcomes] == [str(number) for number in range(24)]
    assert [outcome.outcome for outcome in outcomes] == ["accepted", "refused", "unreachable"] * 8
    assert took < 3  # one after the other they wait for eight settled connections alone 2 s, and say goodbye after that
    assert probe_all([]) == []


def test_probes_with_one_key_load_it_once(files, parties, monkeypatch):
    made = []
    real = context._file_holding
    monkeypatch.setattr(context, "_file_holding", lambda data: made.append(1) or real(data))
    with TlsServer(files) as server:
        probe_all([to(server, parties, name=str(number)) for number in range(5)])
    assert made == [1]


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"identity": Identity(ec.generate_private_key(ec.SECP256R1()), [])}, "the key that it presents has no certificate"),
        ({"trusted": [b"no certificate"]}, "one of its 1 trusted certificates cannot be read by OpenSSL"),
        ({"expect": "maybe"}, "a probe expects 'accepted' or 'refused'"),
        ({"server_name": ".test"}, "cannot check the server name '.test'"),
        ({"server_name": "x" * 64 + ".test"}, "cannot check the server name"),
    ],
)
def test_a_probe_that_cannot_be_made_is_said_before_the_first_handshake(files, parties, wish, words):
    with TlsServer(files) as server, pytest.raises(InputError, match=words):
        probe_all([to(server, parties), to(server, parties, **wish)])
    assert server.peers == []


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome("a", "accepted", protocol="TLSv1.3"), "was accepted (TLSv1.3)"),
        (Outcome("a", "refused", "server", "unknown_ca"), "was refused by the server: unknown_ca"),
        (
            Outcome("a", "refused", "server", "protocol_version", judged=False),
            "was refused by the server before it saw what was presented: protocol_version",
        ),
        (
            Outcome("a", "refused", "client", "self-signed certificate"),
            "was given up by the client, which does not accept the server: self-signed certificate",
        ),
        (Outcome("a", "unreachable", reason="Connection refused"), "could not be made: Connection refused"),
        (Outcome("a", "not_tls", reason="the answer is ..."), "met no TLS server: the answer is ..."),
    ],
)
def test_an_outcome_in_words(outcome, words):
    assert outcome.describe() == words
