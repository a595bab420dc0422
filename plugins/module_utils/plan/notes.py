# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person should know of a plan, and that stops nothing."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Mapping

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import Facts, StoreFacts
from ansible_collections.mutual.tls.plugins.module_utils.plan.proof import clock_words
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import IdentityWish
from ansible_collections.mutual.tls.plugins.module_utils.plan.stores import Stores, connected_strangers
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import System


def notes(system: System, facts: Mapping[str, Facts], stores: Stores, identities: Collection[str], now: datetime.datetime) -> Iterator[str]:
    """The notes, a sentence each without its full stop; *identities* are the members whose own certificate changes."""
    yield from _purge_withheld(system, facts)
    yield from _unmanaged(facts, stores)
    yield from _kept_for_the_unreached(facts, stores)
    yield from _wrong_clocks(facts, now)
    yield from _ending(system, facts, identities, now)
    yield from _strangers_revoked(system, facts)
    yield from _copied_keys(system, facts, stores, identities)


def _copied_keys(system: System, facts: Mapping[str, Facts], stores: Stores, identities: Collection[str]) -> Iterator[str]:
    """Keys of platforms that were on other hosts, and that the platforms keep."""
    for platform in system.members.values():
        store = facts[platform.name].store
        if platform.name in identities or (store is not None and store.new_identity):
            continue
        holders = [name for name, wish in stores.wishes.items() if platform.alias in wish.absent_keys]
        if holders:
            yield (
                f"the key of '{platform.name}' was on {len(holders)} other hosts, and whoever copied it there has it still: raise "
                "mtls_generation, and it gets another"
            )


def _strangers_revoked(system: System, facts: Mapping[str, Facts]) -> Iterator[str]:
    """Names in mtls_revoked that nobody knows: perhaps they were meant to be others."""
    known = {entry.alias for measured in facts.values() if measured.store is not None for entry in measured.store.entries}
    for name in system.revoked:
        if name not in system.members and name not in system.people and name.lower() not in known:
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


def _kept_for_the_unreached(facts: Mapping[str, Facts], stores: Stores) -> Iterator[str]:
    """What is trusted on for the sake of members that were not reached."""
    for name, kept in stores.kept.items():
        for alias, because in kept.items():
            if not facts[because].reached:
                why = f"'{because}' was not reached and may still present what it is needed for"
                yield f"'{name}' goes on trusting '{alias}', because {why}"


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
        left = x509.parse_timestamp(entry.not_after) - now
        if datetime.timedelta() < left < least:
            why = "nobody wishes it to be renewed" if measured.reached else "it was not reached"
            yield (
                f"the certificate of '{member.name}' ({entry.subject}, sha256 {entry.sha256}) ends on {entry.not_after}, in {left.days} "
                f"days, sooner than renew_before ({x509.format_duration(least)}), and this run does not renew it: {why}"
            )
