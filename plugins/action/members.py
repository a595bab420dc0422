# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mutual.tls.members: who takes part, read from the inventory before any host is asked."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.mutual.tls.plugins.module_utils.errors import MtlsError
from ansible_collections.mutual.tls.plugins.module_utils.options import person_options
from ansible_collections.mutual.tls.plugins.module_utils.plan.authority import CLIENTS, signer_of
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import CLIENT_AUTH, Adapter, Member, System, read_system

ARGUMENT_SPEC: dict[str, Any] = {
    "names": {"type": "list", "elements": "str", "required": True},
    "adapter": {"type": "dict", "required": True},
    "trust_model": {"type": "str", "default": "pairwise"},
    "client_auth": {"type": "str", "choices": list(CLIENT_AUTH), "default": "required"},
    "revoked": {"type": "list", "elements": "str", "default": []},
    "clients": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": person_options(),
    },
    "purge_trusted": {"type": "bool", "default": False},
    "phased": {"type": "bool", "default": False},
}

#: The inventory's words for one member.
VARIABLES = ("mtls_kind", "mtls_address", "ansible_host", "mtls_alias", "mtls_source_address", "mtls_endpoints")
#: Ansible's strategies with which hosts do not wait for each other.
WITHOUT_WAITING = ("free", "host_pinned")


class ActionModule(ActionBase):
    """Reads the inventory; touches no host."""

    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The members, and for each what its host is to look at."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        hostvars = variables["hostvars"]
        _validation, arguments = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        self._refuse_parts(arguments["names"], variables)
        unknown = [name for name in arguments["names"] if name not in hostvars]
        if unknown:
            raise AnsibleActionFail(f"'names' has hosts that are not in the inventory: {', '.join(unknown)}")
        inventory = {
            name: {variable: hostvars[name][variable] for variable in VARIABLES if variable in hostvars[name]}
            for name in arguments["names"]
        }
        wishes = {name: arguments[name] for name in ("trust_model", "client_auth", "purge_trusted", "phased")}
        wishes["people"] = list(dict.fromkeys(each["name"] for each in arguments["clients"]))
        revoked = [each["name"] for each in arguments["clients"] if each["state"] == "revoked"]
        wishes["revoked"] = list(dict.fromkeys([*arguments["revoked"], *revoked]))
        try:
            system = read_system(inventory, Adapter.from_dict(arguments["adapter"]), **wishes)
        except MtlsError as error:
            raise AnsibleActionFail(str(error)) from error
        return {
            "changed": False,
            "run": f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(4)}",
            "system": {"inventory": inventory, "adapter": arguments["adapter"], **wishes},
            "revocations": [{"name": name} for name in wishes["revoked"]],
            "signers": [{"name": name} for name in _signers(system)],
            "people": [_person(each, wishes["revoked"]) for each in arguments["clients"] if each["name"] not in system.members],
            "members": {member.name: _public(system, member) for member in system.members.values()},
            "platforms": [member.name for member in system.members.values() if member.kind == "platform" and not member.revoked],
        }

    def _refuse_parts(self, names: Sequence[str], variables: Mapping[str, Any]) -> None:
        """Fail where the play hands over some of its members before others: what is planned is planned for all of them."""
        batch = variables.get("ansible_play_batch", ())
        later = [name for name in names if name in variables.get("ansible_play_hosts", ()) and name not in batch]
        if later:
            raise AnsibleActionFail(
                f"The play takes its hosts in turns (serial), and this turn is without {_first_of(later)}; but certificates are exchanged "
                "between all members at once. Put the roles into a play without 'serial'; to restart one process after the other, set "
                "'mtls_restart: rolling'."
            )
        strategy = str(self._task.get_play().strategy)
        if strategy.rpartition(".")[2] in WITHOUT_WAITING:
            raise AnsibleActionFail(
                f"The play has the strategy '{strategy}', with which hosts do not wait for each other; but certificates are exchanged "
                "between all members at once. Put the roles into a play with 'strategy: ansible.builtin.linear'."
            )


def _signers(system: System) -> list[str]:
    """The names of the CAs that sign for anybody here."""
    found = {signer_of(each) for each in system.members.values() if not each.revoked}
    return sorted({*found, CLIENTS} if system.people_connect else found)


def _person(options: Mapping[str, Any], revoked: Sequence[str]) -> dict[str, Any]:
    """Somebody who is no member, as the module client_bundle takes them."""
    return {**options, "state": "revoked" if options["name"] in revoked else "present"}


def _first_of(names: Sequence[str]) -> str:
    """One of the names, and how many more there are."""
    return f"'{names[0]}'" if len(names) == 1 else f"'{names[0]}' and {len(names) - 1} more"


def _public(system: System, member: Member) -> dict[str, Any]:
    """One member as tasks read it; *observe* are the endpoints that it connects to, which it sees from outside."""
    return {
        **vars(member),
        "endpoints": [{"name": endpoint.name, "host": member.address, "port": endpoint.port} for endpoint in member.endpoints],
        "key_alias": system.key_alias(member),
        "holds_copy": system.holds_copy(member),
        "has_settings": member.kind in system.adapter.settings_kinds,
        "has_pem": member.kind in system.adapter.pem_kinds,
        "is_served": system.is_served(member.kind),
        "observe": [
            {
                "server": link.server,
                "endpoint": link.endpoint,
                "host": link.address,
                "port": link.port,
                "source_address": member.source_address,
                "send": system.adapter.request,
            }
            for link in (() if member.revoked else system.links_from(member))
        ],
    }
