# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members that are not reached, and runs that die: what is trusted stays, and the next run finishes."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from fleet import Run
from judges import keytool_entries, matrix
from loopback import Loopback
from mediationzone.install import stop_system

pytestmark = pytest.mark.long
VARIABLES = {"mtls_key_type": "EC"}
MEMBERS = {"platform1", "ec1", "ec2", "sc1", "desktop1", "desktop2"}


def killed_at(loopback: Loopback, task: str) -> str:
    """Start enable and kill it, with everything that it started, as soon as *task* begins; returns what it printed."""
    seen = []
    with subprocess.Popen(
        loopback.command("enable"),
        cwd=loopback.root,
        env=loopback.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as run:
        assert run.stdout is not None
        for line in run.stdout:
            seen.append(line)
            if task in line:
                os.killpg(run.pid, signal.SIGKILL)
                break
    assert run.returncode == -signal.SIGKILL, "".join(seen)
    return "".join(seen)


@pytest.fixture(scope="module")
def finished(loopback: Loopback) -> Run:
    """Enabled by a run after two that were killed: one before the restarts, one between stop and start."""
    killed_at(loopback, "TASK [mutual.tls.service : Restart what has not loaded")
    killed_at(loopback, "of the tier platform")
    return loopback.play("enable", extra={"mtls_report_path": str(loopback.root / "matrix.json")})


def away(loopback: Loopback, name: str) -> dict[str, dict[str, Any]]:
    """Inventory variables with which *name* does not answer."""
    ssh = {"ansible_connection": "ssh", "ansible_host": loopback.addresses[name], "ansible_port": 1}
    return {name: {**ssh, "ansible_ssh_common_args": "-o ConnectTimeout=2"}}


def test_a_killed_run_is_finished_by_the_next(loopback: Loopback, finished: Run) -> None:
    assert finished.code == 0, finished.output[-4000:]
    assert all(row["as_expected"] for row in matrix(loopback))


def test_and_a_further_one_changes_nothing(loopback: Loopback, finished: Run) -> None:
    before = loopback.processes()
    run = loopback.play("enable")
    assert (run.code, run.changed) == (0, 0), run.output
    assert loopback.processes() == before


def test_an_unreachable_member_stops_the_run(loopback: Loopback, finished: Run) -> None:
    before = loopback.files()
    run = loopback.play("site", hosts=away(loopback, "ec2"), extra={"mtls_revoked": ["desktop1"]})
    assert run.code != 0
    assert "'ec2' was not reached" in run.output
    assert loopback.files() == before


def test_an_unreachable_member_keeps_its_trust(loopback: Loopback, finished: Run, keytool: Path) -> None:
    """Invariant 2, also when everything that nobody names is to be removed."""
    run = loopback.play("site", hosts=away(loopback, "ec2"), extra={"mtls_unreachable": "skip", "mtls_purge_trusted": True})
    assert "'ec2' was not reached" in run.output
    assert set(keytool_entries(keytool, loopback.store("platform1"))) == MEMBERS
    assert run.changed == 0


def test_a_limited_run_keeps_the_trust_of_all_others(loopback: Loopback, finished: Run, keytool: Path) -> None:
    run = loopback.play("site", "--limit", "platform1,ec1", extra={"mtls_purge_trusted": True})
    assert run.code == 0, run.output
    assert set(keytool_entries(keytool, loopback.store("platform1"))) == MEMBERS
    assert run.changed == 0


def test_a_member_that_left_the_inventory_is_purged_only_on_demand(loopback: Loopback, finished: Run, keytool: Path) -> None:
    """The failing twin: what is really named by nobody does go, when that is asked for."""
    kept = dataclasses.replace(loopback, unnamed=("desktop2",))
    run = kept.play("site")
    assert "'platform1' trusts certificates that the inventory does not name, and they are kept: desktop2" in run.output
    assert set(keytool_entries(keytool, loopback.store("platform1"))) == MEMBERS
    purged = kept.play("site", extra={"mtls_purge_trusted": True})
    assert purged.code == 0, purged.output
    assert set(keytool_entries(keytool, loopback.store("platform1"))) == MEMBERS - {"desktop2"}


def test_a_slice_of_the_inventory_does_not_purge_who_belongs_to_another(loopback: Loopback, finished: Run, keytool: Path) -> None:
    """Where a job is sliced nobody says so: what shows it is that somebody is connected who is no member."""
    sliced = dataclasses.replace(loopback, unnamed=("ec2", "desktop2"))
    kept = sliced.play("site", extra={"mtls_purge_trusted": True})
    assert kept.code == 0, kept.output
    assert f"{loopback.addresses['ec2']} is connected to 'platform' of 'platform1'" in kept.output
    assert "ec2" in keytool_entries(keytool, loopback.store("platform1"))
    # The failing twin: who is gone, and named by nobody, loses its trust.
    stop_system(loopback.root, {"containers": [each for each in loopback.system["containers"] if each["name"] == "ec2"]})
    purged = sliced.play("site", extra={"mtls_purge_trusted": True})
    assert purged.code == 0, purged.output
    assert "ec2" not in keytool_entries(keytool, loopback.store("platform1"))
