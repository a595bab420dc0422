# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The handshakes to make after activation: every link, and from outside those that must be refused."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import Facts
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import Adapter, Endpoint, Link, Member, System

#: Who looks as people do, where people connect who are no members.
CONTROLLER = "(controller)"


@dataclass(frozen=True)
class PlannedProbe:
    """One handshake, made on the host of *member*, or on the controller."""

    member: str
    link: Link
    #: What the client presents: its ``keystore``'s key, ``nothing``, a ``stranger``'s key, or like a ``person`` one that was signed for.
    present: str
    expect: str

    @property
    def client(self) -> str:
        """Who the client is, as the matrix says it."""
        names = {"nothing": "(no certificate)", "stranger": "(a stranger)", "person": "(somebody with a certificate)"}
        return names.get(self.present, self.member)

    def to_option(self, source_address: str | None, adapter: Adapter | None = None) -> dict[str, Any]:
        """The probe as the module handshake takes it; *adapter* is that of the product."""
        option: dict[str, Any] = {
            "name": f"{self.client} -> {self.link.server}:{self.link.port}",
            "host": self.link.address,
            "port": self.link.port,
            "present": self.present,
            "expect": self.expect,
        }
        if source_address is not None:
            option["source_address"] = source_address
        if adapter is not None and adapter.request is not None:
            option["send"] = adapter.request
        if adapter is not None and adapter.checks_names:
            option["server_name"] = self.link.address
        return option


@dataclass(frozen=True)
class Matrix:
    """All handshakes, and what cannot be shown."""

    probes: tuple[PlannedProbe, ...]
    notes: tuple[str, ...]
    #: Servers for which nobody can show that they refuse whom they should.
    faults: tuple[str, ...]
    #: (server, endpoint) that members show from outside, or would if they were reached.
    shown: frozenset[tuple[str, str]] = frozenset()


def matrix(
    system: System,
    facts: Mapping[str, Facts],
    without: Collection[str] = (),
    *,
    in_sight: Collection[str] = (),
    for_person: Collection[str] = (),
) -> Matrix:
    """The handshakes that show what *system* does, as far as its members were reached, and have an identity: not those *without*.

    *in_sight*: members that the controller sees from outside, and looks at as people do; *for_person*: those of them to which it also
    shows a certificate that was signed as people's are.
    """
    probes: list[PlannedProbe] = []
    notes: list[str] = []
    from_outside: dict[tuple[str, str], Link] = {}
    away: dict[tuple[str, str], str] = {}
    for link in system.links():
        if not facts[link.client].reached:
            notes.append(f"{link.name} is not tried: '{link.client}' was not reached")
            if _is_outside(system, link):
                away.setdefault((link.server, link.endpoint), link.client)
        elif not facts[link.server].reached:
            notes.append(f"{link.name} is not tried: '{link.server}' was not reached")
        elif link.client in without or link.server in without:
            name = link.client if link.client in without else link.server
            notes.append(f"{link.name} is not tried: somebody else has yet to sign for '{name}'")
            if _is_outside(system, link):
                from_outside.setdefault((link.server, link.endpoint), link)
        else:
            probes.append(PlannedProbe(link.client, link, "keystore", "accepted"))
            if _is_outside(system, link):
                from_outside.setdefault((link.server, link.endpoint), link)
    # Who asks for a certificate judges the one that comes, also where none need come.
    expected = {
        "nothing": "refused" if system.client_auth == "required" else "accepted",
        "stranger": "accepted" if system.client_auth == "none" else "refused",
    }
    shown = frozenset({*from_outside, *away})
    from_controller = list(_from_controller(system, facts, in_sight))
    for link in (*from_outside.values(), *from_controller):
        probes.extend(PlannedProbe(link.client, link, present, expect) for present, expect in expected.items())
    for link in from_controller:
        from_outside.setdefault((link.server, link.endpoint), link)
        if link.server in for_person:
            probes.append(PlannedProbe(link.client, link, "person", "accepted"))
    for member in system.members.values():
        if member.revoked:
            _probe_revoked(system, facts, member, probes, notes)
    faults = []
    for server, endpoint in _unseen(system, facts, from_outside):
        where = f"the host of '{server.name}' can show whom {server.address}:{endpoint.port} refuses"
        if (server.name, endpoint.name) in away:
            notes.append(f"nobody that was reached outside of {where}: '{away[server.name, endpoint.name]}' could, and was not reached")
        else:
            remedy = "it needs a reachable member on another host that connects to it (one of the kind 'client' will do)"
            faults.append(f"nobody outside of {where}: {remedy}")
    return Matrix(tuple(probes), tuple(notes), tuple(faults), shown)


def on_disk(system: System, facts: Mapping[str, Facts], member: str) -> str | None:
    """The SHA-256 of the certificate that *member* should serve, which is the one in its keystore; None when it is not known."""
    store = facts[member].store
    identity = store.identity(system.key_alias(system.members[member])) if store is not None else None
    return identity.sha256 if identity is not None else None


def looked_at(system: System, members: Collection[str]) -> list[str]:
    """Those of the *members* to which people connect, so that somebody with a certificate has to be let in."""
    return [name for name in members if system.client_auth != "none" and system.serves_people(system.members[name].kind)]


def _from_controller(system: System, facts: Mapping[str, Facts], in_sight: Collection[str]) -> Iterator[Link]:
    """The links that people have, from the controller."""
    for server in system.members.values():
        if server.name in in_sight and facts[server.name].reached and not server.revoked and system.serves_people(server.kind):
            for endpoint in server.endpoints:
                if endpoint.port is not None:
                    yield Link(CONTROLLER, server.name, endpoint.name, server.address, endpoint.port)


def _is_outside(system: System, link: Link) -> bool:
    return system.is_outside(system.members[link.client], system.members[link.server])


def _unseen(system: System, facts: Mapping[str, Facts], from_outside: Mapping[tuple[str, str], Link]) -> Iterator[tuple[Member, Endpoint]]:
    """The endpoints that are to refuse clients and that nobody tries from outside."""
    if system.client_auth != "required":
        return
    for server in system.members.values():
        if server.revoked or not facts[server.name].reached or not system.is_served(server.kind):
            continue
        for endpoint in server.endpoints:
            if endpoint.port is not None and (server.name, endpoint.name) not in from_outside:
                yield server, endpoint


def _probe_revoked(system: System, facts: Mapping[str, Facts], member: Member, probes: list[PlannedProbe], notes: list[str]) -> None:
    """A revoked member must be refused wherever it was let in."""
    store = facts[member.name].store
    if not facts[member.name].reached:
        notes.append(f"'{member.name}' is revoked and was not reached, so nobody saw it refused")
        return
    if store is None or store.identity(system.key_alias(member)) is None:
        notes.append(f"'{member.name}' is revoked and has no identity that could be refused")
        return
    expect = "accepted" if system.client_auth == "none" else "refused"
    trusted = {entry.sha256 for entry in store.entries}
    for link in system.links_from(member):
        server = system.members[link.server]
        if not facts[link.server].reached or not _is_outside(system, link):
            continue
        held = facts[link.server].store
        served = held.identity(system.key_alias(server)) if held is not None else None
        if served is not None and trusted & {served.sha256, *served.chain_sha256}:
            probes.append(PlannedProbe(member.name, link, "keystore", expect))
        else:
            # Its store is no longer kept: it would hang up itself, and show nothing about whom the server refuses.
            notes.append(f"{link.name} is not tried: '{member.name}' is revoked, and does not trust what '{link.server}' presents now")
