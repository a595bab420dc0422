# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings are in each host's own file, and what is said of the other way of handing over a password is true."""

from __future__ import annotations

import re

from system import REFUSED, System


def test_the_settings_are_in_a_file_that_only_its_owner_reads(system: System) -> None:
    for name in ("platform1", "ec1"):
        file = system.host(name).file(f"{system.home(name)}/etc/mutual_tls.properties")
        assert (file.user, file.mode) == ("mzadmin", 0o600)
        assert re.search(r"^pico\.rcp\.tls\.require_clientauth *[=:] *true$", file.content_string, re.MULTILINE)
        assert system.password not in file.content_string


def test_who_has_no_certificate_is_refused(system: System) -> None:
    for name in ("platform1", "ec1"):
        assert re.search(REFUSED, system.s_client("outside1", name))
    assert "WELCOME" in system.s_client("ec1", "platform1", keystore=system.store("ec1"))


def test_the_watch_sees_a_password_that_is_an_argument(system: System) -> None:
    """The failing twin of the scenario default: there it is on no command line."""
    assert system.password in system.command_lines("platform1")
