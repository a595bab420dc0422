# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who takes part, and who connects to whom: what the inventory and the product's adapter say, before any host is asked."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError

KINDS = ("platform", "execution", "service", "gateway", "client")
TRUST_MODELS = ("pairwise", "shared", "authority")
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
    #: Whether clients refuse a server whose certificate does not have the name by which they reach it.
    checks_names: bool = False
    #: Whether servers read revocation lists; where they do not, a CA that signed for somebody revoked is replaced.
    reads_crl: bool = False
    #: ``restart``, or ``reload``: how what runs takes up what lies on disk.
    activation: str = "restart"
    #: The kinds whose product reads PEM files, which are written from the keystore.
    pem_kinds: tuple[str, ...] = ()
    #: Client auth -> the product's own word for it.
    client_auth_words: Mapping[str, str] = field(default_factory=dict)
    #: What a client sends for a server that refuses only then.
    request: str | None = None
    #: The oldest major version of Java that the product may run on; the plan takes what all from there on accept.
    oldest_java: int = 11

    @property
    def center(self) -> str:
        """The kind that all others connect to: a system has at least one of them."""
        return self.links[0][1]

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
            checks_names=bool(data.get("checks_names", False)),
            reads_crl=bool(data.get("reads_crl", False)),
            activation=data.get("activation", cls.activation),
            pem_kinds=tuple(data.get("pem_kinds", ())),
            client_auth_words={value: str(word) for value, word in data["client_auth_words"].items()},
            request=data.get("request"),
            oldest_java=int(data.get("oldest_java", 11)),
        )


