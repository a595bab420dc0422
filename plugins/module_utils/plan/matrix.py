# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The handshakes to make after activation: every link, and from outside those that must be refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, Mapping

from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import Facts
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import Link, Member, System


@dataclass(frozen=True)
class PlannedProbe:
    """One handshake, made on the host of *member*."""

    member: str
    link: Link
    #: What the client presents: its ``keystore``'s key, ``nothing``, or a ``stranger``'s key.
    present: str
    expect: str

    @property
    def client(self) -> str:
        """Who the client is, as the matrix says it."""
        names = {"nothing": "(no certificate)", "stranger": "(a stranger)"}
        return names.get(self.present, self.member)

    def to_option(self, source_address: str | None) -> dict[str, Any]:
        """The probe as the module handshake takes it."""
        option: dict[str, Any] = {
            "name": f"{self.client} -> {self.link.server}:{self.link.port}",
            "host": self.link.address,
            "port": self.link.port,
            "present": self.present,
            "expect": self.expect,
        }
        return option if source_address is None else {**option, "source_address": source_address}


@dataclass(frozen=True)
class Matrix:
    """All handshakes, and what cannot be shown."""

    probes: tuple[PlannedProbe, ...]
    notes: tuple[str, ...]
    #: Servers for which nobody can show that they refuse whom they should.
    faults: tuple[str, ...]


def matrix(system: System, facts: Mapping[str, Facts]) -> Matrix:
    """The handshakes that show what *system* does, as far as its members were reached."""
    probes: list[PlannedProbe] = []
    notes: list[str] = []
    faults: list[str] = []
    for link in system.links():
        if not facts[link.client].reached:
            notes.append(f"{link.name} is not tried: '{link.client}' was not reached")
        elif not facts[link.server].reached:
            notes.append(f"{link.name} is not tried: '{link.server}' was not reached")
        else:
            probes.append(PlannedProbe(link.client, link, "keystore", "accepted"))
    outsiders = "refused" if system.client_auth == "required" else "accepted"
    for server in system.members.values():
        if server.revoked or not facts[server.name].reached:
            continue
        for endpoint in server.endpoints:
            if endpoint.port is None:
                continue
            links = [link for link in _links_to(system, server, endpoint.name) if _is_outside(system, link) and facts[link.client].reached]
            if links:
                probes.extend(PlannedProbe(links[0].client, links[0], present, outsiders) for present in ("nothing", "stranger"))
            else:
                faults.append(
                    f"nobody outside of the host of '{server.name}' can show whom {server.address}:{endpoint.port} refuses: "
                    "it needs a reachable member on another host that connects to it (one of the kind 'client' will do)"
                )
    for member in system.members.values():
        if member.revoked:
            _probe_revoked(system, facts, member, probes, notes)
    return Matrix(tuple(probes), tuple(notes), tuple(faults))


def _links_to(system: System, server: Member, endpoint: str) -> Iterator[Link]:
    for client in system.members.values():
        if not client.revoked:
            yield from (link for link in system.links_between(client, server) if link.endpoint == endpoint)


def _is_outside(system: System, link: Link) -> bool:
    """Whether the server treats the link's client as one from outside."""
    return not system.adapter.exempts_local_clients or system.members[link.client].address != link.address


def _probe_revoked(
    system: System, facts: Mapping[str, Facts], member: Member, probes: list[PlannedProbe], notes: list[str]
) -> None:
    """A revoked member must be refused wherever it was let in."""
    store = facts[member.name].store
    if not facts[member.name].reached:
        notes.append(f"'{member.name}' is revoked and was not reached, so nobody saw it refused")
        return
    if store is None or store.identity(member.alias) is None:
        notes.append(f"'{member.name}' is revoked and has no identity that could be refused")
        return
    expect = "refused" if system.client_auth == "required" else "accepted"
    for server in system.members.values():
        if not server.revoked and facts[server.name].reached:
            for link in system.links_between(member, server):
                if _is_outside(system, link):
                    probes.append(PlannedProbe(member.name, link, "keystore", expect))
