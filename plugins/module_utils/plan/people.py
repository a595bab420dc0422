# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People who connect and are no hosts here: who gets a bundle in this run and who has one already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ansible_collections.mutual.tls.plugins.module_utils import bundles
from ansible_collections.mutual.tls.plugins.module_utils.plan.authority import CLIENTS, AuthorityFacts, is_replaced
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import System


def due(system: System, authority: AuthorityFacts, wished: Mapping[str, tuple[int, str]]) -> Iterator[tuple[str, str]]:
    """Who gets a bundle, and why; *wished* is what ``authority.generations`` says. Somebody else's authority signs for no bundles."""
    if system.client_auth == "none" or authority.external or not system.people_connect:
        return
    generation = _generation(authority, wished)
    for name in system.outsiders:
        reason = bundles.reason_to_issue(authority.certificates_of(name, CLIENTS), generation)
        if reason is not None:
            yield name, reason


def holders(system: System, authority: AuthorityFacts, wished: Mapping[str, tuple[int, str]]) -> list[str]:
    """Who has a bundle that is still good once this run is over."""
    generation = _generation(authority, wished)
    return [name for name in system.outsiders if bundles.holds(authority.certificates_of(name, CLIENTS), generation)]


def _generation(authority: AuthorityFacts, wished: Mapping[str, tuple[int, str]]) -> int:
    """The generation of the CA that signs for people once this run is over, or one that all before it are older than."""
    newest = authority.newest(CLIENTS)
    present = newest.generation if newest is not None else 0
    return present + 1 if is_replaced(CLIENTS, authority, wished) else present
