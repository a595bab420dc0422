# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mutual.tls.transaction on the controller: it says who holds the transaction, and continues those of runs that died here."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.mutual.tls.plugins.plugin_utils.controller import is_dead, this_run
from ansible_collections.mutual.tls.plugins.plugin_utils.on_host import answer


class ActionModule(ActionBase):
    """Runs the module, once more where what holds the member is a run of this controller that is dead."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the module returns."""
        super().run(tmp, task_vars)
        if self._task.args.get("state") == "ended" and self._task.args.get("holder") and not is_dead(self._task.args["holder"]):
            return {"changed": False, "skipped": True, "skip_reason": "the run that holds the transaction may be alive"}
        arguments = {**self._task.args, "holder": this_run()}
        result = self._execute_module("mutual.tls.transaction", module_args=arguments, task_vars=task_vars)
        if result.get("failed") and is_dead(result.get("held_by") or {}):
            again = {**arguments, "take_over": result["held_run"]}
            result = self._execute_module("mutual.tls.transaction", module_args=again, task_vars=task_vars)
        return answer(result)
