# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan where the authority is somebody else's, with a CA below each root: what can wait, what cannot, and what revocation needs."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.entries import PrivateKeyEntry, TrustedCertEntry
from ansible_collections.mutual.tls.plugins.module_utils.facts import entry_facts
from ansible_collections.mutual.tls.plugins.module_utils.plan.authority import AuthorityFacts, read_authority
from ansible_collections.mutual.tls.plugins.module_utils.plan.changes import Plan
from ansible_collections.mutual.tls.plugins.module_utils.plan.matrix import Matrix, matrix
from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import Facts

from ..factory import issue, revocation_list
from .scenery import DAY, NOW, WRITTEN, Scene, adapter, client, key, reasons, small, store

SERVER = "platform1"


class Company:
    """A settled system whose members have what a company's CAs signed, and whose servers read lists if *lists*."""

    def __init__(self, *, lists: bool = False, **wishes: Any) -> None:
        product = adapter(pem_kinds=["platform"], reads_crl=True, activation="reload") if lists else adapter()
        self.scene = Scene({**small(), "desktop2": client("192.0.2.6")}, trust_model="authority", product=product, phased=lists, **wishes)
        self.roots = {
            ("system", 1): issue("root of hosts", ca=True, usages=None),
            ("clients", 1): issue("root of people", ca=True, usages=None),
        }
        self.below = {place: issue(f"CA below {place[0]}", by=root, ca=True, usages=None) for place, root in self.roots.items()}
        self.lists = {place: [revocation_list(self.roots[place]), revocation_list(self.below[place])] for place in self.roots}
        self.more: dict[str, Any] = {}
        for name in self.scene.system.members:
            self.present(name)

    def ca_of(self, name: str) -> str:
        return "clients" if self.scene.system.members[name].kind == "client" else "system"

    def chain(self, name: str, generation: int = 1, **given: Any) -> tuple[bytes, ...]:
        below = self.below[self.ca_of(name), generation]
        return issue(name, by=below, key=key(f"{name} 1"), ends=NOW + 400 * DAY, begins=NOW - DAY, **given).chain

    def present(self, name: str, chain: tuple[bytes, ...] | None = None) -> None:
        """The member has this chain, and trusts the roots that it needs."""
        chain = chain or self.chain(name)
        own = entry_facts(PrivateKeyEntry(name, x509.to_pkcs8(key(f"{name} 1")), chain))
        needs = ("system", "clients") if self.scene.system.members[name].kind == "platform" else ("system",)
        trusted = [entry_facts(TrustedCertEntry(f"{ca}-ca-1", self.roots[ca, 1].der)) for ca in needs]
        self.scene[name]["store"] = store(own, *trusted)
        self.scene[name]["proof"] = x509.prove_possession(key(f"{name} 1"), name, chain[0])
        for endpoint in self.scene[name]["endpoints"]:
            endpoint.update(served_sha256=x509.sha256(chain[0]), served_pem=x509.der_to_pem(chain[0]))
        if self.scene.system.adapter.pem_kinds and name == SERVER:
            self.scene[name]["pem"] = {
                "identity_path": "/etc/mutual_tls/identity.pem",
                "trust_path": "/etc/mutual_tls/trust.pem",
                "identity_change": None,
                "trusted": [entry["sha256"] for entry in trusted],
                "crls": [crl.sha256 for ca in self.authority.cas for crl in ca.crls],
                "modified": WRITTEN,
            }

    @property
    def authority(self) -> AuthorityFacts:
        """What the module external_authority returned."""
        cas = [
            {
                "name": name,
                "generation": generation,
                "sha256": root.sha256,
                "pem": root.pem,
                "crl": {"pem": "".join(self.lists[name, generation])} if self.lists[name, generation] else None,
            }
            for (name, generation), root in self.roots.items()
        ]
        data = {"authorities": cas, "revoked": [], "changes": [], "issued": {}, "awaited": [], **self.more}
        found = read_authority({**data, "awaited": []}, data)
        assert found is not None
        return found

    def facts(self) -> dict[str, Facts]:
        found = dict(self.scene.facts)
        for name, chain in self.authority.issued.items():
            held = found[name].store
            assert held is not None
            found[name] = replace(found[name], store=held.with_chain(name, chain))
        return found

    def plan(self) -> Plan:
        return self.scene.plan(self.facts(), authority=self.authority)

    def revoked(self, name: str, *, lists: bool) -> Company:
        """The same system with somebody revoked."""
        other = Company(lists=lists, revoked=[name])
        other.roots, other.below, other.lists, other.scene.measured = self.roots, self.below, self.lists, self.scene.measured
        return other


