# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who takes part, and who connects to whom: what the inventory and the product's adapter say, before any host is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, Mapping, Optional, Sequence

from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError

KINDS = ("platform", "execution", "service", "gateway", "client")
TRUST_MODELS = ("pairwise", "shared")
CLIENT_AUTH = ("required", "requested", "none")


@dataclass(frozen=True)
class Adapter:
    """A product's facts that the plan needs; roles/product/vars has one file for each product."""

    name: str
    #: The values of client auth that the product can be told.
    client_auth: tuple[str, ...]
    trust_models: tuple[str, ...]
    #: (kinds that connect, kind that they connect to).
    links: tuple[tuple[tuple[str, ...], str], ...]
    #: Name -> value, with {keystore_path}, {key_alias} and {require_client_auth} in it.
    settings: Mapping[str, str]
    secrets: tuple[str, ...]
    settings_kinds: tuple[str, ...]
    stop_order: tuple[str, ...]
    start_order: tuple[str, ...]
    #: Whether a client on the server's own host is let in without a certificate.
    exempts_local_clients: bool = False

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Adapter:
        """The adapter as its YAML file gives it."""
        return cls(
            name=data["name"],
            client_auth=tuple(data["client_auth"]),
            trust_models=tuple(data["trust_models"]),
            links=tuple((tuple(link["clients"]), link["server"]) for link in data["links"]),
            settings=dict(data["settings"]),
            secrets=tuple(data["secrets"]),
            settings_kinds=tuple(data["settings_kinds"]),
            stop_order=tuple(data["stop_order"]),
            start_order=tuple(data["start_order"]),
            exempts_local_clients=bool(data.get("exempts_local_clients", False)),
        )


@dataclass(frozen=True)
class Endpoint:
    """A process that a member runs, and where it listens; without a port it is started and stopped but not probed."""

    name: str
    port: Optional[int]
    tier: str


@dataclass(frozen=True)
class Member:
    """One entry of the inventory."""

    name: str
    kind: str
    alias: str
    address: str
    endpoints: tuple[Endpoint, ...] = ()
    #: The local address that its connections come from; None leaves it to the operating system.
    source_address: Optional[str] = None
    revoked: bool = False


@dataclass(frozen=True)
class Link:
    """One direction of one connection that must work."""

    client: str
    server: str
    endpoint: str
    address: str
    port: int

    @property
    def name(self) -> str:
        """The link as people write it."""
        return f"{self.client} -> {self.server}:{self.port}"


@dataclass(frozen=True)
class System:
    """All members, and the wishes that hold for all of them."""

    members: Mapping[str, Member]
    adapter: Adapter
    trust_model: str
    client_auth: str
    #: Names in mtls_revoked, members or not.
    revoked: tuple[str, ...] = ()
    purge_trusted: bool = False

    def links(self) -> Iterator[Link]:
        """Every link, in the inventory's order of servers, then clients. Revoked members have none."""
        active = [member for member in self.members.values() if not member.revoked]
        for server in active:
            for client in active:
                yield from self.links_between(client, server)

    def links_between(self, client: Member, server: Member) -> Iterator[Link]:
        """The links from *client* to *server*, one for each of the server's endpoints with a port."""
        if client.name == server.name:
            return
        if any(client.kind in clients and server.kind == kind for clients, kind in self.adapter.links):
            for endpoint in server.endpoints:
                if endpoint.port is not None:
                    yield Link(client.name, server.name, endpoint.name, server.address, endpoint.port)

    def partners(self, member: Member) -> list[Member]:
        """The members that *member* connects to or that connect to it, in the inventory's order."""

        def linked(client: str, server: str) -> bool:
            return any(client in clients and server == kind for clients, kind in self.adapter.links)

        return [
            other
            for other in self.members.values()
            if other.name != member.name and (linked(member.kind, other.kind) or linked(other.kind, member.kind))
        ]

    def shared_source(self) -> Member:
        """The member whose keystore all others copy in the trust model ``shared``: the first platform."""
        return next(member for member in self.members.values() if member.kind == "platform")

    def holds_copy(self, member: Member) -> bool:
        """Whether *member* holds a copy of another's keystore; people and their desktops always have keys of their own."""
        return self.trust_model == "shared" and member.kind != "client" and member.name != self.shared_source().name

    def key_alias(self, member: Member) -> str:
        """The alias of the key that *member* presents."""
        return self.shared_source().alias if self.holds_copy(member) else member.alias


