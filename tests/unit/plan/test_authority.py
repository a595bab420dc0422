# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trust model authority in the plan: who is asked to sign what, which CAs are trusted, and when that is taken back.

The authority is a real one in a temporary directory; what was measured of hosts is made from what it signed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.authority.wishes import Revocation
from ansible_collections.mutual.tls.plugins.module_utils.entries import PrivateKeyEntry
from ansible_collections.mutual.tls.plugins.module_utils.facts import entry_facts
from ansible_collections.mutual.tls.plugins.module_utils.plan.build import build

from ..authority.scenery import CLIENTS, SYSTEM, request, run
from .authority_scenery import WISHES, Fleet
from .scenery import DAY, NOW, Scene, adapter, changes, client, execution, identity, key, platform, reasons, small, store


@pytest.fixture()
def fleet(path: Path) -> Fleet:
    """A settled system."""
    made = Fleet(path)
    made.settle()
    return made


# --- the steady state -------------------------------------------------------------------------------------------------


def test_a_settled_system_has_nothing_to_do(fleet: Fleet) -> None:
    plan = fleet.plan()
    assert (plan.state, plan.changes, plan.faults, plan.notes) == ("clean", [], [], [])
    assert {verdict.outcome for verdict in plan.verdicts} == {"holds"}


def test_without_the_authority_nothing_is_planned(fleet: Fleet) -> None:
    fleet.collected = {"failed": True, "msg": "The key is not opened by the passphrase."}
    assert fleet.plan().faults == ["the authority could not be measured: The key is not opened by the passphrase."]
    fleet.collected = None
    assert fleet.plan().faults == ["the authority could not be measured: nobody asked for it"]


# --- from nothing, and from pairwise ----------------------------------------------------------------------------------


def test_from_pairwise_everybody_keeps_the_key_and_asks_for_a_certificate(path: Path) -> None:
    fleet = Fleet(path)
    fleet.collect()
    plan = fleet.plan()
    assert plan.state == "pending"
    assert plan.identities == ["platform1", "ec1", "ec2", "desktop1"]
    assert plan.revoked_keys == {}
    assert {verdict.outcome for verdict in plan.verdicts} == {"awaits"}
    expected = {("(authority)", "authority", name, "create") for name in ("system", "clients")}
    expected |= {(name, "keystore", name, "renew") for name in plan.identities}
    expected |= {("platform1", "keystore", f"{name}-ca", "trust") for name in ("system", "clients")}
    expected |= {(name, "keystore", "system-ca", "trust") for name in ("ec1", "ec2", "desktop1")}
    expected |= {("platform1", "keystore", name, "distrust") for name in ("ec1", "ec2", "desktop1")}
    expected |= {(name, "keystore", "platform1", "distrust") for name in ("ec1", "ec2", "desktop1")}
    assert {change for change in changes(plan) if change[1] != "restart"} == expected
    assert plan.trust == {}, "nothing is taken away before the authority has signed"


def test_once_it_has_signed_chains_are_installed_and_partners_own_certificates_go(path: Path) -> None:
    fleet = Fleet(path)
    fleet.collect()
    fleet.sign("platform1", "ec1", "ec2", "desktop1")
    plan = fleet.plan()
    assert plan.identities == []
    assert set(plan.install) == {"platform1", "ec1", "ec2", "desktop1"}
    assert {verdict.outcome for verdict in plan.verdicts} == {"holds"}
    trust = {wish.alias: wish.present for wish in plan.trust["platform1"]}
    assert trust == {"system-ca-1": True, "clients-ca-1": True, "ec1": False, "ec2": False, "desktop1": False}
    assert {wish.alias: wish.present for wish in plan.trust["ec1"]} == {"system-ca-1": True, "platform1": False}


