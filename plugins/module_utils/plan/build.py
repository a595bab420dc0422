# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One plan: what a run changes, with reasons; what it restarts, with reasons; every link with a verdict.

A pure function of the inventory's wishes and the measured facts. What a module reports as changed, the summary that people
read, check mode and the exit code all come from this one object.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping, Optional

from ansible_collections.mutual.tls.plugins.module_utils import settings, x509
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError
from ansible_collections.mutual.tls.plugins.module_utils.plan.activation import Restart, activation
from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import Facts, StoreFacts
from ansible_collections.mutual.tls.plugins.module_utils.plan.proof import Verdict, prove
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import StoreChange, TrustWish, identity_change, trust_changes
from ansible_collections.mutual.tls.plugins.module_utils.plan.stores import Stores, check_certificates, store_wishes
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import Member, System


@dataclass(frozen=True)
class Change:
    """One change on one member."""

    member: str
    #: ``keystore``, ``setting`` or ``restart``.
    what: str
    #: The entry, the setting or the process.
    subject: str
    action: str
    reason: str


@dataclass
class Plan:
    """What a run would do."""

    changes: list[Change] = field(default_factory=list)
    #: Members whose identity changes.
    identities: list[str] = field(default_factory=list)
    #: Member -> the member whose keystore it is to hold a copy of.
    copies: dict[str, str] = field(default_factory=dict)
    #: Member -> what its store is to trust and to trust no more; only where that changes something.
    trust: dict[str, tuple[TrustWish, ...]] = field(default_factory=dict)
    #: Member -> all its settings that are not secret; only where any setting changes.
    settings: dict[str, dict[str, str]] = field(default_factory=dict)
    restarts: list[Restart] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    #: Why the run must stop before it changes anything.
    faults: list[str] = field(default_factory=list)
    #: What a person should know and that stops nothing.
    notes: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        """``unprovable`` when a link fails or something is at fault, ``pending`` when there is something to do, else ``clean``."""
        if self.faults or any(verdict.outcome == "fails" for verdict in self.verdicts):
            return "unprovable"
        return "pending" if self.changes else "clean"

    def to_dict(self) -> dict[str, Any]:
        """The plan as tasks, and ``plan.json``, read it: no secrets, PEM for certificates."""
        return {
            "state": self.state,
            "changes": [dict(vars(change)) for change in self.changes],
            "identities": self.identities,
            "copies": self.copies,
            "trust": {member: [_trust_option(wish) for wish in wishes] for member, wishes in self.trust.items()},
            "settings": self.settings,
            "restarts": [dict(vars(restart)) for restart in self.restarts],
            "links": [verdict.to_dict() for verdict in self.verdicts],
            "faults": self.faults,
            "notes": self.notes,
        }


def _trust_option(wish: TrustWish) -> dict[str, Any]:
    """The wish as the module keystore takes it."""
    if wish.certificate is None:
        return {"alias": wish.alias, "state": "absent"}
    return {"alias": wish.alias, "cert_content": x509.der_to_pem(wish.certificate)}


def build(system: System, facts: Mapping[str, Facts], now: datetime.datetime, *, unreachable: str = "stop") -> Plan:
    """The plan for *system* as *facts* (one for each member) measured it; *unreachable* is ``stop`` or ``skip``."""
    plan = Plan()
    for name, measured in facts.items():
        if measured.failure is not None:
            text = f"'{name}' was not reached: {measured.failure}"
            (plan.faults if unreachable == "stop" and not system.members[name].revoked else plan.notes).append(text)
    plan.faults.extend(check_certificates(system, facts))
    if plan.faults:
        return plan
    stores = store_wishes(system, facts)
    for member in system.members.values():
        if facts[member.name].reached and not member.revoked:
            try:
                _plan_store(plan, system, member, facts, stores, now)
                _plan_settings(plan, system, member, facts[member.name])
            except InputError as error:
                plan.faults.append(f"'{member.name}': {error}")
    _plan_copies(plan, system, facts)
    plan.notes.extend(_unmanaged(system, facts, stores))
    plan.verdicts = list(prove(system, facts, stores, plan.identities, now))
    plan.restarts = activation(system, facts, _causes(plan))
    plan.changes.extend(Change(restart.member, "restart", restart.process, "restart", restart.reason) for restart in plan.restarts)
    return plan


