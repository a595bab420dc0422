# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One plan: what a run changes, with reasons; what it restarts, with reasons; every link with a verdict.

A pure function of the inventory's wishes and the measured facts. What a module reports as changed, the summary that people
read, check mode and the exit code all come from this one object.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import settings, x509
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError
from ansible_collections.mutual.tls.plugins.module_utils.plan.activation import Restart, activation, old_and_new_fit
from ansible_collections.mutual.tls.plugins.module_utils.plan.authority import (
    NO_AUTHORITY,
    AuthorityFacts,
    generations,
    is_replaced,
    is_signed,
    reasons_to_sign,
    signer_of,
)
from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import Facts, SettingsFacts, StoreFacts
from ansible_collections.mutual.tls.plugins.module_utils.plan.proof import Verdict, clock_words, prove
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import (
    EntryFacts,
    IdentityWish,
    StoreChange,
    StoreWish,
    TrustWish,
    identity_change,
    parse_timestamp,
    trust_changes,
)
from ansible_collections.mutual.tls.plugins.module_utils.plan.stores import Stores, check_certificates, connected_strangers, store_wishes
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import Member, System

_REMEDY = "Run it when all members are reached, or revoke the one that is gone (mtls_revoked)"


@dataclass(frozen=True)
class Change:
    """One change on one member."""

    member: str
    #: ``keystore``, ``setting``, ``restart`` or ``authority``.
    what: str
    #: The entry, the setting, the process, or what the authority changes.
    subject: str
    action: str
    reason: str


@dataclass
class Plan:
    """What a run would do."""

    changes: list[Change] = field(default_factory=list)
    #: Members whose identity changes.
    identities: list[str] = field(default_factory=list)
    #: Those among them whose key must not be used again.
    regenerate: list[str] = field(default_factory=list)
    #: Those among them whose certificate an authority signed, and whose own key is to sign it now.
    self_sign: list[str] = field(default_factory=list)
    #: Member -> the chain (PEM, leaf first) that was signed for it and is to be installed.
    install: dict[str, str] = field(default_factory=dict)
    #: CA -> the generation that it is replaced by in this run, whatever the inventory wishes.
    generations: dict[str, int] = field(default_factory=dict)
    #: Members whose store is still under the previous password.
    reprotect: list[str] = field(default_factory=list)
    #: Member -> the member whose keystore it is to hold a copy of.
    copies: dict[str, str] = field(default_factory=dict)
    #: Member -> what its store is to trust and to trust no more; only where that changes something.
    trust: dict[str, tuple[TrustWish, ...]] = field(default_factory=dict)
    #: Members among those from whose store everything goes that nobody names.
    purge: list[str] = field(default_factory=list)
    #: Member -> all its settings that are not secret; only where any setting changes.
    settings: dict[str, dict[str, str]] = field(default_factory=dict)
    restarts: list[Restart] = field(default_factory=list)
    #: Whether the restarts may follow one another; else all that is restarted is down at once.
    may_roll: bool = True
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
            "regenerate": self.regenerate,
            "self_sign": self.self_sign,
            "install": self.install,
            "generations": self.generations,
            "reprotect": self.reprotect,
            "copies": self.copies,
            "trust": {member: [_trust_option(wish) for wish in wishes] for member, wishes in self.trust.items()},
            "purge": self.purge,
            "settings": self.settings,
            "restarts": [dict(vars(restart)) for restart in self.restarts],
            "may_roll": self.may_roll,
            "links": [verdict.to_dict() for verdict in self.verdicts],
            "faults": self.faults,
            "notes": self.notes,
        }


def _trust_option(wish: TrustWish) -> dict[str, Any]:
    """The wish as the module keystore takes it."""
    if wish.certificate is None:
        return {"alias": wish.alias, "state": "absent"}
    return {"alias": wish.alias, "cert_content": x509.der_to_pem(wish.certificate)}


