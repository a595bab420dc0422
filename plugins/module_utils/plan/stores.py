# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each member's keystore should hold, by trust model; and which certificates must not be trusted.

In ``pairwise`` only certificates travel. A member's certificate reaches other stores under the alias that the
inventory gives that member, never under a name that its host says of itself. In ``authority`` stores hold the CAs' certificates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.errors import TrustError
from ansible_collections.mutual.tls.plugins.module_utils.plan.activation import is_loaded
from ansible_collections.mutual.tls.plugins.module_utils.plan.authority import (
    CLIENTS,
    NO_AUTHORITY,
    AuthorityFacts,
    Ca,
    comes_from,
    signer_of,
)
from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import Facts
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import EntryFacts, StoreWish, TrustWish, without_generation
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import Member, System


@dataclass(frozen=True)
class Stores:
    """The wishes for all stores."""

    wishes: Mapping[str, StoreWish]
    #: member -> members whose certificate it is to trust and does not, because that certificate is not there yet; in the trust model
    #: ``authority`` the CAs.
    awaited: Mapping[str, tuple[str, ...]]
    #: member -> alias that it goes on trusting -> the member because of which it does, who was not seen to present something else.
    kept: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def check_certificates(system: System, facts: Mapping[str, Facts], authority: AuthorityFacts = NO_AUTHORITY) -> Iterator[str]:
    """Faults of the certificates that members present, a sentence each: no such certificate may enter a store."""
    # By key: whoever holds it can present any certificate that was made for it.
    holders: dict[bytes, dict[str, str]] = {}
    for member in system.members.values():
        certificate = _leaf(member, facts)
        if certificate is None or system.holds_copy(member):
            continue
        if member.revoked and not _possesses(member, certificate, facts):
            continue
        # Who asked the authority showed it that the key is there.
        proven = member.revoked or member.name in authority.issued
        found = [] if proven else list(_certificate_faults(member, certificate, facts[member.name].proof))
        yield from found
        if not found:
            holders.setdefault(x509.public_key_of(certificate), {})[member.name] = x509.sha256(certificate)
    for presented in holders.values():
        if len(presented) > 1:
            hosts = " and ".join(f"'{name}'" for name in presented)
            model = f"with mtls_trust_model {system.trust_model} each has a key of its own"
            yield f"{hosts} hold the same key (certificate sha256 {' and '.join(sorted(set(presented.values())))}); {model}"


def _certificate_faults(member: Member, certificate: bytes, proof: str | None) -> Iterator[str]:
    """Why nobody may trust what *member* presents. Judged from the certificate: what its host says of it is no evidence."""
    try:
        described = x509.describe(certificate)
    except TrustError as error:
        yield f"the certificate of '{member.name}' (sha256 {x509.sha256(certificate)}) cannot be judged: {error}"
        return
    authority = x509.what_makes_a_ca(certificate)
    if authority is not None:
        yield (
            f"the certificate of '{member.name}' ({described['subject']}, sha256 {described['sha256']}) is a CA ({authority}): trusting it "
            f"would let that host make identities for all others. Give '{member.name}' an end-entity certificate"
        )
    try:
        x509.check_possession(proof or "", member.name, certificate)
    except TrustError as error:
        yield f"{error} ({described['subject']}, sha256 {described['sha256']})"


def _possesses(member: Member, certificate: bytes, facts: Mapping[str, Facts]) -> bool:
    """Whether the member showed that it holds the certificate's key."""
    try:
        x509.check_possession(facts[member.name].proof or "", member.name, certificate)
    except TrustError:
        return False
    return True


def _leaf(member: Member, facts: Mapping[str, Facts]) -> bytes | None:
    """The certificate that *member* presents, DER; None when it was not reached or has none."""
    store = facts[member.name].store
    entry = store.identity(member.alias) if store is not None else None
    return x509.pem_to_der(entry.pem, f"the certificate of '{member.name}'")[0] if entry is not None and entry.pem else None


