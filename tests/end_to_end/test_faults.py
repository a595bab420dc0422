# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong at night: whatever it is, the system is the old one or the new one afterwards, works, and the cause is named.

Each run here makes new keys for everybody (``mtls_generation``), so that it changes every store and restarts every process.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from faults import (
    BEGUN,
    DAY,
    END,
    MATRIX,
    RESTARTS,
    ROLLING,
    SETTINGS,
    STARTS,
    TRUST,
    UNDO,
    Ended,
    audit,
    converges,
    counters,
    is_as_before,
    made,
    no_override,
    override,
    put,
    run,
    served,
    wait_for,
    wired,
    works,
)
from fleet import PASSWORD
from loopback import Loopback
from mediationzone.install import start_system, stop_system

from ansible_collections.mutual.tls.plugins.module_utils import keystore as stores
from ansible_collections.mutual.tls.plugins.module_utils.entries import TrustedCertEntry

VARIABLES = {"mtls_key_type": "EC"}
WITHOUT = ("sc1", "desktop2")
#: What Python's clock is on a host that is two days ahead.
CLOCK = """
import datetime, time
_AHEAD = 2 * 86400
_time, _datetime = time.time, datetime.datetime
time.time = lambda: _time() + _AHEAD
class Kind(type):
    def __instancecheck__(cls, each):
        return isinstance(each, _datetime)
class Ahead(_datetime, metaclass=Kind):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)
datetime.datetime = Ahead
"""


def thief(loopback: Loopback, member: str, stolen: list[socket.socket]) -> None:
    """Take the member's port as soon as it is free, in the place of another program; *stolen* gives it back."""
    address = (loopback.addresses[member], loopback.endpoints[member][0]["port"])

    def take() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                stolen.append(socket.create_server(address))
                return
            time.sleep(0.005)

    threading.Thread(target=take, daemon=True).start()