def test_a_partner_that_was_not_reached_keeps_its_trust_and_stops_the_others(path: Path) -> None:
    """It would not trust what they present."""
    fleet = Fleet(path)
    fleet.scene.lose("ec2")
    fleet.collect()
    plan = fleet.plan()
    assert plan.state == "unprovable"
    assert any("'platform1' would get another certificate" in fault and "'ec2' was not reached" in fault for fault in plan.faults)
    fleet.sign("platform1", "ec1", "desktop1")
    trust = {wish.alias: wish.present for wish in fleet.plan().trust["platform1"]}
    assert trust == {"system-ca-1": True, "clients-ca-1": True, "ec1": False, "desktop1": False, "ec2": True}


def test_one_more_host_changes_nobody_elses_store(fleet: Fleet, path: Path) -> None:
    """O(1): what everybody trusts is the CA."""
    fleet.scene["ec2"]["store"] = {"path": "/opt/mz/keys", "present": False, "sha256": None, "modified": None, "entries": []}
    fleet.scene["ec2"]["proof"] = None
    plan = fleet.plan()
    assert plan.identities == ["ec2"]
    assert {change[0] for change in changes(plan) if change[1] == "keystore"} == {"ec2"}


# --- renewal ----------------------------------------------------------------------------------------------------------


def test_a_certificate_that_ends_soon_is_asked_for_again_and_touches_nobody_else(fleet: Fleet) -> None:
    later = NOW + 780 * DAY
    plan = build(fleet.scene.system, fleet.facts(), later, authority=fleet.authority)
    assert plan.identities == ["platform1", "ec1", "ec2", "desktop1"]
    assert all("sooner than renew_before" in reason for name in plan.identities for reason in reasons(plan, name, "keystore"))
    assert plan.trust == {}


def test_a_certificate_of_another_name_is_asked_for_again(fleet: Fleet) -> None:
    fleet.scene["ec1"]["identity_wish"]["subject_alt_name"] = ["DNS:another.example.test"]
    plan = fleet.plan()
    assert plan.identities == ["ec1"]
    assert changes(plan) >= {("ec1", "keystore", "ec1", "renew")}


def test_a_self_signed_certificate_is_never_good_enough(fleet: Fleet) -> None:
    fleet.scene.present("ec1", identity("ec1"))
    plan = fleet.plan()
    assert plan.identities == ["ec1"]
    assert reasons(plan, "ec1", "keystore")[0] == "it is not signed by the authority 'system', generation 1"


def test_a_certificate_of_the_wrong_ca_is_replaced(fleet: Fleet) -> None:
    """A desktop with a certificate for members of the system would be let in by everybody."""
    found = run(fleet.path, request("desktop1", key=key("desktop1 1"), authority="system"), wishes=WISHES, now=NOW).issued["desktop1"]
    others = [entry for entry in fleet.scene["desktop1"]["store"]["entries"] if entry["type"] == "trusted_cert"]
    fleet.scene["desktop1"]["store"] = store(entry_facts(PrivateKeyEntry("desktop1", x509.to_pkcs8(key("desktop1 1")), found)), *others)
    fleet.scene["desktop1"]["proof"] = x509.prove_possession(key("desktop1 1"), "desktop1", found[0])
    assert fleet.plan().identities == ["desktop1"]


def test_a_renewed_ca_reaches_every_store_and_every_chain(fleet: Fleet) -> None:
    """Its key is the same, so what it signed stays good meanwhile."""
    wishes = [replace(SYSTEM, valid_for=4000 * DAY, renew_before=3700 * DAY), CLIENTS]
    fleet.sign(wishes=wishes)
    plan = fleet.plan()
    assert {verdict.outcome for verdict in plan.verdicts} <= {"holds", "awaits"}
    assert set(plan.trust) == {"platform1", "ec1", "ec2", "desktop1"}
    assert plan.identities == ["platform1", "ec1", "ec2"]


