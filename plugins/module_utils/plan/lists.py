# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody else's authority has to do for revocation, which nobody here can: make lists, and replace its CAs."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.errors import TrustError
from ansible_collections.mutual.tls.plugins.module_utils.plan.authority import (
    CLIENTS,
    SYSTEM,
    AuthorityFacts,
    Ca,
    comes_from,
    path_to,
    signer_of,
)
from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import Facts
from ansible_collections.mutual.tls.plugins.module_utils.plan.stores import Stores
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import Member, System

#: A list that ends sooner is told of.
_SOON = datetime.timedelta(days=7)


def list_faults(
    system: System, facts: Mapping[str, Facts], stores: Stores, authority: AuthorityFacts, now: datetime.datetime
) -> Iterator[str]:
    """Why revocation would not hold, or servers would refuse everybody, a sentence each without its full stop."""
    if not _matters(system, authority):
        return
    if system.adapter.reads_crl:
        cas = _read_by_servers(system, stores, authority)
        for ca in cas:
            yield from _bad_lists(system, facts, ca, now)
        yield from _unlisted(system, facts, cas, authority)
    else:
        yield from _not_replaced(system, facts, authority)


def list_notes(system: System, stores: Stores, authority: AuthorityFacts, now: datetime.datetime) -> Iterator[str]:
    """Lists that end soon, and that nobody here can make anew."""
    if _matters(system, authority) and system.adapter.reads_crl:
        for ca in _read_by_servers(system, stores, authority):
            for crl in ca.crls:
                if now < crl.next_update < now + _SOON:
                    yield (
                        f"the revocation list of '{crl.issuer_name}' ends on {x509.timestamp(crl.next_update)}, and with it "
                        f"{system.adapter.name} refuses everybody: put the next one into {_file(ca, 'crl')}"
                    )


def _matters(system: System, authority: AuthorityFacts) -> bool:
    """Whether servers judge what somebody else signed; to be switched off, nothing need be in order."""
    return authority.external and system.trust_model == "authority" and system.client_auth != "none"


def _read_by_servers(system: System, stores: Stores, authority: AuthorityFacts) -> list[Ca]:
    """The CAs that servers with revocation lists trust once the plan is carried out."""
    servers = [member.name for member in system.members.values() if member.kind in system.adapter.pem_kinds]
    wishes = [wish for server in servers if server in stores.wishes for wish in stores.wishes[server].trusted]
    trusted = {x509.sha256(wish.certificate) for wish in wishes if wish.certificate is not None}
    return [ca for ca in authority.cas if ca.sha256 in trusted]


def _bad_lists(system: System, facts: Mapping[str, Facts], ca: Ca, now: datetime.datetime) -> Iterator[str]:
    listed = {crl.issuer for crl in ca.crls}
    where = _file(ca, "crl")
    for issuer, words in sorted(_issuers(system, facts, ca).items()):
        if issuer not in listed:
            yield f"{where} has no revocation list of '{words}', without which {system.adapter.name} accepts nobody that it signed for"
    for crl in ca.crls:
        if crl.next_update <= now:
            yield f"the revocation list of '{crl.issuer_name}' ended on {x509.timestamp(crl.next_update)}: put the next one into {where}"


def _issuers(system: System, facts: Mapping[str, Facts], ca: Ca) -> dict[bytes, str]:
    """The names of all CAs on the way from a member that *ca* signed for up to it: DER, and as people write them."""
    above = {ca.certificate}
    for member in system.members.values():
        if not member.revoked and signer_of(member) == ca.name:
            above.update((path_to(facts[member.name].presented(member.alias), ca) or [])[1:])
    return {x509.subject_of(each): x509.format_name(x509.load_certificate(each).subject) for each in above}


def _unlisted(system: System, facts: Mapping[str, Facts], cas: list[Ca], authority: AuthorityFacts) -> Iterator[str]:
    """Certificates of those who are revoked that servers would accept all the same."""
    remedy = "have its owner revoke it there, and put the next list here"
    told = set()
    for each in authority.unlisted:
        if any((ca.name, ca.generation) == (each["authority"], int(each["generation"])) for ca in cas):
            told.add(each["serial"])
            yield (
                f"'{each['name']}' is to be revoked, and no revocation list of the authority '{each['authority']}' has its certificate "
                f"(serial {each['serial']}, until {each['not_after']}): {remedy}"
            )
    for member, chain in _presented_by_revoked(system, facts):
        serial = f"{x509.load_certificate(chain[0]).serial_number:x}"
        if serial not in told and any(comes_from(chain, ca) for ca in cas) and not authority.is_listed(chain[0]):
            yield f"'{member.name}' is to be revoked, and no revocation list has what it presents (serial {serial}): {remedy}"


def _not_replaced(system: System, facts: Mapping[str, Facts], authority: AuthorityFacts) -> Iterator[str]:
    """CAs that signed for somebody who is revoked, where no lists are read: under whatever name they are trusted."""
    holders = {
        x509.public_key_of(ca.certificate): authority.revoked_of[ca.name, ca.generation]
        for ca in authority.cas
        if (ca.name, ca.generation) in authority.revoked_of
    }
    for member, chain in _presented_by_revoked(system, facts):
        holders.update({x509.public_key_of(ca.certificate): member.name for ca in authority.cas if comes_from(chain, ca)})
    for name in (SYSTEM, CLIENTS):
        newest = authority.newest(name)
        holder = holders.get(x509.public_key_of(newest.certificate)) if newest is not None else None
        if newest is not None and holder is not None:
            yield (
                f"'{holder}' is revoked, and {system.adapter.name} reads no revocation lists: whoever trusts the CA that signed for it "
                f"lets it in. Have another CA made, with another name and key, and put its root into {name}-{newest.generation + 1}.crt.pem"
            )


def _presented_by_revoked(system: System, facts: Mapping[str, Facts]) -> Iterator[tuple[Member, list[bytes]]]:
    """What members that are revoked present, as far as they show that they hold its key."""
    for member in system.members.values():
        chain = facts[member.name].presented(member.alias) if member.revoked else []
        if chain:
            try:
                x509.check_possession(facts[member.name].proof or "", member.name, chain[0])
            except TrustError:
                continue
            yield member, chain


def _file(ca: Ca, kind: str) -> str:
    return f"{ca.name}-{ca.generation}.{kind}.pem"