@dataclass(frozen=True)
class Endpoint:
    """A process that a member runs, and where it listens; without a port it is started and stopped but not probed."""

    name: str
    port: int | None
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
    source_address: str | None = None
    revoked: bool = False
    #: ``ansible_host``, where the inventory gives it: two containers on one machine are two entries with the same.
    host: str | None = None


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
    #: Names in mtls_revoked, and those revoked in mtls_clients, members or not.
    revoked: tuple[str, ...] = ()
    #: Names in mtls_clients: people and desktops, which need not be hosts.
    people: tuple[str, ...] = ()
    purge_trusted: bool = False
    #: Whether what runs takes up its files one after the other, so that old and new must fit each other at every moment: new trust is
    #: everywhere before anything presents what needs it, and old trust goes when nothing does any more.
    phased: bool = False

    def links(self) -> Iterator[Link]:
        """Every link, in the inventory's order of servers, then clients. Revoked members have none."""
        for server in self.members.values():
            if not server.revoked:
                for client in self._others(server, self._clients_of(server.kind)):
                    yield from self._links_between(client, server)

    def links_from(self, client: Member) -> Iterator[Link]:
        """The links of *client*, or those that it would have if it were not revoked."""
        for server in self._others(client, self._servers_of(client.kind)):
            yield from self._links_between(client, server)

    def partners(self, member: Member) -> list[Member]:
        """The members that *member* connects to or that connect to it, in the inventory's order, but for revoked ones."""
        return self._others(member, self._clients_of(member.kind) | self._servers_of(member.kind))

    def is_served(self, kind: str) -> bool:
        """Whether the product has links to members of the kind."""
        return bool(self._clients_of(kind))

    @property
    def people_connect(self) -> bool:
        """Whether somebody who is no member connects with a certificate of the authority's: who has a bundle, and no host here."""
        return self.trust_model == "authority" and bool(self.outsiders)

    @functools.cached_property
    def outsiders(self) -> tuple[str, ...]:
        """People and desktops that are no members, but for revoked ones."""
        known = {*self.revoked, *self.members}
        return tuple(name for name in self.people if name not in known)

    def serves_people(self, kind: str) -> bool:
        """Whether people connect to members of the kind."""
        return self.people_connect and "client" in self._clients_of(kind)

    def _clients_of(self, kind: str) -> set[str]:
        return {client for clients, server in self.adapter.links if server == kind for client in clients}

    def _servers_of(self, kind: str) -> set[str]:
        return {server for clients, server in self.adapter.links if kind in clients}

    def _others(self, member: Member, kinds: Iterable[str]) -> list[Member]:
        """The other members of these kinds that are not revoked, in the inventory's order."""
        found = sorted(place for kind in kinds for place in self._active.get(kind, {}).items())
        return [other for _place, other in found if other.name != member.name]

    @functools.cached_property
    def _active(self) -> Mapping[str, Mapping[int, Member]]:
        """The members that are not revoked, by kind and by place in the inventory: finding links takes as long as there are links."""
        active: dict[str, dict[int, Member]] = {}
        for place, member in enumerate(self.members.values()):
            if not member.revoked:
                active.setdefault(member.kind, {})[place] = member
        return active

    @staticmethod
    def _links_between(client: Member, server: Member) -> Iterator[Link]:
        """One link for each of the server's endpoints with a port."""
        for endpoint in server.endpoints:
            if endpoint.port is not None:
                yield Link(client.name, server.name, endpoint.name, server.address, endpoint.port)

    def is_outside(self, client: Member, server: Member) -> bool:
        """Whether *server* treats *client* as one from outside of its host."""
        return not self.adapter.exempts_local_clients or not self.on_one_host(client, server)

    @staticmethod
    def on_one_host(member: Member, other: Member) -> bool:
        """Whether two members are on one host: what makes one host of two is an address they share."""
        return member.address == other.address or (member.host is not None and member.host == other.host)

    def shared_source(self) -> Member:
        """The member whose keystore all others copy in the trust model ``shared``: the first platform that is not revoked."""
        return next(iter(self._active[self.adapter.center].values()))

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
    phased: bool = False,
    people: Sequence[str] = (),
) -> System:
    """The system that the inventory describes: host name -> its ``mtls_*`` variables.

    Raises InputError with every fault found, each naming the host and the variable.
    """
    faults: list[str] = []
    if trust_model not in adapter.trust_models:
        faults.append(f"mtls_trust_model is '{trust_model}'; for {adapter.name} it is one of: {', '.join(adapter.trust_models)}")
    if client_auth not in adapter.client_auth:
        faults.append(f"mtls_client_auth is '{client_auth}'; for {adapter.name} it is one of: {', '.join(adapter.client_auth)}")
    for name, variables in inventory.items():
        faults.extend(f"host '{name}': {fault}" for fault in _member_faults(name, variables, adapter))
    faults.extend(_alias_faults({name: _alias(name, variables) for name, variables in inventory.items()}, revoked))
    center = adapter.center
    centers = [name for name, variables in inventory.items() if variables.get("mtls_kind") == center]
    if not centers:
        faults.append(f"no member has mtls_kind '{center}'; the system needs at least one")
    elif set(centers) <= set(revoked):
        named = ", ".join(f"'{name}'" for name in centers)
        faults.append(f"mtls_revoked names every {center} ({named}); the system needs at least one that is not revoked")
    if faults:
        raise InputError("The inventory cannot be carried out; nothing was touched.\n" + "\n".join(f"  - {fault}" for fault in faults))
    members = {name: _member(name, variables, name in revoked) for name, variables in inventory.items()}
    return System(
        members,
        adapter,
        trust_model,
        client_auth,
        revoked=tuple(revoked),
        people=tuple(people),
        purge_trusted=purge_trusted,
        phased=phased and trust_model == "authority",
    )


def _member(name: str, variables: Mapping[str, Any], revoked: bool) -> Member:
    """The member; its variables are without faults."""
    kind = variables["mtls_kind"]
    endpoints = tuple(
        Endpoint(str(item["name"]), _port(item), str(item.get("tier", kind))) for item in variables.get("mtls_endpoints") or ()
    )
    source = variables.get("mtls_source_address")
    host = variables.get("ansible_host")
    return Member(name, kind, _alias(name, variables), _address(name, variables).strip(), endpoints, source, revoked, host)