# --- revocation, and the next generation ------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "ca"), [("desktop1", "clients"), ("ec2", "system")])
def test_where_no_lists_are_read_the_ca_that_signed_for_somebody_revoked_is_replaced(path: Path, name: str, ca: str) -> None:
    inventory = {**small(), "desktop2": client("192.0.2.6")}
    settled = Fleet(path, inventory=inventory)
    settled.settle()
    fleet = Fleet(path, inventory=inventory, revoked=[name])
    fleet.scene.measured = settled.scene.measured
    fleet.collect(revoked=[name])
    plan = fleet.plan()
    assert plan.generations == {ca: 2}
    assert ("(authority)", "authority", ca, "replace") in changes(plan)
    assert plan.identities == (["desktop2"] if ca == "clients" else ["platform1", "ec1"])
    fleet.sign(*plan.identities, wishes=[replace(each, generation=2 if each.name == ca else 1) for each in WISHES], revoked=[name])
    after = fleet.plan()
    assert (after.generations, after.faults) == ({}, [])
    assert {verdict.outcome for verdict in after.verdicts} == {"holds"}
    trust = {wish.alias: wish.present for wish in after.trust["platform1"]}
    assert (trust[f"{ca}-ca-2"], trust[f"{ca}-ca-1"]) == (True, False)


def test_where_lists_are_read_nobody_else_needs_anything(path: Path) -> None:
    inventory = {**small(), "desktop2": client("192.0.2.6")}
    settled = Fleet(path, inventory=inventory)
    settled.settle()
    fleet = Fleet(path, inventory=inventory, revoked=["desktop1"], product=adapter(reads_crl=True))
    fleet.scene.measured = settled.scene.measured
    fleet.collect(revoked=["desktop1"])
    plan = fleet.plan()
    assert (plan.generations, plan.identities) == ({}, [])
    assert changes(plan) == {
        ("(authority)", "authority", "desktop1", "revoke"),
        ("(authority)", "authority", "clients 1", "list"),
    }


def test_an_old_ca_stays_trusted_while_a_member_that_it_signed_for_was_not_reached(fleet: Fleet) -> None:
    fleet.scene.lose("ec2")
    wishes = [replace(SYSTEM, generation=2), CLIENTS]
    fleet.sign("platform1", "ec1", wishes=wishes)
    plan = fleet.plan()
    trust = {wish.alias: wish.present for wish in plan.trust["platform1"]}
    assert (trust["system-ca-1"], trust["system-ca-2"]) == (True, True)
    fleet.collect(*wishes)
    fleet.signed = None


def test_a_revoked_member_is_tried_where_it_trusts_the_servers_ca(fleet: Fleet) -> None:
    """Not the server's own certificate, which nobody trusts by itself here."""
    revoked = Scene(trust_model="authority", revoked=["desktop1"])
    revoked.measured = fleet.scene.measured
    assert [probe.expect for probe in revoked.matrix().probes if probe.member == "desktop1" and probe.present == "keystore"] == ["refused"]
    revoked.forget("desktop1", "system-ca-1")
    assert not [probe for probe in revoked.matrix().probes if probe.member == "desktop1"]


def test_who_is_revoked_no_more_gets_a_new_key(fleet: Fleet) -> None:
    run(fleet.path, wishes=WISHES, revoked=[Revocation("ec2")], now=NOW)
    fleet.collect()
    plan = fleet.plan()
    assert plan.revoked_keys == {"ec2": [x509.key_sha256(key("ec2 1").public_key())]}
    assert "its certificate was revoked, and its key with it" in reasons(plan, "ec2", "keystore")


# --- and back ---------------------------------------------------------------------------------------------------------


def test_back_in_pairwise_own_keys_sign_again(fleet: Fleet) -> None:
    """A Java client sends a certificate only to a server that trusts one of its issuers, so a trusted leaf would not do."""
    pairwise = Scene()
    pairwise.measured = fleet.scene.measured
    plan = pairwise.plan(authority=fleet.authority)
    assert plan.self_sign == plan.identities == ["platform1", "ec1", "ec2", "desktop1"]
    for name in plan.identities:
        pairwise.present(name, identity(name))
    after = pairwise.plan(authority=fleet.authority)
    assert {verdict.outcome for verdict in after.verdicts} == {"holds"}
    trust = {wish.alias: wish.present for wish in after.trust["platform1"]}
    assert trust == {"ec1": True, "ec2": True, "desktop1": True, "system-ca-1": False, "clients-ca-1": False}