@contextlib.contextmanager
def connected(loopback: Loopback, member: str) -> Iterator[BinaryIO]:
    """A connection to the Platform, from the member's address, with its identity."""
    entry = stores.parse_store(loopback.store(member).read_bytes(), PASSWORD).key_entry(None)
    identity = loopback.root / f"{member}.pem"
    identity.write_bytes(
        entry.private_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + x509.load_der_x509_certificate(entry.chain[0]).public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(identity)
    address = (loopback.addresses["platform1"], 6790)
    with (
        socket.create_connection(address, timeout=10, source_address=(loopback.addresses[member], 0)) as plain,
        context.wrap_socket(plain) as wrapped,
        wrapped.makefile("rwb", buffering=0) as stream,
    ):
        yield stream


# --- a process that does not do what it should ----------------------------------------------------------------------


@pytest.mark.long
def test_a_pico_that_does_not_come_up(enabled: Loopback, certificates: dict[str, str], generation: int) -> None:
    ended = run(
        enabled,
        happens={
            RESTARTS: lambda: override(enabled, "ec1", pico__rcp__tls__keystore__alias="nobody"),
            UNDO: lambda: no_override(enabled, "ec1"),
        },
        mtls_generation=generation,
    )
    is_as_before(enabled, certificates, ended)
    assert "The pico 'ec1' did not start" in ended.last_lines
    line = audit(enabled)[-1]
    assert (line["outcome"], line["causes"][0]["member"], line["verb"]) == ("rolled_back", "ec1", "site")
    assert {each["member"] for each in line["certificates"]} == set(enabled.kinds), "what it had changed is told, with both fingerprints"
    assert {each["before_sha256"] for each in line["certificates"] if each["alias"] == "ec1"} == {certificates["ec1"]}
    assert line["restarts"]
    converges(enabled, mtls_generation=generation)


@pytest.mark.fault
def test_a_run_that_is_left_as_it_is(enabled: Loopback, generation: int) -> None:
    """For whoever looks for the cause: nothing is put back, and the next run goes on from there."""
    works(enabled)
    broken = {RESTARTS: lambda: override(enabled, "ec1", pico__rcp__tls__keystore__alias="nobody")}
    ended = run(enabled, happens=broken, mtls_generation=generation, mtls_rollback="never")
    assert ended.code != 0
    assert "This run failed, and is left as it is" in ended.last_lines, ended.output[-6000:]
    assert audit(enabled)[-1]["outcome"] == "left"
    assert (enabled.root / "ec1" / "keys.before~").exists()
    assert not counters(enabled, "ec1")["connected"]
    no_override(enabled, "ec1")
    converges(enabled, works_before=False, mtls_generation=generation)


@pytest.mark.fault
def test_a_pico_that_comes_up_with_the_old_settings(enabled: Loopback, certificates: dict[str, str], generation: int) -> None:
    old = enabled.root / "ec1" / "old-keys"
    shutil.copy(enabled.store("ec1"), old)
    ended = run(
        enabled, happens={RESTARTS: lambda: override(enabled, "ec1", pico__rcp__tls__keystore=str(old))}, mtls_generation=generation
    )
    is_as_before(enabled, certificates, ended)
    assert "renewed on disk, the old one is still served" in ended.last_lines
    no_override(enabled, "ec1")
    converges(enabled, mtls_generation=generation)


@pytest.mark.fault
def test_a_port_that_another_program_has_taken(enabled: Loopback, certificates: dict[str, str], generation: int) -> None:
    stolen: list[socket.socket] = []
    ended = run(
        enabled,
        happens={RESTARTS: lambda: thief(enabled, "ec1", stolen), UNDO: lambda: stolen.pop().close()},
        mtls_generation=generation,
        mtls_service_timeout=10,
    )
    is_as_before(enabled, certificates, ended)
    assert f"{enabled.addresses['ec1']}:6791" in ended.last_lines
    converges(enabled, mtls_generation=generation)


@pytest.mark.fault
def test_a_keystore_that_is_replaced_after_the_proof(enabled: Loopback, certificates: dict[str, str], generation: int) -> None:
    ended = run(enabled, happens={RESTARTS: lambda: put(enabled.store("ec1"), made("ec1"))}, mtls_generation=generation)
    is_as_before(enabled, certificates, ended)
    converges(enabled, mtls_generation=generation)


@pytest.mark.fault
def test_a_wrong_password_in_one_container(enabled: Loopback, generation: int) -> None:
    """Somebody stored another password than the keystore has; the process has not noticed it yet."""
    mzsh = enabled.root / "platform1" / "bin" / "mzsh"
    wrong = subprocess.run([str(mzsh), "encryptpassword"], input="wrong\n", capture_output=True, text=True, check=True).stdout.strip()
    target = 'topo://container:ec1/val:common."pico.rcp.tls.keystore.password"'
    subprocess.run([str(mzsh), "topo", "set", target, json.dumps(wrong)], check=True, capture_output=True)
    converges(enabled, mtls_generation=generation)


def away(loopback: Loopback, pico: str, container: str) -> tuple[str, str]:
    """From when to when the pico was away last, as its log says."""
    lines = (loopback.root / container / "log" / f"{pico}.log").read_text(encoding="utf-8").splitlines()
    stopped = next(line for line in reversed(lines) if line.endswith("INFO stopped"))
    up = next(line for line in reversed(lines) if "INFO up: " in line)
    return stopped[:23], up[:23]


@pytest.mark.long
def test_one_process_restarts_after_the_other(enabled: Loopback) -> None:
    """Another protection of the keystores, with which old and new work together."""
    before = enabled.processes()
    ended = run(enabled, mtls_keystore_profile="java8", mtls_restart="rolling")
    assert ended.code == 0, ended.output[-4000:]
    assert not set(before.values()) & set(enabled.processes().values())
    spans = sorted(away(enabled, endpoints[0]["name"], member) for member, endpoints in enabled.endpoints.items())
    assert len(spans) == 3
    assert all(first[1] < second[0] for first, second in itertools.pairwise(spans)), spans
    assert max(spans) in {away(enabled, name, name) for name in ("ec1", "ec2")}, "the Platform comes first"
    converges(enabled)


@pytest.mark.fault
def test_one_process_that_does_not_come_up_stops_the_others_restarts(enabled: Loopback) -> None:
    works(enabled)
    ended = run(
        enabled,
        happens={
            ROLLING: lambda: [override(enabled, name, pico__rcp__tls__keystore__alias="nobody") for name in ("ec1", "ec2")],
            UNDO: lambda: [no_override(enabled, name) for name in ("ec1", "ec2")],
        },
        mtls_keystore_profile="java8",
        mtls_restart="rolling",
    )
    assert "This run failed and was undone" in ended.last_lines, ended.output[-6000:]
    assert ended.output.partition(UNDO)[0].count("MediationZone | Restart, and wait for ec") == 1, "the other was restarted too"
    works(enabled)
    converges(enabled)


# --- a host that does not do what it should --------------------------------------------------------------------------


@pytest.mark.long
def test_a_host_that_is_gone_while_trust_is_distributed(enabled: Loopback, certificates: dict[str, str], generation: int) -> None:
    hosts, cut = wired(enabled, "ec1")
    ended = run(enabled, hosts=hosts, happens={TRUST: cut.touch}, mtls_generation=generation)
    assert ended.code != 0
    assert "'ec1' does not answer any more; its files are as this run left them." in ended.last_lines, ended.output[-6000:]
    works(enabled)
    assert {name: served(enabled, name) for name in enabled.endpoints} == certificates, "something was restarted"
    cut.unlink()
    converges(enabled, hosts=hosts, mtls_generation=generation)


@pytest.mark.fault
def test_a_host_that_is_down_for_the_whole_run(enabled: Loopback, generation: int) -> None:
    """Its keystore is of the old generation when it is back, and the next run brings it in."""
    hosts, cut = wired(enabled, "ec1")
    cut.touch()
    before = {name: served(enabled, name) for name in enabled.endpoints}
    ended = run(enabled, hosts=hosts, mtls_generation=generation, mtls_unreachable="skip")
    assert ended.code != 0
    assert "Run it when all members are reached" in ended.last_lines, "who trusts the old certificate could not follow"
    assert {name: served(enabled, name) for name in enabled.endpoints} == before
    cut.unlink()
    converges(enabled, hosts=hosts, mtls_generation=generation)


@pytest.mark.fault
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
@pytest.mark.parametrize("when", [None, TRUST], ids=["before_the_run", "while_trust_is_distributed"])
def test_a_disk_that_is_full(enabled: Loopback, certificates: dict[str, str], generation: int, when: str | None) -> None:
    store = enabled.store("ec2")
    disk = enabled.root / "small"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)], check=True)
    try:
        shutil.copy(store, disk / "keys")
        shutil.move(store, enabled.root / "ec2" / "keys.moved")
        store.symlink_to(disk / "keys")
        if when is None:
            fill(disk)
        ended = run(enabled, happens={} if when is None else {when: lambda: fill(disk)}, mtls_generation=generation)
        assert ended.code != 0
        assert "No space left on device" in ended.last_lines, ended.output[-4000:]
        works(enabled)
        assert {name: served(enabled, name) for name in enabled.endpoints} == certificates
    finally:
        content = (disk / "keys").read_bytes()
        store.unlink()
        store.write_bytes(content)
        subprocess.run(["umount", str(disk)], check=True)
        disk.rmdir()
    converges(enabled, mtls_generation=generation)


