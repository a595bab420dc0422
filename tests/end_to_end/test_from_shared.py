# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running system moves from one shared key to an authority, from there to pairwise trust, and back to a shared key."""

from __future__ import annotations

from pathlib import Path

import pytest
from fleet import OWN_AUTHORITY, Run
from judges import keytool_entries, matrix, outcomes, s_client
from loopback import Loopback

pytestmark = pytest.mark.long
WITHOUT = ("sc1", "desktop2")
VARIABLES = {**OWN_AUTHORITY, "mtls_trust_model": "shared", "mtls_authority_host": "localhost"}


def move(loopback: Loopback, model: str, **more: object) -> Run:
    """Bring the system to another trust model, and see that a second run finds nothing to do."""
    wishes = {"mtls_trust_model": model, "mtls_report_path": str(loopback.root / "matrix.json"), **more}
    run = loopback.play("site", extra=wishes)
    assert run.code == 0, run.output[-6000:]
    assert all(row["as_expected"] for row in matrix(loopback))
    for server in ("platform1", "ec1", "ec2"):
        assert ("(no certificate)", server, "refused") in outcomes(loopback)
    again = loopback.play("site", extra=wishes)
    assert (again.code, again.changed) == (0, 0), again.output[-6000:]
    return run


def entries(loopback: Loopback, keytool: Path, name: str) -> dict[str, str]:
    return keytool_entries(keytool, loopback.store(name))


KEY, TRUSTED = "PrivateKeyEntry", "trustedCertEntry"


@pytest.fixture(scope="module")
def shared(loopback: Loopback) -> Run:
    """Where it begins: one key everywhere."""
    return move(loopback, "shared")


@pytest.fixture(scope="module")
def authority(loopback: Loopback, shared: Run) -> Run:
    assert loopback.store("ec1").read_bytes() == loopback.store("platform1").read_bytes()
    return move(loopback, "authority", mtls_generation=2)


def test_each_member_has_its_own_key_and_nobody_elses(loopback: Loopback, authority: Run, keytool: Path) -> None:
    assert entries(loopback, keytool, "platform1") == {"platform1": KEY, "system-ca-2": TRUSTED, "clients-ca-2": TRUSTED}
    for name in ("ec1", "ec2"):
        assert entries(loopback, keytool, name) == {name: KEY, "system-ca-2": TRUSTED}
    assert "remove_key" in authority.output
    assert "CN = ec1" in s_client(loopback, member="ec1", port=6791)


def test_from_the_authority_to_pairwise_and_back_to_one_key(loopback: Loopback, authority: Run, keytool: Path) -> None:
    move(loopback, "pairwise", mtls_generation=2)
    assert entries(loopback, keytool, "ec1") == {"ec1": KEY, "platform1": TRUSTED}
    move(loopback, "shared", mtls_generation=2)
    assert loopback.store("ec1").read_bytes() == loopback.store("platform1").read_bytes()
    assert entries(loopback, keytool, "ec1")["platform1"] == KEY


def test_from_one_key_straight_to_pairwise(loopback: Loopback, authority: Run, keytool: Path) -> None:
    run = move(loopback, "pairwise", mtls_generation=2)
    assert entries(loopback, keytool, "ec2") == {"ec2": KEY, "platform1": TRUSTED}
    assert "with the trust model 'pairwise' only 'platform1' holds its key" in run.words
