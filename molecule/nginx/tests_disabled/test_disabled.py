# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After client auth was turned off: everybody is let in, and nobody can say who they are."""

from __future__ import annotations

import json

from system import System
from web import with_browser, without_certificate


def test_everybody_is_let_in_without_a_certificate(system: System) -> None:
    assert "WELCOME" in without_certificate(system, "outside1", "gw1")
    assert "Hello nobody in particular" in without_certificate(system, "outside1", "gw2")


def test_a_browser_that_has_one_still_knows_the_server(system: System) -> None:
    assert "Hello nobody in particular" in with_browser(system, "desktop1", "gw2")


def test_the_application_is_told_that_there_is_none(system: System) -> None:
    forged = ["--header", "X-Client-Subject: CN=root", "--header", "X-Client-Verify: SUCCESS"]
    told = json.loads(without_certificate(system, "outside1", "gw2", "/told", *forged))
    assert told["X_CLIENT_VERIFY"] == "NONE"
    assert "X_CLIENT_SUBJECT" not in told