def _plan_store(
    plan: Plan, system: System, member: Member, facts: Mapping[str, Facts], stores: Stores, now: datetime.datetime
) -> None:
    """What changes in the member's own store."""
    wish = stores.wishes.get(member.name)
    if wish is None:
        return
    store = facts[member.name].store
    entries = store.entries if store is not None else ()
    changes: list[StoreChange] = []
    if wish.identity is not None:
        change = identity_change(wish.identity, store.entry(wish.identity.alias) if store is not None else None, now)
        if change is not None:
            changes.append(change)
            plan.identities.append(member.name)
    trusted = trust_changes(wish, entries)
    if trusted:
        plan.trust[member.name] = wish.trusted
    changes.extend(trusted)
    plan.changes.extend(Change(member.name, "keystore", change.alias, change.action, change.reason) for change in changes)
    for partner in stores.awaited[member.name]:
        if facts[partner].reached:
            alias = system.members[partner].alias
            plan.changes.append(Change(member.name, "keystore", alias, "trust", f"'{partner}' gets an identity in this run"))
        else:
            plan.notes.append(f"'{member.name}' does not trust '{partner}' yet, which was not reached and has no certificate here")


def _plan_settings(plan: Plan, system: System, member: Member, measured: Facts) -> None:
    """What changes in the product's settings for the member."""
    if member.kind not in system.adapter.settings_kinds or measured.settings is None:
        return
    assert measured.store is not None, "a member with settings has a store"
    desired = setting_values(system, member, measured.store.path)
    changes = settings.plan(settings.Desired(values=desired), measured.settings.values)
    reasons = {change.name: change.reason for change in changes} | dict(measured.settings.secret_changes)
    if reasons:
        plan.settings[member.name] = desired
        plan.changes.extend(Change(member.name, "setting", name, "set", reason) for name, reason in reasons.items())


def setting_values(system: System, member: Member, keystore_path: str) -> dict[str, str]:
    """The member's settings that are not secret, by name."""
    words = {
        "keystore_path": keystore_path,
        "key_alias": system.key_alias(member),
        "require_client_auth": "true" if system.client_auth == "required" else "false",
    }
    return {name: value.format(**words) for name, value in system.adapter.settings.items()}


def _plan_copies(plan: Plan, system: System, facts: Mapping[str, Facts]) -> None:
    """Whose store is not, or will not be, the same file as the shared one."""
    holders = [member for member in system.members.values() if system.holds_copy(member) and not member.revoked]
    if not holders:
        return
    source = system.shared_source().name
    original = facts[source].store
    for member in holders:
        held = facts[member.name].store
        if held is None:
            continue
        if any(change.member == source and change.what == "keystore" for change in plan.changes):
            reason = f"the keystore of '{source}' changes"
        elif original is None:
            continue
        elif held.sha256 != original.sha256:
            reason = f"it is not the keystore of '{source}'"
        else:
            continue
        plan.copies[member.name] = source
        plan.changes.append(Change(member.name, "keystore", "*", "copy", reason))


def _unmanaged(system: System, facts: Mapping[str, Facts], stores: Stores) -> Iterator[str]:
    """Trusted certificates that the inventory does not explain: each is somebody who is let in."""
    if system.purge_trusted:
        return
    for name, wish in stores.wishes.items():
        store: Optional[StoreFacts] = facts[name].store
        known = {trusted.alias for trusted in wish.trusted} | {member.alias for member in system.members.values()}
        aliases = [entry.alias for entry in store.entries if entry.type == "trusted_cert" and entry.alias not in known] if store else []
        if aliases:
            yield f"'{name}' trusts certificates that the inventory does not name, and they are kept: {', '.join(aliases)}"


def _causes(plan: Plan) -> dict[str, str]:
    """Member -> why its processes must load anew what this run changes."""
    causes: dict[str, str] = {}
    for change in plan.changes:
        if change.what == "keystore":
            causes[change.member] = "its keystore changes"
        else:
            causes.setdefault(change.member, "its settings change")
    return causes
