# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/keystores.md: its examples run, in the order of the page, and its tables say what the code says.

A block ``yaml`` is tasks, run on localhost. Before one that must fail stands ``<!-- fails: what it says -->``. A block ``console``
is commands after ``$``, run in the same folder; the lines below a command are in what it prints, with ``...`` for what varies.
All blocks are one playbook, because each start of Ansible takes a second.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from ansible_collections.mutual.tls.plugins.module_utils import derivation, keystore
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import REGENERATE
from ansible_collections.mutual.tls.plugins.module_utils.profiles import PROFILES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "keystores.md").read_text()

_BLOCK = re.compile(r"^(?:<!-- fails: (?P<fails>.*?) -->\n)?```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block of the page."""

    line: int
    kind: str
    text: str
    #: What it must fail with.
    fails: str | None

    @property
    def output(self) -> str:
        """The file in which it leaves what it said."""
        return f"said-in-line-{self.line}"

    def commands(self) -> Iterator[tuple[str, list[str]]]:
        """The commands of a console, each with the lines that it prints among others."""
        for part in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
            command, *lines = part.rstrip("\n").split("\n")
            yield command, lines


BLOCKS = [
    Block(PAGE[: found.start("text")].count("\n") + 1, found["kind"], found["text"], found["fails"]) for found in _BLOCK.finditer(PAGE)
]


def table(*heading: str) -> list[list[str]]:
    """The rows of the table that begins with these columns."""
    lines = PAGE.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("| " + " | ".join(heading) + " |")]
    assert len(starts) == 1, heading
    rows = []
    for line in lines[starts[0] + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


# --- the examples ----------------------------------------------------------------------------------------------------


def tasks_of(block: Block) -> list[dict[str, Any]]:
    """What the playbook does for a block."""
    if block.kind == "yaml":
        tasks = yaml.safe_load(block.text)
        if block.fails is None:
            return tasks
        note = {
            "ansible.builtin.copy": {"content": "{{ ansible_failed_result.msg }}", "dest": f"{{{{ app }}}}/{block.output}", "mode": "0600"}
        }
        return [{"block": tasks, "rescue": [note]}]
    commands = [f"{{ {command}\n}} > {block.output}.{number} 2>&1" for number, (command, _lines) in enumerate(block.commands())]
    shell = {"cmd": "set -e\n" + "\n".join(commands), "chdir": "{{ app }}"}
    return [{"ansible.builtin.shell": shell, "environment": "{{ passwords }}"}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, keytool: Path) -> Path:
    """The folder in which all blocks have run."""
    folder = tmp_path_factory.mktemp("docs")
    app = folder / "app"
    app.mkdir()
    passwords = {name: f"{name} is secret" for name in re.findall(r"vault_\w+", PAGE) if not name.endswith("_")}
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {**passwords, "passwords": passwords, "app": str(app), "ansible_python_interpreter": sys.executable},
        "tasks": [task for block in BLOCKS for task in tasks_of(block)],
    }
    (folder / "playbook.yml").write_text(json.dumps([play]))
    speech = "-Duser.language=en -Duser.country=US -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", folder / "playbook.yml"],
        env={
            **os.environ,
            "ANSIBLE_HOME": str(folder / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PIPELINING": "1",
            "PATH": f"{keytool.parent}:{os.environ['PATH']}",
            "JDK_JAVA_OPTIONS": "",
            "JAVA_TOOL_OPTIONS": speech,
        },
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed + "".join(path.read_text() for path in sorted(app.glob("said-*")))
    assert not [name for name, secret in passwords.items() if secret in printed]
    return app


@pytest.mark.parametrize("block", [each for each in BLOCKS if each.kind == "console"], ids=lambda block: f"line-{block.line}")
def test_commands_print_what_the_page_shows(folder: Path, block: Block) -> None:
    for number, (command, lines) in enumerate(block.commands()):
        said = " ".join((folder / f"{block.output}.{number}").read_text().split())
        for line in lines:
            pattern = ".*?".join(re.escape(" ".join(part.split())) for part in line.split("..."))
            assert re.search(pattern, said), f"{command}: {line!r} is not in {said!r}"


@pytest.mark.parametrize("block", [each for each in BLOCKS if each.fails], ids=lambda block: f"line-{block.line}")
def test_what_the_page_says_is_refused_is_refused(folder: Path, block: Block) -> None:
    assert block.fails is not None
    assert block.fails in (folder / block.output).read_text()


def test_every_block_is_of_a_kind_that_runs() -> None:
    assert {block.kind for block in BLOCKS} == {"yaml", "console"}
    assert len(re.findall(r"^<!-- fails: ", PAGE, re.MULTILINE)) == len([block for block in BLOCKS if block.fails])


# --- the tables ------------------------------------------------------------------------------------------------------


def test_profiles_are_those_of_the_code() -> None:
    expected = []
    for profile in PROFILES.values():
        mac, keys, certificates = profile.protection.mac, profile.protection.keys, profile.protection.certificates
        assert mac is not None
        assert keys is not None
        assert keys == certificates
        readers = ", ".join(profile.readers)
        expected.append([f"`{profile.name}`", readers, f"{mac.name}, {mac.iterations}", f"{keys.name}, {keys.iterations}"])
    assert table("`profile`", "opened by") == expected


def test_levels_of_regenerate_are_those_of_the_code() -> None:
    assert [re.findall(r"`(\w+)`", row[0])[0] for row in table("`regenerate`")] == list(REGENERATE)


def test_limits_are_those_of_the_code() -> None:
    refused = " ".join(row[0] for row in table("what", "why", "what to do"))
    assert f"more than {derivation.MAX_ITERATIONS:,} iterations" in refused
    assert f"more than {derivation.MAX_TOTAL_ITERATIONS:,} iterations for all" in refused
    assert f"more than {keystore.MAX_BYTES // 2**20} MB" in refused
    for kind in ("JCEKS", "BKS", "UBER", "PEM"):
        assert kind in refused
        assert any(name.startswith(kind) for _magic, name in keystore._OTHER_KINDS)


def sentences(file: str) -> list[str]:
    """The sentences of warnings, and of remarks, that a file of the core can say; X stands for what varies."""
    tree = ast.parse((ROOT / "plugins" / "module_utils" / f"{file}.py").read_text())
    said: dict[str, str] = {}

    def text(node: ast.AST) -> str:
        if isinstance(node, ast.Constant):
            return str(node.value)
        if isinstance(node, ast.FormattedValue):
            if isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name) and node.value.func.id == "shown":
                return "'X'"  # which it puts quotes around
            return said.get(node.value.id, "X") if isinstance(node.value, ast.Name) else "X"
        return "".join(text(each) for each in node.values) if isinstance(node, ast.JoinedStr) else ""

    if file == "warnings":  # what its sentences have in common
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in ("alias", "name"):
                said[node.targets[0].id] = text(node.value)
        said.update(plural="its X", _LEAST_ITERATIONS="10000")
    found = []
    for node in ast.walk(tree):
        value: ast.AST | None = None
        if file == "warnings" and isinstance(node, ast.Yield):
            value = node.value.elts[1] if isinstance(node.value, ast.Tuple) else node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "append":
            target = node.func.value
            if "remarks" in (getattr(target, "attr", ""), getattr(target, "id", "")):
                value = node.args[0]
        if value is not None and text(value):
            found.append(text(value))
    return found


@pytest.mark.parametrize(("file", "least"), [("warnings", 15), ("pkcs12/reader", 4), ("jks", 4)])
def test_every_warning_is_explained(file: str, least: int) -> None:
    explained = [row[0].strip("`") for row in table("warning", "what to do")]
    patterns = [re.compile(".*".join(map(re.escape, each.split("..."))), re.DOTALL) for each in explained]
    found = sentences(file)
    assert len(found) >= least
    unexplained = [each for each in found if not any(pattern.fullmatch(each) for pattern in patterns)]
    assert not unexplained
