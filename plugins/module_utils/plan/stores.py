# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each member's keystore should hold, by trust model; and which certificates must not be trusted.

In ``pairwise`` only certificates travel. A member's certificate reaches other stores under the alias that the
inventory gives that member, never under a name that its host says of itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Mapping, Optional

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.errors import TrustError
from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import Facts
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import StoreWish, TrustWish
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import Member, System


@dataclass(frozen=True)
class Stores:
    """The wishes for all stores."""

    wishes: Mapping[str, StoreWish]
    #: member -> members whose certificate it is to trust and does not, because that certificate is not there yet.
    awaited: Mapping[str, tuple[str, ...]]


def check_certificates(system: System, facts: Mapping[str, Facts]) -> Iterator[str]:
    """Faults of the certificates that members present, a sentence each: no such certificate may enter a store."""
    holders: dict[str, list[str]] = {}
    for member in system.members.values():
        certificate = _leaf(member, facts)
        if certificate is None or system.holds_copy(member):
            continue
        if member.revoked:
            if _possesses(member, certificate, facts):
                holders.setdefault(x509.sha256(certificate), []).append(member.name)
            continue
        measured = facts[member.name]
        entry = measured.store.identity(member.alias) if measured.store else None
        assert entry is not None, "a leaf comes from an identity"
        holders.setdefault(x509.sha256(certificate), []).append(member.name)
        if entry.is_ca:
            yield (
                f"the certificate of '{member.name}' ({entry.subject}, sha256 {entry.sha256}) is a CA (CA:TRUE): trusting it would let "
                f"that host make identities for all others. Give '{member.name}' an end-entity certificate"
            )
        try:
            x509.check_possession(measured.proof or "", member.name, certificate)
        except TrustError as error:
            yield f"{error} ({entry.subject}, sha256 {entry.sha256})"
    for sha256, names in holders.items():
        if len(names) > 1:
            hosts = " and ".join(f"'{name}'" for name in names)
            yield f"{hosts} present the same certificate (sha256 {sha256}); with mtls_trust_model pairwise each has a key of its own"


def _possesses(member: Member, certificate: bytes, facts: Mapping[str, Facts]) -> bool:
    """Whether the member showed that it holds the certificate's key."""
    try:
        x509.check_possession(facts[member.name].proof or "", member.name, certificate)
    except TrustError:
        return False
    return True


def _leaf(member: Member, facts: Mapping[str, Facts]) -> Optional[bytes]:
    """The certificate that *member* presents, DER; None when it was not reached or has none."""
    store = facts[member.name].store
    entry = store.identity(member.alias) if store is not None else None
    return x509.pem_to_der(entry.pem, f"the certificate of '{member.name}'")[0] if entry is not None and entry.pem else None


def store_wishes(system: System, facts: Mapping[str, Facts]) -> Stores:
    """What the store of each reached member should hold. Revoked members, and holders of a copy, have no wish of their own."""
    wishes: dict[str, StoreWish] = {}
    awaited: dict[str, tuple[str, ...]] = {}
    for member in system.members.values():
        measured = facts[member.name]
        if measured.reached and not member.revoked and not system.holds_copy(member):
            trusted, missing = _trusted(system, member, facts)
            wishes[member.name] = StoreWish(measured.identity_wish, (*trusted, *_distrusted(system, member, facts)), system.purge_trusted)
            awaited[member.name] = tuple(missing)
    return Stores(wishes, awaited)


def _trusted(system: System, member: Member, facts: Mapping[str, Facts]) -> tuple[list[TrustWish], list[str]]:
    """The partners' certificates that are there, and the names of the partners that have none yet."""
    trusted, missing = [], []
    store = facts[member.name].store
    for partner in system.partners(member):
        if partner.revoked or system.holds_copy(partner):
            continue
        certificate = _leaf(partner, facts)
        if certificate is not None:
            trusted.append(TrustWish(partner.alias, certificate, reason=f"'{partner.name}' and '{member.name}' connect to each other"))
            continue
        old = store.entry(partner.alias) if store is not None else None
        if old is not None and old.pem is not None and old.type == "trusted_cert":
            # Not reached is never read as gone: what is trusted stays so, also when nothing else may.
            trusted.append(TrustWish(partner.alias, x509.pem_to_der(old.pem, partner.alias)[0]))
        else:
            missing.append(partner.name)
    return trusted, missing


def _distrusted(system: System, member: Member, facts: Mapping[str, Facts]) -> Iterator[TrustWish]:
    """Every alias under which a revoked member's certificate is trusted: its own, and any other with the same fingerprint.

    What its host presents counts only if it holds the key, and never against another member: or a revoked host could have
    others thrown out.
    """
    store = facts[member.name].store
    entries = store.entries if store is not None else ()
    others = {other.alias for other in system.members.values() if not other.revoked}
    for name in system.revoked:
        revoked = system.members.get(name)
        alias = revoked.alias if revoked is not None else name.lower()
        certificate = _leaf(revoked, facts) if revoked is not None else None
        if revoked is not None and certificate is not None and not _possesses(revoked, certificate, facts):
            certificate = None
        named = [entry for entry in entries if entry.alias == alias]
        fingerprints = {entry.sha256 for entry in named} | ({x509.sha256(certificate)} if certificate is not None else set())
        aliases = {entry.alias for entry in entries if entry.type == "trusted_cert" and entry.sha256 in fingerprints}
        for found in sorted((aliases | {alias}) - others):
            yield TrustWish(found, present=False, reason=f"'{name}' is in mtls_revoked")
