# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the network between hosts may do in the middle of a run: whatever it is, the system is the old one or the new one, and works.

Each run here makes new keys for everybody (``mtls_generation``), so that it changes every store and restarts every process.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from containers import called, container, in_network_of, port, read
from system import BIN, Run, System

SCENARIO = Path(__file__).parent / "small"
MEMBERS = ("platform1", "ec1", "ec2", "desktop1")
#: Another one for each test.
GENERATIONS = itertools.count(10, 10)
#: How long a run may take, in seconds: a host that says nothing must not hold it up for longer.
LONG_ENOUGH = 600

RESTARTS = "TASK [mutual.tls.service : MediationZone | Stop, tier by tier]"
MATRIX = "TASK [mutual.tls.handshake : Make the member's handshakes]"


def last_lines(run: Run) -> str:
    """What is on the screen of somebody who comes back to it, without the recap's table."""
    return "\n".join(run.output.partition("PLAY RECAP")[0].strip().splitlines()[-20:])


def play(system: System, at: str | None = None, happens: Callable[[], Any] | None = None, **extra: Any) -> Run:
    """Run site; as soon as the line *at* is printed, *happens*, and nothing of the run does meanwhile."""
    output: list[str] = []
    command = [str(BIN / "ansible-playbook"), *system.arguments("site", extra=extra)]
    with subprocess.Popen(
        command,
        env={**os.environ, **system.environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        killer = threading.Timer(LONG_ENOUGH, os.killpg, (process.pid, signal.SIGKILL))
        killer.start()
        try:
            for line in process.stdout:
                output.append(line)
                if happens is not None and at is not None and at in line:
                    os.kill(process.pid, signal.SIGSTOP)
                    happens()
                    happens = None
                    os.kill(process.pid, signal.SIGCONT)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)  # it may be standing still
            raise
        finally:
            killer.cancel()
    assert happens is None, f"never printed: {at}\n{''.join(output)[-3000:]}"
    assert process.returncode != -signal.SIGKILL, f"it took longer than {LONG_ENOUGH} s\n{''.join(output)[-3000:]}"
    return Run(process.returncode, "".join(output))


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.5)


def connected(name: str) -> bool:
    """Whether the Execution host's process is connected to the Platform, as it says itself; it tries again and again."""
    counters = json.loads(read(name, f"/opt/mz/{name}/tmp/{name}.counters.json"))
    return counters["state"] == "up" and counters["connected"] is True


def works(system: System, *names: str) -> None:
    """Who runs is connected to the Platform over TLS, and who comes from outside without a certificate is refused."""
    for name in names or ("ec1", "ec2"):
        wait_for(lambda name=name: connected(name), f"{name} to be connected")
    assert "WELCOME" not in system.s_client("outside1", "platform1"), "a client without a certificate was let in"


def served(system: System) -> dict[str, str]:
    """Server -> the certificate that it presents."""
    found = {}
    for name in system.servers:
        seen = system.s_client("outside1", name, "-showcerts")
        pem = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", seen, re.DOTALL)
        assert pem is not None, seen
        found[name] = pem[0]
    return found


# --- a host that is cut off -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def firewall(name: str) -> Iterator[Callable[[str], None]]:
    """What drops packets that match, on their way into the host, as soon as it is called; the rule is gone at the end."""

    def drop(match: str) -> None:
        rules = ["table inet cut {", "chain in {", "type filter hook input priority -300", f"{match} drop", "}", "}"]
        in_network_of(name, "nft", "-f", "-", given="\n".join(rules) + "\n")

    try:
        yield drop
    finally:
        if "table inet cut" in in_network_of(name, "nft", "list", "tables"):
            in_network_of(name, "nft", "delete", "table", "inet", "cut")


def converges(system: System, **extra: Any) -> None:
    """A plain run brings the system to its wishes."""
    again = play(system, **extra)
    assert again.code == 0, again.output[-6000:]
    works(system)


def is_steady(system: System, **extra: Any) -> None:
    """A further run changes and restarts nothing."""
    before = system.processes()
    further = play(system, **extra)
    assert (further.code, further.changed) == (0, 0), further.output[-6000:]
    assert system.processes() == before


@pytest.fixture(scope="module")
def enabled(system: System) -> System:
    """The system with client auth."""
    done = system.play("enable")
    assert done.code == 0, done.output[-6000:]
    return system


@pytest.fixture()
def generation() -> int:
    """Another one for each test."""
    return next(GENERATIONS)


def is_old(system: System, certificates: dict[str, str], ended: Run) -> None:
    """The run failed; once the network is as it was, the system works with the certificates that it had, without anybody's help."""
    assert ended.code != 0
    works(system)
    assert served(system) == certificates, ended.output[-6000:]


@pytest.fixture()
def certificates(enabled: System) -> dict[str, str]:
    """What everybody served before the run."""
    works(enabled)
    return served(enabled)


