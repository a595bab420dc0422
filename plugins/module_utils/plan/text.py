# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan and the matrix as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils.plan.changes import Plan
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import System

_WIDEST = 60
#: What follows in the same run, once what comes before was carried out and measured.
_LATER = {
    "present": "once all whom they meet trust what signs them, new certificates for",
    "distrust": "once all whom they meet present something else, what nobody needs any more is trusted no more by",
}
#: More rows than this nobody reads one by one.
_MANY = 24
_MOST_NOTES = 10


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
    if plan.changes or plan.bundles:
        lines.append(table(("MEMBER", "WHAT", "ACTION", "WHICH", "WHY"), _grouped(plan)))
    elif not plan.faults and not plan.more and not plan.awaited:
        lines.append("  Nothing is to be changed and nothing is to be restarted.")
    lines.extend(f"  Then, {what} {_shortened(plan.later[step])}." for step, what in _LATER.items() if plan.later[step])
    lines.extend(f"  Note: {printable(note)}." for note in plan.notes[:_MOST_NOTES])
    if len(plan.notes) > _MOST_NOTES:
        lines.append(f"  And {len(plan.notes) - _MOST_NOTES} more notes, which mtls_plan_path writes down.")
    failing = [(verdict.link.name, verdict.reason) for verdict in plan.verdicts if verdict.outcome == "fails"]
    if failing:
        lines.append(f"Links that would not work ({len(failing)} of {links}):")
        lines.append(table(("LINK", "WHY"), _merged(failing, 0, {})))
    return "\n".join(lines)


def _grouped(plan: Plan) -> list[tuple[str, ...]]:
    """The changes, and the bundles; those of one member that differ in the subject only share a row, and in long plans so do members."""
    rows: dict[tuple[str, str, str, str], list[str]] = {}
    for change in plan.changes:
        rows.setdefault((change.member, change.what, change.action, change.reason), []).append(change.subject)
    for name, reason in plan.bundles.items():
        rows.setdefault(("(people)", "bundle", "issue", reason), []).append(name)
    shown: list[tuple[str, ...]] = [
        (member, what, action, _shortened(subjects), reason) for (member, what, action, reason), subjects in rows.items()
    ]
    if len(shown) <= _MANY:
        return shown
    return _merged(_merged(shown, 3, {4: "each"}), 0, {3: "(its own)", 4: "it"})


def _merged(rows: Sequence[tuple[str, ...]], column: int, masks: Mapping[int, str]) -> list[tuple[str, ...]]:
    """Rows that differ in *column* only become one, where its first row was.

    *masks*: other columns in which the cell's own text may stand, and the word that takes its place in a row made of several.
    """
    groups: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for row in rows:
        groups.setdefault(_masked(row, column, masks), []).append(row)
    merged = []
    for masked, group in groups.items():
        several = [*masked[:column], _shortened([row[column] for row in group]), *masked[column + 1 :]]
        merged.append(group[0] if len(group) == 1 else tuple(several))
    return merged


def _masked(row: tuple[str, ...], column: int, masks: Mapping[int, str]) -> tuple[str, ...]:
    own = row[column]
    cells = [masks[at] if at in masks and cell == own else cell for at, cell in enumerate(row)]
    cells = [cell.replace(f"'{own}'", masks[at]) if at in masks else cell for at, cell in enumerate(cells)]
    return (*cells[:column], "", *cells[column + 1 :])


def _shortened(subjects: Sequence[str]) -> str:
    """The subjects on one line; of many, the first and how many more, as the diff and plan.json name them all."""
    line = ", ".join(subjects)
    return line if len(line) <= _WIDEST else f"{subjects[0]} and {len(subjects) - 1} more"


def matrix_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The handshakes made: those that differ from what was expected first; of many, those alike in one row."""
    failures = _alike([_matrix_row(row) for row in rows if not row["as_expected"]])
    others = _alike([_matrix_row(row) for row in rows if row["as_expected"]])
    return table(("", "CLIENT", "SERVER", "ADDRESS", "EXPECTED", "OUTCOME", "PROTOCOL", "REASON"), [*failures, *others])


def failures_text(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence for each handshake that did not end as expected; clients of one server to whom the same happened share one."""
    failing = [
        (
            row["client"],
            f"{row['server']} at {row['address']}",
            row["from"],
            row["outcome"],
            f" ({row['reason']})" if row["reason"] else "",
            row["expect"],
        )
        for row in rows
        if not row["as_expected"]
    ]
    return [
        f"{client} -> {server}, tried from {told}: {outcome}{reason}, expected {expect}"
        for client, server, tried, outcome, reason, expect in _merged(failing, 0, {2: "there"})
        for told in [tried if tried == "there" else f"'{tried}'"]
    ]


def _alike(rows: Sequence[tuple[str, ...]]) -> Sequence[tuple[str, ...]]:
    """Rows of the matrix, and of many those alike in one."""
    if len(rows) <= _MANY:
        return rows
    merged = _merged(rows, 1, {})  # clients of one server
    merged = _merged([(*row[:2], f"{row[2]} {row[3]}", *row[4:]) for row in merged], 2, {})  # servers of one client
    return [(*row[:2], *_server_and_address(row[2]), *row[3:]) for row in merged]


def _server_and_address(text: str) -> tuple[str, str]:
    """What was joined for a moment; several servers have no one address."""
    server, _blank, rest = text.partition(" ")
    return (text, "") if rest.count(" ") else (server, rest)


def _matrix_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        "ok" if row["as_expected"] else "FAIL",
        row["client"],
        row["server"],
        row["address"],
        row["expect"],
        row["outcome"],
        row["protocol"] or "-",
        row["reason"] or "",
    )
