# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured on the hosts, as the plan reads it."""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import EntryFacts, IdentityWish

#: How far a clock may be from the controller's: ahead, and behind. It is read when facts are collected, and planning goes on after that.
_AHEAD, _BEHIND = datetime.timedelta(minutes=5), datetime.timedelta(hours=1)


@dataclass(frozen=True)
class StoreFacts:
    """A keystore, without its secrets."""

    path: str
    present: bool
    sha256: str | None = None
    #: When the file was last written, seconds since the epoch by its host's clock.
    modified: float | None = None
    entries: tuple[EntryFacts, ...] = ()
    #: Why the file must be written anew though its entries are as wished, such as a password that changes.
    protect_anew: tuple[str, ...] = ()
    #: Whether this run already changed it, so that a running process cannot have loaded it.
    changed: bool = False
    #: And whether it has another private key, or certificate of it, since.
    new_identity: bool = False
    #: Alias -> a chain (DER, leaf first) that was signed for the key, and that the file does not have yet; the entries have it.
    signed: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> StoreFacts:
        """The facts as keystore and member_info return them."""
        entries = tuple(EntryFacts.from_dict(entry) for entry in data["entries"])
        anew = tuple(data.get("protect_anew", ()))
        return cls(
            data["path"],
            data["present"],
            data["sha256"],
            data["modified"],
            entries,
            anew,
            bool(data.get("changed")),
            bool(data.get("new_identity")),
        )

    def entry(self, alias: str) -> EntryFacts | None:
        """The entry under *alias*."""
        return self._by_alias.get(alias)

    def identity(self, alias: str) -> EntryFacts | None:
        """The private key with a certificate under *alias*."""
        entry = self.entry(alias)
        return entry if entry is not None and entry.type == "private_key" and entry.sha256 is not None else None

    def with_chain(self, alias: str, chain: tuple[bytes, ...]) -> StoreFacts:
        """The store as it will be once *chain* (DER, leaf first) is installed for the key under *alias*; itself if it is."""
        entry = self.identity(alias)
        fingerprints = tuple(map(x509.sha256, chain))
        if entry is None or entry.chain_sha256[: len(chain)] == fingerprints:
            return self
        leaf = x509.describe(chain[0])
        names = ("sha256", "subject", "issuer", "not_before", "not_after", "pem", "key_type", "key_size", "curve")
        described = {name: leaf[name] for name in names}
        installed = dataclasses.replace(
            entry,
            **described,
            subject_alt_name=tuple(leaf["subject_alt_name"]),
            chain_sha256=fingerprints,
            chain_pem="".join(map(x509.der_to_pem, chain)),
            # Who asked for it holds the key, which may be one that waits beside the store; what installs it looks again.
            key_matches=True,
        )
        entries = tuple(installed if each is entry else each for each in self.entries)
        return dataclasses.replace(self, entries=entries, new_identity=True, signed={alias: chain})

    @functools.cached_property
    def _by_alias(self) -> Mapping[str, EntryFacts]:
        return {entry.alias: entry for entry in self.entries}


@dataclass(frozen=True)
class SettingsFacts:
    """The product's settings on one member. What is secret is compared on its host; only the outcome comes here."""

    #: The present values of the settings that are not secret.
    values: Mapping[str, str]
    #: Setting -> why it must be stored anew, for the secret ones.
    secret_changes: Mapping[str, str] = field(default_factory=dict)
    #: Names that this run already changed, and that a running process may not have loaded.
    changed: tuple[str, ...] = ()
    #: When the file that holds them was last written, by its host's clock; None where they are in a registry.
    modified: float | None = None


@dataclass(frozen=True)
class PemFacts:
    """The PEM files that a product reads, which are written from the keystore."""

    identity_path: str
    trust_path: str
    #: Why the file with key and chain is not what the keystore says; None when it is.
    identity_change: str | None
    #: SHA-256 of the certificates, and of the revocation lists, in the file of whom to trust.
    trusted: frozenset[str]
    crls: frozenset[str]
    #: When the last of the two was written, by its host's clock.
    modified: float | None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PemFacts:
        """The facts as the modules pem_files and member_info return them."""
        paths = data["identity_path"], data["trust_path"]
        return cls(*paths, data["identity_change"], frozenset(data["trusted"]), frozenset(data["crls"]), data["modified"])


