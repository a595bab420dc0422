# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A system that carries plans out, in memory: what the site playbook does, stage by stage, with the modules' own core.

Keystores are real ones with real keys; a process holds on to the keystore and settings that it was started with. What the plan
is made of comes through ``gather``, from results registered under the names that the roles use.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.entries import Entry, PrivateKeyEntry
from ansible_collections.mutual.tls.plugins.module_utils.facts import entry_facts
from ansible_collections.mutual.tls.plugins.module_utils.keystore import Store
from ansible_collections.mutual.tls.plugins.module_utils.plan.build import build
from ansible_collections.mutual.tls.plugins.module_utils.plan.changes import Plan
from ansible_collections.mutual.tls.plugins.module_utils.plan.matrix import matrix
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import IdentityWish, StoreWish, TrustWish
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import System
from ansible_collections.mutual.tls.plugins.module_utils.store_changes import carry_out, plan_changes
from ansible_collections.mutual.tls.plugins.plugin_utils.collected import gather

from .scenery import NOW, PATH, identity_wish, read

STAGES = ("identities", "trust", "settings", "restarts")
RESULTS = {"stores": ["identity_store", "trust_store"], "settings": ["client_auth_registry"]}
SECRETS = ("pico.rcp.tls.keystore.password", "pico.rcp.tls.key.password")

Registered = tuple[str, str, dict[str, Any]]

entry_facts_of = functools.lru_cache(maxsize=None)(entry_facts)


@dataclass
class Process:
    """What a running process loaded when it started."""

    started: float
    #: None while it speaks plain TCP.
    leaf: str | None = None
    anchors: frozenset[str] = frozenset()
    demands: bool = False


@dataclass
class Host:
    """One member's machine."""

    store: Store | None = None
    written: float = 0.0
    settings: dict[str, str] = field(default_factory=dict)
    secrets_stored: bool = False
    processes: dict[str, Process] = field(default_factory=dict)


def anchors_of(store: Store) -> frozenset[str]:
    return frozenset(x509.sha256(certificate) for certificate in store.anchors())


