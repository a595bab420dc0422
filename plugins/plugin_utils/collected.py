# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tasks registered on each host, as the plan's core reads it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleActionFail

from ansible_collections.mutual.tls.plugins.module_utils import crypto, x509
from ansible_collections.mutual.tls.plugins.module_utils.errors import MtlsError
from ansible_collections.mutual.tls.plugins.module_utils.plan.authority import AuthorityFacts, read_authority
from ansible_collections.mutual.tls.plugins.module_utils.plan.build import setting_values
from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import Facts, GatewayFacts, SettingsFacts, read_facts
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import Adapter, System, read_system
from ansible_collections.mutual.tls.plugins.plugin_utils import controller
from ansible_collections.mutual.tls.plugins.plugin_utils.on_host import forged

_LIES = (
    "its answers set what only the inventory and this run may set ({}): whoever has that host tries to speak for others, or a module of "
    "yours returns facts of these names"
)


def system_from(option: Mapping[str, Any]) -> System:
    """The system that mutual.tls.members returned."""
    wishes = {name: option[name] for name in ("trust_model", "client_auth", "revoked", "purge_trusted", "phased")}
    wishes["people"] = option.get("people", ())
    try:
        crypto.require()
        return read_system(option["inventory"], Adapter.from_dict(option["adapter"]), **wishes)
    except MtlsError as error:
        raise AnsibleActionFail(str(error)) from error


def in_sight(system: System) -> list[str]:
    """The members that the controller sees from outside."""
    exempts = system.adapter.exempts_local_clients
    return [member.name for member in system.members.values() if not exempts or controller.sees_from_outside(member.address)]


def gather(
    system: System,
    hostvars: Mapping[str, Any],
    collected: str,
    *,
    stores: Sequence[str] = (),
    settings: Sequence[str] = (),
    pem: str = "",
    gateway: str = "",
    authority: AuthorityFacts | None = None,
    check_mode: bool = False,
) -> dict[str, Facts]:
    """The facts of every member: the result of member_info under the name *collected*, overlaid with later results.

    *stores* are names of results of the module keystore, *settings* of the modules that write settings, *pem*
    of the module pem_files; *gateway* is the name of what the role gateway says of its file. A member without results was outside of
    ``--limit``, or did not answer. What *authority* signed is in a member's store as if it were installed.
    """
    facts = {}
    for name in system.members:
        variables = hostvars[name]
        result = variables.get(collected) or {}
        lies = forged(variables, system.adapter.name)
        if lies:
            facts[name] = read_facts(None, fault=_LIES.format(", ".join(lies)))
        elif result.get("unreachable"):
            facts[name] = read_facts(None, failure=str(result.get("msg", "no answer")).strip())
        elif result.get("failed"):
            facts[name] = read_facts(None, fault=str(result.get("msg", "no reason given")).strip())
        elif not result.get("store"):
            facts[name] = read_facts(None)
        else:
            later = [[variables.get(each) or {} for each in names] for names in (stores, settings, [pem], [gateway])]
            facts[name], changed = _read(result, *later)
            if changed and not check_mode:
                facts[name] = _with_settings(facts[name], system, name, changed)
        if authority is not None and name in authority.issued:
            facts[name] = _with_chain(facts[name], system.members[name].alias, authority.issued[name])
    return facts


def authority_from(variables: Mapping[str, Any], collected: str | None, signed: str | None) -> AuthorityFacts | None:
    """What the module authority returned under these names, as the host has them that plans for all.

    Other hosts are not asked: one could make others trust its CA with a fact of that name.
    """
    try:
        return read_authority(variables.get(collected or ""), variables.get(signed or ""))
    except (MtlsError, AttributeError, KeyError, TypeError, ValueError) as error:
        return AuthorityFacts(failure=f"its answer cannot be read: {error}")


def _with_chain(facts: Facts, alias: str, chain: tuple[bytes, ...]) -> Facts:
    return facts if facts.store is None else dataclasses.replace(facts, store=facts.store.with_chain(alias, chain))


#: Results of one kind of task.
_Results = Sequence[Mapping[str, Any]]


def _read(collected: Mapping[str, Any], stores: _Results, settings: _Results, pem: _Results, gateway: _Results) -> tuple[Facts, list[str]]:
    """The facts, and the settings that were changed since they were collected.

    A host that answers nonsense is at fault itself, and cannot stop the plan for all others.
    """
    try:
        facts = read_facts(_with_pem(_with_stores(collected, stores), *pem))
        for entry in facts.store.entries if facts.store is not None else ():
            for text in (entry.pem, entry.chain_pem):
                if text:
                    x509.pem_to_der(text, f"the certificate under the alias '{entry.alias}'")
        changed = [str(change["name"]) for result in settings if result.get("changed") for change in result["changes"]]
        return dataclasses.replace(facts, gateway=_gateway(*gateway)), changed
    except (MtlsError, AttributeError, KeyError, TypeError, ValueError) as error:
        return read_facts(None, fault=f"its answer cannot be read: {error}"), []


def _gateway(result: Mapping[str, Any]) -> GatewayFacts | None:
    modified = result.get("modified")
    return GatewayFacts(bool(result["changed"]), None if modified is None else float(modified)) if result else None


def _with_stores(collected: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The newest of what was seen of the keystore: results of an earlier play may still be there."""
    data = dict(collected)
    for result in results:
        if result.get("store") and (result["store"]["modified"] or 0) >= (data["store"]["modified"] or 0):
            newer = (result["store"]["modified"] or 0) > (collected["store"]["modified"] or 0)
            other = _identities(result["store"]) != _identities(collected["store"])
            data["store"] = {**result["store"], "changed": newer, "new_identity": newer and other}
            data["proof"] = result.get("proof") or data.get("proof")
    return data


def _identities(store: Mapping[str, Any]) -> set[tuple[Any, Any]]:
    """The store's private keys, each as its alias and its certificate's fingerprint."""
    return {(entry["alias"], entry["sha256"]) for entry in store["entries"] if entry["type"] == "private_key"}


def _with_pem(data: dict[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """The newest of what was seen of the PEM files."""
    newer = result.get("pem") and data.get("pem") and (result["pem"]["modified"] or 0) >= (data["pem"]["modified"] or 0)
    return {**data, "pem": result["pem"]} if newer else data


def _with_settings(facts: Facts, system: System, name: str, changed: Sequence[str]) -> Facts:
    """The settings as they are now: as desired, and perhaps not loaded by what runs."""
    values = setting_values(system, system.members[name], facts)
    return dataclasses.replace(facts, settings=SettingsFacts(values, changed=tuple(changed)))