@dataclass(frozen=True)
class GatewayFacts:
    """The file that makes a gateway of a web server: what it serves, and for which application."""

    #: Whether this run writes it anew, or did.
    changed: bool
    #: When it was last written, by its host's clock; None where there is none.
    modified: float | None = None


@dataclass(frozen=True)
class EndpointFacts:
    """What listens at one of the member's own endpoints."""

    listening: bool
    tls: bool = False
    served_sha256: str | None = None
    #: When its process started, seconds since the epoch by its host's clock; None when it cannot be seen.
    started: float | None = None
    #: The addresses from which others are connected to it.
    clients: tuple[str, ...] = ()
    #: The certificate that it serves, PEM.
    served_pem: str | None = None


@dataclass(frozen=True)
class Facts:
    """What was measured of one member; *reached* is False when its host did not answer, or is outside of ``--limit``."""

    reached: bool
    identity_wish: IdentityWish | None = None
    store: StoreFacts | None = None
    proof: str | None = None
    settings: SettingsFacts | None = None
    #: None where the product reads the keystore itself.
    pem: PemFacts | None = None
    #: None where the member is no gateway in front of an application.
    gateway: GatewayFacts | None = None
    endpoints: Mapping[str, EndpointFacts] = field(default_factory=dict)
    #: (server, endpoint) -> whether that endpoint lets in a client without certificate: ``required`` or ``not_required``.
    observed: Mapping[tuple[str, str], str] = field(default_factory=dict)
    #: The addresses that its connections to other members come from.
    sources: tuple[str, ...] = ()
    #: Why the host was not reached.
    failure: str | None = None
    #: Why the host, which was reached, could not be measured.
    fault: str | None = None
    #: The host's time when it was measured, seconds since the epoch.
    clock: float | None = None

    def presented(self, alias: str) -> list[bytes]:
        """The certificates (DER) of the key under *alias*, its own first; none when it was not reached, or has none."""
        entry = self.store.identity(alias) if self.store is not None else None
        return entry.chain if entry is not None else []

    def clock_error(self, now: datetime.datetime) -> datetime.timedelta:
        """How far the host's clock is ahead of *now*, the controller's; nothing where it is near enough, or not known."""
        if self.clock is None:
            return datetime.timedelta()
        error = datetime.timedelta(seconds=round(self.clock - now.timestamp()))
        return error if error > _AHEAD or -error > _BEHIND else datetime.timedelta()


def read_facts(data: Mapping[str, Any] | None, *, failure: str | None = None, fault: str | None = None) -> Facts:
    """The facts in what member_info returned; None when there is nothing of this member."""
    if data is None:
        return Facts(reached=False, failure=failure, fault=fault)
    wish = data.get("identity_wish")
    settings = data.get("settings")
    return Facts(
        reached=True,
        identity_wish=IdentityWish.from_options(dict(wish)) if wish else None,
        store=StoreFacts.from_dict(data["store"]) if data.get("store") else None,
        proof=data.get("proof"),
        settings=_settings(settings) if settings else None,
        pem=PemFacts.from_dict(data["pem"]) if data.get("pem") else None,
        endpoints={
            item["name"]: EndpointFacts(
                item["listening"],
                item["tls"],
                item["served_sha256"],
                item["started"],
                tuple(map(str, item.get("clients") or ())),
                item.get("served_pem"),
            )
            for item in data.get("endpoints", ())
        },
        observed={(item["server"], item["endpoint"]): item["asks"] for item in data.get("observed", ()) if item.get("asks") is not None},
        sources=tuple(sorted({str(item["source"]) for item in data.get("observed", ()) if item.get("source")})),
        clock=float(data["clock"]) if data.get("clock") is not None else None,
    )


def _settings(data: Mapping[str, Any]) -> SettingsFacts:
    secret = {change["name"]: change["reason"] for change in data.get("secret_changes", ())}
    return SettingsFacts(dict(data["values"]), secret, tuple(data.get("changed", ())), data.get("modified"))
