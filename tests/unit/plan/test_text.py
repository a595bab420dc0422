# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan and the matrix as people read them."""

from __future__ import annotations

from ansible_collections.mutual.tls.plugins.module_utils.plan.changes import Change, Plan
from ansible_collections.mutual.tls.plugins.module_utils.plan.proof import Verdict
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import Link
from ansible_collections.mutual.tls.plugins.module_utils.plan.text import failures_text, matrix_text, plan_text, table
from ansible_collections.mutual.tls.plugins.module_utils.x509 import timestamp

from .scenery import DAY, NOW, PATH, Scene, identity


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table(("A", "LONG", "LAST"), [("wide", 1, "x" * 9), ("w", 23, "")]) == (
        "  A     LONG  LAST\n"
        "  wide  1     xxxxxxxxx\n"
        "  w     23"
    )  # fmt: skip


def test_a_clean_plan_says_so() -> None:
    scene = Scene()
    assert plan_text(scene.system, scene.plan()) == (
        "Plan for mediationzone: trust model pairwise, client auth required, 4 members, 5 links\n"
        "  Nothing is to be changed and nothing is to be restarted."
    )


def test_changes_with_one_reason_share_a_row() -> None:
    scene = Scene()
    scene["ec1"]["settings"]["values"] = {}
    scene.forget("desktop1", "platform1")
    assert plan_text(scene.system, scene.plan()).splitlines()[1:] == [
        "  MEMBER    WHAT      ACTION   WHICH                             WHY",
        "  ec1       setting   set      pico.rcp.tls.keystore and 2 more  it is not there",
        "  desktop1  keystore  trust    platform1                         'platform1' and 'desktop1' connect to each other",
        "  ec1       restart   restart  ec                                its settings change",
    ]


def test_short_subjects_are_all_named() -> None:
    scene = Scene()
    for alias in ("ec1", "ec2"):
        scene.forget("platform1", alias)
    scene.lose("ec1")
    scene.lose("ec2")
    scene.trust("platform1", "old", identity("old"))
    text = plan_text(scene.system, scene.plan())
    assert "Nothing is to be changed" in text
    assert text.endswith("  Note: 'platform1' trusts certificates that the inventory does not name, and they are kept: old.")
    assert text.count("  Note: ") == 3


def test_links_that_fail_come_with_their_reasons() -> None:
    scene = Scene()
    for data in scene.measured.values():
        assert data is not None
        data["identity_wish"] = None
    scene.present("desktop1", identity("desktop1", start=NOW - 2 * DAY, end=NOW - DAY))
    sha256 = identity("desktop1", start=NOW - 2 * DAY, end=NOW - DAY).sha256
    assert plan_text(scene.system, scene.plan()).endswith(
        "Links that would not work (1 of 5):\n"
        "  LINK                        WHY\n"
        f"  desktop1 -> platform1:6790  the certificate of 'desktop1' (CN=desktop1, sha256 {sha256}, keystore {PATH}) "
        f"expired on {timestamp(NOW - DAY)}: renew it"
    )


def test_with_faults_nothing_is_said_to_be_fine() -> None:
    scene = Scene()
    scene["ec1"]["proof"] = None
    assert "Nothing is to be changed" not in plan_text(scene.system, scene.plan())


def test_what_differs_from_the_expectation_comes_first() -> None:
    row = {"client": "ec1", "server": "p", "address": "192.0.2.1:6790", "outcome": "accepted", "protocol": "TLSv1.3"}
    rows = [
        {**row, "expect": "accepted", "as_expected": True, "reason": None},
        {**row, "client": "(a stranger)", "expect": "refused", "as_expected": False, "reason": ""},
        {**row, "client": "ec2", "expect": "accepted", "outcome": "unreachable", "as_expected": False, "reason": "gone", "protocol": None},
    ]
    assert matrix_text(rows).splitlines() == [
        "        CLIENT        SERVER  ADDRESS         EXPECTED  OUTCOME      PROTOCOL  REASON",
        "  FAIL  (a stranger)  p       192.0.2.1:6790  refused   accepted     TLSv1.3",
        "  FAIL  ec2           p       192.0.2.1:6790  accepted  unreachable  -         gone",
        "  ok    ec1           p       192.0.2.1:6790  accepted  accepted     TLSv1.3",
    ]


def test_what_hosts_say_cannot_move_the_cursor() -> None:
    shown = table(("WHO", "WHY"), [("ec1", "\x1b[2J\rall is well")])
    assert shown.splitlines()[1] == "  ec1  \\x1b[2J\\rall is well"


# --- sixty members ----------------------------------------------------------------------------------------------------

MANY = [f"ec{number}" for number in range(1, 61)]


