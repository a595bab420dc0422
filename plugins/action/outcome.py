# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mutual.tls.outcome: how a run ended, for the person who waits for it and for those who ask later."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.mutual.tls.plugins.module_utils.plan.matrix import CONTROLLER
from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import Facts
from ansible_collections.mutual.tls.plugins.module_utils.plan.outcome import Undoing, account, certificates, handshakes, table_rows
from ansible_collections.mutual.tls.plugins.module_utils.plan.text import printable, table
from ansible_collections.mutual.tls.plugins.plugin_utils.collected import gather, system_from
from ansible_collections.mutual.tls.plugins.plugin_utils.controller import this_run

ARGUMENT_SPEC: dict[str, Any] = {
    "system": {"type": "dict", "default": {}},
    "run": {"type": "str", "default": ""},
    "verb": {"type": "str", "default": "site"},
    "audit_log": {"type": "path", "default": ""},
    "failed": {"type": "bool", "default": False},
    "more": {"type": "bool", "default": False},
    "rollback": {"type": "str", "choices": ["always", "never"], "default": "always"},
}

_STORES = ("identity_store", "trust_store", "trust_copy")
_SETTINGS = ("client_auth_registry", "client_auth_file")
#: What the undoing of a run registers, and what it says of it when it fails.
_UNDONE = ("transaction_files_undone", "client_auth_undone", "transaction_after", "transaction_ended")

_STILL_ACCEPTED = (
    "What was planned is done, and the system works; but somebody who is revoked says that it is still let in. Nothing was undone. See "
    "what that server trusts and serves (mutual.tls.verify), or take the revoked one out of the inventory if its host may lie:"
)


