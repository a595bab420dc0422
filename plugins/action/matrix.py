# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mutual.tls.matrix: the handshakes of all hosts as one table, and the run's verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.mutual.tls.plugins.module_utils.files import write_atomically
from ansible_collections.mutual.tls.plugins.module_utils.plan.matrix import CONTROLLER, Matrix, PlannedProbe, matrix, on_disk
from ansible_collections.mutual.tls.plugins.module_utils.plan.text import failures_text, matrix_text, printable
from ansible_collections.mutual.tls.plugins.plugin_utils.collected import gather, in_sight, system_from

ARGUMENT_SPEC: dict[str, Any] = {
    "system": {"type": "dict", "required": True},
    "collected": {"type": "str", "required": True},
    "stores": {"type": "list", "elements": "str", "default": []},
    "handshakes": {"type": "str", "required": True},
    "from_controller": {"type": "dict", "default": {}},
    "for_person": {"type": "list", "elements": "str", "default": []},
    "without": {"type": "list", "elements": "str", "default": []},
    "revoked": {"type": "str", "choices": ["fail", "tell"], "default": "fail"},
    "path": {"type": "path"},
}

#: What each result of the module handshake has.
_SHOWN = {"name", "present", "outcome", "as_expected", "reason", "protocol", "peer_sha256"}


class ActionModule(ActionBase):
    """Joins what each host's handshakes showed."""

    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The matrix; fails when a handshake ended otherwise than it should, or could not be made."""
        super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        hostvars = (task_vars or {})["hostvars"]
        system = system_from(arguments["system"])
        facts = gather(system, hostvars, arguments["collected"], stores=arguments["stores"])
        wanted = matrix(system, facts, arguments["without"], in_sight=in_sight(system), for_person=arguments["for_person"])
        makers = {probe.member for probe in wanted.probes} - {CONTROLLER}
        registered = {name: hostvars[name].get(arguments["handshakes"]) or {} for name in makers}
        registered[CONTROLLER] = arguments["from_controller"]
        revoked = {member.name for member in system.members.values() if member.revoked}
        made = {name: _by_probe(result) for name, result in registered.items()}
        out_of_reach = _out_of_reach(wanted, made.get(CONTROLLER, {}))
        rows, notes = [], list(wanted.notes)
        for probe in wanted.probes:
            result = made[probe.member].get((probe.to_option(None)["name"], probe.present)) or _not_made(registered[probe.member])
            row = _with_what_is_served(_row(probe, result), on_disk(system, facts, probe.link.server))
            accepted = (row["expect"], row["outcome"]) == ("refused", "accepted")
            if probe.member == CONTROLLER and (probe.link.server, probe.link.endpoint) in out_of_reach:
                notes.append(f"{probe.link.name} shows nothing: the controller does not get there ({row['reason']})")
            elif probe.member in revoked and not row["as_expected"] and not accepted:
                # Whoever is revoked must not decide, by what it says, whether the run that revokes it stands.
                told = row["outcome"] + (f", {row['reason']}" if row["reason"] else "")
                notes.append(f"{probe.link.name} shows nothing: '{probe.member}' is revoked, and said: {told}")
            else:
                rows.append(row)
        notes = list(dict.fromkeys(notes))
        refused = sum(row["expect"] == "refused" for row in rows)
        title = f"Matrix: {len(rows)} handshakes, {len(rows) - refused} to be accepted and {refused} to be refused"
        self._display.display("\n".join(["", title, matrix_text(rows), *(f"  Note: {printable(note)}." for note in notes), ""]))
        if arguments["path"]:
            write_atomically(arguments["path"], (json.dumps({"links": rows}, indent=2) + "\n").encode("utf-8"), mode=0o644)
        by_revoked = [row for row in rows if row["from"] in revoked]
        still_accepted = failures_text(by_revoked)
        failures = failures_text([row for row in rows if row not in by_revoked]) + [f"{fault}." for fault in wanted.faults]
        told = {"changed": False, "links": rows, "notes": notes, "still_accepted": still_accepted}
        if failures or (still_accepted and arguments["revoked"] == "fail"):
            lines = "".join(f"\n  - {printable(failure)}" for failure in [*failures, *still_accepted])
            return {**told, "failed": True, "msg": f"The system does not do what it should:{lines}"}
        return told


def _out_of_reach(wanted: Matrix, made: Mapping[tuple[str, str], Mapping[str, Any]]) -> set[tuple[str, str]]:
    """The endpoints to which no handshake of the controller came, and that members show, or would: firewalls are meant so."""
    found: dict[tuple[str, str], set[str]] = {}
    for probe in wanted.probes:
        if probe.member == CONTROLLER:
            result = made.get((probe.to_option(None)["name"], probe.present), {})
            found.setdefault((probe.link.server, probe.link.endpoint), set()).add(str(result.get("outcome")))
    return {place for place, outcomes in found.items() if outcomes == {"unreachable"} and place in wanted.shown}


def _by_probe(registered: Mapping[str, Any]) -> dict[tuple[str, str], Mapping[str, Any]]:
    """What the handshakes of one host showed, by the probe's name and what it presented. What it says is taken for no more than that."""
    results = registered.get("results")
    named = [result for result in results if isinstance(result, Mapping) and result.keys() >= _SHOWN] if isinstance(results, list) else []
    return {(str(result["name"]), str(result["present"])): result for result in named}


def _not_made(registered: Mapping[str, Any]) -> dict[str, Any]:
    """A handshake that was not made is a failure of its own, for the reason that its host gave."""
    troubled = registered.get("failed") or registered.get("unreachable")
    reason = str(registered.get("msg", "no reason given")).strip() if troubled else "the handshake was not made"
    return {"outcome": "not_made", "as_expected": False, "reason": reason, "protocol": None, "peer_sha256": None}


def _text(said: Any) -> str | None:
    """What a host said, as text, whatever it is."""
    return None if said is None else str(said)


def _row(probe: PlannedProbe, result: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "client": probe.client,
        "from": probe.member,
        "server": probe.link.server,
        "address": f"{probe.link.address}:{probe.link.port}",
        "expect": probe.expect,
        "outcome": str(result["outcome"]),
        "as_expected": bool(result["as_expected"]) and result["outcome"] == probe.expect,
        "reason": _text(result["reason"]),
        "protocol": _text(result["protocol"]),
        "served_sha256": _text(result["peer_sha256"]),
    }


def _with_what_is_served(row: dict[str, Any], on_disk_sha256: str | None) -> dict[str, Any]:
    """The row; a server that shows another certificate than the one in its keystore fails, whatever comes of the handshake."""
    served = row["served_sha256"]
    if row["expect"] == "refused" or None in (served, on_disk_sha256) or served == on_disk_sha256:
        return row
    stale = f"renewed on disk, the old one is still served: its keystore has the certificate sha256 {on_disk_sha256}, it shows {served}"
    return {**row, "as_expected": False, "reason": f"{row['reason']}; {stale}" if row["reason"] else stale}
