# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The revoked host is refused, and every other one accepted."""

from __future__ import annotations

import re

from system import System

REVOKED = {"mtls_revoked": ["ec2"]}


def test_the_revoked_host_is_refused_and_the_others_are_let_in(system: System) -> None:
    refused = system.s_client("ec2", "platform1", keystore=system.store("ec2"))
    assert re.search(r"alert (unknown ca|bad certificate|certificate unknown)", refused), refused
    assert "WELCOME" not in refused
    for name in ("ec1", "desktop1"):
        assert "WELCOME" in system.s_client(name, "platform1", keystore=system.store(name))


def test_the_platform_trusts_it_no_more(system: System) -> None:
    assert set(system.entries("platform1")) == {"platform1", "ec1", "desktop1"}


def test_revoking_again_changes_and_restarts_nothing(system: System) -> None:
    before = system.processes()
    run = system.play("enable", extra=REVOKED)
    assert (run.code, run.changed) == (0, 0), run.output[-3000:]
    assert system.processes() == before
