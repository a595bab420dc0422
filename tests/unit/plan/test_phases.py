# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is allowed when: new trust everywhere, then what needs it, then old trust goes; each gate is a measurement of every member."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.mutual.tls.plugins.module_utils import x509

from ..authority.scenery import CLIENTS, SYSTEM
from .authority_scenery import Fleet
from .scenery import STARTED, Scene, identity, small, store

NEXT = [replace(SYSTEM, generation=2), CLIENTS]
EVERYBODY = ("platform1", "ec1", "ec2", "desktop1")
HOSTS = ("platform1", "ec1", "ec2")


class Rolling(Fleet):
    """A settled system in which one process restarts after the other, whose system CA is to be replaced."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, phased=True)
        self.settle()
        self.collect(*NEXT)

    def make_next(self) -> None:
        """The new CA exists."""
        self.sign(wishes=NEXT)
        self.signed = None
        self.collect(*NEXT)

    def trust_next(self, *names: str) -> None:
        """The new CA is in these stores, and loaded."""
        for name in names:
            entries = self.scene[name]["store"]["entries"]
            self.scene[name]["store"] = store(*entries, self.ca("system", 2))

    def present_next(self, *names: str) -> None:
        """These members serve what the new CA signed."""
        self.sign(*names, wishes=NEXT)
        assert self.signed is not None
        for name in names:
            chain = tuple(x509.pem_to_der(self.signed["issued"][name]["chain_pem"], name))
            held = self.scene.facts[name].store
            assert held is not None
            key_entry = {**vars(held.with_chain(name, chain).entries[0])}
            others = [entry for entry in self.scene[name]["store"]["entries"] if entry["type"] == "trusted_cert"]
            self.scene[name]["store"] = store(key_entry, *others)
            self.scene[name]["proof"] = self.prove(name, chain[0])
            for endpoint in self.scene[name]["endpoints"]:
                endpoint.update(served_sha256=x509.sha256(chain[0]), served_pem=x509.der_to_pem(chain[0]))
        self.signed = None


@pytest.fixture()
def rolling(path: Path) -> Rolling:
    return Rolling(path)


def trusted(fleet: Fleet, name: str) -> dict[str, bool]:
    return {wish.alias: wish.present for wish in fleet.plan().trust.get(name, ())}


# --- first: trust -----------------------------------------------------------------------------------------------------


def test_first_only_the_ca_is_made(rolling: Rolling) -> None:
    plan = rolling.plan()
    assert plan.identities == []
    assert plan.later == {"present": list(HOSTS), "distrust": []}
    assert {(change.member, change.action) for change in plan.changes} == {("(authority)", "replace")}
    assert {verdict.outcome for verdict in plan.verdicts} == {"holds"}


def test_without_phases_all_of_it_is_one_step(path: Path) -> None:
    fleet = Fleet(path)
    fleet.settle()
    fleet.collect(*NEXT)
    plan = fleet.plan()
    assert (plan.identities, plan.more) == (list(HOSTS), False)


def test_once_it_is_made_everybody_trusts_it_beside_the_old_one(rolling: Rolling) -> None:
    rolling.make_next()
    plan = rolling.plan()
    assert plan.identities == []
    for name in EVERYBODY:
        assert {**trusted(rolling, name), "clients-ca-1": True} == {"system-ca-1": True, "system-ca-2": True, "clients-ca-1": True}
    assert (plan.may_roll, plan.later["present"]) == (True, list(HOSTS))


# --- second: present --------------------------------------------------------------------------------------------------


def test_nobody_presents_anew_before_all_that_it_meets_trust_the_ca(rolling: Rolling) -> None:
    rolling.make_next()
    rolling.trust_next("platform1", "ec1", "desktop1")
    plan = rolling.plan()
    assert plan.identities == ["ec1", "ec2"], "their only partner is the platform"
    assert plan.later["present"] == ["platform1"], "ec2 would refuse it"
    rolling.trust_next("ec2")
    assert rolling.plan().identities == list(HOSTS)


def test_nor_before_they_have_loaded_it(rolling: Rolling) -> None:
    rolling.make_next()
    rolling.trust_next(*EVERYBODY)
    rolling.scene["ec2"]["store"]["modified"] = STARTED + 1
    assert rolling.plan().later["present"] == ["platform1"]


def test_nor_in_the_step_in_which_they_begin_to_trust_it(rolling: Rolling) -> None:
    """A desktop has no endpoint that shows what it has loaded."""
    rolling.make_next()
    rolling.trust_next(*EVERYBODY)
    rolling.scene["desktop1"]["store"]["changed"] = True
    assert rolling.plan().later["present"] == ["platform1"]


def test_a_member_that_missed_the_first_step_stops_the_second_by_name(rolling: Rolling) -> None:
    rolling.make_next()
    rolling.trust_next("platform1", "ec1", "desktop1")
    rolling.scene.lose("ec2")
    plan = rolling.plan()
    assert plan.state == "unprovable"
    assert any("'platform1' would get another certificate" in fault and "'ec2' was not reached" in fault for fault in plan.faults)


def test_a_key_that_was_never_presented_waits_for_nobody(rolling: Rolling) -> None:
    """A run that died between making a key and having it signed leaves one: it must be signed for anything to work."""
    rolling.make_next()
    rolling.trust_next("platform1", "ec1", "desktop1")
    rolling.scene.present("platform1", identity("platform1", version=9))
    assert "platform1" in rolling.plan().identities


def test_what_nobody_accepts_any_more_waits_for_nobody(rolling: Rolling) -> None:
    """Revoked, or expired: else a step could neither change it nor be proven with it."""
    rolling.collect(*NEXT, revoked=["ec2"])
    assert rolling.plan().identities == ["ec2"]
    rolling.collect(*NEXT)
    assert rolling.plan().identities == []
    for entry in rolling.scene["ec1"]["store"]["entries"]:
        entry["not_after"] = "2001-01-01T00:00:00Z"
    assert rolling.plan().identities == ["ec1"]


def test_what_the_product_does_not_start_is_waited_for_by_nobody(rolling: Rolling) -> None:
    """A program of somebody else on a member's host loads nothing of ours."""
    rolling.make_next()
    rolling.trust_next(*EVERYBODY)
    rolling.scene["ec2"]["endpoints"][0].update(tls=False, served_sha256=None)
    assert rolling.plan().later["present"] == ["platform1"]
    ec2 = rolling.scene.system.members["ec2"]
    elsewhere = replace(ec2, endpoints=tuple(replace(endpoint, tier="somebody else's") for endpoint in ec2.endpoints))
    rolling.scene.system = replace(rolling.scene.system, members={**rolling.scene.system.members, "ec2": elsewhere})
    assert rolling.plan().later["present"] == []


