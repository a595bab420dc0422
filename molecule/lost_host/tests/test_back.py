# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host that was away has caught up, and what is trusted of it was never dropped."""

from __future__ import annotations

from system import System

WISHES = {"mtls_keystore_profile": "java8"}


def test_everybody_is_let_in(system: System) -> None:
    for name in ("ec1", "ec2"):
        assert "WELCOME" in system.s_client(name, "platform1", keystore=system.store(name))
        assert "WELCOME" in system.s_client("platform1", name, keystore=system.store("platform1"))


def test_a_further_run_changes_and_restarts_nothing(system: System) -> None:
    before = system.processes()
    run = system.play("enable", extra=WISHES)
    assert (run.code, run.changed) == (0, 0), run.output[-3000:]
    assert system.processes() == before
