# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changes in the PEM files that a product reads, which follow from the member's keystore and from the revocation lists."""

from __future__ import annotations

from collections.abc import Sequence, Set

from ansible_collections.mutual.tls.plugins.module_utils.plan.authority import AuthorityFacts, Ca
from ansible_collections.mutual.tls.plugins.module_utils.plan.changes import Change, Plan
from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import Facts, PemFacts
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import trusted_after
from ansible_collections.mutual.tls.plugins.module_utils.plan.stores import Stores
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import Member


def plan_pem_files(plan: Plan, member: Member, measured: Facts, stores: Stores, authority: AuthorityFacts) -> None:
    """Add to the plan what changes in the member's PEM files; its keystore is planned by now."""
    wish = stores.wishes.get(member.name)
    if measured.pem is None or wish is None:
        return
    trusted = trusted_after(measured.store.entries if measured.store is not None else (), wish)
    cas = [ca for ca in authority.cas if ca.sha256 in trusted]
    reasons = {
        "identity": _why_identity(plan, member, measured.pem),
        "trust": _why_trust(measured.pem, trusted, cas, authority),
    }
    if any(reasons.values()):
        plan.pem[member.name] = _lists(cas)
        plan.changes.extend(Change(member.name, "pem", what, "write", reason) for what, reason in reasons.items() if reason is not None)


def _why_identity(plan: Plan, member: Member, found: PemFacts) -> str | None:
    changes = any((change.member, change.what, change.subject) == (member.name, "keystore", member.alias) for change in plan.changes)
    return "its identity changes" if changes else found.identity_change


def _why_trust(found: PemFacts, trusted: Set[str], cas: Sequence[Ca], authority: AuthorityFacts) -> str | None:
    if trusted != found.trusted:
        return "whom it trusts changes"
    if {crl.sha256 for ca in cas for crl in ca.crls} != found.crls:
        return "another revocation list is in force"
    anew = {change["entry"] for change in authority.changes if change["action"] == "list"}
    renewed = [ca.name for ca in cas if f"{ca.name} {ca.generation}" in anew]
    return f"the revocation list of '{renewed[0]}' is made anew in this run" if renewed else None


def _lists(cas: Sequence[Ca]) -> list[str]:
    return [crl.pem for ca in cas for crl in ca.crls]
