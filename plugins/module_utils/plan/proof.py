# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether every link will verify, shown from what lies (or will lie) in the stores, before anything restarts.

A store trusts its trusted entries and the leaf of its own key, each exactly (JSSE takes a trusted leaf as an anchor). So in
``pairwise`` and ``shared`` a link holds when each side's leaf is among the other's anchors and is valid now.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any, Iterator, Mapping, Optional, Sequence

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import Facts
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import EntryFacts, parse_timestamp
from ansible_collections.mutual.tls.plugins.module_utils.plan.stores import Stores
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import Link, Member, System


@dataclass(frozen=True)
class Verdict:
    """What can be said of one link beforehand."""

    link: Link
    #: ``holds``; ``fails``; ``awaits`` an identity that is yet to be made; ``unknown`` when a side was not reached.
    outcome: str
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The verdict as ``plan.json`` has it."""
        return {**vars(self.link), "verdict": self.outcome, "reason": self.reason}


def prove(
    system: System, facts: Mapping[str, Facts], stores: Stores, identities: Sequence[str], now: datetime.datetime
) -> Iterator[Verdict]:
    """A verdict for each link; *identities* are the members whose identity this run makes anew."""
    for link in system.links():
        sides = (system.members[link.client], system.members[link.server])
        unreached = [member.name for member in sides if not facts[member.name].reached]
        if unreached:
            yield Verdict(link, "unknown", f"'{unreached[0]}' was not reached")
            continue
        awaited = [member.name for member in sides if _owner(system, member) in identities]
        if awaited:
            yield Verdict(link, "awaits", f"the identity of '{awaited[0]}' is made in this run")
            continue
        client, server = sides
        reason = _refusal(system, facts, stores, client, server, now)
        if reason is None and system.client_auth != "none":
            reason = _refusal(system, facts, stores, server, client, now)
        yield Verdict(link, "fails" if reason else "holds", reason or "")


def _owner(system: System, member: Member) -> str:
    """The member in whose store *member*'s identity is made."""
    return system.shared_source().name if system.holds_copy(member) else member.name


def _identity(system: System, facts: Mapping[str, Facts], member: Member) -> Optional[EntryFacts]:
    store = facts[_owner(system, member)].store
    return store.identity(system.key_alias(member)) if store is not None else None


def _anchors(system: System, facts: Mapping[str, Facts], stores: Stores, member: Member) -> set[str]:
    """The fingerprints that *member* trusts once the plan is carried out."""
    owner = _owner(system, member)
    store, wish = facts[owner].store, stores.wishes.get(owner)
    anchors = {entry.alias: entry.sha256 for entry in store.entries if entry.sha256} if store is not None else {}
    for trusted in wish.trusted if wish is not None else ():
        anchors.pop(trusted.alias, None)
        if trusted.certificate is not None:
            anchors[trusted.alias] = x509.sha256(trusted.certificate)
    return set(anchors.values())


def _refusal(
    system: System, facts: Mapping[str, Facts], stores: Stores, judge: Member, presenter: Member, now: datetime.datetime
) -> Optional[str]:
    """Why *judge* would refuse what *presenter* presents; None when it would not."""
    identity = _identity(system, facts, presenter)
    if identity is None:
        return f"'{presenter.name}' has no identity in its keystore"
    name = f"the certificate of '{presenter.name}' ({identity.subject}, sha256 {identity.sha256})"
    if identity.sha256 not in _anchors(system, facts, stores, judge):
        store = facts[_owner(system, judge)].store
        return f"{name} is not trusted by the keystore of '{judge.name}' ({store.path if store else 'none'})"
    if identity.not_before and parse_timestamp(identity.not_before) > now:
        return f"{name} is not valid before {identity.not_before}"
    if identity.not_after and parse_timestamp(identity.not_after) <= now:
        return f"{name} expired on {identity.not_after}"
    return None
