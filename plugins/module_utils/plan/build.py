# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One plan: what a run changes, with reasons; what it restarts, with reasons; every link with a verdict.

A pure function of the inventory's wishes and the measured facts.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Collection, Iterator, Mapping

from ansible_collections.mutual.tls.plugins.module_utils import settings, x509
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError
from ansible_collections.mutual.tls.plugins.module_utils.plan import people
from ansible_collections.mutual.tls.plugins.module_utils.plan.activation import activation, old_and_new_fit
from ansible_collections.mutual.tls.plugins.module_utils.plan.authority import CLIENTS, NO_AUTHORITY, AuthorityFacts, generations, signer_of
from ansible_collections.mutual.tls.plugins.module_utils.plan.changes import Change, Plan
from ansible_collections.mutual.tls.plugins.module_utils.plan.identities import accepted_on_sockets, new_identity
from ansible_collections.mutual.tls.plugins.module_utils.plan.lists import list_faults, list_notes
from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import Facts, SettingsFacts, StoreFacts
from ansible_collections.mutual.tls.plugins.module_utils.plan.notes import notes
from ansible_collections.mutual.tls.plugins.module_utils.plan.pem import plan_pem_files
from ansible_collections.mutual.tls.plugins.module_utils.plan.proof import prove
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import EntryFacts, StoreChange, trust_changes
from ansible_collections.mutual.tls.plugins.module_utils.plan.stores import Stores, check_certificates, store_wishes
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import Member, System

_REMEDY = "Run it when all members are reached, or revoke the one that is gone (mtls_revoked)"


def build(
    system: System,
    facts: Mapping[str, Facts],
    now: datetime.datetime,
    *,
    unreachable: str = "stop",
    authority: AuthorityFacts | None = None,
    allow_lock_out: bool = False,
) -> Plan:
    """The plan for *system* as *facts* (one for each member) measured it; *unreachable* is ``stop`` or ``skip``.

    *authority* is what the trust model of that name needs, and what another one takes back. *allow_lock_out*: certificates may begin to
    be required though nobody of the people has one.
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
    plan.bundles = dict(people.due(system, authority, _replaced(system, authority)))
    stores = store_wishes(system, facts, authority)
    plan.faults.extend(list_faults(system, facts, stores, authority, now))
    managed = [member for member in system.members.values() if facts[member.name].reached and not member.revoked]
    new_identities: dict[str, StoreChange] = {}
    for member in managed:
        with _collected_faults(plan, member):
            change = new_identity(plan, system, member, facts, stores, authority, now)
            if change is not None:
                new_identities[member.name] = change
    plan.identities = list(new_identities)
    for member in managed:
        with _collected_faults(plan, member):
            _plan_store(plan, system, member, facts, stores, new_identities)
            plan_pem_files(plan, member, facts[member.name], stores, authority)
            _plan_settings(plan, system, member, facts[member.name])
    _plan_copies(plan, system, facts)
    _check_shared_key(plan, system, facts, new_identities)
    plan.later["distrust"] = [name for name, kept in stores.kept.items() if any(facts[because].reached for because in kept.values())]
    plan.notes.extend(notes(system, facts, stores, (*plan.identities, *plan.awaited), now))
    plan.notes.extend(list_notes(system, stores, authority, now))
    plan.verdicts = list(prove(system, facts, stores, plan.identities, now, plan.without))
    plan.faults.extend(_passwords_before_certificates(plan, authority))
    plan.faults.extend(_unproven_flips(plan, system, facts))
    if not allow_lock_out:
        plan.faults.extend(_lock_outs(plan, system, facts, authority))
    plan.faults.extend(_unproven_identities(plan, system, new_identities))
    plan.restarts = activation(system, facts, _causes(plan, authority))
    accepted = set(accepted_on_sockets(system, facts, authority)) if system.phased else ()
    plan.may_roll = old_and_new_fit(system, facts, plan.restarts, plan.identities, accepted)
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
    for name, (generation, why) in _replaced(system, authority).items():
        plan.generations[name] = generation
        plan.changes.append(Change("(authority)", "authority", name, "replace", why))


def _replaced(system: System, authority: AuthorityFacts) -> dict[str, tuple[int, str]]:
    """CA -> the generation that it is replaced by whatever the inventory wishes, and why; somebody else's is not ours to replace."""
    return {} if authority.external else generations(system, authority)


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
        if wish.absent_keys:
            plan.absent_keys[member.name] = list(wish.absent_keys)
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
    for name in dict.fromkeys(stores.awaited[member.name]):
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
    desired = setting_values(system, member, measured)
    changes = settings.plan(settings.Desired(values=desired), measured.settings.values)
    reasons = {change.name: change.reason for change in changes} | dict(measured.settings.secret_changes)
    if reasons:
        plan.settings[member.name] = desired
        plan.changes.extend(Change(member.name, "setting", name, "set", reason) for name, reason in reasons.items())