def test_somebody_elses_ca_is_left_alone(fleet: Fleet) -> None:
    """Only what our authority has signed is taken back."""
    pairwise = Scene()
    pairwise.measured = fleet.scene.measured
    plan = pairwise.plan()
    assert (plan.self_sign, plan.identities) == ([], [])
    assert not any(not wish.present for wishes in plan.trust.values() for wish in wishes)


def test_two_platforms_trust_each_other_through_the_ca(path: Path) -> None:
    inventory = {
        "platform1": platform(),
        "platform2": platform("192.0.2.9"),
        "ec1": execution("192.0.2.2"),
        "desktop1": client("192.0.2.5"),
    }
    fleet = Fleet(path, inventory=inventory)
    fleet.settle()
    assert fleet.plan().state == "clean"


def test_back_in_pairwise_with_a_partner_away_its_ca_stays_trusted(fleet: Fleet) -> None:
    """Nobody knows what it presents."""
    pairwise = Scene()
    pairwise.measured = fleet.scene.measured
    for name in ("platform1", "ec1", "desktop1"):
        pairwise.present(name, identity(name))
    pairwise.lose("ec2")
    removed = [wish.alias for wish in pairwise.plan(authority=fleet.authority, unreachable="skip").trust["platform1"] if not wish.present]
    assert removed == []


# --- people, who are nobody's host ------------------------------------------------------------------------------------


def without_desktops() -> dict[str, Any]:
    return {name: variables for name, variables in small().items() if variables["mtls_kind"] != "client"}


@pytest.mark.parametrize(
    ("people", "revoked", "trusted"),
    [(("zoe",), (), True), ((), (), False), (("zoe",), ("zoe",), False), (("zoe", "yan"), ("zoe",), True), (("ec1",), (), False)],
)
def test_servers_of_people_trust_the_ca_that_signs_for_them(path: Path, people: Any, revoked: Any, trusted: bool) -> None:
    fleet = Fleet(path, inventory=without_desktops(), people=people, revoked=revoked)
    fleet.settle()
    changes = [(change.member, change.subject, change.action) for change in fleet.plan().changes]
    assert changes[:1] == ([] if trusted else [("platform1", "clients-ca-1", "distrust")])
    assert fleet.scene.system.people_connect is trusted
    assert not fleet.scene.system.serves_people("execution"), "nobody but the Platform meets people"


def test_the_ca_of_people_is_awaited_where_it_is_not_made_yet(path: Path) -> None:
    fleet = Fleet(path, inventory=without_desktops(), people=("zoe",))
    fleet.collect()
    awaited = [(change.member, change.subject) for change in fleet.plan().changes if change.subject.endswith("-ca")]
    assert awaited == [("platform1", "system-ca"), ("platform1", "clients-ca"), ("ec1", "system-ca"), ("ec2", "system-ca")]


def test_when_that_ca_is_replaced_the_old_one_goes_though_people_may_still_present_it(path: Path) -> None:
    fleet = Fleet(path, inventory=without_desktops(), people=("zoe",))
    fleet.settle()
    fleet.sign(wishes=[SYSTEM, replace(CLIENTS, generation=2)])
    changes = {(change.member, change.subject, change.action) for change in fleet.plan().changes}
    assert {("platform1", "clients-ca-2", "trust"), ("platform1", "clients-ca-1", "distrust")} <= changes


@pytest.mark.parametrize(("pem_kinds", "left"), [((), 0), (("platform",), 1)])
def test_what_reads_pem_files_is_left_one_ca_when_the_last_client_is_revoked(path: Path, pem_kinds: Any, left: int) -> None:
    product = adapter(reads_crl=True, pem_kinds=pem_kinds)
    inventory = {"platform1": platform(), "desktop1": client("192.0.2.5")}
    fleet = Fleet(path, inventory=inventory, revoked=("desktop1",), product=product)
    fleet.settle("platform1")
    distrusted = {change.subject for change in fleet.plan().changes if change.action == "distrust"}
    assert len({"system-ca-1", "clients-ca-1"} - distrusted) == left