def test_processes_follow_one_another_only_where_what_they_serve_is_accepted(rolling: Rolling) -> None:
    """An authority that was lost, or a key that was shared: who has restarted would not be accepted by who has not."""
    rolling.make_next()
    assert rolling.plan().may_roll
    stranger = identity("stranger")
    for pem in (x509.der_to_pem(stranger.certificate), "nonsense", x509.der_to_pem(b"no certificate"), None):
        rolling.scene["ec1"]["endpoints"][0].update(served_sha256=stranger.sha256, served_pem=pem)
        assert not rolling.plan().may_roll


# --- third: drop ------------------------------------------------------------------------------------------------------


def test_old_trust_stays_while_anybody_may_present_what_needs_it(rolling: Rolling) -> None:
    rolling.make_next()
    rolling.trust_next(*EVERYBODY)
    rolling.present_next("ec1", "ec2")
    plan = rolling.plan()
    assert plan.identities == ["platform1"]
    assert trusted(rolling, "ec1") == {}, "the platform presents the old one"
    assert trusted(rolling, "platform1") == {"system-ca-1": False, "system-ca-2": True, "clients-ca-1": True}


def test_and_while_a_process_serves_what_it_loaded_before(rolling: Rolling) -> None:
    rolling.make_next()
    rolling.trust_next(*EVERYBODY)
    before = rolling.scene["ec2"]["endpoints"][0]["served_sha256"]
    rolling.present_next(*HOSTS)
    rolling.scene["ec2"]["endpoints"][0]["served_sha256"] = before
    plan = rolling.plan()
    assert plan.later == {"present": [], "distrust": ["platform1"]}
    assert trusted(rolling, "platform1") == {}
    assert trusted(rolling, "ec1") == {"system-ca-1": False, "system-ca-2": True}
    assert "ec2" in {restart.member for restart in plan.restarts}


def test_at_last_it_goes_everywhere(rolling: Rolling) -> None:
    rolling.make_next()
    rolling.trust_next(*EVERYBODY)
    rolling.present_next(*HOSTS)
    plan = rolling.plan()
    assert (plan.identities, plan.more, plan.faults) == ([], False, [])
    assert all(trusted(rolling, name)["system-ca-1"] is False for name in EVERYBODY)
    assert {verdict.outcome for verdict in plan.verdicts} == {"holds"}


def test_but_not_for_one_that_was_not_reached_and_the_plan_names_it(rolling: Rolling) -> None:
    rolling.make_next()
    rolling.trust_next(*EVERYBODY)
    rolling.present_next(*HOSTS)
    rolling.scene.lose("ec2")
    plan = rolling.plan()
    assert trusted(rolling, "platform1") == {}
    assert (
        "'platform1' goes on trusting 'system-ca-1', because 'ec2' was not reached and may still present what it is needed for"
        in plan.notes
    )
    assert not plan.more, "no further step of this run would change that"


def test_partners_own_certificates_go_the_same_way(path: Path) -> None:
    """From pairwise: the certificates that members trusted each other by are an old trust like any other."""
    fleet = Rolling.__new__(Rolling)
    Fleet.__init__(fleet, path, phased=True)
    fleet.scene.measured = Scene(small()).measured
    fleet.sign()
    fleet.signed = None
    fleet.collect()
    assert fleet.plan().identities == []
    for name in EVERYBODY:
        fleet.scene[name]["store"] = store(*fleet.scene[name]["store"]["entries"], fleet.ca("system"), fleet.ca("clients"))
    assert fleet.plan().identities == list(EVERYBODY)
    assert trusted(fleet, "platform1") == {}