@pytest.fixture(params=[False, True], ids=["no-lists", "lists"])
def company(request: pytest.FixtureRequest) -> Company:
    return Company(lists=request.param)


def test_a_settled_system_with_cas_between_has_nothing_to_do(company: Company) -> None:
    plan = company.plan()
    assert (plan.state, plan.changes, plan.faults, plan.notes) == ("clean", [], [], [])
    assert {verdict.outcome for verdict in plan.verdicts} == {"holds"}


def test_who_waits_with_what_works_changes_nothing(company: Company) -> None:
    company.scene["ec1"]["identity_wish"]["renew_before"] = "500d"
    assert company.plan().identities == ["ec1"]
    company.more = {"awaited": [{"name": "ec1"}]}
    plan = company.plan()
    assert (plan.state, plan.identities, plan.awaited, plan.without, plan.more) == ("pending", [], ["ec1"], [], False)
    assert plan.changes == []
    assert {verdict.outcome for verdict in plan.verdicts} == {"holds"}


def test_what_may_not_be_signed_yet_restarts_nothing(company: Company) -> None:
    """Roles that are used one by one collect anew each, and know of nobody who waits."""
    company.scene["ec1"]["identity_wish"]["renew_before"] = "500d"
    plan = company.plan()
    assert (plan.identities, plan.restarts) == (["ec1"], [])


def test_what_a_ca_signed_that_is_out_works_no_more() -> None:
    company = Company()
    root = issue("another root of people", ca=True, usages=None)
    company.roots["clients", 2], company.lists["clients", 2] = root, []
    kept = [entry for entry in company.scene["platform1"]["store"]["entries"] if entry["alias"] != "clients-ca-1"]
    company.scene["platform1"]["store"] = store(*kept, entry_facts(TrustedCertEntry("clients-ca-2", root.der)))
    company.more = {
        "revoked": [{"name": "laptop", "authority": "clients", "generation": 1, "sha256": "00"}],
        "awaited": [{"name": "desktop1"}, {"name": "desktop2"}],
    }
    plan = company.plan()
    assert (plan.without, plan.state) == (["desktop1", "desktop2"], "pending")


def test_nobody_expects_handshakes_of_those_who_wait(company: Company) -> None:
    def presenting(made: Matrix) -> set[str]:
        return {probe.member for probe in made.probes if probe.present == "keystore"}

    made, all_of_them = (matrix(company.scene.system, company.facts(), waiting) for waiting in (["desktop1"], []))
    assert presenting(all_of_them) - presenting(made) == {"desktop1"}
    assert made.faults == ()
    assert "somebody else has yet to sign for 'desktop1'" in "".join(made.notes)
    assert "desktop1" not in "".join(all_of_them.notes)


def test_who_has_nothing_that_works_waits_and_its_links_with_it(company: Company) -> None:
    company.present("desktop1", company.chain("desktop1"))
    expired = issue("desktop1", by=company.below["clients", 1], key=key("desktop1 1"), begins=NOW - 9 * DAY, ends=NOW - DAY)
    company.present("desktop1", expired.chain)
    assert company.plan().cannot_wait == ["desktop1"]
    company.more = {"awaited": [{"name": "desktop1"}]}
    plan = company.plan()
    assert (plan.without, plan.state) == (["desktop1"], "pending")
    awaiting = {verdict.reason for verdict in plan.verdicts if verdict.outcome == "awaits"}
    assert awaiting == {"somebody else has yet to sign for 'desktop1'"}
    assert {verdict.outcome for verdict in plan.verdicts if verdict.link.client != "desktop1"} == {"holds"}


def test_what_was_signed_with_a_renewed_root_is_installed_though_its_leaf_is_the_same(company: Company) -> None:
    """Else it would be asked for, and restarted, at every run."""
    old = company.roots["system", 1]
    company.roots["system", 1] = issue("root of hosts", key=old.key, ca=True, usages=None, ends=NOW + 900 * DAY)
    plan = company.plan()
    assert "ec1" in (plan.later["present"] if company.scene.system.phased else plan.identities)
    chain = (*company.chain("ec1")[:2], company.roots["system", 1].der)
    held = x509.pem_to_der(company.scene["ec1"]["store"]["entries"][0]["chain_pem"], "ec1")
    company.more = {"issued": {"ec1": {"chain_pem": "".join(map(x509.der_to_pem, (*held[:2], company.roots["system", 1].der)))}}}
    assert len(chain) == 3
    plan = company.plan()
    assert "ec1" in plan.install
    assert "ec1" not in (*plan.identities, *plan.later["present"])


