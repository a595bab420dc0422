# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that do not do their part: they stop no run that they need not stop, undo none, and are named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from faults import (
    END,
    RESTARTS,
    UNDO,
    audit,
    converges,
    is_as_before,
    no_override,
    override,
    run,
    served,
    wired,
    works,
)
from fleet import PASSWORD
from judges import keytool_entries
from loopback import Loopback
from mediationzone.install import stop_system

VARIABLES = {"mtls_key_type": "EC"}
WITHOUT = ("sc1",)


@pytest.mark.long
def test_a_host_that_is_gone_once_all_is_proven_undoes_nothing(enabled: Loopback, certificates: dict[str, str], generation: int) -> None:
    hosts, cut = wired(enabled, "ec1")
    ended = run(enabled, hosts=hosts, happens={END: cut.touch}, mtls_generation=generation)
    assert ended.code == 0, ended.output[-4000:]
    assert UNDO not in ended.output
    assert "'ec1' does not know that this run has ended" in ended.output
    works(enabled)
    assert not set(certificates.items()) & {(name, served(enabled, name)) for name in enabled.endpoints}, "the new ones stay"
    assert audit(enabled)[-1]["outcome"] == "changed"
    cut.unlink()
    # A run that fails now goes back to what was proven, on that host too, which does not know that the run has ended.
    proven = {name: served(enabled, name) for name in enabled.endpoints}
    broken = {
        RESTARTS: lambda: override(enabled, "ec2", pico__rcp__tls__keystore__alias="nobody"),
        UNDO: lambda: no_override(enabled, "ec2"),
    }
    is_as_before(enabled, proven, run(enabled, hosts=hosts, happens=broken, mtls_generation=generation + 1))
    converges(enabled, hosts=hosts, mtls_generation=generation)


@pytest.mark.fault
def test_a_host_that_is_down_does_not_stop_the_revocation_of_another(enabled: Loopback, keytool: Path) -> None:
    hosts, cut = wired(enabled, "ec2")
    cut.touch()
    ended = run(enabled, hosts=hosts, mtls_unreachable="skip", mtls_revoked=["desktop2"])
    assert ended.code == 0, ended.output[-4000:]
    assert set(keytool_entries(keytool, enabled.store("platform1"))) == {"platform1", "ec1", "ec2", "desktop1"}
    works(enabled)
    cut.unlink()
    converges(enabled, hosts=hosts, mtls_revoked=["desktop2"])


@pytest.mark.long
def test_a_revoked_host_whose_keystore_nobody_can_open_is_revoked_all_the_same(enabled: Loopback, keytool: Path) -> None:
    converges(enabled)
    assert "desktop2" in keytool_entries(keytool, enabled.store("platform1"))
    store = enabled.store("desktop2").read_bytes()
    enabled.store("desktop2").write_bytes(b"no keystore at all")
    ended = run(enabled, mtls_revoked=["desktop2"])
    assert ended.code == 0, ended.output[-4000:]
    assert "'desktop2' could not be measured" in ended.output
    assert set(keytool_entries(keytool, enabled.store("platform1"))) == {"platform1", "ec1", "ec2", "desktop1"}
    assert audit(enabled)[-1]["outcome"] == "changed"
    enabled.store("desktop2").write_bytes(store)
    converges(enabled, mtls_revoked=["desktop2"])
    # The failing twin: of somebody who is not revoked it stops the run.
    enabled.store("desktop2").write_bytes(b"no keystore at all")
    stopped = run(enabled)
    assert stopped.code != 0
    assert "This run failed before it changed anything." in stopped.last_lines
    assert "'desktop2' could not be measured" in stopped.last_lines
    enabled.store("desktop2").write_bytes(store)


