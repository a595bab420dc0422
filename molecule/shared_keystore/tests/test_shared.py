# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One keystore everywhere, byte for byte, and nobody without it is let in."""

from __future__ import annotations

import re

from system import REFUSED, System


def test_every_container_has_the_platforms_keystore(system: System) -> None:
    digests = {name: system.host(name).file(system.store(name)).sha256sum for name in ("platform1", "ec1", "ec2")}
    assert len(set(digests.values())) == 1, digests
    assert system.entries("ec1") == {"platform1": "PrivateKeyEntry"}


def test_the_copies_are_their_owners_and_nobody_elses(system: System) -> None:
    for name in ("platform1", "ec1", "ec2"):
        store = system.host(name).file(system.store(name))
        assert (store.user, store.mode) == ("mzadmin", 0o600)
        assert [event for event in system.seen(name) if event["readable"]] == []


def test_who_has_no_certificate_is_refused_and_who_has_the_keystore_is_let_in(system: System) -> None:
    for name in ("platform1", "ec1", "ec2"):
        assert re.search(REFUSED, system.s_client("outside1", name))
    assert "WELCOME" in system.s_client("ec1", "platform1", keystore=system.store("ec1"))


def test_the_key_was_on_no_command_line(system: System) -> None:
    for name in ("platform1", "ec1", "ec2"):
        assert system.password not in system.command_lines(name)