def fill(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as stream:
        while True:
            stream.write(bytes(1024))


# --- the controller that is gone -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "task",
    [
        *(pytest.param(task, marks=pytest.mark.fault) for task in (BEGUN, TRUST, SETTINGS, RESTARTS, MATRIX, END)),
        pytest.param(STARTS, marks=pytest.mark.long),
    ],
    ids=lambda task: task.rpartition(": ")[2],
)
def test_a_controller_that_is_killed(enabled: Loopback, generation: int, task: str) -> None:
    run(enabled, kill_at=task, mtls_generation=generation)
    if task != STARTS:
        works(enabled)
    converges(enabled, works_before=task != STARTS, mtls_generation=generation)


@pytest.mark.fault
def test_a_run_that_fails_after_it_took_over_from_a_dead_one(enabled: Loopback, certificates: dict[str, str], generation: int) -> None:
    """The dead one had restarted everything; what is put back is from before it, and shows that it is not loaded."""
    run(enabled, kill_at=MATRIX, mtls_generation=generation)
    started = time.time()
    hosts, cut = wired(enabled, "ec2")
    ended = run(enabled, hosts=hosts, happens={TRUST: cut.touch}, mtls_generation=generation + 1)
    assert ended.code != 0
    works(enabled)
    cut.unlink()
    for name in ("platform1", "ec1"):
        assert enabled.store(name).stat().st_mtime > started, "nobody would see that the process has not loaded it"
    converges(enabled, hosts=hosts, mtls_generation=generation + 2)


