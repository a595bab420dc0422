# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether every link will verify, shown from what lies (or will lie) in the stores, before anything restarts.

A store trusts its trusted entries and the leaf of its own key, each exactly (JSSE takes a trusted leaf as an anchor). So in
``pairwise`` and ``shared`` a link holds when each side's leaf is among the other's anchors, is valid now and is for its side.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import Facts, StoreFacts
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import StoreWish, parse_timestamp
from ansible_collections.mutual.tls.plugins.module_utils.plan.stores import Stores
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import Link, Member, System

# What a certificate's extended key usage must hold, where it has one, to be taken by either side: RFC 5280, section 4.2.1.12.
_USAGES = {"server": "1.3.6.1.5.5.7.3.1", "client": "1.3.6.1.5.5.7.3.2"}


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


@dataclass(frozen=True)
class _Party:
    """What one store presents and trusts once the plan is carried out."""

    path: str
    #: What the certificate itself says, as x509.describe returns it; None when the store has no identity.
    certificate: Mapping[str, Any] | None
    anchors: set[str]


def prove(
    system: System, facts: Mapping[str, Facts], stores: Stores, identities: Sequence[str], now: datetime.datetime
) -> Iterator[Verdict]:
    """A verdict for each link; *identities* are the members whose identity this run makes anew."""
    parties = {owner: _party(system.members[owner], facts[owner].store, wish) for owner, wish in stores.wishes.items()}
    anew = set(identities)
    for link in system.links():
        sides = (system.members[link.client], system.members[link.server])
        unreached = [name for member in sides for name in (member.name, _owner(system, member)) if not facts[name].reached]
        if unreached:
            yield Verdict(link, "unknown", f"'{unreached[0]}' was not reached")
            continue
        awaited = [member.name for member in sides if _owner(system, member) in anew]
        if awaited:
            yield Verdict(link, "awaits", f"the identity of '{awaited[0]}' is made in this run")
            continue
        client, server = (parties[_owner(system, member)] for member in sides)
        reason = _refusal(link.client, client, link.server, server, "server", now)
        if reason is None and system.client_auth != "none":
            reason = _refusal(link.server, server, link.client, client, "client", now)
        yield Verdict(link, "fails" if reason else "holds", reason or "")


def _owner(system: System, member: Member) -> str:
    """The member in whose store *member*'s identity is made."""
    return system.shared_source().name if system.holds_copy(member) else member.name


def _party(member: Member, store: StoreFacts | None, wish: StoreWish) -> _Party:
    identity = store.identity(member.alias) if store is not None else None
    pem = identity.pem if identity is not None else None
    certificate = x509.describe(x509.pem_to_der(pem, f"the certificate of '{member.name}'")[0]) if pem else None
    return _Party(store.path if store is not None else "none", certificate, _anchors(store, wish))


def _anchors(store: StoreFacts | None, wish: StoreWish) -> set[str]:
    """The fingerprints that a store trusts once the plan is carried out."""
    entries = store.entries if store is not None else ()
    anchors = {entry.alias: entry.sha256 for entry in entries if entry.sha256 and not (wish.purge_trusted and entry.type == "trusted_cert")}
    for trusted in wish.trusted:
        anchors.pop(trusted.alias, None)
        if trusted.certificate is not None:
            anchors[trusted.alias] = x509.sha256(trusted.certificate)
    return set(anchors.values())


def _refusal(judge: str, judging: _Party, presenter: str, presenting: _Party, side: str, now: datetime.datetime) -> str | None:
    """Why *judge* would refuse what *presenter* presents as the *side* of a connection; None when it would not."""
    certificate = presenting.certificate
    if certificate is None:
        return f"'{presenter}' has no identity in its keystore"
    name = f"the certificate of '{presenter}' ({certificate['subject']}, sha256 {certificate['sha256']})"
    if certificate["sha256"] not in judging.anchors:
        return f"{name} is not trusted by the keystore of '{judge}' ({judging.path})"
    if parse_timestamp(certificate["not_before"]) > now:
        return f"{name} is not valid before {certificate['not_before']}"
    if parse_timestamp(certificate["not_after"]) <= now:
        return f"{name} expired on {certificate['not_after']}"
    usages = certificate["extended_key_usage"]
    if usages is not None and _USAGES[side] not in usages:
        return f"{name} is not for the {side} side of TLS: its extended key usage is {', '.join(usages)}, without {_USAGES[side]}"
    return None
