# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The system is as it was before the run that failed; when the cause is gone, the same run succeeds."""

from __future__ import annotations

from system import System


def test_the_old_system_works(system: System) -> None:
    for name in ("ec1", "ec2"):
        assert "WELCOME" in system.s_client(name, "platform1", keystore=system.store(name))
        assert "WELCOME" in system.s_client("platform1", name, keystore=system.store("platform1"))
    before = system.processes()
    run = system.play("enable")
    assert (run.code, run.changed) == (0, 0), run.output[-3000:]
    assert system.processes() == before


def test_without_the_cause_the_same_run_succeeds(system: System) -> None:
    system.host("ec2").check_output("rm /opt/mz/ec2/etc/zz_override.properties")
    new = ("--extra-vars", f"@{system.scenario / 'vars' / 'new_password.yml'}")
    run = system.play("enable", *new)
    assert run.code == 0, run.output[-3000:]
    assert run.changed > 0
    assert "password was incorrect" in system.keytool("ec2"), "the old one opens nothing any more"
    again = system.play("enable", *new)
    assert (again.code, again.changed) == (0, 0), again.output[-3000:]
