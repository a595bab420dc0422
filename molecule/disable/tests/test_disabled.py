# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS stays, and certificates are no longer demanded."""

from __future__ import annotations

from system import System


def test_who_has_no_certificate_is_let_in(system: System) -> None:
    """Its failing twin is in the scenario default, where the same client is refused."""
    for name in ("platform1", "ec1"):
        seen = system.s_client("outside1", name)
        assert "WELCOME" in seen
        assert "TLSv1.3" in seen, "encrypted all the same"


def test_disabling_again_changes_and_restarts_nothing(system: System) -> None:
    before = system.processes()
    run = system.play("disable")
    assert (run.code, run.changed) == (0, 0), run.output[-3000:]
    assert system.processes() == before