def store_wishes(system: System, facts: Mapping[str, Facts], authority: AuthorityFacts = NO_AUTHORITY) -> Stores:
    """What the store of each reached member should hold. Revoked members, and holders of a copy, have no wish of their own."""
    wishes: dict[str, StoreWish] = {}
    awaited: dict[str, tuple[str, ...]] = {}
    kept: dict[str, Mapping[str, str]] = {}
    revoked = list(_revoked_certificates(system, facts))
    signers = {
        member.name: _signer(facts[member.name].presented(member.alias), signer_of(member), authority) for member in system.members.values()
    }
    whole = not any(connected_strangers(system, facts))
    active = {member.alias for member in system.members.values() if not member.revoked}
    for member in system.members.values():
        measured = facts[member.name]
        if measured.reached and not member.revoked and not system.holds_copy(member):
            if system.trust_model == "authority":
                trusted, missing, kept[member.name] = _trusted_through(system, member, facts, authority, signers)
            else:
                trusted, missing = _trusted(system, member, facts)
            trusted.extend(_superseded(system, member, facts, authority, trusted))
            copies = _former_copies(system, member, facts)
            trusted.extend(_needless(system, member, facts) if copies else ())
            distrusted = _distrusted(measured.store.entries if measured.store is not None else (), revoked, active)
            # What nobody names may be the trust of one who was not measured: nothing is purged beside one of those.
            measured_all = all(facts[partner.name].reached or partner.revoked for partner in system.partners(member))
            purge = system.purge_trusted and whole and measured_all
            wishes[member.name] = StoreWish(measured.identity_wish, (*trusted, *distrusted), purge, copies)
            awaited[member.name] = tuple(missing)
    return Stores(wishes, awaited, kept)


def _former_copies(system: System, member: Member, facts: Mapping[str, Facts]) -> dict[str, str]:
    """The keys of platforms in another member's store, by alias, with the reason why they are to go: what the model ``shared`` left."""
    if system.trust_model == "shared" or member.kind == "client":
        return {}
    found = {}
    for platform in system.members.values():
        if platform.kind == system.adapter.center and platform.name != member.name and _is_copied(system, platform, member, facts):
            found[platform.alias] = f"with the trust model '{system.trust_model}' only '{platform.name}' holds its key"
    return found


def _is_copied(system: System, platform: Member, member: Member, facts: Mapping[str, Facts]) -> bool:
    """Whether the store of *member* has a copy of the key of *platform*, and is another file than the platform's own.

    In a run in which the platform gets another key, the copy is known by its name.
    """
    original, store = facts[platform.name].store, facts[member.name].store
    if original is None or store is None or (original.path == store.path and system.on_one_host(platform, member)):
        return False
    own, copy = original.identity(platform.alias), store.identity(platform.alias)
    if own is None or copy is None or not own.pem or not copy.pem:
        return False
    keys = {x509.public_key_of(x509.pem_to_der(entry.pem or "", entry.alias)[0]) for entry in (own, copy)}
    return len(keys) == 1 or without_generation(own.subject or "") == without_generation(copy.subject or "")


def _needless(system: System, member: Member, facts: Mapping[str, Facts]) -> Iterator[TrustWish]:
    """Certificates of members in a copy of the platform's store that the member has nothing to do with."""
    store = facts[member.name].store
    partners = {partner.name for partner in system.partners(member)}
    for other in system.members.values():
        entry = store.entry(other.alias) if store is not None else None
        if entry is not None and entry.type == "trusted_cert" and other.name not in partners and not other.revoked:
            yield TrustWish(other.alias, reason=f"'{other.name}' and '{member.name}' do not connect to each other")


def connected_strangers(system: System, facts: Mapping[str, Facts]) -> Iterator[tuple[str, str, str]]:
    """Who is connected and is no member: (member, endpoint, address). The inventory is a slice of the system, then, or forgot them.

    A member connects from its address in the inventory, or from the one that its host measured.
    """
    known = {each for member in system.members.values() for each in (member.address, member.host, member.source_address)}
    known.update(source for measured in facts.values() for source in measured.sources)
    for name, measured in facts.items():
        for endpoint, found in measured.endpoints.items():
            for address in found.clients:
                if address not in known:
                    yield name, endpoint, address


def _trusted(system: System, member: Member, facts: Mapping[str, Facts]) -> tuple[list[TrustWish], list[str]]:
    """The partners' certificates that are there, and the names of the partners that have none yet."""
    trusted, missing = [], []
    store = facts[member.name].store
    for partner in system.partners(member):
        if system.holds_copy(partner):
            old = store.entry(partner.alias) if store is not None and facts[partner.name].reached else None
            if old is not None and old.type == "trusted_cert":
                trusted.append(TrustWish(partner.alias, reason=f"'{partner.name}' holds the key that all share, and presents no other"))
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


