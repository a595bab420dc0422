# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Systems whose members have what a real authority signed, in a temporary directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.authority.directory import Directory, directory_facts
from ansible_collections.mutual.tls.plugins.module_utils.authority.wishes import AuthorityWish, Revocation
from ansible_collections.mutual.tls.plugins.module_utils.entries import PrivateKeyEntry, TrustedCertEntry
from ansible_collections.mutual.tls.plugins.module_utils.facts import entry_facts
from ansible_collections.mutual.tls.plugins.module_utils.plan.authority import AuthorityFacts, read_authority
from ansible_collections.mutual.tls.plugins.module_utils.plan.changes import Plan
from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import Facts

from ..authority.scenery import CLIENTS, SYSTEM, request, run
from .scenery import DAY, NOW, Scene, key, small, store

WISHES = [SYSTEM, CLIENTS]


class Fleet:
    """A scene whose members have what the authority in *path* signed."""

    def __init__(self, path: Path, **wishes: Any) -> None:
        self.path = path
        inventory = wishes.pop("inventory", None)
        self.scene = Scene(inventory or small(), trust_model="authority", **wishes)
        self.collected: dict[str, Any] | None = None
        self.signed: dict[str, Any] | None = None

    @property
    def authority(self) -> AuthorityFacts | None:
        return read_authority(self.collected, self.signed)

    def collect(self, *wishes: AuthorityWish, revoked: Sequence[str] = ()) -> None:
        """What the module authority says in check mode."""
        outcome = run(self.path, wishes=wishes or WISHES, revoked=[Revocation(name) for name in revoked], now=NOW, check=True)
        self.collected = self._result(outcome)

    def sign(self, *names: str, wishes: Sequence[AuthorityWish] = (), revoked: Sequence[str] = ()) -> None:
        """What the module authority says once it signed."""
        asked = [self.request(name) for name in names]
        outcome = run(self.path, *asked, wishes=wishes or WISHES, revoked=[Revocation(name) for name in revoked], now=NOW)
        issued = {name: {"chain_pem": "".join(map(x509.der_to_pem, chain))} for name, chain in outcome.issued.items()}
        self.signed = {**self._result(outcome), "issued": issued}

    def request(self, name: str, **more: Any) -> Any:
        ca = "clients" if self.scene.system.members[name].kind == "client" else "system"
        return request(name, key=key(f"{name} 1"), authority=ca, valid_for=800 * DAY, **more)

    def settle(self, *names: str, generation: int = 1) -> None:
        """Members as they are after a run: each has what was signed for it, and trusts the CAs that it needs."""
        chosen = names or tuple(self.scene.system.members)
        wishes = [replace(each, generation=generation) for each in WISHES]
        self.sign(*chosen, wishes=wishes)
        assert self.signed is not None
        for name in chosen:
            kind = self.scene.system.members[name].kind
            chain = tuple(x509.pem_to_der(self.signed["issued"][name]["chain_pem"], name))
            entries = [entry_facts(PrivateKeyEntry(name, x509.to_pkcs8(key(f"{name} 1")), chain))]
            entries.extend(self.ca(ca, generation) for ca in (("system", "clients") if kind == "platform" else ("system",)))
            self.scene[name]["store"] = store(*entries)
            self.scene[name]["proof"] = self.prove(name, chain[0])
            for endpoint in self.scene[name]["endpoints"]:
                endpoint.update(served_sha256=x509.sha256(chain[0]), served_pem=x509.der_to_pem(chain[0]))
        self.signed = None
        self.collect(*wishes)

    @staticmethod
    def prove(name: str, certificate: bytes) -> str:
        """The proof that a member holds its key."""
        return x509.prove_possession(key(f"{name} 1"), name, certificate)

    def ca(self, name: str, generation: int = 1) -> dict[str, Any]:
        """A trusted entry of one of the CAs."""
        found = Directory(str(self.path)).authorities[name, generation]
        return entry_facts(TrustedCertEntry(f"{name}-ca-{generation}", found.certificate))

    def facts(self) -> dict[str, Facts]:
        """What was measured, with what was signed as if it were installed."""
        found = dict(self.scene.facts)
        for name, chain in (self.authority.issued if self.authority is not None else {}).items():
            measured = found[name]
            assert measured.store is not None
            found[name] = replace(measured, store=measured.store.with_chain(name, chain))
        return found

    def plan(self, **more: Any) -> Plan:
        return self.scene.plan(self.facts(), authority=self.authority, **more)

    def _result(self, outcome: Any) -> dict[str, Any]:
        made = [{"entry": each.subject, "action": each.action, "reason": each.reason} for each in outcome.changes]
        return {"changes": made, **directory_facts(Directory(str(self.path)), outcome.revoked), "notes": outcome.notes}