def build(
    system: System,
    facts: Mapping[str, Facts],
    now: datetime.datetime,
    *,
    unreachable: str = "stop",
    authority: AuthorityFacts | None = None,
) -> Plan:
    """The plan for *system* as *facts* (one for each member) measured it; *unreachable* is ``stop`` or ``skip``.

    *authority* is what the trust model of that name needs, and what another one takes back.
    """
    plan = Plan()
    if system.trust_model == "authority" and (authority is None or authority.failure is not None):
        why = authority.failure if authority is not None else "nobody asked for it"
        plan.faults.append(f"the authority could not be measured: {why}")
    authority = authority if authority is not None else NO_AUTHORITY
    plan.notes.extend(authority.notes)
    for name, measured in facts.items():
        if measured.failure is not None:
            text = f"'{name}' was not reached: {measured.failure}"
            (plan.faults if unreachable == "stop" and not system.members[name].revoked else plan.notes).append(text)
        if measured.fault is not None:
            # A revoked host must not be able to stop its own revocation.
            (plan.notes if system.members[name].revoked else plan.faults).append(f"'{name}' could not be measured: {measured.fault}")
    plan.faults.extend(check_certificates(system, facts, authority))
    if plan.faults:
        return plan
    _plan_authority(plan, system, authority)
    stores = store_wishes(system, facts, authority)
    managed = [member for member in system.members.values() if facts[member.name].reached and not member.revoked]
    new_identities: dict[str, StoreChange] = {}
    for member in managed:
        with _collected_faults(plan, member):
            change = _new_identity(plan, system, member, facts[member.name], stores.wishes.get(member.name), authority, now)
            if change is not None:
                new_identities[member.name] = change
    plan.identities = list(new_identities)
    for member in managed:
        with _collected_faults(plan, member):
            _plan_store(plan, system, member, facts, stores, new_identities)
            _plan_settings(plan, system, member, facts[member.name])
    _plan_copies(plan, system, facts)
    _check_shared_key(plan, system, facts, new_identities)
    plan.notes.extend(_purge_withheld(system, facts))
    plan.notes.extend(_unmanaged(facts, stores))
    plan.notes.extend(_wrong_clocks(facts, now))
    plan.notes.extend(_ending(system, facts, plan.identities, now))
    plan.verdicts = list(prove(system, facts, stores, plan.identities, now))
    plan.faults.extend(_unproven_flips(plan, system, facts))
    plan.faults.extend(_unproven_identities(plan, system, new_identities))
    plan.notes.extend(_strangers_revoked(system, facts))
    plan.restarts = activation(system, facts, _causes(plan))
    plan.may_roll = old_and_new_fit(system, facts, plan.restarts, plan.identities)
    plan.changes.extend(Change(restart.member, "restart", restart.process, "restart", restart.reason) for restart in plan.restarts)
    return plan


@contextlib.contextmanager
def _collected_faults(plan: Plan, member: Member) -> Iterator[None]:
    """A wish of one member that cannot be carried out stops the run, once the others were looked at too."""
    try:
        yield
    except InputError as error:
        plan.faults.append(f"'{member.name}': {error}")


def _plan_authority(plan: Plan, system: System, authority: AuthorityFacts) -> None:
    """What the authority itself changes."""
    if system.trust_model != "authority":
        return
    plan.changes.extend(
        Change("(authority)", "authority", change["entry"], change["action"], change["reason"]) for change in authority.changes
    )
    for name, (generation, why) in generations(system, authority).items():
        plan.generations[name] = generation
        plan.changes.append(Change("(authority)", "authority", name, "replace", why))


def _new_identity(
    plan: Plan,
    system: System,
    member: Member,
    measured: Facts,
    wish: StoreWish | None,
    authority: AuthorityFacts,
    now: datetime.datetime,
) -> StoreChange | None:
    """What becomes of the identity that the member makes for itself, or has an authority sign."""
    if wish is None or wish.identity is None:
        return None
    entry = measured.store.entry(wish.identity.alias) if measured.store is not None else None
    if measured.store is not None and wish.identity.alias in measured.store.signed:
        plan.install[member.name] = "".join(map(x509.der_to_pem, measured.store.signed[wish.identity.alias]))
        plan.changes.append(Change(member.name, "keystore", wish.identity.alias, "install", "the authority signed it in this run"))
    by_authority = system.trust_model == "authority"
    change = identity_change(dataclasses.replace(wish.identity, signer="authority") if by_authority else wish.identity, entry, now)
    if change is not None or entry is None:
        return change
    if not by_authority:
        if not is_signed(entry, authority):
            return None
        plan.self_sign.append(member.name)
        return StoreChange(entry.alias, "renew", f"the trust model is '{system.trust_model}', and an authority signed it", entry.sha256)
    if entry.sha256 in authority.revoked:
        plan.regenerate.append(member.name)
        return StoreChange(entry.alias, "replace", "its certificate was revoked, and its key with it", entry.sha256)
    signer = signer_of(member)
    replaced = is_replaced(signer, authority, generations(system, authority))
    reason = next(reasons_to_sign(member, wish.identity, entry, authority, replaced, now), None)
    return StoreChange(entry.alias, "renew", reason, entry.sha256) if reason is not None else None


