# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Picos as the core drives them: against answers that the product's documentation has, and that only the field has seen."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, PeerError
from ansible_collections.mutual.tls.plugins.module_utils.mediationzone.mzsh import Mzsh
from ansible_collections.mutual.tls.plugins.module_utils.mediationzone.picos import Commands, Control, Endpoint, Pico


class Processes:
    """A Run with answers for picos: name -> running; a start or stop answers as told."""

    def __init__(self, **running: bool) -> None:
        self.running = running
        self.calls: list[str] = []
        self.startup: tuple[int, str, str] = (0, "started", "")
        self.shutdown: tuple[int, str, str] = (0, "stopped", "")
        self.status: list[tuple[int, str, str]] = []  # asked first

    def __call__(self, argv: Sequence[str], _stdin: str | None, _timeout: float) -> tuple[int, str, str]:
        _path, verb, name = argv
        if verb != "status":
            self.calls.append(f"{verb} {name}")
        if name not in self.running:
            return (2 if verb == "status" else 0), f"{name}: no such server process\n", ""
        if verb == "status":
            if self.status:
                return self.status.pop(0)
            return (0, f"{name} is running", "") if self.running[name] else (2, f"{name} is not running", "")
        answer = self.startup if verb == "startup" else self.shutdown
        if answer[0] == 0:
            self.running[name] = verb == "startup"
        return answer


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def control(processes: Processes, **options: object) -> Control:
    clock = Clock()
    commands = Commands(Mzsh("/opt/mz/bin/mzsh", processes), sleep=clock.sleep)
    return Control(commands, clock=clock, sleep=clock.sleep, **options)  # type: ignore[arg-type]


def results(picos: Sequence[Pico]) -> list[tuple[str, str, str, str]]:
    return [(pico.name, pico.before, pico.after, pico.action) for pico in picos]


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ((0, "ec1 is running", ""), "running"),
        ((0, "ec1 is running without contact with the platform RCP service", ""), "running_without_platform"),
        ((1, "ec1 is not responding but process running", ""), "not_responding"),
        ((1, "", ""), "not_responding"),
        ((2, "ec1 is not running", ""), "not_running"),
        ((2, "", ""), "not_running"),
        ((2, "ec1: no such server process", ""), "unknown"),
        ((0, "ec1: no such server process", ""), "unknown"),
    ],
)
def test_states_are_told_by_words_and_codes(answer: tuple[int, str, str], state: str) -> None:
    processes = Processes(ec1=True)
    processes.status = [answer, answer]
    assert Commands(Mzsh("mzsh", processes), sleep=lambda _seconds: None).status("ec1") == state


def test_an_unknown_code_of_status_is_an_error() -> None:
    processes = Processes(ec1=True)
    processes.status = [(77, "", "what?")]
    with pytest.raises(PeerError, match=r"did not tell the status of the pico 'ec1' \(exit code 77\): what\?"):
        Commands(Mzsh("mzsh", processes)).status("ec1")


def test_a_transient_not_running_is_asked_again() -> None:
    processes = Processes(ec1=True)
    processes.status = [(2, "ec1 is not running", "")]
    clock = Clock()
    assert Commands(Mzsh("mzsh", processes), sleep=clock.sleep).status("ec1") == "running"
    assert clock.now == 1


def test_picos_start_in_order_and_stop_in_reverse() -> None:
    processes = Processes(platform=False, ec1=False)
    driver = control(processes)
    names = ["platform", "ec1"]
    assert results(driver.bring(names, "started")) == [(name, "not_running", "running", "start") for name in names]
    assert results(driver.bring(names, "started")) == [(name, "running", "running", "none") for name in names]
    assert results(driver.bring(names, "restarted")) == [(name, "running", "running", "restart") for name in names]
    assert results(driver.bring(names, "stopped")) == [(name, "running", "not_running", "stop") for name in names]
    assert results(driver.bring(names, "stopped")) == [(name, "not_running", "not_running", "none") for name in names]
    assert results(driver.bring(names, "restarted")) == [(name, "not_running", "running", "start") for name in names]
    start, stop = ["startup platform", "startup ec1"], ["shutdown ec1", "shutdown platform"]
    assert processes.calls == [*start, *stop, *start, *stop, *start]