def test_a_plan_for_sixty_members_fits_on_a_screen() -> None:
    changes = [Change("platform1", "keystore", name, "trust", f"'{name}' and 'platform1' connect to each other") for name in MANY]
    for name in MANY:
        changes.append(Change(name, "keystore", name, "create", "there is no private key under this alias"))
        changes.append(Change(name, "keystore", "platform1", "trust", f"'platform1' and '{name}' connect to each other"))
    changes.append(Change("ec7", "restart", "ec7", "restart", "it is not running"))
    assert plan_text(Scene().system, Plan(changes=changes)).splitlines()[1:] == [
        "  MEMBER           WHAT      ACTION   WHICH            WHY",
        "  platform1        keystore  trust    ec1 and 59 more  each and 'platform1' connect to each other",
        "  ec1 and 59 more  keystore  create   (its own)        there is no private key under this alias",
        "  ec1 and 59 more  keystore  trust    platform1        'platform1' and it connect to each other",
        "  ec7              restart   restart  ec7              it is not running",
    ]


def test_a_matrix_of_sixty_members_fits_on_a_screen_and_hides_no_failure() -> None:
    def row(client: str, server: str, expect: str, outcome: str, reason: str = "") -> dict[str, object]:
        address = "192.0.2.1:6790" if server == "p" else f"{server}:6791"
        told = {"client": client, "server": server, "address": address, "expect": expect, "outcome": outcome, "reason": reason}
        return {**told, "protocol": "TLSv1.3", "as_expected": expect == outcome}

    rows = [row(name, "p", "accepted", "refused" if name == "ec9" else "accepted") for name in MANY]
    rows += [row("p", name, "accepted", "accepted") for name in MANY]
    rows += [row("(a stranger)", name, "refused", "refused", "unknown_ca") for name in ("p", *MANY)]
    assert matrix_text(rows).splitlines() == [
        "        CLIENT           SERVER                        ADDRESS         EXPECTED  OUTCOME   PROTOCOL  REASON",
        "  FAIL  ec9              p                             192.0.2.1:6790  accepted  refused   TLSv1.3",
        "  ok    ec1 and 58 more  p                             192.0.2.1:6790  accepted  accepted  TLSv1.3",
        "  ok    p                ec1 ec1:6791 and 59 more                      accepted  accepted  TLSv1.3",
        "  ok    (a stranger)     p 192.0.2.1:6790 and 60 more                  refused   refused   TLSv1.3   unknown_ca",
    ]


def test_what_happened_to_all_clients_of_a_server_is_said_once() -> None:
    """The last lines of a failed run must fit on a screen, whatever the number of members."""
    row = {"server": "p", "address": "192.0.2.1:6790", "expect": "accepted", "as_expected": False, "reason": "certificate expired"}
    rows = [{**row, "client": name, "from": name, "outcome": "refused", "protocol": "TLSv1.3"} for name in MANY]
    rows[6] = {**rows[6], "outcome": "unreachable", "reason": "gone", "protocol": None}
    assert failures_text(rows) == [
        "ec1 and 58 more -> p at 192.0.2.1:6790, tried from there: refused (certificate expired), expected accepted",
        "ec7 -> p at 192.0.2.1:6790, tried from 'ec7': unreachable (gone), expected accepted",
    ]
    assert matrix_text(rows).splitlines()[1:] == [
        "  FAIL  ec1 and 58 more  p       192.0.2.1:6790  accepted  refused      TLSv1.3   certificate expired",
        "  FAIL  ec7              p       192.0.2.1:6790  accepted  unreachable  -         gone",
    ]


def test_links_that_fail_for_one_reason_share_a_row() -> None:
    scene = Scene()
    members = scene.system.members
    verdicts = [
        Verdict(Link(name, "platform1", "platform", "192.0.2.1", 6790), "fails", "the certificate of 'platform1' has expired", "expired")
        for name in members
        if name != "platform1"
    ]
    text = plan_text(scene.system, Plan(verdicts=[*verdicts, *[Verdict(verdicts[0].link, "holds")] * 3]))
    assert text.splitlines()[-3:] == [
        f"Links that would not work ({len(verdicts)} of {len(verdicts) + 3}):",
        "  LINK                              WHY",
        "  ec1 -> platform1:6790 and 2 more  the certificate of 'platform1' has expired",
    ]


def test_of_many_notes_the_first_are_told_before_what_stops_the_plan() -> None:
    scene = Scene()
    link = Link("ec1", "platform1", "platform", "192.0.2.1", 6790)
    plan = Plan(notes=[f"note {number}" for number in range(60)], verdicts=[Verdict(link, "fails", "no", "expired")])
    lines = plan_text(scene.system, plan).splitlines()
    assert lines[-5:] == [
        "  Note: note 9.",
        "  And 50 more notes, which mtls_plan_path writes down.",
        "Links that would not work (1 of 1):",
        "  LINK                   WHY",
        "  ec1 -> platform1:6790  no",
    ]