# --- more than one -------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_two_runs_at_once(enabled: Loopback, generation: int) -> None:
    others: list[Ended] = []
    ended = run(
        enabled,
        happens={SETTINGS: lambda: others.append(run(enabled, mtls_generation=generation))},
        mtls_generation=generation,
    )
    [other] = others
    assert other.code != 0
    assert "Another run (" in other.last_lines, other.output[-4000:]
    assert "has been changing this member since" in other.last_lines
    assert ended.code == 0, ended.output[-4000:]
    works(enabled)
    converges(enabled, mtls_generation=generation)


@pytest.mark.fault
def test_a_run_that_is_limited_to_one_host(enabled: Loopback, certificates: dict[str, str], generation: int) -> None:
    before = {name: enabled.store(name).read_bytes() for name in enabled.kinds}
    ended = run(enabled, "site", "--limit", "ec1", mtls_generation=generation)
    assert ended.code != 0
    assert {name: enabled.store(name).read_bytes() for name in enabled.kinds} == before
    works(enabled)
    assert {name: served(enabled, name) for name in enabled.endpoints} == certificates
    converges(enabled, mtls_generation=generation)


# --- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_every_certificate_has_expired(enabled: Loopback, generation: int) -> None:
    """Nothing connects any more, and no step of the repair needs that anything does."""
    keys = {name: made(name, ended=DAY) for name in enabled.kinds}
    for name, key in keys.items():
        put(enabled.store(name), key, *(TrustedCertEntry(other, keys[other].chain[0]) for other in keys if other != name))
    stop_system(enabled.root, enabled.system)
    start_system(enabled.root, enabled.system)
    wait_for(lambda: not counters(enabled, "ec1")["connected"], "ec1 to be refused")
    assert enabled.client is not None
    refused = time.monotonic()
    wait_for(lambda: enabled.client.between(refused, float("inf")), "another attempt")
    assert all(attempt.failure for attempt in enabled.client.between(refused, float("inf"))), "who is refused does not notice"
    converges(enabled, works_before=False, mtls_generation=generation)


@pytest.mark.fault
def test_a_clock_that_is_two_days_ahead(enabled: Loopback, certificates: dict[str, str], generation: int) -> None:
    """What that host makes is not valid yet for anybody else."""
    ahead = enabled.root / "ahead"
    ahead.mkdir(exist_ok=True)
    (ahead / "sitecustomize.py").write_text(CLOCK, encoding="utf-8")
    python = ahead / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={ahead} exec {sys.executable} "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    ended = run(enabled, hosts={"ec1": {"ansible_python_interpreter": str(python)}}, mtls_generation=generation)
    assert ended.code != 0
    assert "is not valid before" in ended.last_lines, ended.output[-6000:]
    works(enabled)
    assert {name: served(enabled, name) for name in enabled.endpoints} == certificates
    converges(enabled, mtls_generation=generation)


@pytest.mark.fault
def test_a_revoked_desktop_that_is_still_connected(enabled: Loopback) -> None:
    """Last of all here: the desktop stays revoked. Its connection ends with the run, and it gets no other."""
    with connected(enabled, "desktop1") as stream:
        stream.write(b"HELLO desktop1\n")
        assert stream.readline().startswith(b"WELCOME")
        ended = run(enabled, mtls_revoked=["desktop1"])
        assert ended.code == 0, ended.output[-4000:]
        with contextlib.suppress(OSError):
            stream.write(b"PING\n")
            assert stream.readline() == b"", "the revoked desktop is still served"
    with pytest.raises(OSError), connected(enabled, "desktop1") as stream:
        stream.write(b"HELLO desktop1\n")
        if not stream.readline():
            raise ConnectionResetError
    converges(enabled, mtls_revoked=["desktop1"])