@pytest.mark.fault
def test_a_revoked_host_that_lies_keeps_its_trust_gone(enabled: Loopback, keytool: Path) -> None:
    """Its Python says of every handshake that it was accepted."""
    converges(enabled)
    lies = enabled.root / "lies"
    lies.mkdir()
    (lies / "python").write_text(
        f'#!/bin/sh\n{sys.executable} "$@" | sed \'s/"outcome": "refused"/"outcome": "accepted"/g\'\n', encoding="utf-8"
    )
    (lies / "python").chmod(0o755)
    hosts = {"desktop2": {"ansible_python_interpreter": str(lies / "python")}}
    ended = run(enabled, hosts=hosts, mtls_revoked=["desktop2"])
    assert ended.code != 0
    assert "somebody who is revoked says that it is still let in" in ended.last_lines, ended.output[-6000:]
    assert UNDO not in ended.output
    line = audit(enabled)[-1]
    assert (line["outcome"], len(line["causes"])) == ("changed", 1)
    assert "desktop2 -> platform1" in line["causes"][0]["why"]
    assert "desktop2" not in keytool_entries(keytool, enabled.store("platform1"))
    converges(enabled, mtls_revoked=["desktop2"])


@pytest.mark.fault
def test_a_platform_that_comes_up_neither_with_the_new_nor_with_the_old(enabled: Loopback, generation: int) -> None:
    """Then it is not said that the system is as it was; and it is said which process is to be looked at."""
    works(enabled)
    ended = run(
        enabled,
        happens={RESTARTS: lambda: override(enabled, "platform1", pico__rcp__tls__keystore__alias="nobody")},
        mtls_generation=generation,
    )
    assert "This run failed and could NOT be undone wholly." in ended.last_lines, ended.output[-6000:]
    assert "Not put back: 'platform1': The pico 'platform' did not start" in ended.last_lines
    assert audit(enabled)[-1]["outcome"] == "broken"
    no_override(enabled, "platform1")
    stop_system(enabled.root, enabled.system)
    converges(enabled, works_before=False, mtls_generation=generation)


@pytest.mark.fault
def test_the_registry_goes_back_past_a_dead_run(enabled: Loopback, certificates: dict[str, str]) -> None:
    """The dead one had written that nobody need present a certificate; the next one found it so, and failed."""
    run(enabled, kill_at=RESTARTS, mtls_client_auth="none")
    assert not demands(enabled)
    ended = run(
        enabled,
        happens={
            RESTARTS: lambda: override(enabled, "ec1", pico__rcp__tls__keystore__alias="nobody"),
            UNDO: lambda: no_override(enabled, "ec1"),
        },
        mtls_client_auth="none",
    )
    is_as_before(enabled, certificates, ended)
    assert demands(enabled)
    converges(enabled)


def demands(loopback: Loopback) -> bool:
    """Whether the registry tells the Platform to demand certificates, as its own program says."""
    mzsh = loopback.root / "platform1" / "bin" / "mzsh"
    target = 'topo://container:platform1/val:common."pico.rcp.tls.require_clientauth"'
    told = subprocess.run([str(mzsh), "topo", "get", "--format", "data-only", target], capture_output=True, text=True, check=True).stdout
    return "true" in told


@pytest.mark.long
def test_what_an_earlier_run_of_the_same_playbook_did_is_not_undone(enabled: Loopback, generation: int) -> None:
    playbook = enabled.root / "twice.yml"
    playbook.write_text(
        "- import_playbook: mutual.tls.site\n"
        "- import_playbook: mutual.tls.site\n"
        "  vars:\n"
        "    mtls_trust_model: none_such\n",
        encoding="utf-8",
    )  # fmt: skip
    before = {name: served(enabled, name) for name in enabled.endpoints}
    command = [
        str(playbook) if part == "mutual.tls.site" else part for part in enabled.command("site", extra={"mtls_generation": generation})
    ]
    done = subprocess.run(command, cwd=enabled.root, env=enabled.environment(), capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode != 0
    assert PASSWORD not in done.stdout + done.stderr
    assert "This run failed before it changed anything." in done.stdout, done.stdout[-4000:]
    assert [line["outcome"] for line in audit(enabled)[-2:]] == ["changed", "stopped"]
    assert not set(before.items()) & {(name, served(enabled, name)) for name in enabled.endpoints}, "the first run's work stays"
    works(enabled)
    converges(enabled, mtls_generation=generation)
