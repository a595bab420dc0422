# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host that was built anew has a new key, which the Platform trusts, and the old one is trusted no more."""

from __future__ import annotations

from system import System


def test_the_new_host_is_let_in(system: System) -> None:
    assert "WELCOME" in system.s_client("ec2", "platform1", keystore=system.store("ec2"))
    assert system.entries("platform1") == {"platform1": "PrivateKeyEntry", "ec1": "trustedCertEntry", "ec2": "trustedCertEntry"}


def test_it_has_the_key_that_the_platform_trusts(system: System) -> None:
    assert system.certificate("ec2", "ec2") == system.certificate("platform1", "ec2")
    assert system.certificate("ec2", "ec2") != system.certificate("platform1", "ec1")


def test_it_comes_back_when_it_boots(system: System) -> None:
    system.reboot("ec2")
    assert "WELCOME" in system.s_client("platform1", "ec2", keystore=system.store("platform1"))
    run = system.play("enable")
    assert (run.code, run.changed) == (0, 0), run.output[-3000:]