class World:
    """The hosts, and a clock that goes on by a second with everything that happens."""

    def __init__(self, inventory: Mapping[str, Mapping[str, Any]]) -> None:
        self.inventory = dict(inventory)
        self.hosts = {name: Host() for name in inventory}
        self.clock = 1000.0
        self.generation = 1
        #: What the last run changed: (member, what, subject, action).
        self.done: set[tuple[str, str, str, str]] = set()

    # --- what the modules do -----------------------------------------------------------------------------------------

    def collect(self, system: System, name: str) -> dict[str, Any]:
        """What member_info returns."""
        member, host = system.members[name], self.hosts[name]
        links = () if member.revoked else system.links_from(member)
        observed = []
        for link in links:
            process = self.hosts[link.server].processes.get(link.endpoint)
            outside = member.address != link.address
            asks = None if process is None else "required" if process.demands and outside else "not_required"
            observed.append({"server": link.server, "endpoint": link.endpoint, "asks": asks})
        return {
            "store": self._store_facts(host),
            "proof": self._prove(host, system.key_alias(member), name),
            "identity_wish": identity_wish(member.alias, generation=self.generation),
            "settings": self._stored_settings(system, name),
            "endpoints": [self._endpoint(host, endpoint.name, endpoint.port) for endpoint in member.endpoints],
            "observed": observed,
        }

    def _store_facts(self, host: Host) -> dict[str, Any]:
        if host.store is None:
            return {"path": PATH, "present": False, "sha256": None, "modified": None, "entries": []}
        entries = [entry_facts_of(entry) for entry in host.store.entries]
        digest = hashlib.sha256(repr([(entry["alias"], entry["sha256"]) for entry in entries]).encode()).hexdigest()
        return {"path": PATH, "present": True, "sha256": digest, "modified": host.written, "entries": entries}

    def _prove(self, host: Host, alias: str, name: str) -> str | None:
        entry: Entry | None = host.store.get(alias) if host.store is not None else None
        return x509.prove_possession(entry.private_key(), name, entry.chain[0]) if isinstance(entry, PrivateKeyEntry) else None

    def _stored_settings(self, system: System, name: str) -> dict[str, Any] | None:
        host = self.hosts[name]
        if system.members[name].kind not in system.adapter.settings_kinds:
            return None
        missing = [] if host.secrets_stored else [{"name": secret, "reason": "it is not there"} for secret in SECRETS]
        return {"values": dict(host.settings), "secret_changes": missing}

    def _endpoint(self, host: Host, name: str, port: int | None) -> dict[str, Any]:
        process = host.processes.get(name) if port is not None else None
        return {
            "name": name,
            "listening": process is not None,
            "tls": process is not None and process.leaf is not None,
            "served_sha256": process.leaf if process is not None else None,
            "started": process.started if process is not None else None,
        }

    def _write(self, name: str, store: Store) -> dict[str, Any]:
        self.clock += 1
        self.hosts[name].store, self.hosts[name].written = store, self.clock
        return {"changed": True, "store": self._store_facts(self.hosts[name])}

    def _keystore(self, name: str, wish: StoreWish, now: datetime.datetime) -> dict[str, Any]:
        """The module keystore."""
        store = self.hosts[name].store or Store.empty()
        planned = plan_changes(wish, store, now)
        store, made = carry_out(wish, planned, store, now)
        self.done |= {(name, "keystore", change.alias, change.action) for change in made}
        result = self._write(name, store)
        return result if wish.identity is None else {**result, "proof": self._prove(self.hosts[name], wish.identity.alias, name)}

    def _start(self, name: str, process: str) -> None:
        self.clock += 1
        host = self.hosts[name]
        path, alias = host.settings.get("pico.rcp.tls.keystore"), host.settings.get("pico.rcp.tls.keystore.alias", "")
        entry = host.store.get(alias) if host.store is not None and path else None
        if host.store is None or not isinstance(entry, PrivateKeyEntry):
            host.processes[process] = Process(self.clock)
            return
        demands = host.settings.get("pico.rcp.tls.require_clientauth") == "true"
        host.processes[process] = Process(self.clock, x509.sha256(entry.chain[0]), anchors_of(host.store), demands)

    # --- what the playbook does --------------------------------------------------------------------------------------

    def run(
        self, *, lost: Mapping[str, str | None] | None = None, last_stage: str = "restarts", now: datetime.datetime = NOW, **wishes: Any
    ) -> list[Plan]:
        """The site playbook: the plan of each stage, the first being the one that people see.

        *lost* members are outside of --limit or, with a reason, down. The run is killed after *last_stage*. A plan that cannot be
        carried out ends it.
        """
        system = read(self.inventory, **wishes)
        lost = lost or {}
        variables: dict[str, dict[str, Any]] = {}
        for name in system.members:
            reason = lost.get(name, "")
            if reason is None:
                variables[name] = {}
            elif reason:
                variables[name] = {"product_member": {"unreachable": True, "msg": reason}}
            else:
                variables[name] = {"product_member": self.collect(system, name)}
        self.done = set()
        plans = []
        for stage in STAGES:
            facts = gather(system, variables, "product_member", **RESULTS)
            plan = build(system, facts, now, unreachable="skip")
            plans.append(plan)
            if plan.state == "unprovable":
                break
            # Tasks see the plan as data.
            for name, registered, result in self._carry_out(stage, system, json.loads(json.dumps(plan.to_dict())), now):
                variables[name][registered] = result
            if stage == last_stage:
                break
        return plans

    def plan(self, **wishes: Any) -> Plan:
        """The plan of a run that changes nothing."""
        system = read(self.inventory, **wishes)
        variables = {name: {"product_member": self.collect(system, name)} for name in system.members}
        return build(system, gather(system, variables, "product_member", **RESULTS), NOW)

    def _carry_out(self, stage: str, system: System, plan: dict[str, Any], now: datetime.datetime) -> Iterator[Registered]:
        """One stage of the playbook: for each result the host, the name under which it is registered, and what it holds."""
        if stage == "identities":
            yield from self._identities(system, plan, now)
        elif stage == "trust":
            yield from self._trust(plan, now)
        elif stage == "settings":
            yield from self._settings(plan)
        else:
            self._restart(system, plan)

    def _identities(self, system: System, plan: dict[str, Any], now: datetime.datetime) -> Iterator[Registered]:
        for name in plan["identities"]:
            wish = IdentityWish.from_options(identity_wish(system.members[name].alias, generation=self.generation))
            yield name, "identity_store", self._keystore(name, StoreWish(wish), now)

    def _trust(self, plan: dict[str, Any], now: datetime.datetime) -> Iterator[Registered]:
        for name, options in plan["trust"].items():
            wished = tuple(
                TrustWish(option["alias"], x509.pem_to_der(option["cert_content"], "it")[0])
                if "cert_content" in option
                else TrustWish(option["alias"])
                for option in options
            )
            yield name, "trust_store", self._keystore(name, StoreWish(None, wished, name in plan["purge"]), now)
        for name, source in plan["copies"].items():
            original = self.hosts[source].store
            assert original is not None, "what is copied is there"
            self.done.add((name, "keystore", "*", "copy"))
            yield name, "trust_store", self._write(name, original)

    def _settings(self, plan: dict[str, Any]) -> Iterator[Registered]:
        for name, values in plan["settings"].items():
            host = self.hosts[name]
            changed = [setting for setting, value in values.items() if host.settings.get(setting) != value]
            changed += [] if host.secrets_stored else SECRETS
            host.settings, host.secrets_stored = dict(values), True
            self.done |= {(name, "setting", setting, "set") for setting in changed}
            yield name, "client_auth_registry", {"changed": True, "changes": [{"name": setting} for setting in changed]}

    def _restart(self, system: System, plan: dict[str, Any]) -> None:
        for tier in system.adapter.start_order:
            for restart in plan["restarts"]:
                if restart["tier"] == tier:
                    self._start(restart["member"], restart["process"])
                    self.done.add((restart["member"], "restart", restart["process"], "restart"))

    # --- what can be seen of it --------------------------------------------------------------------------------------

    def surprises(self, **wishes: Any) -> list[str]:
        """The handshakes of the matrix that would end otherwise than they should."""
        system = read(self.inventory, **wishes)
        variables = {name: {"product_member": self.collect(system, name)} for name in system.members}
        found = []
        for probe in matrix(system, gather(system, variables, "product_member")).probes:
            member, process = system.members[probe.member], self.hosts[probe.link.server].processes[probe.link.endpoint]
            store = self.hosts[probe.member].store
            entry = store.get(system.key_alias(member)) if store is not None else None
            if store is None or process.leaf not in anchors_of(store) or not isinstance(entry, PrivateKeyEntry):
                found.append(f"{probe.client} -> {probe.link.server}: the client refuses or has no identity")
                continue
            known = probe.present == "keystore" and x509.sha256(entry.chain[0]) in process.anchors
            outcome = "accepted" if known or not process.demands or member.address == probe.link.address else "refused"
            if outcome != probe.expect:
                found.append(f"{probe.client} -> {probe.link.server}: {outcome} where {probe.expect} is expected")
        return found

    def aliases(self, name: str) -> set[str]:
        """What a member's store holds."""
        store = self.hosts[name].store
        return {entry.alias for entry in store.entries} if store is not None else set()
