# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes back from a host: an answer to its task, and nothing else.

Ansible takes facts, hosts and groups out of any module's result, and facts count more than the inventory's variables. So a host
that lies could say for itself, and where one host's variables serve all of them for everybody, what only the inventory may say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible.plugins.action.normal import ActionModule as NormalActionModule

#: What Ansible would act upon.
_TAKEN_OUT = ("ansible_facts", "add_host", "add_group")


def answer(result: Mapping[str, Any]) -> dict[str, Any]:
    """The result without what would change the inventory or its variables."""
    return {name: value for name, value in result.items() if name not in _TAKEN_OUT}


#: What this collection's variables are called: the inventory's, and those of its roles.
_OURS = re.compile(
    r"(mtls|product|identity|trust|client_auth|service|handshake|transaction|authority|gateway|client_bundle|client_install)_"
)


#: What Ansible itself finds out of hosts and calls so in ``ansible_facts``: no variables of ours, but for the first.
_ANSIBLES_OWN = frozenset({"product_name", "product_serial", "product_uuid", "product_version", "service_mgr"})


def forged(variables: Mapping[str, Any], product: str) -> list[str]:
    """The variables of this collection that a host has set itself, by the facts that some other module brought back from it.

    *product* is the name of the system's product, which the machine's maker (``ansible_product_name``) must not stand in for.
    """
    facts = variables.get("ansible_facts") or {}
    found = {str(name) for name in facts if _OURS.match(str(name))} - _ANSIBLES_OWN
    if "product_name" in facts and variables.get("product_name", product) != product:
        found.add("product_name")
    return sorted(found)


class OnHost(NormalActionModule):
    """Runs the module of the task on its host, as Ansible does without an action plugin."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the module answers."""
        return answer(super().run(tmp, task_vars))