def test_keystores_are_not_protected_anew_while_somebody_may_have_to_sign_first(company: Company) -> None:
    company.scene["ec2"]["store"]["protect_anew"] = ["it is still under the previous password"]
    assert company.plan().faults == []
    expired = issue("ec1", by=company.below["system", 1], key=key("ec1 1"), begins=NOW - 9 * DAY, ends=NOW - DAY)
    company.present("ec1", expired.chain)
    (fault,) = company.plan().faults
    assert "the keystores of 'ec2' would be protected anew, while somebody else may have to sign for 'ec1' first" in fault


def test_a_key_at_every_run_is_refused(company: Company) -> None:
    company.scene["ec1"]["identity_wish"]["regenerate"] = "always"
    assert "somebody else has to sign for each" in "".join(company.plan().faults)


# --- what hosts say ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("junk", [b"junk", issue("a CA of anybody", ca=True, usages=None).der], ids=["unreadable", "another-ca"])
def test_what_a_host_adds_to_its_chain_counts_for_nothing(company: Company, junk: bytes) -> None:
    """A host that is revoked must not be able to stop its own revocation, nor any other host the plan."""
    chain = company.chain("ec1")
    company.scene["ec1"]["store"]["entries"][0]["chain_pem"] = "".join(map(x509.der_to_pem, (*chain, junk)))
    company.scene["ec1"]["store"]["entries"][0].update(sha256=x509.sha256(chain[0]), pem=x509.der_to_pem(chain[0]))
    plan = company.plan()
    assert not [fault for fault in plan.faults if "CA of anybody" in fault or "cannot be read" in fault]


def test_a_key_that_was_revoked_once_is_not_asked_for_again(company: Company) -> None:
    """Also where its certificate has expired since, or another one took its place."""
    revoked = x509.key_sha256(key("ec1 1").public_key())
    company.more = {"revoked_keys": {"ec1": [revoked, "ab" * 32]}}
    plan = company.plan()
    assert plan.revoked_keys == {"ec1": sorted([revoked, "ab" * 32])}
    assert "its certificate was revoked, and its key with it" in reasons(plan, "ec1", "keystore")


def test_a_member_is_no_ca_for_another(company: Company) -> None:
    """Not even if its own certificate comes from the root."""
    ec2 = issue("ec2", by=company.below["system", 1], key=key("ec2 1"), begins=NOW - DAY, ends=NOW + 400 * DAY)
    company.present("ec1", issue("ec1", by=ec2, key=key("ec1 1"), begins=NOW - DAY, ends=NOW + 400 * DAY).chain)
    assert "it is not signed by the authority 'system', generation 1" in reasons(company.plan(), "ec1", "keystore")


# --- revocation where servers read lists ------------------------------------------------------------------------------


@pytest.fixture
def listed() -> Company:
    return Company(lists=True)


def test_to_be_switched_off_nothing_need_be_in_order(listed: Company) -> None:
    """An ended list is an outage, and to switch client auth off is the way out of it."""
    off = Company(lists=True, client_auth="none")
    off.roots, off.below, off.scene.measured = listed.roots, listed.below, listed.scene.measured
    off.lists = {place: [] for place in off.lists}
    assert off.plan().faults == []
    without = Company(revoked=["desktop1"], client_auth="none")
    assert without.plan().faults == []


def test_every_ca_on_the_way_needs_revocation_list(listed: Company) -> None:
    listed.lists["clients", 1] = [revocation_list(listed.roots["clients", 1])]
    assert listed.plan().faults == [
        "clients-1.crl.pem has no revocation list of 'CN=CA below clients', without which mediationzone accepts nobody that it signed for"
    ]


def test_a_list_that_has_ended_is_a_fault_and_one_that_ends_soon_a_note(listed: Company) -> None:
    root, below = listed.roots["clients", 1], listed.below["clients", 1]
    listed.lists["clients", 1] = [revocation_list(root, ends=NOW + DAY), revocation_list(below)]
    assert "the revocation list of 'CN=root of people' ends on" in "".join(listed.plan().notes)
    listed.lists["clients", 1] = [revocation_list(root, ends=NOW - datetime.timedelta(hours=1)), revocation_list(below)]
    assert "the revocation list of 'CN=root of people' ended on" in "".join(listed.plan().faults)


def test_lists_of_a_ca_that_nobody_needs_any_more_stop_nothing(listed: Company) -> None:
    listed.roots["clients", 0] = issue("former root of people", ca=True, usages=None)
    listed.lists["clients", 0] = []
    assert listed.plan().faults == []


