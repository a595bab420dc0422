# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the table of variables into each role's README, from its argument_specs.yml and its defaults.

Run `.venv/bin/python tools/role_tables.py` after a change of either file; with `--check` nothing is written, and a table that is
not what it should be makes it fail.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent

BEGIN = "<!-- Written by tools/role_tables.py from meta/argument_specs.yml and defaults/main.yml. -->"
END = "<!-- End of the table. -->"

# A default that is an inventory's variable, with or without something to fall back upon.
_FROM_INVENTORY = re.compile(r"\{\{ (?:lookup\('ansible.builtin.vars', ')?(?P<variable>mtls_\w+)(?:', default=(?P<fallback>.*)\))? \}\}")
_MARKUP = re.compile(r"\b[CMOV]\(([^)]*)\)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, and fail when a table is stale")
    arguments = parser.parse_args()

    stale = []
    for spec in sorted(ROOT.glob("roles/*/meta/argument_specs.yml")):
        role = spec.parent.parent
        readme = role / "README.md"
        text = readme.read_text(encoding="utf-8")
        wanted = with_table(text, table(role), readme)
        if text != wanted:
            stale.append(str(readme.relative_to(ROOT)))
            if not arguments.check:
                readme.write_text(wanted, encoding="utf-8")
    if arguments.check and stale:
        sys.exit(f"Run `.venv/bin/python tools/role_tables.py`: the table of variables is stale in {', '.join(stale)}.")


def table(role: Path) -> str:
    """The variables of *role*, a row each, in the order of the specification."""
    defaults = in_yaml(role / "defaults" / "main.yml")
    rows = ["| variable | type | default | meaning |", "| --- | --- | --- | --- |"]
    options: dict[str, Any] = {}
    for entry_point in in_yaml(role / "meta" / "argument_specs.yml")["argument_specs"].values():
        options.update(entry_point.get("options", {}))  # several entry points may take one variable
    for name, option in options.items():
        cells = (f"`{name}`", kind(option), default(option, defaults.get(name)), meaning(option))
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(rows)


def kind(option: dict[str, Any]) -> str:
    """The type of a variable, or what may be chosen."""
    if "choices" in option:
        return ", ".join(f"`{choice}`" for choice in option["choices"])
    return f"list of {option['elements']}" if "elements" in option else str(option["type"])


def default(option: dict[str, Any], value: Any) -> str:
    """What a variable is when it is not given: the variable of the inventory that it comes from, and what else."""
    found = _FROM_INVENTORY.fullmatch(str(value))
    if found is None and option.get("required"):
        return "required"
    if found is None:
        # Which one it is, is said in the description.
        return "computed" if "{{" in str(value) else shown(value)
    if option.get("required"):
        return f"`{found['variable']}` (required)"
    fallback = option.get("default")
    if fallback is None:
        return f"`{found['variable']}`, else computed"
    return f"`{found['variable']}`, else {shown(fallback)}"


def shown(value: Any) -> str:
    """A value as YAML writes it; what is empty as a word."""
    if value in ("", [], {}):
        return "empty"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def meaning(option: dict[str, Any]) -> str:
    """The description as one line of Markdown."""
    description = option["description"]
    text = " ".join([description] if isinstance(description, str) else description)
    return _MARKUP.sub(r"`\1`", " ".join(text.split()))


def with_table(text: str, rows: str, readme: Path) -> str:
    """*text* with *rows* between the two marks."""
    before, begin, rest = text.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{readme.relative_to(ROOT)} needs the two lines between which the table belongs:\n{BEGIN}\n{END}")
    return f"{before}{BEGIN}\n\n{rows}\n\n{END}{after}"


def in_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
