# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mutual.tls.plan: what a run would change, with a reason for each change; computed on the controller."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.errors import MtlsError
from ansible_collections.mutual.tls.plugins.module_utils.files import write_atomically
from ansible_collections.mutual.tls.plugins.module_utils.plan.authority import SYSTEM, AuthorityFacts, signer_of
from ansible_collections.mutual.tls.plugins.module_utils.plan.build import build
from ansible_collections.mutual.tls.plugins.module_utils.plan.changes import Plan
from ansible_collections.mutual.tls.plugins.module_utils.plan.matrix import CONTROLLER, Matrix, looked_at, matrix
from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import Facts
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import IdentityWish
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import Member, System
from ansible_collections.mutual.tls.plugins.module_utils.plan.text import plan_text, printable
from ansible_collections.mutual.tls.plugins.plugin_utils.collected import authority_from, gather, in_sight, system_from

ARGUMENT_SPEC: dict[str, Any] = {
    "system": {"type": "dict", "required": True},
    "collected": {"type": "str", "required": True},
    "stores": {"type": "list", "elements": "str", "default": []},
    "settings": {"type": "list", "elements": "str", "default": []},
    "pem": {"type": "str", "default": ""},
    "gateway": {"type": "str", "default": ""},
    "authority": {"type": "str"},
    "signed": {"type": "str"},
    "requests": {"type": "str"},
    "wishes": {"type": "str"},
    "unreachable": {"type": "str", "choices": ["stop", "skip"], "default": "stop"},
    "allow_lock_out": {"type": "bool", "default": False},
    "show": {"type": "bool", "default": False},
    "digest": {"type": "str"},
    "path": {"type": "path"},
    "verify": {"type": "str", "choices": ["always", "on_change", "never"], "default": "never"},
}


class ActionModule(ActionBase):
    """Gathers what tasks registered on each host, and hands it to the plan's core."""

    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The plan; fails when something is at fault or a link would not work."""
        super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        system = system_from(arguments["system"])
        variables = task_vars or {}
        hostvars = variables["hostvars"]
        authority = authority_from(variables, arguments["authority"], arguments["signed"])
        facts = gather(
            system,
            hostvars,
            arguments["collected"],
            stores=arguments["stores"],
            settings=arguments["settings"],
            pem=arguments["pem"],
            gateway=arguments["gateway"],
            authority=authority,
            check_mode=self._task.check_mode,
        )
        try:
            wishes = {name: arguments[name] for name in ("unreachable", "allow_lock_out")}
            plan = build(system, facts, x509.now(), authority=authority, **wishes)
            asked = _wishes(plan, hostvars, arguments["requests"], arguments["wishes"]) if arguments["requests"] else {}
            external = authority is not None and authority.external
            requests = [_request(system.members[name], *each, external=external) for name, each in asked.items()]
        except MtlsError as error:
            raise AnsibleActionFail(str(error)) from error
        # What a dead run had loaded was not looked at.
        left_open = [name for name in system.members if (hostvars[name].get(arguments["collected"]) or {}).get("transaction")]
        to_see = [*dict.fromkeys([*(restart.member for restart in plan.restarts), *left_open])]
        for_person = looked_at(system, to_see) if authority and not authority.external else []
        handshakes = matrix(system, facts, plan.without, in_sight=in_sight(system), for_person=for_person)
        # Better said now than after the restarts.
        if arguments["verify"] == "always" or (arguments["verify"] == "on_change" and plan.restarts):
            plan.faults.extend(handshakes.faults)
        public = plan.to_dict()
        digest = arguments["digest"] or hashlib.sha256(json.dumps(public, sort_keys=True).encode()).hexdigest()
        result = {"changed": False, "plan": {**public, "digest": digest, "requests": requests, **_for_tasks(system, plan, handshakes)}}
        result["plan"].update(for_person=for_person, left_open=left_open, server_cas=_server_cas(system, facts, authority))
        text = plan_text(system, plan)
        if arguments["path"]:
            write_atomically(arguments["path"], (json.dumps({**public, "digest": digest}, indent=2) + "\n").encode("utf-8"), mode=0o644)
        if plan.state == "unprovable":
            faults = "".join(f"\n  - {printable(fault)}" for fault in plan.faults)
            raise AnsibleActionFail(f"The plan cannot be carried out; nothing was restarted.\n{text}{faults}")
        if arguments["show"]:
            self._display.display(f"\n{text}\n")
        return result


def _wishes(plan: Plan, hostvars: Mapping[str, Any], results: str, wishes: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Member -> its signing request, from its host, in the result of that name; and its wish, which the controller set under *wishes*."""
    found = {name: ((hostvars[name].get(results) or {}).get("identity") or {}).get("csr") for name in plan.identities}
    return {name: (csr, dict(hostvars[name][wishes])) for name, csr in found.items() if csr}


def _request(member: Member, csr: str, options: dict[str, Any], *, external: bool) -> dict[str, Any]:
    """What an authority is asked to sign, as its module takes it. Of what the host sent it has the request only."""
    wish = IdentityWish.from_options(options)
    request = {
        "name": member.name,
        "authority": signer_of(member),
        "csr_content": csr,
        "subject": wish.distinguished_name,
        "subject_alt_name": list(wish.subject_alt_name or ()),
        "usages": ["client"] if member.kind == "client" else ["server", "client"],
        "valid_for": options["valid_for"],
    }
    if external:
        request.update(any_subject=wish.subject is None, renew_before=options["renew_before"], generation=wish.generation)
    return request


def _server_cas(system: System, facts: Mapping[str, Facts], authority: AuthorityFacts | None) -> list[str]:
    """Whom the controller trusts (PEM): the CAs that sign for servers, of every generation, and what servers of people have besides."""
    cas = [ca.certificate for ca in (authority.cas if authority is not None else ()) if ca.name == SYSTEM]
    stores = [(member, facts[member.name].store) for member in system.members.values() if system.serves_people(member.kind)]
    held = [store.identity(system.key_alias(member)) for member, store in stores if store is not None]
    return [x509.der_to_pem(each) for each in dict.fromkeys([*cas, *(entry.chain[0] for entry in held if entry is not None)])]


def _for_tasks(system: System, plan: Plan, handshakes: Matrix) -> dict[str, Any]:
    """What tasks look up by member: the order of restarts, and the handshakes to make."""
    probes: dict[str, list[dict[str, Any]]] = {}
    for probe in handshakes.probes:
        source = system.members[probe.member].source_address if probe.member != CONTROLLER else None
        probes.setdefault(probe.member, []).append(probe.to_option(source, system.adapter))
    processes: dict[str, dict[str, list[str]]] = {}
    for restart in plan.restarts:
        processes.setdefault(restart.tier, {}).setdefault(restart.member, []).append(restart.process)
    return {
        "probes": probes,
        "listening": {
            member.name: [
                {"pico": endpoint.name, "host": member.address, "port": endpoint.port} for endpoint in member.endpoints if endpoint.port
            ]
            for member in system.members.values()
        },
        "processes": processes,
        "stop_order": [tier for tier in system.adapter.stop_order if tier in processes],
        "start_order": [tier for tier in system.adapter.start_order if tier in processes],
    }