class ActionModule(ActionBase):
    """Joins what the tasks of a run registered on each host."""

    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The line that was written; fails when the run did."""
        super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        variables = task_vars or {}
        hostvars = variables["hostvars"]
        members = list(arguments["system"].get("inventory", variables.get("ansible_play_hosts_all", ())))
        seen = {name: hostvars[name] for name in members if name in hostvars}
        undoing = _undoing(seen, _silent(variables, seen), arguments["rollback"] == "always") if arguments["failed"] else None
        still_accepted = _found(seen, "handshake_matrix", "still_accepted", [])
        line = _line(arguments, seen, undoing)
        if undoing is None:
            line["causes"] = [{"member": "", "at": "matrix", "why": printable(each)} for each in still_accepted]
        if not self._task.check_mode:
            self._append(arguments["audit_log"], line)
        if undoing is None:
            self._tell_open(seen)
            if still_accepted and not arguments["more"]:
                raise AnsibleActionFail(_STILL_ACCEPTED + "".join(f"\n  - {printable(each)}" for each in still_accepted))
            return {"changed": False, "line": line}
        if undoing.handshakes:
            rows = table_rows(undoing.handshakes)
            self._display.display(f"\nBefore and after:\n{table(('', 'HANDSHAKE', 'BEFORE', 'AFTER', 'REASON'), rows)}\n")
        raise AnsibleActionFail(account(undoing))

    def _tell_open(self, seen: Mapping[str, Mapping[str, Any]]) -> None:
        """The system works; that a host could not be told so keeps nobody from changing it again."""
        for name, variables in seen.items():
            ended = variables.get("transaction_ended") or {}
            if ended.get("failed") or ended.get("unreachable"):
                why = _reason(ended.get("msg", "no reason given"))
                self._display.warning(f"'{name}' does not know that this run has ended; the next one tells it. {why}")

    def _append(self, path: str, line: Mapping[str, Any]) -> None:
        """One write at the file's end, so that lines of several runs never mix. That nobody can write there stops no run."""
        if not path:
            return
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(descriptor, (json.dumps(line) + "\n").encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            self._display.warning(f"The run is not in the audit log: {path}: {error.strerror}. Name another file in mtls_audit_log.")


def _silent(variables: Mapping[str, Any], seen: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Members of this play that do not answer any more: all others remember the failure, or that it was another's."""
    played = variables.get("ansible_play_hosts_all", ())
    return [name for name in seen if name in played and seen[name].get("transaction_cause", "") == ""]


def _undoing(seen: Mapping[str, Mapping[str, Any]], silent: Collection[str], wanted: bool) -> Undoing:
    undoing = Undoing(wanted=wanted)
    undoing.causes += _causes(seen)
    undoing.causes += [(name, "the connection", "it does not answer any more") for name in silent]
    undoing.begun = any("continues" in (variables.get("transaction_begun") or {}) for variables in seen.values())
    for name, variables in seen.items():
        undoing.restored.update(_restored(name, variables))
        if undoing.begun and wanted:
            undoing.left += _left(name, variables, name in silent)
    undoing.bundles = sorted(_found(seen, "client_bundle_made", "bundles", {}))
    before = {name: variables.get("transaction_before") or {} for name, variables in seen.items() if name not in silent}
    after = {name: variables.get("transaction_after") or {} for name, variables in seen.items()}
    people = [_found(seen, f"transaction_people_{when}", "results", []) for when in ("before", "after")]
    before[CONTROLLER], after[CONTROLLER] = ({"results": results} for results in people)
    if wanted and undoing.begun:
        undoing.handshakes = list(handshakes(before, after))
    return undoing


def _causes(seen: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """What the hosts failed at. Of several hosts with one reason one is named."""
    told = set()
    for name, variables in seen.items():
        cause = variables.get("transaction_cause")
        why = _reason(cause["why"]) if cause else ""
        if cause and why not in told:
            told.add(why)
            yield name, str(cause["at"]), why


def _reason(message: Any) -> str:
    """Why a task failed, in its own words: without what Ansible puts before them, and without control characters."""
    text = str(message).strip()
    for words in ("Task failed: ", "Action failed: ", "Module failed: "):
        text = text.removeprefix(words)
    return "\n".join(printable(line) for line in text.splitlines())


def _restored(name: str, variables: Mapping[str, Any]) -> dict[str, list[str]]:
    files = [file["path"] for file in (variables.get("transaction_files_undone") or {}).get("files") or () if file["action"] != "none"]
    undone = variables.get("client_auth_undone") or {}
    containers = [f"the values of {undone.get('container')}"] if undone.get("changed") else []
    return {name: files + containers} if files or containers else {}


def _left(name: str, variables: Mapping[str, Any], silent: bool) -> Iterator[str]:
    """What was not undone on one member."""
    if silent:
        yield f"'{name}' does not answer any more; its files are as this run left them."
        return
    for registered in _UNDONE:
        result = variables.get(registered) or {}
        if result.get("unreachable") or result.get("failed"):
            yield f"'{name}': {_reason(result.get('msg', 'no reason given'))}"
    for failure in variables.get("service_failures") or ():
        yield f"'{name}': {_reason(failure)}"


def _line(arguments: Mapping[str, Any], seen: Mapping[str, Mapping[str, Any]], undoing: Undoing | None) -> dict[str, Any]:
    """What is written down: no secrets, no PEM."""
    operator = this_run()
    plan = _found(seen, "product_plan", "plan", {})
    before, after = _facts(arguments["system"], seen)
    changed = list(certificates(before, after))
    settings = [
        {"member": name, "setting": change["name"], "action": change["action"], "reason": change["reason"]}
        for name, variables in seen.items()
        for registered in _SETTINGS
        for change in (variables.get(registered) or {}).get("changes") or ()
    ]
    restarts = [{"member": each["member"], "process": each["process"], "reason": each["reason"]} for each in plan.get("restarts", ())]
    restarted = any(variables.get("service_restarting") for variables in seen.values())
    rows = _found(seen, "handshake_matrix", "links", [])
    outcome = "changed" if changed or settings or restarted else "unchanged"
    return {
        "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "run": arguments["run"],
        "operator": {"user": operator["user"], "host": operator["host"]},
        "verb": arguments["verb"],
        "plan_sha256": plan.get("digest"),
        "certificates": changed,
        "settings": settings,
        "restarts": restarts if restarted else [],
        "matrix": {
            "accepted": sum(row["outcome"] == "accepted" for row in rows),
            "refused": sum(row["outcome"] == "refused" for row in rows),
            "unexpected": sum(not row["as_expected"] for row in rows),
        },
        "outcome": undoing.state if undoing is not None else outcome,
        "causes": [{"member": member, "at": at, "why": why} for member, at, why in undoing.causes] if undoing is not None else [],
    }


def _found(seen: Mapping[str, Mapping[str, Any]], registered: str, name: str, default: Any) -> Any:
    """What a task that runs once returned under *name*: all hosts have it that were there."""
    return next((found[name] for found in (each.get(registered) or {} for each in seen.values()) if found.get(name)), default)


def _facts(system: Mapping[str, Any], seen: Mapping[str, Any]) -> tuple[dict[str, Facts], dict[str, Facts]]:
    """What was measured before the run, and what its stores are now."""
    if not system:
        return {}, {}
    read = system_from(system)
    return gather(read, seen, "product_member"), gather(read, seen, "product_member", stores=_STORES)