def setting_values(system: System, member: Member, measured: Facts) -> dict[str, str]:
    """The member's settings that are not secret, by name."""
    words = {
        "keystore_path": measured.store.path if measured.store is not None else "",
        "identity_path": measured.pem.identity_path if measured.pem is not None else "",
        "trust_path": measured.pem.trust_path if measured.pem is not None else "",
        "key_alias": system.key_alias(member),
        "require_client_auth": system.adapter.client_auth_words[system.client_auth],
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


def _passwords_before_certificates(plan: Plan, authority: AuthorityFacts) -> Iterator[str]:
    """Keystores that would be under another password, or in another format, while products wait with the settings for that."""
    if authority.external and plan.reprotect and plan.cannot_wait:
        names, others = (", ".join(f"'{name}'" for name in each) for each in (plan.reprotect, plan.cannot_wait))
        yield (
            f"the keystores of {names} would be protected anew, while somebody else may have to sign for {others} first: do one after the "
            "other, certificates first"
        )


def _unproven_flips(plan: Plan, system: System, facts: Mapping[str, Facts]) -> Iterator[str]:
    """Endpoints that would begin to speak TLS, or to demand certificates, and clients of whom nobody knows whether they could follow."""
    for verdict in plan.verdicts:
        server = verdict.link.server
        flip = _flip(system, plan.settings.get(server, {}), facts[server].settings)
        if flip is not None and verdict.outcome == "unknown":
            yield f"'{server}' would begin to {flip}, and the link {verdict.link.name} cannot be proven: {verdict.reason}. {_REMEDY}"


def _lock_outs(plan: Plan, system: System, facts: Mapping[str, Facts], authority: AuthorityFacts) -> Iterator[str]:
    """Servers of people that would begin to demand certificates, while nobody of the people has one; or that do, of a CA that is lost."""
    if system.client_auth != "required":
        return
    serving = [
        member.name
        for member in system.members.values()
        if system.serves_people(member.kind) and not member.revoked and facts[member.name].settings is not None
    ]
    demanding = [name for name in serving if _begins_to_demand(system, system.members[name], facts[name])]
    demanded = [name for name in serving if name not in demanding]
    if demanded and not authority.external and authority.newest(CLIENTS) is None:
        yield (
            f"{', '.join(map(repr, demanded))} demands certificates already, and there is no CA where mtls_authority_path says: whoever "
            "has a certificate of the one before would be shut out. See that the path, and mtls_authority_host, are what they were; or set "
            "mtls_allow_lock_out if that authority is lost"
        )
    if not demanding:
        return
    if authority.external or people.holders(system, authority, _replaced(system, authority)):
        return
    if plan.bundles:
        plan.needs_bundle = True
        return
    servers, names = (", ".join(f"'{name}'" for name in each) for each in (demanding, system.outsiders))
    yield (
        f"{servers} would begin to demand certificates, and none of {names} (mtls_clients) has a valid bundle: nobody could come in. Give "
        "somebody one (mutual.tls.issue_client -e client=NAME), or set mtls_allow_lock_out if that is meant"
    )


def _flip(system: System, wished: Mapping[str, str], found: SettingsFacts | None) -> str | None:
    """What a server would begin to do with its new settings that could shut clients out."""
    if found is None:
        return None
    new = _new(wished, found)
    for name, value in system.adapter.settings.items():
        if name in new and system.client_auth == "required" and "{require_client_auth}" in value:
            return "demand certificates"
        if name in new and name not in found.values and ("{keystore_path}" in value or "{identity_path}" in value):
            return "speak TLS"
    return None


def _begins_to_demand(system: System, member: Member, measured: Facts) -> bool:
    """Whether a server would begin to demand certificates with its new settings, also one that is set up for the first time."""
    new = _new(setting_values(system, member, measured), measured.settings) if measured.settings is not None else ()
    return any(name in new and "{require_client_auth}" in value for name, value in system.adapter.settings.items())


def _new(wished: Mapping[str, str], found: SettingsFacts) -> set[str]:
    return {name for name, value in wished.items() if found.values.get(name) != value}


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


def _causes(plan: Plan, authority: AuthorityFacts) -> dict[str, str]:
    """Member -> why its processes must load anew what this run changes.

    A certificate that somebody else may not have signed yet is none: what is taken, is in the keystore by then.
    """
    causes: dict[str, str] = {}
    waiting = {name for name in plan.identities if authority.external and name not in plan.cannot_wait}
    for change in plan.changes:
        if change.member in waiting and (change.action in ("renew", "replace") or change.what == "pem"):
            continue
        if change.what in ("keystore", "pem"):
            causes[change.member] = "its keystore changes"
        else:
            causes.setdefault(change.member, "its settings change")
    return causes