@pytest.mark.parametrize("state", ["started", "stopped", "restarted"])
@pytest.mark.parametrize("running", [True, False])
def test_check_mode_foretells_and_does_nothing(state: str, running: bool) -> None:
    processes = Processes(ec1=running)
    foretold = results(control(processes).bring(["ec1"], state, check=True))
    assert processes.calls == []
    assert foretold == results(control(processes).bring(["ec1"], state))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((1, "", "x"), r"the JVM failed; too much on its standard error \(exit code 1 of"),
        ((102, "", "x"), "did not call back in time"),
        ((103, "", "x"), "interrupted"),
        ((104, "", "ec1: keystore was tampered with"), "critical errors.*It said: ec1: keystore was tampered with"),
        ((130, "", "x"), "interrupted"),
        ((255, "", "x"), "an old instance is running"),
        ((9, "", "x"), "a code that is not documented"),
        ((0, "Started with errors, Only Codeserver service is guaranteed to be running.", ""), "started with errors"),
    ],
)
def test_a_start_that_failed_is_an_error_whatever_its_code(answer: tuple[int, str, str], message: str) -> None:
    processes = Processes(platform=True, ec1=False)
    processes.startup = answer
    with pytest.raises(PeerError, match=f"The pico 'ec1' did not start: .*{message}.*Its log is /opt/mz/log/ec1.log") as caught:
        control(processes).bring(["platform", "ec1"], "started")
    assert caught.value.details["rc"] == answer[0]
    assert caught.value.details["log"] == "/opt/mz/log/ec1.log"
    assert [(pico["name"], pico["after"]) for pico in caught.value.details["picos"]] == [("platform", "running"), ("ec1", "failed")]


def test_a_start_that_is_already_done_is_none() -> None:
    processes = Processes(ec1=True)
    processes.startup = (0, "ec1 is already started", "")
    Commands(Mzsh("mzsh", processes)).startup("ec1")


@pytest.mark.parametrize(
    ("rc", "message"), [(1, "no such pico"), (3, "interrupted"), (4, "the shutdown failed"), (9, "a code that is not documented")]
)
def test_a_stop_that_failed_is_an_error(rc: int, message: str) -> None:
    processes = Processes(ec1=True)
    processes.shutdown = (rc, "", "stuck")
    with pytest.raises(PeerError, match=f"The pico 'ec1' did not stop: {message}.*It said: stuck.*mzsh kill ec1"):
        control(processes).bring(["ec1"], "stopped")


@pytest.mark.parametrize("state", ["started", "stopped", "restarted"])
def test_an_unknown_pico_is_an_error_before_anything_is_done(state: str) -> None:
    processes = Processes(platform=True)
    for check in (True, False):
        with pytest.raises(PeerError, match="There is no pico 'ec9' in the container"):
            control(processes).bring(["platform", "ec9"], state, check=check)
    assert processes.calls == []
    commands = Commands(Mzsh("mzsh", processes))
    for act in (commands.startup, commands.shutdown):  # which say so with exit code 0
        with pytest.raises(PeerError, match="There is no pico 'ec9'"):
            act("ec9")


def test_waiting_for_a_pico_is_bounded_and_says_for_what() -> None:
    processes = Processes(ec1=True)
    processes.status = [(1, "ec1 is not responding but process running", "")] * 1000
    with pytest.raises(PeerError, match=r"Waited 20 s for the pico 'ec1' to be running, in vain; its status is 'not_responding'"):
        control(processes, timeout=20).bring(["ec1"], "started")
    processes.status = [(1, "ec1 is not responding but process running", "")] * 5
    assert results(control(processes, timeout=20).bring(["ec1"], "started")) == [("ec1", "not_responding", "running", "none")]


def test_endpoints_must_accept_when_started_and_be_free_when_stopped() -> None:
    asked: list[tuple[str, int]] = []
    answers: list[bool] = []

    def accepts(host: str, port: int) -> bool:
        asked.append((host, port))
        return answers.pop(0) if answers else False

    processes = Processes(platform=True, ec1=False)
    driver = control(processes, timeout=10, endpoints=[Endpoint("ec1", "127.0.0.1", 6791)], accepts=accepts)
    answers[:] = [False, False, True]
    driver.bring(["platform", "ec1"], "started")
    assert asked == [("127.0.0.1", 6791)] * 3
    with pytest.raises(PeerError, match=r"Waited 10 s for 127\.0\.0\.1:6791 of the pico 'ec1' to accept connections, in vain"):
        driver.bring(["platform", "ec1"], "started")
    driver.bring(["ec1"], "stopped")
    answers[:] = [True] * 1000
    with pytest.raises(PeerError, match=r"6791 of the pico 'ec1' to be free, in vain"):
        driver.bring(["ec1"], "stopped")
    asked.clear()
    control(processes, wait=False, endpoints=driver.endpoints, accepts=accepts).bring(["ec1"], "restarted")
    assert asked == []


def test_what_makes_no_sense_is_refused() -> None:
    processes = Processes(ec1=True)
    with pytest.raises(InputError, match="No pico was named"):
        control(processes).bring([], "started")
    with pytest.raises(InputError, match="named twice"):
        control(processes).bring(["ec1", "ec1"], "started")
    with pytest.raises(InputError, match="'endpoints' names the pico 'ec2'"):
        control(processes, endpoints=[Endpoint("ec2", "h", 1)]).bring(["ec1"], "started")
    with pytest.raises(InputError, match="'-f' is no name of a pico"):
        control(processes).bring(["-f"], "started")