def test_a_host_that_is_cut_off_from_everybody(enabled: System, certificates: dict[str, str], generation: int) -> None:
    with firewall("ec1") as drop:
        ended = play(enabled, RESTARTS, lambda: drop('iifname "eth0"'), mtls_generation=generation)
        works(enabled, "ec2")
    is_old(enabled, certificates, ended)
    assert "Cause: 'ec1', at \"the connection\": it does not answer any more" in last_lines(ended), ended.output[-6000:]
    assert "'ec1' does not answer any more; its files are as this run left them." in last_lines(ended)
    converges(enabled, mtls_generation=generation)
    is_steady(enabled, mtls_generation=generation)


def test_a_host_that_is_cut_off_from_the_platform_only(enabled: System, certificates: dict[str, str], generation: int) -> None:
    """The controller still reaches both, so that what it had written is put back on both."""
    with firewall("ec1") as drop:
        ended = play(enabled, MATRIX, lambda: drop(f"ip saddr {enabled.address('platform1')}"), mtls_generation=generation)
        works(enabled, "ec2")
    is_old(enabled, certificates, ended)
    assert re.search(r"- platform1 -> ec1 at \S+, tried from 'platform1': unreachable", last_lines(ended)), ended.output[-6000:]
    converges(enabled, mtls_generation=generation)


def test_a_host_that_falls_silent_at_work_holds_nobody_up(enabled: System) -> None:
    """Nothing is under way then that TCP could miss: only ssh's own questions find out (ServerAliveInterval, as README has it)."""
    inventories = [each for each in enabled.arguments("site") if each.startswith("--inventory=")]
    command = [str(BIN / "ansible"), "ec1", *inventories, "--module-name", "ansible.builtin.command", "--args", "sleep 300"]
    with (
        firewall("ec1") as drop,
        subprocess.Popen(
            command, env={**os.environ, **enabled.environment()}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process,
    ):
        wait_for(lambda: "sleep 300" in called("podman", "exec", container("ec1"), "ps", "-eo", "args"), "the host to be at work")
        begun = time.monotonic()
        drop('iifname "eth0"')
        said, _nothing = process.communicate(timeout=LONG_ENOUGH)
    assert "UNREACHABLE" in said, said
    assert time.monotonic() - begun < 60


# --- links that are slow ----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def delayed(name: str, milliseconds: int) -> Iterator[None]:
    """Every packet to and from the host is that much longer under way: by netem, or by a stand-in where the kernel has none."""
    here, netem = port(name), ("root", "netem", "delay", f"{milliseconds}ms")
    try:
        in_network_of(name, "tc", "qdisc", "add", "dev", "eth0", *netem)
    except AssertionError as error:
        if not re.search("qdisc (kind is unknown|not found)", str(error)):
            raise
        with stand_in(name, here, milliseconds):
            yield
        return
    try:
        called("tc", "qdisc", "add", "dev", here, *netem)
        yield
    finally:
        in_network_of(name, "tc", "qdisc", "delete", "dev", "eth0", "root")
        called("tc", "qdisc", "delete", "dev", here, "root")


@contextlib.contextmanager
def stand_in(name: str, here: str, milliseconds: int) -> Iterator[None]:
    """The same by a program of ours."""
    program = [sys.executable, str(Path(__file__).with_name("delayed_link.py"))]
    in_network_of(name, *program, "offload", "eth0", "off")
    with subprocess.Popen([*program, "delay", here, str(milliseconds), str(2 * LONG_ENOUGH)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "delaying\n"
            yield
            assert process.poll() is None, "the delay ended too early"
        finally:
            process.terminate()
            process.wait(30)
            in_network_of(name, *program, "offload", "eth0", "on")


def takes(system: System, client: str, server: str) -> float:
    """How long a TCP connection between two hosts takes to be there, in seconds; the shortest of a few."""
    script = (
        "import socket, sys, time\n"
        "def connect():\n"
        "    begun = time.monotonic()\n"
        "    socket.create_connection((sys.argv[1], 22), 10).close()\n"
        "    return time.monotonic() - begun\n"
        "print(min(connect() for _ in range(5)))\n"
    )
    return float(called("podman", "exec", container(client), "python3", "-c", script, system.address(server)))


def test_slow_links(enabled: System, generation: int) -> None:
    """Each member is 100 ms away from its switch: a word and its answer take 200 ms from the controller, 400 ms between members."""
    before, served_before = takes(enabled, "ec1", "platform1"), served(enabled)
    assert before < 0.2, "the machine itself is as slow as the links are to be"
    with contextlib.ExitStack() as links:
        for name in MEMBERS:
            links.enter_context(delayed(name, 100))
        assert 0.4 <= takes(enabled, "ec1", "platform1") < 1
        assert 0.2 <= takes(enabled, "outside1", "platform1") < 0.8
        ended = play(enabled, mtls_generation=generation)
        assert ended.code == 0, ended.output[-6000:]
        assert takes(enabled, "ec1", "platform1") >= 0.4, "the links were not slow to the end"
        works(enabled)
    assert takes(enabled, "ec1", "platform1") < 0.2
    assert not set(served_before.items()) & set(served(enabled).items())
    works(enabled)
