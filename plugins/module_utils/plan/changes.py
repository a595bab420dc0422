# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run would do: the one object from which changes, reports, check mode and the exit code come."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.plan.activation import Restart
from ansible_collections.mutual.tls.plugins.module_utils.plan.proof import Verdict
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import TrustWish


@dataclass(frozen=True)
class Change:
    """One change on one member."""

    member: str
    #: ``keystore``, ``pem``, ``setting``, ``restart`` or ``authority``.
    what: str
    #: The entry, the setting, the process, or what the authority changes.
    subject: str
    action: str
    reason: str


@dataclass
class Plan:
    """What a run would do."""

    changes: list[Change] = field(default_factory=list)
    #: Members whose identity changes.
    identities: list[str] = field(default_factory=list)
    #: Those among them of whom keys must not be used again, and the SHA-256 of these public keys.
    revoked_keys: dict[str, list[str]] = field(default_factory=dict)
    #: Those among them whose present identity nobody accepts: nothing goes on without their new one.
    cannot_wait: list[str] = field(default_factory=list)
    #: Members that go on with what they have, until somebody else has signed for them.
    awaited: list[str] = field(default_factory=list)
    #: Those among them whose certificate an authority signed, and whose own key is to sign it now.
    self_sign: list[str] = field(default_factory=list)
    #: Member -> the chain (PEM, leaf first) that was signed for it and is to be installed.
    install: dict[str, str] = field(default_factory=dict)
    #: CA -> the generation that it is replaced by in this run, whatever the inventory wishes.
    generations: dict[str, int] = field(default_factory=dict)
    #: Members whose store is still under the previous password.
    reprotect: list[str] = field(default_factory=list)
    #: Member -> the member whose keystore it is to hold a copy of.
    copies: dict[str, str] = field(default_factory=dict)
    #: Member -> what its store is to trust and to trust no more; only where that changes something.
    trust: dict[str, tuple[TrustWish, ...]] = field(default_factory=dict)
    #: Member -> the aliases of keys that go out of its store.
    absent_keys: dict[str, list[str]] = field(default_factory=dict)
    #: Members among those from whose store everything goes that nobody names.
    purge: list[str] = field(default_factory=list)
    #: Who gets a bundle, and why: people, who are no members.
    bundles: dict[str, str] = field(default_factory=dict)
    #: Whether certificates begin to be required, and nobody of the people has one but those who get one in this run.
    needs_bundle: bool = False
    #: Member -> all its settings that are not secret; only where any setting changes.
    settings: dict[str, dict[str, str]] = field(default_factory=dict)
    #: Member -> the revocation lists (PEM) that its PEM files are to have; only where one of these files changes.
    pem: dict[str, list[str]] = field(default_factory=dict)
    #: Members that get another certificate once all that they meet are seen to trust it, and those that then trust an old one no more.
    later: dict[str, list[str]] = field(default_factory=lambda: {"present": [], "distrust": []})
    restarts: list[Restart] = field(default_factory=list)
    #: Whether the restarts may follow one another; else all that is restarted is down at once.
    may_roll: bool = True
    verdicts: list[Verdict] = field(default_factory=list)
    #: Why the run must stop before it changes anything.
    faults: list[str] = field(default_factory=list)
    #: What a person should know and that stops nothing.
    notes: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        """``unprovable`` when a link fails or something is at fault, ``pending`` when there is something to do, else ``clean``."""
        if self.faults or any(verdict.outcome == "fails" for verdict in self.verdicts):
            return "unprovable"
        return "pending" if self.changes or self.bundles or self.more or self.awaited else "clean"

    @property
    def without(self) -> list[str]:
        """Members that nobody accepts until somebody else has signed for them."""
        return [name for name in self.awaited if name in self.cannot_wait]

    @property
    def more(self) -> bool:
        """Whether something can only be done once this plan was carried out, and measured."""
        return any(self.later.values())

    def to_dict(self) -> dict[str, Any]:
        """The plan as tasks, and ``plan.json``, read it: no secrets, PEM for certificates."""
        return {
            "state": self.state,
            "changes": [dict(vars(change)) for change in self.changes],
            "identities": self.identities,
            "revoked_keys": self.revoked_keys,
            "cannot_wait": self.cannot_wait,
            "awaited": self.awaited,
            "without": self.without,
            "self_sign": self.self_sign,
            "install": self.install,
            "generations": self.generations,
            "reprotect": self.reprotect,
            "copies": self.copies,
            "trust": {member: [_trust_option(wish) for wish in wishes] for member, wishes in self.trust.items()},
            "absent_keys": self.absent_keys,
            "purge": self.purge,
            "settings": self.settings,
            "bundles": self.bundles,
            "needs_bundle": self.needs_bundle,
            "pem": self.pem,
            "later": self.later,
            "more": self.more,
            "restarts": [dict(vars(restart)) for restart in self.restarts],
            "may_roll": self.may_roll,
            "links": [verdict.to_dict() for verdict in self.verdicts],
            "faults": self.faults,
            "notes": self.notes,
        }


def _trust_option(wish: TrustWish) -> dict[str, Any]:
    """The wish as the module keystore takes it."""
    if wish.certificate is None:
        return {"alias": wish.alias, "state": "absent"}
    return {"alias": wish.alias, "cert_content": x509.der_to_pem(wish.certificate)}
