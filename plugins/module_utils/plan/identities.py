# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which member gets another identity, and when: in a system that changes in phases, not before all that it meets can accept it."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, TrustError
from ansible_collections.mutual.tls.plugins.module_utils.plan.activation import is_loaded
from ansible_collections.mutual.tls.plugins.module_utils.plan.authority import (
    AuthorityFacts,
    comes_from,
    generations,
    is_replaced,
    is_signed,
    reasons_to_sign,
    signer_of,
)
from ansible_collections.mutual.tls.plugins.module_utils.plan.changes import Change, Plan
from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import Facts
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import (
    EntryFacts,
    IdentityWish,
    StoreChange,
    identity_change,
    trusted_after,
)
from ansible_collections.mutual.tls.plugins.module_utils.plan.stores import Stores
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import Member, System


def new_identity(
    plan: Plan,
    system: System,
    member: Member,
    facts: Mapping[str, Facts],
    stores: Stores,
    authority: AuthorityFacts,
    now: datetime.datetime,
) -> StoreChange | None:
    """What becomes in this run of the identity that the member makes for itself, or has an authority sign."""
    wish = stores.wishes.get(member.name)
    if wish is None or wish.identity is None:
        return None
    store = facts[member.name].store
    entry = store.entry(wish.identity.alias) if store is not None else None
    if store is not None and wish.identity.alias in store.signed:
        plan.install[member.name] = "".join(map(x509.der_to_pem, store.signed[wish.identity.alias]))
        plan.changes.append(Change(member.name, "keystore", wish.identity.alias, "install", "the authority signed it in this run"))
    if system.trust_model != "authority":
        change = identity_change(wish.identity, entry, now)
        if change is not None or entry is None or not is_signed(entry, authority):
            return change
        plan.self_sign.append(member.name)
        return StoreChange(entry.alias, "renew", f"the trust model is '{system.trust_model}', and an authority signed it", entry.sha256)
    replaced = is_replaced(signer_of(member), authority, generations(system, authority))
    change = _change_by_authority(member, wish.identity, entry, authority, replaced, now)
    if change is None:
        return None
    works = entry is not None and _works(system, member, entry, facts, authority, now)
    if entry is not None and authority.external:
        works = works and _is_trusted(system, member, entry, facts, stores, authority)
    if not works:
        plan.cannot_wait.append(member.name)
    if member.name in authority.awaited:
        plan.awaited.append(member.name)
        return None
    if works and system.phased and not _may_present_anew(system, member, facts, authority, replaced):
        plan.later["present"].append(member.name)
        return None
    if authority.external and wish.identity.regenerate == "always":
        raise InputError("its key is to be another one at every run (mtls_regenerate), and somebody else has to sign for each")
    revoked_keys = set(authority.revoked_keys.get(member.name, ()))
    if entry is not None and entry.pem and authority.has_revoked(entry):
        revoked_keys.add(x509.sha256(x509.public_key_of(x509.pem_to_der(entry.pem, entry.alias)[0])))
    if revoked_keys:
        plan.revoked_keys[member.name] = sorted(revoked_keys)
    return change


def _change_by_authority(
    member: Member, wish: IdentityWish, entry: EntryFacts | None, authority: AuthorityFacts, replaced: bool, now: datetime.datetime
) -> StoreChange | None:
    """What becomes of an identity for which the authority signs."""
    change = identity_change(dataclasses.replace(wish, signer="authority"), entry, now)
    if change is not None or entry is None:
        return change
    if authority.has_revoked(entry):
        return StoreChange(entry.alias, "replace", "its certificate was revoked, and its key with it", entry.sha256)
    reason = next(reasons_to_sign(member, wish, entry, authority, replaced, now), None)
    return StoreChange(entry.alias, "renew", reason, entry.sha256) if reason is not None else None


def _works(
    system: System, member: Member, entry: EntryFacts, facts: Mapping[str, Facts], authority: AuthorityFacts, now: datetime.datetime
) -> bool:
    """Whether anybody may accept what the member presents now; what nobody accepts waits for nothing."""
    if entry.fault or entry.locked or not entry.key_matches or authority.has_revoked(entry):
        return False
    if entry.not_after is None or x509.parse_timestamp(entry.not_after) <= now:
        return False
    return is_signed(entry, authority) or any(_trusts(entry.sha256, facts[partner.name]) for partner in system.partners(member))


def _is_trusted(
    system: System, member: Member, entry: EntryFacts, facts: Mapping[str, Facts], stores: Stores, authority: AuthorityFacts
) -> bool:
    """Whether anybody whom the member meets will trust what it presents now: a CA may be out by now that has signed it."""
    chain = entry.chain
    accepted = {entry.sha256, *(ca.sha256 for ca in authority.cas if comes_from(chain, ca))}
    for partner in system.partners(member):
        store, wish = facts[partner.name].store, stores.wishes.get(partner.name)
        if wish is not None and accepted & trusted_after(store.entries if store is not None else (), wish):
            return True
    return False


def accepted_on_sockets(system: System, facts: Mapping[str, Facts], authority: AuthorityFacts) -> Iterator[str]:
    """The fingerprints of the certificates that are served now, and that those who meet them accept: through a CA, or by themselves."""
    for member in system.members.values():
        for endpoint in facts[member.name].endpoints.values():
            sha256, text = endpoint.served_sha256, endpoint.served_pem
            if sha256 is None or not text:
                continue
            by_itself = any(_trusts(sha256, facts[partner.name]) for partner in system.partners(member))
            if by_itself or _is_by_a_ca(text, facts[member.name].presented(member.alias)[1:], authority):
                yield sha256


def _is_by_a_ca(text: str, above: Sequence[bytes], authority: AuthorityFacts) -> bool:
    """Whether a certificate (PEM) comes from a CA of the authority; a host that calls nonsense one stops nobody's plan."""
    try:
        served = x509.pem_to_der(text, "what is served")[0]
        return any(comes_from([served, *above], ca) or comes_from([served], ca) for ca in authority.cas)
    except (InputError, TrustError):
        return False


def _may_present_anew(system: System, member: Member, facts: Mapping[str, Facts], authority: AuthorityFacts, replaced: bool) -> bool:
    """Whether all that *member* meets were measured to trust, and to have loaded, the CA that would sign for it.

    Who was not reached is the proof's to judge.
    """
    newest = authority.newest(signer_of(member))
    return (
        newest is not None
        and not replaced
        and all(
            _trusts(newest.sha256, facts[partner.name]) and is_loaded(system, partner, facts[partner.name])
            for partner in system.partners(member)
            if facts[partner.name].reached
        )
    )


def _trusts(sha256: str | None, measured: Facts) -> bool:
    """Whether a certificate is trusted by what the member's product reads."""
    held = measured.store.entries if measured.store is not None else ()
    in_store = sha256 is not None and any(entry.sha256 == sha256 and entry.type == "trusted_cert" for entry in held)
    return in_store and (measured.pem is None or sha256 in measured.pem.trusted)