def _plan_store(
    plan: Plan, system: System, member: Member, facts: Mapping[str, Facts], stores: Stores, new_identities: Mapping[str, StoreChange]
) -> None:
    """What changes in the member's own store, with what follows in this run from the identities that others get."""
    wish = stores.wishes.get(member.name)
    if wish is None:
        return
    store = facts[member.name].store
    if store is not None and store.protect_anew:
        plan.reprotect.append(member.name)
        plan.changes.append(Change(member.name, "keystore", "*", "protect_anew", "; ".join(store.protect_anew)))
    trusted = trust_changes(wish, store.entries if store is not None else ())
    if trusted:
        plan.trust[member.name] = wish.trusted
        if wish.purge_trusted:
            plan.purge.append(member.name)
    changes = [new_identities[member.name]] if member.name in new_identities else []
    changes.extend(trusted)
    plan.changes.extend(Change(member.name, "keystore", change.alias, change.action, change.reason) for change in changes)
    named = {change.alias for change in changes}
    if system.trust_model == "authority":
        _plan_trust_through(plan, system, member, store, stores, new_identities, named)
        return
    for partner in system.partners(member):
        awaited = partner.name in stores.awaited[member.name]
        if partner.name in new_identities and partner.alias not in named and not system.holds_copy(partner):
            action, what = ("trust", "an identity") if awaited else ("replace_trusted", "a new certificate")
            plan.changes.append(Change(member.name, "keystore", partner.alias, action, f"'{partner.name}' gets {what} in this run"))
        elif awaited and not facts[partner.name].reached:
            plan.notes.append(f"'{member.name}' does not trust '{partner.name}' yet, which was not reached and has no certificate here")


def _plan_trust_through(
    plan: Plan,
    system: System,
    member: Member,
    store: StoreFacts | None,
    stores: Stores,
    new_identities: Mapping[str, StoreChange],
    named: Collection[str],
) -> None:
    """What changes in the member's store once the authority has signed for others."""
    for name in dict.fromkeys(signer_of(system.members[partner]) for partner in stores.awaited[member.name]):
        plan.changes.append(Change(member.name, "keystore", f"{name}-ca", "trust", f"the authority '{name}' is made in this run"))
    for partner in system.partners(member):
        old = store.entry(partner.alias) if store is not None else None
        if partner.name in new_identities and old is not None and old.type == "trusted_cert" and partner.alias not in named:
            why = f"'{partner.name}' is trusted through the authority '{signer_of(partner)}' once that has signed"
            plan.changes.append(Change(member.name, "keystore", partner.alias, "distrust", why))


def _plan_settings(plan: Plan, system: System, member: Member, measured: Facts) -> None:
    """What changes in the product's settings for the member."""
    if member.kind not in system.adapter.settings_kinds or measured.settings is None or measured.store is None:
        return
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
    changes = any(change.member == source and change.what == "keystore" for change in plan.changes)
    for member in holders:
        held = facts[member.name].store
        if held is None:
            continue
        if changes:
            reason = f"the keystore of '{source}' changes"
        elif original is None:
            continue
        elif held.sha256 != original.sha256:
            reason = f"it is not the keystore of '{source}'"
        else:
            continue
        plan.copies[member.name] = source
        plan.changes.append(Change(member.name, "keystore", "*", "copy", reason))


def _check_shared_key(plan: Plan, system: System, facts: Mapping[str, Facts], new_identities: Mapping[str, StoreChange]) -> None:
    """With the trust model ``shared`` a revoked member has what all the others have, until a new key is made."""
    holders = [member for member in system.members.values() if member.revoked and system.holds_copy(member)]
    source = system.shared_source()
    original = facts[source.name].store
    identity = original.identity(source.alias) if original is not None else None
    if not holders or identity is None or (source.name in new_identities and new_identities[source.name].action == "replace"):
        return
    for member in holders:
        held = facts[member.name].store
        plan.notes.append(f"'{member.name}' is revoked: whoever copied the shared key there is let in until mtls_generation is raised")
        if held is not None and any(entry.type == "private_key" and _same_key(entry, identity) for entry in held.entries):
            plan.faults.append(
                f"'{member.name}' is in mtls_revoked and holds the key that all members share (sha256 {identity.sha256}), so it "
                "would still be let in: raise mtls_generation, and the others get a new key"
            )


def _same_key(entry: EntryFacts, other: EntryFacts) -> bool:
    keys = [x509.public_key_of(x509.pem_to_der(each.pem, each.alias)[0]) for each in (entry, other) if each.pem]
    return len(keys) == 2 and keys[0] == keys[1]


def _unproven_flips(plan: Plan, system: System, facts: Mapping[str, Facts]) -> Iterator[str]:
    """Endpoints that would begin to speak TLS, or to demand certificates, and clients of whom nobody knows whether they could follow."""
    for verdict in plan.verdicts:
        server = verdict.link.server
        flip = _flip(system, plan.settings.get(server, {}), facts[server].settings)
        if flip is not None and verdict.outcome == "unknown":
            yield f"'{server}' would begin to {flip}, and the link {verdict.link.name} cannot be proven: {verdict.reason}. {_REMEDY}"