def test_who_is_revoked_must_be_on_a_list_by_what_its_host_presents(listed: Company) -> None:
    revoked = listed.revoked("desktop1", lists=True)
    (fault,) = revoked.plan().faults
    assert "'desktop1' is to be revoked, and no revocation list has what it presents" in fault
    serial = x509.load_certificate(x509.pem_to_der(revoked.scene["desktop1"]["store"]["entries"][0]["pem"], "")[0]).serial_number
    revoked.lists["clients", 1] = [revocation_list(revoked.roots["clients", 1]), revocation_list(revoked.below["clients", 1], serial)]
    assert revoked.plan().faults == []
    revoked.lists["clients", 1] = [revocation_list(revoked.roots["clients", 1], serial), revocation_list(revoked.below["clients", 1])]
    assert revoked.plan().faults, "serial numbers are an issuer's own"
    revoked.scene["desktop1"]["proof"] = None
    assert revoked.plan().faults == [], "what it does not prove to hold says nothing"


def test_what_the_ledger_knows_of_somebody_revoked_is_told_with_its_serial(listed: Company) -> None:
    gone = {"name": "laptop", "authority": "clients", "generation": 1, "serial": "1f", "not_after": "2031-01-01T00:00:00Z"}
    listed.more = {"unlisted": [gone, {**gone, "generation": 0, "serial": "2f"}]}
    (fault,) = listed.plan().faults
    assert "(serial 1f, until 2031-01-01T00:00:00Z): have its owner revoke it there" in fault


def test_a_certificate_on_a_list_is_replaced_key_and_all(listed: Company) -> None:
    serial = x509.load_certificate(x509.pem_to_der(listed.scene["ec1"]["store"]["entries"][0]["pem"], "")[0]).serial_number
    listed.lists["system", 1] = [revocation_list(listed.roots["system", 1]), revocation_list(listed.below["system", 1], serial)]
    plan = listed.plan()
    assert plan.revoked_keys == {"ec1": [x509.key_sha256(key("ec1 1").public_key())]}
    assert plan.cannot_wait == ["ec1"]


# --- revocation where nobody does -------------------------------------------------------------------------------------


def test_without_lists_another_ca_is_asked_for_and_a_copy_of_the_same_is_none() -> None:
    company = Company()
    revoked = company.revoked("desktop1", lists=False)
    (fault,) = revoked.plan().faults
    assert "'desktop1' is revoked" in fault
    assert "put its root into clients-2.crt.pem" in fault
    for of in (revoked.roots, revoked.below, revoked.lists):
        of["clients", 2] = of["clients", 1]
    assert "put its root into clients-3.crt.pem" in "".join(revoked.plan().faults)
    revoked.roots["clients", 2] = issue("another root of people", ca=True, usages=None)
    revoked.below["clients", 2] = issue("CA below", by=revoked.roots["clients", 2], ca=True, usages=None)
    assert revoked.plan().faults == []


def test_one_root_for_both_is_judged_under_both_names() -> None:
    company = Company()
    for of in (company.roots, company.below):
        of["clients", 1] = of["system", 1]
    for name in company.scene.system.members:
        company.present(name)
    faults = company.revoked("desktop1", lists=False).plan().faults
    assert ["clients-2.crt.pem" in fault or "system-2.crt.pem" in fault for fault in faults] == [True, True]


def test_a_ca_that_is_out_for_somebody_revoked_does_not_come_back_with_what_it_signed() -> None:
    """A desktop whose owner put its old keystore back must not make the platform trust the old CA."""
    company = Company()
    root = issue("another root of people", ca=True, usages=None)
    company.roots["clients", 2], company.lists["clients", 2] = root, []
    entries = company.scene["platform1"]["store"]["entries"]
    kept = [entry for entry in entries if entry["alias"] != "clients-ca-1"]
    company.scene["platform1"]["store"] = store(*kept, entry_facts(TrustedCertEntry("clients-ca-2", root.der)))
    company.more = {
        "revoked": [{"name": "laptop", "authority": "clients", "generation": 1, "sha256": "00"}],
        "awaited": [{"name": "desktop1"}],
    }
    assert "clients-ca-1" not in {wish.alias for wish in company.plan().trust.get("platform1", ())}
    company.more = {"awaited": [{"name": "desktop1"}]}
    assert "clients-ca-1" in {wish.alias for wish in company.plan().trust.get("platform1", ())}, "without a revocation it may"