def read_system(
    inventory: Mapping[str, Mapping[str, Any]],
    adapter: Adapter,
    *,
    trust_model: str,
    client_auth: str,
    revoked: Sequence[str],
    purge_trusted: bool = False,
) -> System:
    """The system that the inventory describes: host name -> its ``mtls_*`` variables.

    Raises InputError with every fault found, each naming the host and the variable.
    """
    faults: list[str] = []
    if trust_model not in adapter.trust_models:
        faults.append(f"mtls_trust_model is '{trust_model}'; for {adapter.name} it is one of: {', '.join(adapter.trust_models)}")
    if client_auth not in adapter.client_auth:
        faults.append(f"mtls_client_auth is '{client_auth}'; for {adapter.name} it is one of: {', '.join(adapter.client_auth)}")
    members = {}
    for name, variables in inventory.items():
        try:
            members[name] = _member(name, variables, name in revoked)
        except InputError as error:
            faults.append(str(error))
    faults.extend(_collisions(members))
    if not any(member.kind == "platform" and not member.revoked for member in members.values()):
        faults.append("no member has mtls_kind 'platform'; the system needs at least one that is not revoked")
    if faults:
        raise InputError("The inventory cannot be carried out; nothing was touched.\n" + "\n".join(f"  - {fault}" for fault in faults))
    return System(members, adapter, trust_model, client_auth, tuple(revoked), purge_trusted)


def _member(name: str, variables: Mapping[str, Any], revoked: bool) -> Member:
    """One member; raises InputError for the first fault."""
    kind = variables.get("mtls_kind")
    if kind not in KINDS:
        raise InputError(f"host '{name}': mtls_kind is '{kind}'; it is one of: {', '.join(KINDS)}")
    address = variables.get("mtls_address", variables.get("ansible_host", name))
    if not isinstance(address, str) or not address.strip():
        raise InputError(f"host '{name}': mtls_address is empty; it is where the others reach this member")
    alias = str(variables.get("mtls_alias", name)).lower()
    if not alias.strip() or not alias.isprintable():
        raise InputError(f"host '{name}': mtls_alias is {alias!r}; an alias has at least one character, and no control characters")
    source = variables.get("mtls_source_address")
    endpoints = tuple(_endpoint(name, kind, endpoint) for endpoint in variables.get("mtls_endpoints") or ())
    if kind != "client" and not endpoints:
        raise InputError(f"host '{name}': mtls_endpoints is empty; a member of the kind '{kind}' runs at least one process")
    return Member(name, kind, alias, address.strip(), endpoints, source, revoked)


def _endpoint(member: str, kind: str, data: Any) -> Endpoint:
    if not isinstance(data, Mapping) or not data.get("name"):
        raise InputError(f"host '{member}': an item of mtls_endpoints has no name; an item is written like {{name: ec1, port: 6791}}")
    port = data.get("port")
    try:
        number = int(port) if port is not None else None
    except (TypeError, ValueError):
        number = 0
    if number is not None and not 1 <= number <= 65535:
        raise InputError(f"host '{member}': the port of '{data['name']}' in mtls_endpoints is {port!r}; a port is a number from 1 to 65535")
    return Endpoint(str(data["name"]), number, str(data.get("tier", kind)))


def _collisions(members: Mapping[str, Member]) -> Iterator[str]:
    """Members that would take each other's place in a store: Java does not tell upper from lower case."""
    by_alias: dict[str, list[str]] = {}
    for member in members.values():
        by_alias.setdefault(member.alias, []).append(member.name)
    for alias, names in by_alias.items():
        if len(names) > 1:
            hosts = " and ".join(f"'{name}'" for name in names)
            yield f"hosts {hosts} have the same alias '{alias}' in keystores, which do not tell upper from lower case; give one another mtls_alias"