def _flip(system: System, wished: Mapping[str, str], found: SettingsFacts | None) -> str | None:
    """What a server would begin to do with its new settings that could shut clients out."""
    if found is None:
        return None
    new = {name for name, value in wished.items() if found.values.get(name) != value}
    for name, value in system.adapter.settings.items():
        if name in new and system.client_auth == "required" and "{require_client_auth}" in value:
            return "demand certificates"
        if name in new and name not in found.values and "{keystore_path}" in value:
            return "speak TLS"
    return None


def _unproven_identities(plan: Plan, system: System, new_identities: Mapping[str, StoreChange]) -> Iterator[str]:
    """Certificates that would be replaced while somebody who trusts the present one was not measured, and could not follow."""
    for verdict in plan.verdicts:
        if verdict.outcome == "unknown":
            for name in (verdict.link.client, verdict.link.server):
                owner = system.shared_source().name if system.holds_copy(system.members[name]) else name
                if owner in new_identities and new_identities[owner].action != "create":
                    yield (
                        f"'{owner}' would get another certificate ({new_identities[owner].reason}), and the link {verdict.link.name} "
                        f"cannot be proven: {verdict.reason}. {_REMEDY}"
                    )


def _strangers_revoked(system: System, facts: Mapping[str, Facts]) -> Iterator[str]:
    """Names in mtls_revoked that nobody knows: perhaps they were meant to be others."""
    known = {entry.alias for measured in facts.values() if measured.store is not None for entry in measured.store.entries}
    for name in system.revoked:
        if name not in system.members and name.lower() not in known:
            yield f"'{name}' in mtls_revoked is no member, and nothing is trusted under that name"


def _unmanaged(facts: Mapping[str, Facts], stores: Stores) -> Iterator[str]:
    """Trusted certificates that no link explains: each is somebody who is let in."""
    for name, wish in stores.wishes.items():
        if wish.purge_trusted:
            continue
        store: StoreFacts | None = facts[name].store
        known = {trusted.alias for trusted in wish.trusted}
        aliases = [entry.alias for entry in store.entries if entry.type == "trusted_cert" and entry.alias not in known] if store else []
        if aliases:
            yield f"'{name}' trusts certificates that the inventory does not name, and they are kept: {', '.join(aliases)}"


def _purge_withheld(system: System, facts: Mapping[str, Facts]) -> Iterator[str]:
    """Why nothing is purged although that is asked for: somebody is connected of whom the inventory does not know."""
    for name, endpoint, address in connected_strangers(system, facts) if system.purge_trusted else ():
        yield (
            f"no trusted certificate is purged (mtls_purge_trusted): {address} is connected to '{endpoint}' of '{name}', and no member "
            "that was measured connects from there. Run it with the whole inventory; who is to go though connected is named in mtls_revoked"
        )


def _wrong_clocks(facts: Mapping[str, Facts], now: datetime.datetime) -> Iterator[str]:
    """Hosts that would judge certificates, and date their own, by another time than the rest."""
    for name, measured in facts.items():
        error = measured.clock_error(now)
        if error:
            yield (
                f"the clock of '{name}' is {clock_words(error)}: its host judges certificates by that time, and so does the plan; "
                "have it set by a time server (NTP)"
            )


def _ending(system: System, facts: Mapping[str, Facts], identities: Collection[str], now: datetime.datetime) -> Iterator[str]:
    """Certificates that end within renew_before and that this run does not renew."""
    wishes = [measured.identity_wish.renew_before for measured in facts.values() if measured.identity_wish is not None]
    usual = max(wishes, default=IdentityWish.renew_before)
    trusted = {
        entry.alias: entry
        for measured in facts.values()
        if measured.store is not None
        for entry in measured.store.entries
        if entry.type == "trusted_cert"
    }
    for member in system.members.values():
        measured = facts[member.name]
        if member.revoked or system.holds_copy(member) or member.name in identities:
            continue
        # What others trust of a member that was not reached is what it presents, as far as anybody knows.
        entry = measured.store.identity(member.alias) if measured.store is not None else trusted.get(member.alias)
        if entry is None or entry.not_after is None:
            continue
        least = measured.identity_wish.renew_before if measured.identity_wish is not None else usual
        left = parse_timestamp(entry.not_after) - now
        if datetime.timedelta() < left < least:
            why = "nobody wishes it to be renewed" if measured.reached else "it was not reached"
            yield (
                f"the certificate of '{member.name}' ({entry.subject}, sha256 {entry.sha256}) ends on {entry.not_after}, in {left.days} "
                f"days, sooner than renew_before ({x509.format_duration(least)}), and this run does not renew it: {why}"
            )


def _causes(plan: Plan) -> dict[str, str]:
    """Member -> why its processes must load anew what this run changes."""
    causes: dict[str, str] = {}
    for change in plan.changes:
        if change.what == "keystore":
            causes[change.member] = "its keystore changes"
        else:
            causes.setdefault(change.member, "its settings change")
    return causes
