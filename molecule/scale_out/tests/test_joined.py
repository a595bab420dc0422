# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host that joined is let in, and lets the Platform in."""

from __future__ import annotations

from system import System


def test_the_new_host_and_the_platform_let_each_other_in(system: System) -> None:
    assert "WELCOME" in system.s_client("ec3", "platform1", keystore=system.store("ec3"))
    assert "WELCOME" in system.s_client("platform1", "ec3", keystore=system.store("platform1"))
    assert "WELCOME" not in system.s_client("ec1", "ec3")


def test_a_further_run_changes_and_restarts_nothing(system: System) -> None:
    before = system.processes()
    run = system.play("enable", inventory="inventory_after")
    assert (run.code, run.changed) == (0, 0), run.output[-3000:]
    assert system.processes() == before
