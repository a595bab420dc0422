# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that reload: judged first, asked, and waited for until new workers serve."""

from __future__ import annotations

import contextlib
import itertools
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, PeerError
from ansible_collections.mutual.tls.plugins.module_utils.listeners import Endpoint, Listener
from ansible_collections.mutual.tls.plugins.module_utils.reloading import Server, listening_at

# A master that starts a worker, and another one for each line that it reads; the one before lets go of the socket.
MASTER = """
import os, signal, socket, sys, time
server = socket.create_server(("127.0.0.1", 0))
def worker():
    child = os.fork()
    if not child:
        time.sleep(60)
        os._exit(0)
    return child
child = worker()
print(server.getsockname()[1], flush=True)
for line in sys.stdin:
    old, child = child, worker()
    os.kill(old, signal.SIGKILL)
    os.waitpid(old, 0)
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
"""


@contextlib.contextmanager
def master() -> Iterator[tuple[subprocess.Popen[str], Endpoint]]:
    with subprocess.Popen([sys.executable, "-c", MASTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield process, ("127.0.0.1", int(process.stdout.readline()))
        finally:
            process.stdin.close()
            process.wait(timeout=10)


class Commands:
    """Commands that only note that they were given, and how they end."""

    def __init__(self, **ends: int) -> None:
        self.given: list[str] = []
        self.ends = ends

    def __call__(self, argv: Sequence[str], _stdin: str | None, _timeout: float) -> tuple[int, str, str]:
        self.given.append(argv[0])
        return self.ends.get(argv[0], 0), "", f"{argv[0]} said so"


def test_it_is_over_when_new_workers_serve() -> None:
    with master() as (process, endpoint):

        def reload(argv: Sequence[str], stdin: str | None, timeout: float) -> tuple[int, str, str]:
            assert process.stdin is not None
            process.stdin.write("reload\n")
            process.stdin.flush()
            return 0, "", ""

        time.sleep(0.1)
        Server([], ["reload"], [endpoint], timeout=10, run=reload).reload()


def test_a_server_that_goes_on_with_what_it_had_is_told() -> None:
    with master() as (_process, endpoint):
        time.sleep(0.1)
        with pytest.raises(PeerError, match="in vain: the server goes on with what it had loaded before, or is down"):
            Server([], ["reload"], [endpoint], timeout=0.3, run=Commands()).reload()


def test_nobody_listening_is_not_reloaded() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()
    with pytest.raises(PeerError, match="in vain"):
        Server([], ["reload"], [free], timeout=0.2, run=Commands()).reload()


def test_what_the_server_refuses_is_never_loaded() -> None:
    commands = Commands(check=1)
    with pytest.raises(
        PeerError, match="The server refuses its configuration, so nothing was reloaded: .* ended with 1. It said: check said so"
    ):
        Server(["check"], ["reload"], [], run=commands).reload()
    assert commands.given == ["check"]


def test_a_reload_that_fails_is_told() -> None:
    with pytest.raises(PeerError, match="The server could not be reloaded: 'reload' ended with 5"):
        Server(["check"], ["reload"], [], run=Commands(reload=5)).reload()


def test_a_command_that_is_not_there_is_told() -> None:
    with pytest.raises(InputError, match="'/nowhere/nginx' is not there"):
        Server(["/nowhere/nginx", "-t"], ["reload"], []).reload()


def test_a_command_that_hangs_is_ended() -> None:
    with pytest.raises(PeerError, match="ran longer than"):
        Server(["sleep", "30"], ["reload"], [], timeout=0.2).reload()


@pytest.mark.parametrize(
    ("directive", "endpoint"),
    [
        ("443", ("", 443)),
        ("8443 default_server", ("", 8443)),
        ("*:443", ("", 443)),
        ("192.0.2.7:443 proxy_protocol", ("192.0.2.7", 443)),
        ("192.0.2.7", ("192.0.2.7", 80)),
        ("localhost:8081", ("localhost", 8081)),
        ("[::]:443 ipv6only=on", ("::", 443)),
        ("[::1]", ("::1", 80)),
        ("unix:/run/nginx.sock", None),
    ],
)
def test_where_nginx_is_told_to_listen(directive: str, endpoint: tuple[str, int] | None) -> None:
    assert listening_at(directive) == endpoint


def looked_at(monkeypatch: pytest.MonkeyPatch, *looks: Listener | None) -> Callable[[], int]:
    """A server whose endpoint is seen like this, one look after the other and then like the last; how many looks there were."""
    left = list(looks)
    taken = []

    def listeners(endpoints: Sequence[Endpoint]) -> dict[Endpoint, Listener | None]:
        taken.append(left[0])
        return dict.fromkeys(endpoints, left.pop(0) if len(left) > 1 else left[0])

    monkeypatch.setattr("ansible_collections.mutual.tls.plugins.module_utils.listeners.listeners", listeners)
    return lambda: len(taken)


HIDDEN = Listener(None, None)


def test_a_socket_whose_last_process_has_just_ended_is_no_new_server(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = looked_at(monkeypatch, HIDDEN, None)
    timing: dict[str, Any] = {"timeout": 5, "clock": itertools.count().__next__, "sleep": lambda _seconds: None}
    with pytest.raises(PeerError, match="in vain"):
        Server([], ["reload"], [("127.0.0.1", 1)], run=lambda *_given: (0, "", ""), **timing).reload()
    assert looks() > 2


def test_whose_processes_may_not_be_looked_at_is_believed_on_the_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = looked_at(monkeypatch, HIDDEN)
    Server([], ["reload"], [("127.0.0.1", 1)], timeout=5, run=lambda *_given: (0, "", "")).reload()
    assert looks() == 2
