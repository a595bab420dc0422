# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan and the matrix as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils.plan.build import Plan
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import System

_WIDEST = 60


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Columns as wide as their widest cell, a line a row; the last column is not padded."""
    cells = [[printable(str(cell)) for cell in row] for row in (headers, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headers) - 1)]
    lines = ("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[-1]]) for row in cells)
    return "\n".join(f"  {line.rstrip()}" for line in lines)


def printable(text: str) -> str:
    """*text* as it may go to a terminal: a host that lies could otherwise write over what others are shown."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def plan_text(system: System, plan: Plan) -> str:
    """The plan: what it is for, what changes and why, what stops it."""
    links = len(plan.verdicts)
    wishes = f"trust model {system.trust_model}, client auth {system.client_auth}"
    lines = [f"Plan for {system.adapter.name}: {wishes}, {len(system.members)} members, {links} links"]
    if plan.changes:
        lines.append(table(("MEMBER", "WHAT", "ACTION", "WHICH", "WHY"), _grouped(plan)))
    elif not plan.faults:
        lines.append("  Nothing is to be changed and nothing is to be restarted.")
    failing = [(verdict.link.name, verdict.reason) for verdict in plan.verdicts if verdict.outcome == "fails"]
    if failing:
        lines.append("Links that would not work:")
        lines.append(table(("LINK", "WHY"), failing))
    lines.extend(f"  Note: {printable(note)}." for note in plan.notes)
    return "\n".join(lines)


def _grouped(plan: Plan) -> list[tuple[str, str, str, str, str]]:
    """The changes; those of one member that differ in the subject only share a row."""
    rows: dict[tuple[str, str, str, str], list[str]] = {}
    for change in plan.changes:
        rows.setdefault((change.member, change.what, change.action, change.reason), []).append(change.subject)
    return [(member, what, action, _shortened(subjects), reason) for (member, what, action, reason), subjects in rows.items()]


def _shortened(subjects: Sequence[str]) -> str:
    """The subjects on one line; of many, the first and how many more, as the diff and plan.json name them all."""
    line = ", ".join(subjects)
    return line if len(line) <= _WIDEST else f"{subjects[0]} and {len(subjects) - 1} more"


def matrix_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The handshakes made, those that differ from what was expected first."""
    ordered = sorted(rows, key=lambda row: bool(row["as_expected"]))
    return table(
        ("", "CLIENT", "SERVER", "ADDRESS", "EXPECTED", "OUTCOME", "PROTOCOL", "REASON"),
        (
            (
                "ok" if row["as_expected"] else "FAIL",
                row["client"],
                row["server"],
                row["address"],
                row["expect"],
                row["outcome"],
                row["protocol"] or "-",
                row["reason"] or "",
            )
            for row in ordered
        ),
    )
