# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether every link will verify, shown from what lies (or will lie) in the stores, before anything restarts.

A store trusts its trusted entries and the leaf of its own key, each by itself; verification.py says what it accepts. A link holds when
each side accepts the other at the time that its own host has, with a key that fits its certificate and that the product can use.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.errors import TrustError
from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import Facts, StoreFacts
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import EntryFacts, StoreWish
from ansible_collections.mutual.tls.plugins.module_utils.plan.stores import Stores
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import Link, Member, System
from ansible_collections.mutual.tls.plugins.module_utils.plan.verification import Anchors, Refusal, refusal


@dataclass(frozen=True)
class Verdict:
    """What can be said of one link beforehand."""

    link: Link
    #: ``holds``; ``fails``; ``awaits`` an identity that is yet to be made; ``unknown`` when a side was not reached.
    outcome: str
    reason: str = ""
    #: The rule that a failing link breaks: a short name, always the same.
    rule: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The verdict as ``plan.json`` has it."""
        return {**vars(self.link), "verdict": self.outcome, "reason": self.reason, "rule": self.rule}


@dataclass(frozen=True)
class _Party:
    """What one store presents and trusts once the plan is carried out."""

    path: str
    #: The certificates that are presented (DER, leaf first); empty when the store has no identity.
    chain: tuple[bytes, ...]
    anchors: Anchors
    #: The rule, and why, if the key cannot be used with the certificate; to follow the certificate's name.
    unusable: tuple[str, str] | None = None


def prove(
    system: System,
    facts: Mapping[str, Facts],
    stores: Stores,
    identities: Sequence[str],
    now: datetime.datetime,
    without: Collection[str] = (),
) -> Iterator[Verdict]:
    """A verdict for each link; *identities* are the members whose identity this run makes anew, and those *without* one wait for it."""
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
        waiting = [member.name for member in sides if member.name in without]
        if waiting:
            yield Verdict(link, "awaits", f"somebody else has yet to sign for '{waiting[0]}'")
            continue
        client, server = (parties[_owner(system, member)] for member in sides)
        found = _refusal(system, link, "server", client, server, facts[link.client], now)
        if found is None and system.client_auth != "none":
            found = _refusal(system, link, "client", server, client, facts[link.server], now)
        yield Verdict(link, "fails", *found) if found else Verdict(link, "holds")


def _owner(system: System, member: Member) -> str:
    """The member in whose store *member*'s identity is made."""
    return system.shared_source().name if system.holds_copy(member) else member.name


def _party(member: Member, store: StoreFacts | None, wish: StoreWish) -> _Party:
    identity = store.identity(member.alias) if store is not None else None
    path = store.path if store is not None else "none"
    anchors = Anchors(_anchors(store, wish))
    if identity is None or not identity.pem:
        return _Party(path, (), anchors)
    what = f"the certificate of '{member.name}'"
    leaf = x509.pem_to_der(identity.pem, what)[0]
    above = x509.pem_to_der(identity.chain_pem, what)[1:] if identity.chain_pem else []
    return _Party(path, (leaf, *above), anchors, _unusable(identity))


def _unusable(identity: EntryFacts) -> tuple[str, str] | None:
    """Why nobody can make a handshake with the key and its certificate."""
    if identity.locked:
        return (
            "locked",
            "has a key that the keystore's password does not open: bring it under that (mutual.tls.keystore with old_key_password)",
        )
    if identity.key_matches is False:
        return "key_mismatch", "is not for the key beside it: install the certificate of that key, or have both made anew"
    if identity.fault is not None and not identity.unreadable:
        return "key_damaged", f"cannot be used, {identity.fault}: have both made anew (regenerate: full_idempotence)"
    return None


def _anchors(store: StoreFacts | None, wish: StoreWish) -> list[bytes]:
    """The certificates (DER) that a store trusts once the plan is carried out, in its order."""
    entries = store.entries if store is not None else ()
    anchors = {
        entry.alias: x509.pem_to_der(entry.pem, f"the certificate under the alias '{entry.alias}'")[0]
        for entry in entries
        if entry.pem
        and entry.sha256
        and not (wish.purge_trusted and entry.type == "trusted_cert")
        and not (entry.type == "private_key" and entry.alias in wish.absent_keys)
    }
    for trusted in wish.trusted:
        anchors.pop(trusted.alias, None)
        if trusted.certificate is not None:
            anchors[trusted.alias] = trusted.certificate
    return list(anchors.values())


def _refusal(
    system: System, link: Link, side: str, judging: _Party, presenting: _Party, host: Facts, now: datetime.datetime
) -> tuple[str, str] | None:
    """Why the judge on *host* would refuse what the *side* of the link presents: the reason and the rule; None when it would not."""
    judge, presenter = (link.client, link.server) if side == "server" else (link.server, link.client)
    if not presenting.chain:
        return f"'{presenter}' has no identity in its keystore", "no_identity"
    if presenting.unusable is not None:
        rule, why = presenting.unusable
        return f"{_named(presenter, presenting, presenting.chain[0])} {why}", rule

    def judged(moment: datetime.datetime) -> Refusal | None:
        return refusal(
            presenting.chain,
            judging.anchors,
            side,
            moment,
            host=link.address if side == "server" and system.adapter.checks_names else None,
            asks=side == "client" and system.client_auth == "required",
            oldest_java=system.adapter.oldest_java,
        )

    error = host.clock_error(now)
    found = judged(now + error)
    if found is None:
        return None
    if found.place == "leaf":
        certificate = _named(presenter, presenting, found.certificate)
    elif found.place == "presented":
        certificate = f"an issuer's certificate that '{presenter}' presents ({_shown(found.certificate)}, keystore {presenting.path})"
    else:
        certificate = f"a certificate that '{judge}' trusts ({_shown(found.certificate)}, keystore {judging.path}) and '{presenter}' needs"
    by_whom = f" by the keystore of '{judge}' ({judging.path})" if found.rule == "untrusted" else ""
    reason = f"{certificate} {found.sentence}{by_whom}: {found.remedy}"
    if error and judged(now) is None:
        reason += f". The clock of '{judge}', which judges it, is {clock_words(error)}: set that right first"
    return reason, found.rule


def clock_words(error: datetime.timedelta) -> str:
    """How far a clock is off, in the greatest unit that fits."""
    seconds = abs(error).total_seconds()
    unit, length = next((each for each in (("day", 86400), ("hour", 3600)) if seconds >= each[1]), ("minute", 60))
    count = int(seconds // length)
    return f"{count} {unit}{'' if count == 1 else 's'} {'ahead' if error > datetime.timedelta() else 'behind'}"


def _named(presenter: str, presenting: _Party, certificate: bytes) -> str:
    return f"the certificate of '{presenter}' ({_shown(certificate)}, keystore {presenting.path})"


def _shown(certificate: bytes) -> str:
    """Subject and fingerprint; what cannot be read has the latter only."""
    fingerprint = f"sha256 {x509.sha256(certificate)}"
    try:
        return f"{x509.format_name(x509.load_certificate(certificate).subject)}, {fingerprint}"
    except TrustError:
        return fingerprint
