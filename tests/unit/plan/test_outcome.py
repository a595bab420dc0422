# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run that failed is told."""

from __future__ import annotations

import pytest

from ansible_collections.mutual.tls.plugins.module_utils.plan.outcome import (
    Handshake,
    Undoing,
    account,
    certificates,
    handshakes,
    table_rows,
)

from .scenery import Scene, identity

CAUSE = ("ec1", "Start", "it did not start")
SAME, OTHER = Handshake("ec1", "a", "keystore", "accepted", "accepted"), Handshake("ec1", "b", "nothing", "refused", "accepted", "why")


@pytest.mark.parametrize(
    ("undoing", "state"),
    [
        (Undoing([CAUSE]), "stopped"),
        (Undoing([CAUSE], begun=True, wanted=False), "left"),
        (Undoing([CAUSE], begun=True), "rolled_back"),
        (Undoing([CAUSE], begun=True, handshakes=[SAME]), "rolled_back"),
        (Undoing([CAUSE], begun=True, handshakes=[SAME, OTHER]), "broken"),
        (Undoing([CAUSE], begun=True, left=["'ec2' is gone."]), "broken"),
    ],
)
def test_what_a_run_that_failed_has_left(undoing: Undoing, state: str) -> None:
    assert undoing.state == state
    told = account(undoing).splitlines()
    assert told[0].startswith("This run failed")
    assert told[1] == "  Cause: 'ec1', at \"Start\": it did not start"
    assert told[-1].startswith("  What now: ")


def test_what_was_and_was_not_put_back_is_counted_and_named() -> None:
    undoing = Undoing([CAUSE], begun=True, restored={"ec1": ["/keys", "/settings"]}, left=["'ec2' is gone."], handshakes=[SAME, OTHER])
    assert account(undoing).splitlines()[2:-1] == [
        "  Put back: 2 files and settings on 1 member.",
        "  Handshakes: 1 of 2 end as they did before the run.",
        "  Not put back: 'ec2' is gone.",
    ]


def test_that_no_handshake_was_compared_is_told() -> None:
    assert "  Handshakes: none was compared." in account(Undoing([CAUSE], begun=True)).splitlines()


def test_bundles_that_outlive_the_run_are_named() -> None:
    told = "  Bundles were made, and stay: alice, bob. Give them out once a run has succeeded."
    assert told in account(Undoing([CAUSE], begun=True, bundles=["alice", "bob"])).splitlines()
    assert "Bundles" not in account(Undoing([CAUSE], begun=True))


def test_a_handshake_that_was_not_made_again_is_not_as_before() -> None:
    before = {"ec1": {"results": [{"name": "a", "present": "keystore", "outcome": "accepted"}]}}
    for after in ({}, {"ec1": {}}, {"ec1": {"failed": True, "msg": "no"}}):
        assert Undoing([CAUSE], begun=True, handshakes=list(handshakes(before, after))).state == "broken"


def test_a_long_cause_is_told_by_its_first_and_last_lines() -> None:
    """The last screen holds what to do; all of it stands where it happened."""
    why = "\n".join(f"line {number}" for number in range(60))
    told = account(Undoing([("ec1", "Plan", why)])).splitlines()
    assert len(told) < 15
    assert told[1].endswith("line 0") and told[-2] == "line 59"


def test_of_many_causes_the_first_are_told() -> None:
    told = account(Undoing([(f"ec{number}", "Start", "no") for number in range(60)]))
    assert told.count("Cause: ") == 5
    assert "  And 55 more members failed there." in told


def test_handshakes_are_compared_by_name_and_by_what_is_presented() -> None:
    def made(**outcomes: str) -> dict[str, object]:
        return {"results": [{"name": "x", "present": present, "outcome": outcome, "reason": "r"} for present, outcome in outcomes.items()]}

    found = list(
        handshakes({"ec1": made(keystore="accepted", nothing="refused"), "ec2": {"msg": "gone"}}, {"ec1": made(nothing="refused")})
    )
    assert [(each.present, each.before, each.after, each.is_back) for each in found] == [
        ("keystore", "accepted", None, False),
        ("nothing", "refused", "refused", True),
    ]
    assert [row[0] for row in table_rows([SAME, OTHER])] == ["DIFFERS", "ok"]


def test_certificates_that_changed_are_told_with_both_fingerprints() -> None:
    before, after = Scene(), Scene()
    after.forget("platform1", "desktop1")
    after.trust("platform1", "ec1", identity("ec1", version=2))
    after.trust("ec2", "new", identity("new"))
    assert list(certificates(before.facts, after.facts)) == [
        {"member": "platform1", "alias": "desktop1", "before_sha256": identity("desktop1").sha256, "after_sha256": None},
        {"member": "platform1", "alias": "ec1", "before_sha256": identity("ec1").sha256, "after_sha256": identity("ec1", version=2).sha256},
        {"member": "ec2", "alias": "new", "before_sha256": None, "after_sha256": identity("new").sha256},
    ]