def _trusted_through(
    system: System, member: Member, facts: Mapping[str, Facts], authority: AuthorityFacts, signers: Mapping[str, Ca | None]
) -> tuple[list[TrustWish], list[str], dict[str, str]]:
    """The CAs' certificates, and partners' own that no CA signed; the names of the CAs that have no certificate yet; and what is kept, by
    alias, only because of a partner that may still present what it is needed for.
    """
    store = facts[member.name].store
    held = {entry.sha256 for entry in store.entries if entry.type == "trusted_cert"} if store is not None else set()
    needed: dict[str, Ca] = {}
    perhaps: dict[str, tuple[Ca, str]] = {}
    own: list[TrustWish] = []
    missing, kept = [], {}
    for partner in system.partners(member):
        name = signer_of(partner)
        newest, signer, measured = authority.newest(name), signers[partner.name], facts[partner.name]
        # A CA that is out for somebody who was revoked does not come back because others still have what it signed.
        out = signer is not None and signer.sha256 not in held and (signer.name, signer.generation) in authority.revoked_of
        present = signer if measured.reached and (system.adapter.reads_crl or not out) else None
        needed.update({ca.alias: ca for ca in (newest, present) if ca is not None})
        over = measured.reached and (not system.phased or is_loaded(system, partner, measured))
        if not over:
            perhaps.update({ca.alias: (ca, partner.name) for ca in authority.cas if ca.name == name and ca.sha256 in held})
        old = store.entry(partner.alias) if store is not None else None
        if old is not None and old.type == "trusted_cert":
            if signer is not None and over:
                own.append(TrustWish(partner.alias, reason=f"'{partner.name}' is trusted through the authority '{name}'"))
            elif old.pem is not None:
                # It presents, as far as anybody knows, what no CA of ours signed.
                current = _leaf(partner, facts) if signer is None else None
                own.append(TrustWish(partner.alias, current or x509.pem_to_der(old.pem, partner.alias)[0]))
                if signer is not None:
                    kept[partner.alias] = partner.name
        if newest is None:
            missing.append(name)
    clients = authority.newest(CLIENTS)
    if system.serves_people(member.kind):
        needed.update({clients.alias: clients} if clients is not None else {})
        missing.extend([CLIENTS] if clients is None else [])
    elif member.kind in system.adapter.pem_kinds and not needed:
        # What reads PEM files refuses an empty one, also when the last of its clients is revoked.
        last = [ca for ca in authority.cas if ca.sha256 in held] or ([clients] if clients is not None else [])
        needed.update({ca.alias: ca for ca in last[-1:]})
    for alias, (ca, because) in perhaps.items():
        if alias not in needed:
            needed[alias], kept[alias] = ca, because
    kinds = {"system": "the platform, and what runs for it", "clients": "people and desktops"}
    cas = [TrustWish(ca.alias, ca.certificate, reason=f"it signs for {kinds[ca.name]}") for ca in needed.values()]
    return [*cas, *own], missing, kept


def _signer(chain: Sequence[bytes], name: str, authority: AuthorityFacts) -> Ca | None:
    """The CA, of any generation, that a chain comes from; None when it is none of that name."""
    return next((ca for ca in reversed(authority.cas) if ca.name == name and comes_from(chain, ca)), None)


def _superseded(
    system: System, member: Member, facts: Mapping[str, Facts], authority: AuthorityFacts, trusted: Sequence[TrustWish]
) -> Iterator[TrustWish]:
    """The CAs' certificates in the member's store that sign for nobody any more; a partner that was not reached may still need them."""
    store = facts[member.name].store
    named = {wish.alias for wish in trusted}
    if store is None or not all(facts[partner.name].reached for partner in system.partners(member)):
        return
    by_fingerprint = {ca.sha256: ca for ca in authority.cas}
    for entry in store.entries:
        ca = by_fingerprint.get(entry.sha256 or "")
        if ca is not None and entry.type == "trusted_cert" and entry.alias not in named:
            yield TrustWish(entry.alias, reason=f"generation {ca.generation} of the authority '{ca.name}' signs for nobody here any more")


def _revoked_certificates(system: System, facts: Mapping[str, Facts]) -> Iterator[tuple[str, str, str | None]]:
    """For each name in mtls_revoked its alias, and the fingerprint of the certificate that its host presents.

    That counts only if the host holds the key: or a revoked host could have others thrown out.
    """
    for name in system.revoked:
        member = system.members.get(name)
        if member is None:
            yield name, name.lower(), None
            continue
        certificate = _leaf(member, facts)
        held = certificate is not None and _possesses(member, certificate, facts)
        yield name, member.alias, x509.sha256(certificate) if certificate is not None and held else None


def _distrusted(entries: Sequence[EntryFacts], revoked: Iterable[tuple[str, str, str | None]], active: Set[str]) -> Iterator[TrustWish]:
    """Every alias under which a revoked member's certificate is trusted: its own, and any other with the same fingerprint.

    But for the aliases of *active* members: what is under them is replaced by those members' own certificates.
    """
    for name, alias, presented in revoked:
        fingerprints = {entry.sha256 for entry in entries if entry.alias == alias} | {presented} - {None}
        aliases = {entry.alias for entry in entries if entry.type == "trusted_cert" and entry.sha256 in fingerprints}
        for found in sorted((aliases | {alias}) - active):
            yield TrustWish(found, reason=f"'{name}' is in mtls_revoked")
