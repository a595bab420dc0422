# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which runs of this controller are dead."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.mutual.tls.plugins.action import transaction
from ansible_collections.mutual.tls.plugins.plugin_utils import controller
from ansible_collections.mutual.tls.plugins.plugin_utils.controller import is_dead, this_run


def test_the_run_that_asks_is_alive() -> None:
    run = this_run()
    assert run["pid"] == os.getppid()
    assert not is_dead(run)


def test_a_process_that_has_ended_is_dead() -> None:
    program = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with open(f"/proc/{child.pid}/stat", encoding="ascii") as stream:
            started = int(stream.read().rpartition(")")[2].split()[19])
        run = {**this_run(), "pid": child.pid, "started": started}
        assert not is_dead(run)
        child.kill()
    assert is_dead(run)


@pytest.mark.parametrize(
    ("words", "dead"),
    [
        ({"started": 1}, True),
        ({"host": "another", "started": 1}, False),
        ({"namespace": "pid:[1]", "started": 1}, False),
        ({"namespace": None, "started": 1}, False),
        ({"boot": None, "started": 1}, False),
        ({"pid": None, "started": 1}, False),
    ],
)
def test_another_process_of_that_number_of_another_host_or_container(words: dict[str, Any], dead: bool) -> None:
    """Of another host, or another container, nobody here knows."""
    assert is_dead({**this_run(), **words}) == dead


@pytest.mark.parametrize(
    ("machine", "namespace", "dead"),
    [("ours", None, True), ("another", None, False), (None, None, False), ("ours", "pid:[4026532000]", False)],
)
def test_a_machine_that_has_started_anew(monkeypatch: pytest.MonkeyPatch, machine: str | None, namespace: str | None, dead: bool) -> None:
    """And not another one with its name, nor a container, of which there may be several with one name and one image."""
    monkeypatch.setattr(controller, "_machine", lambda: "ours")
    monkeypatch.setattr(controller, "_namespace", lambda: namespace or controller._INITIAL_NAMESPACE)
    assert is_dead({**this_run(), "boot": "another", "machine": machine}) == dead


def test_a_process_that_we_may_not_look_at_is_not_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """As under a /proc that hides those of others."""
    run = this_run()
    monkeypatch.setattr(controller, "_started", lambda _pid: None)
    assert not is_dead(run)


def test_the_machines_name_is_not_shown() -> None:
    """machine-id(5) asks for that."""
    run = this_run()
    for path in map(Path, ("/etc/machine-id", "/var/lib/dbus/machine-id")):
        assert not path.exists() or path.read_text().strip() not in json.dumps(run)


@pytest.mark.parametrize("claim", [{}, {"host": 1}, {"pid": "x"}, {"boot": None}])
def test_what_a_host_claims_is_no_reason_to_fail(claim: dict[str, Any]) -> None:
    is_dead(claim)
    is_dead({**this_run(), **claim})


@pytest.mark.parametrize(("words", "runs"), [({}, 0), ({"started": 1}, 1), ({"host": "another"}, 0)])
def test_only_a_dead_runs_transaction_is_closed_by_another(words: dict[str, Any], runs: int) -> None:
    """A run with nothing to change must not take a live one's files to go back to away."""
    ran: list[dict[str, Any]] = []
    action = object.__new__(transaction.ActionModule)
    action._task = SimpleNamespace(args={"state": "ended", "run": "x", "holder": {**this_run(), **words}}, async_val=0)
    action._execute_module = lambda _name, **given: ran.append(given) or {"changed": False}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transaction.ActionBase, "run", lambda *_arguments: {})
        result = action.run(None, {})
    assert (len(ran), bool(result.get("skipped"))) == (runs, not runs)


@pytest.mark.parametrize(
    ("address", "outside"),
    [("127.0.0.1", False), ("127.3.4.5", False), ("::1", False), ("192.0.2.1", True), ("no.such.name.invalid", True)],
)
def test_who_is_on_this_machine_sees_the_controller_from_within(address: str, outside: bool) -> None:
    assert controller.sees_from_outside(address) is outside


def test_an_address_of_this_machine_is_within() -> None:
    """Whatever route leads to it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        try:
            udp.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no route to others")
        own = udp.getsockname()[0]
    assert not controller.sees_from_outside(own)
