# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mutual.tls.external_authority on the controller: the module runs on the host, and what is yet to be signed is shown as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils.plan.text import table
from ansible_collections.mutual.tls.plugins.plugin_utils.on_host import OnHost

_HEADERS = ("MEMBER", "CA", "REQUEST", "PUT THE CERTIFICATE AT", "FOR", "DAYS", "NAMES")


class ActionModule(OnHost):
    """Runs the module."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the module answers."""
        result = super().run(tmp, task_vars)
        awaited = result.get("awaited") or []
        if awaited:
            shown = "\n".join(["Certificates that are yet to be signed:", table(_HEADERS, map(_row, awaited)), *_refusals(awaited)])
            self._display.display(f"\n{shown}\n")
        return result


def _row(each: Mapping[str, Any]) -> tuple[Any, ...]:
    names = ", ".join([each["subject"], *each["subject_alt_name"]])
    return each["name"], each["authority"], each["request"], each["certificate"], "+".join(each["usages"]), each["days"], names


def _refusals(awaited: list[Mapping[str, Any]]) -> list[str]:
    """Why what was put there was not taken."""
    refused = [(each["certificate"], each["refused"]) for each in awaited if each.get("refused")]
    return ["", "What was found and not taken:", table(("CERTIFICATE", "WHY"), refused)] if refused else []