def _address(name: str, variables: Mapping[str, Any]) -> Any:
    return variables.get("mtls_address", variables.get("ansible_host", name))


def _alias(name: str, variables: Mapping[str, Any]) -> str:
    """The alias as keystores have it: Java does not tell upper from lower case."""
    alias = variables.get("mtls_alias", name)
    return "" if alias is None else str(alias).lower()


def _port(item: Mapping[str, Any]) -> int | None:
    """The port of an item of mtls_endpoints; 0 for what is no number."""
    port = item.get("port")
    if port is None:
        return None
    try:
        return int(port) if isinstance(port, (int, str)) and not isinstance(port, bool) else 0
    except ValueError:
        return 0


def _member_faults(name: str, variables: Mapping[str, Any], adapter: Adapter) -> Iterator[str]:
    """What is wrong with one host's variables, a sentence each."""
    kind = variables.get("mtls_kind")
    if kind not in KINDS:
        yield f"mtls_kind is '{kind}'; it is one of: {', '.join(KINDS)}"
    address = _address(name, variables)
    if not isinstance(address, str) or not address.strip():
        yield f"mtls_address is {address!r}; it is the name or address where the others reach this member"
    alias = _alias(name, variables)
    if not alias.strip() or not alias.isprintable():
        yield f"mtls_alias is {alias!r}; an alias has at least one character, and no control characters"
    endpoints = variables.get("mtls_endpoints") or ()
    if isinstance(endpoints, (str, Mapping)) or not isinstance(endpoints, Sequence):
        yield f"mtls_endpoints is {endpoints!r}; it is a list like [{{name: ec1, port: 6791}}]"
        return
    if kind in KINDS and kind != "client" and not endpoints:
        yield f"mtls_endpoints is empty; a member of the kind '{kind}' runs at least one process"
    named = [item for item in endpoints if isinstance(item, Mapping) and item.get("name")]
    if len(named) < len(endpoints):
        yield "an item of mtls_endpoints has no name; an item is written like {name: ec1, port: 6791}"
    yield from _endpoint_faults(named, adapter)


def _endpoint_faults(endpoints: Sequence[Mapping[str, Any]], adapter: Adapter) -> Iterator[str]:
    names, ports = set(), set()
    for endpoint in endpoints:
        name, port = str(endpoint["name"]), _port(endpoint)
        if port is not None and not 1 <= port <= 65535:
            yield f"the port of '{name}' in mtls_endpoints is {endpoint['port']!r}; a port is a number from 1 to 65535"
        elif port is not None and port in ports:
            yield f"mtls_endpoints has the port {port} more than once; each process listens at its own"
        if name in names:
            yield f"mtls_endpoints has the name '{name}' more than once; each process has its own"
        # Nobody would ever start it, and a restart would stay due.
        if "tier" in endpoint and endpoint["tier"] not in adapter.start_order:
            tiers = ", ".join(adapter.start_order)
            yield f"the tier of '{name}' in mtls_endpoints is '{endpoint['tier']}'; for {adapter.name} it is one of: {tiers}"
        names.add(name)
        ports.add(port)


def _alias_faults(aliases: Mapping[str, str], revoked: Sequence[str]) -> Iterator[str]:
    """Members that would take each other's place in a store, and names in mtls_revoked that are a member's in all but spelling."""
    by_alias: dict[str, list[str]] = {}
    for name, alias in aliases.items():
        by_alias.setdefault(alias, []).append(name)
    for alias, names in by_alias.items():
        if len(names) > 1 and alias:
            hosts = " and ".join(f"'{name}'" for name in names)
            yield (
                f"hosts {hosts} have the same alias '{alias}' in keystores, which do not tell upper from lower case; "
                "give one another mtls_alias"
            )
    for name in revoked:
        for other in by_alias.get(name.lower(), ()):
            # A member's alias is never taken from it, so nothing at all would be revoked.
            if name not in aliases and other not in revoked:
                yield f"mtls_revoked names '{name}', which is no member but is the alias of host '{other}'; to revoke that, write '{other}'"
