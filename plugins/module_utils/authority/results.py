# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules of an authority return of a run, whoever's it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.authority.directory import Directory, directory_facts
from ansible_collections.mutual.tls.plugins.module_utils.authority.ledger import Line
from ansible_collections.mutual.tls.plugins.module_utils.authority.wishes import Change


def results(
    directory: Directory, changes: Sequence[Change], issued: Mapping[str, Sequence[bytes]], revoked: Sequence[Line], notes: Sequence[str]
) -> dict[str, Any]:
    """The changes with a diff, the chains (DER, leaf first) by name, and what is known of the CAs; nothing secret."""
    made = [{"entry": change.subject, "action": change.action, "reason": change.reason} for change in changes]
    after = "".join(f"{each['entry']}: {each['action']} ({each['reason']})\n" for each in made)
    return {
        "changed": bool(made),
        "changes": made,
        "issued": {name: _issued(chain) for name, chain in issued.items()},
        "notes": list(notes),
        **directory_facts(directory, revoked),
        "diff": {"before_header": directory.path, "after_header": directory.path, "before": "", "after": after},
    }


def _issued(chain: Sequence[bytes]) -> dict[str, str]:
    leaf = x509.describe(chain[0])
    return {"chain_pem": "".join(map(x509.der_to_pem, chain)), "sha256": leaf["sha256"], "not_after": leaf["not_after"]}
