# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run ended: what it changed, whether it was undone, and whether the system does again what it did before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import Facts

#: So many causes are told; more would hide what to do.
_MOST_CAUSES = 5
#: And so many lines of each.
_MOST_LINES = 10


@dataclass(frozen=True)
class Handshake:
    """One handshake, as it ended before the run and after it was undone; None: it was not made."""

    member: str
    name: str
    present: str
    before: str | None
    after: str | None
    reason: str = ""

    @property
    def is_back(self) -> bool:
        """Whether it ends as it did."""
        return self.before == self.after


@dataclass
class Undoing:
    """What came of a run that failed, over all members."""

    #: (member or "", what it was at, why), first the first.
    causes: list[tuple[str, str, str]] = field(default_factory=list)
    #: Whether the run had begun to change anything.
    begun: bool = False
    #: Whether it was to be undone.
    wanted: bool = True
    #: Files and containers that were put back, by member.
    restored: dict[str, list[str]] = field(default_factory=dict)
    #: What could not be put back, a sentence each.
    left: list[str] = field(default_factory=list)
    handshakes: list[Handshake] = field(default_factory=list)
    #: Who got a bundle, which servers may not take now.
    bundles: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        """``stopped`` (nothing had been changed), ``rolled_back``, ``left`` (as wished), or ``broken`` (not wholly undone)."""
        if not self.begun:
            return "stopped"
        if not self.wanted:
            return "left"
        return "broken" if self.left or not all(each.is_back for each in self.handshakes) else "rolled_back"


def handshakes(before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]) -> Iterator[Handshake]:
    """Each handshake of all members before and after; results of the module handshake by member."""
    for member, made in before.items():
        now = {(row["name"], row["present"]): row for row in after.get(member, {}).get("results") or ()}
        for row in made.get("results") or ():
            again = now.get((row["name"], row["present"]))
            outcome = again["outcome"] if again is not None else None
            yield Handshake(member, row["name"], row["present"], row["outcome"], outcome, (again or {}).get("reason") or "")


def certificates(before: Mapping[str, Facts], after: Mapping[str, Facts]) -> Iterator[dict[str, Any]]:
    """Each entry of a keystore that is another one now, with the old and the new fingerprint; None where there was, or is, none."""
    for member, measured in after.items():
        old = _fingerprints(before.get(member))
        new = _fingerprints(measured)
        for alias in sorted(old.keys() | new.keys()):
            if old.get(alias) != new.get(alias):
                yield {"member": member, "alias": alias, "before_sha256": old.get(alias), "after_sha256": new.get(alias)}


def _fingerprints(facts: Facts | None) -> dict[str, str | None]:
    entries = facts.store.entries if facts is not None and facts.store is not None else ()
    return {entry.alias: entry.sha256 for entry in entries}


def account(undoing: Undoing) -> str:
    """What a person reads last, at night: what happened, to what, why, what now."""
    lines = [_HEADLINES[undoing.state]]
    for member, at, why in undoing.causes[:_MOST_CAUSES]:
        who = f"'{member}', " if member else ""
        lines.append(f'  Cause: {who}at "{at}": {_brief(why)}')
    if len(undoing.causes) > _MOST_CAUSES:
        lines.append(f"  And {len(undoing.causes) - _MOST_CAUSES} more members failed there.")
    if undoing.state in ("rolled_back", "broken"):
        count = sum(map(len, undoing.restored.values()))
        lines.append(f"  Put back: {count} files and settings on {_counted(len(undoing.restored), 'member')}.")
        same = sum(each.is_back for each in undoing.handshakes)
        compared = f"{same} of {len(undoing.handshakes)} end as they did before the run" if undoing.handshakes else "none was compared"
        lines.append(f"  Handshakes: {compared}.")
        lines += [f"  Not put back: {each}" for each in undoing.left]
    if undoing.bundles:
        lines.append(f"  Bundles were made, and stay: {', '.join(undoing.bundles)}. Give them out once a run has succeeded.")
    lines.append(f"  What now: {_REMEDIES[undoing.state]}")
    return "\n".join(lines)


def _brief(why: str) -> str:
    """The first line and the last ones, where the reason is: all of it stands further up, where it happened."""
    lines = why.splitlines()
    if len(lines) <= _MOST_LINES:
        return why
    return "\n".join([lines[0], "  (more of this stands above)", *lines[-(_MOST_LINES - 2) :]])


def table_rows(shown: Sequence[Handshake]) -> Iterator[tuple[str, str, str, str, str]]:
    """Rows of the table of before and after: those that differ first."""
    for each in sorted(shown, key=lambda each: each.is_back):
        yield ("ok" if each.is_back else "DIFFERS", each.name, each.before or "not made", each.after or "not made", each.reason)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


_HEADLINES = {
    "stopped": "This run failed before it changed anything.",
    "rolled_back": "This run failed and was undone: the system is as it was before.",
    "left": "This run failed, and is left as it is (mtls_rollback is 'never').",
    "broken": "This run failed and could NOT be undone wholly.",
}
_REMEDIES = {
    "stopped": "remove the cause, then run it again.",
    "rolled_back": "remove the cause, then run it again. What this run had written is kept beside each file as PATH.RUN.undone~.",
    "left": (
        "look at it, remove the cause, and run it again: it goes on from here. Each file as it was before lies beside it as PATH.before~."
    ),
    "broken": (
        "see to what is named above first; then run it again, which goes on from whatever it finds. Each file as it was before that "
        "was not put back lies beside it as PATH.before~."
    ),
}
