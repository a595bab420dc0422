# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must agree between the roles' files, the playbooks, the actions that they call, and what READMEs say of them."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.playbook.task import Task

import ansible_collections.mutual.tls as installed

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.y*ml"))
CONTROLLER_MODULES = sorted(path.stem for path in (ROOT / "plugins" / "action").glob("*.py"))

# What one role says to another: no input, so it is in no specification.
BETWEEN_ROLES: dict[str, set[str]] = {}

# Of Ansible's own words for groups, those with which a role would choose hosts by itself.
NAMES_GROUPS = re.compile(r"\bgroups\b|\bgroup_names\b|\binventory_hostnames\b|\bhosts:")
INVENTORY_VARIABLE = re.compile(r"\bmtls_[a-z0-9_]+")
KEYWORDS = set(Task.fattributes) - {"action", "local_action"} | {"block", "rescue", "always"}


def in_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def by_name(path: Path) -> str:
    return path.stem


def by_path(path: Path) -> str:
    return str(path.relative_to(ROOT))


def options_of(role: Path) -> dict[str, dict[str, Any]]:
    """The options of all entry points."""
    specs = in_yaml(role / "meta" / "argument_specs.yml")["argument_specs"]
    return {name: option for entry_point in specs.values() for name, option in entry_point["options"].items()}


def yaml_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in ROOT.glob(f"{folder}/**/*.y*ml"))


def tasks_in(node: Any) -> Iterator[dict[str, Any]]:
    """Every task in a list of tasks or plays, those in blocks included."""
    for item in node or ():
        lists = [item.get(name) for name in ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always")]
        if "hosts" not in item and "block" not in item:
            yield item
        for inner in lists:
            yield from tasks_in(inner)


TASK_FILES = [*yaml_files("roles/*/tasks", "roles/*/handlers"), *PLAYBOOKS]


@pytest.mark.parametrize("role", ROLES, ids=by_name)
def test_role_has_what_a_role_has(role: Path) -> None:
    for name in ("README.md", "defaults/main.yml", "meta/argument_specs.yml", "meta/main.yml", "tasks/main.yml"):
        assert (role / name).is_file(), f"{by_path(role)} has no {name}"


@pytest.mark.parametrize("role", ROLES, ids=by_name)
def test_defaults_and_specification_name_the_same_variables(role: Path) -> None:
    assert set(in_yaml(role / "defaults" / "main.yml")) - BETWEEN_ROLES.get(role.name, set()) == set(options_of(role))


@pytest.mark.parametrize("role", ROLES, ids=by_name)
def test_variables_begin_with_the_name_of_their_role(role: Path) -> None:
    assert [name for name in in_yaml(role / "defaults" / "main.yml") if not name.startswith(f"{role.name}_")] == []


@pytest.mark.parametrize("role", ROLES, ids=by_name)
def test_specification_and_defaults_say_the_same_default(role: Path) -> None:
    """The specification's default is only text; what counts is the value in the defaults, or the last word of the expression there."""
    defaults = in_yaml(role / "defaults" / "main.yml")
    for name, option in options_of(role).items():
        expression = re.fullmatch(r"\{\{ lookup\('ansible.builtin.vars', 'mtls_\w+', default=(.*)\) \}\}", str(defaults[name]))
        if "default" in option and "{{" not in str(defaults[name]):
            assert defaults[name] == option["default"], name
        elif "default" in option:
            assert expression, f"{name} has a default in the specification and none of the usual form in the defaults"
            literal = {"true": "True", "false": "False"}.get(expression[1], expression[1])
            assert ast.literal_eval(literal) == option["default"], name
        elif expression and not option.get("required"):
            with pytest.raises((ValueError, SyntaxError)):  # computed, so that the specification can only describe it
                ast.literal_eval(expression[1])


@pytest.mark.parametrize("role", ROLES, ids=by_name)
def test_choices_include_the_default(role: Path) -> None:
    with_default = {name: option for name, option in options_of(role).items() if "choices" in option and "default" in option}
    wrong = [name for name, option in with_default.items() if option["default"] not in option["choices"]]
    assert wrong == []


@pytest.mark.parametrize("role", ROLES, ids=by_name)
def test_secrets_are_marked(role: Path) -> None:
    secret = re.compile(r"password$|secret")
    assert [name for name, option in options_of(role).items() if secret.search(name) and not option.get("no_log")] == []


@pytest.mark.parametrize("role", ROLES, ids=by_name)
def test_readme_lists_exactly_the_variables(role: Path) -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (role / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == list(options_of(role))


def test_tables_in_readmes_are_generated() -> None:
    ended = subprocess.run(
        [sys.executable, ROOT / "tools" / "role_tables.py", "--check"], check=False, capture_output=True, encoding="utf-8"
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("path", yaml_files("roles/*/tasks", "roles/*/handlers", "roles/*/templates"), ids=by_path)
def test_inventory_variables_are_read_in_defaults_and_vars_only(path: Path) -> None:
    assert INVENTORY_VARIABLE.findall(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", yaml_files("roles"), ids=by_path)
def test_roles_name_no_groups(path: Path) -> None:
    lines = [line.partition("#")[0] for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line for line in lines if NAMES_GROUPS.search(line) and "description" not in line] == []


@pytest.mark.parametrize("path", TASK_FILES, ids=by_path)
def test_modules_have_their_full_names(path: Path) -> None:
    for task in tasks_in(in_yaml(path)):
        called = [name for name in task if name not in KEYWORDS and not name.startswith("with_")]
        assert len(called) == 1, f"{task.get('name')}: {called}"
        assert re.fullmatch(r"\w+\.\w+\.\w+", called[0]), f"{task.get('name')}: {called[0]} is no full name"


def test_whoever_measures_or_makes_the_members_keystore_wishes_the_same_of_it() -> None:
    """Else a run would find something to change for ever, or the plan would not say what is done. A copy is byte for byte."""
    wished = {}
    for path in yaml_files("roles/*/tasks"):
        for task in tasks_in(in_yaml(path)):
            option = task.get("mutual.tls.member_info", {}).get("keystore") or task.get("mutual.tls.keystore")
            if option and "copy_content" not in option:
                names = ("path", "password", "old_password", "format", "profile")
                wished[by_path(path)] = {name: option.get(name) for name in names}
    assert sorted(wished) == ["roles/identity/tasks/store.yml", "roles/product/tasks/collect.yml", "roles/trust/tasks/apply.yml"]
    assert len({tuple(each.items()) for each in wished.values()}) == 1, wished
    assert None not in next(iter(wished.values())).values()


def test_a_member_that_cannot_be_changed_stops_all_others_whatever_the_play_says() -> None:
    """Else they would go on without it: the plan takes what it was to get for what it is about to get, and it would be locked out."""
    changing = {"mutual.tls.keystore", "mutual.tls.properties", "mutual.tls.mediationzone_topology"}
    found = []
    for path in yaml_files("roles/*/tasks"):
        if path.stem != "undo":
            for task in tasks_in(in_yaml(path)):
                if changing & task.keys():
                    found.append(path.parents[1].name)
                    assert task.get("any_errors_fatal") is True, f"{by_path(path)}: {task['name']}"
    assert sorted(found) == ["client_auth", "client_auth", "identity", "trust", "trust"]


@pytest.mark.parametrize("path", TASK_FILES, ids=by_path)
def test_roles_and_playbooks_have_their_full_names(path: Path) -> None:
    for task in tasks_in(in_yaml(path)):
        for name in ("ansible.builtin.import_role", "ansible.builtin.include_role"):
            if name in task:
                assert task[name]["name"].removeprefix("mutual.tls.") in {role.name for role in ROLES}
        if "ansible.builtin.import_playbook" in task:
            assert task["ansible.builtin.import_playbook"].removeprefix("mutual.tls.") in {by_name(path) for path in PLAYBOOKS}


@pytest.mark.parametrize("path", PLAYBOOKS, ids=by_path)
def test_playbook_can_be_called_by_its_full_name(path: Path) -> None:
    """A name is one of Python's, so it has no hyphen; `ansible-playbook mutual.tls.NAME` finds no other."""
    assert path.suffix == ".yml"
    assert path.stem.isidentifier()


def test_readme_names_the_playbooks_that_exist() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "README.md", ROOT / "playbooks" / "README.md")]
    for text in texts:
        assert set(re.findall(r"ansible-playbook mutual\.tls\.(\w+)", text)) <= {by_name(path) for path in PLAYBOOKS}
    for path in PLAYBOOKS:
        assert f"mutual.tls.{path.stem}" in texts[0], f"README.md does not name mutual.tls.{path.stem}"
        assert f"`{path.stem}`" in texts[1], f"playbooks/README.md does not name {path.stem}"


def test_readme_lists_the_variables_of_the_inventory() -> None:
    """Each name that the collection reads has a row, and no row has a name that nothing reads."""
    members = importlib.import_module("ansible_collections.mutual.tls.plugins.action.members")
    read = {name for name in members.VARIABLES if name.startswith("mtls_")}
    for path in [*yaml_files("roles/*/defaults", "roles/*/vars"), *PLAYBOOKS]:
        # What is in braces is read; a comment or a message is not.
        for expression in re.findall(r"\{\{.*?\}\}", path.read_text(encoding="utf-8")):
            read.update(INVENTORY_VARIABLE.findall(expression))
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Variables\n")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| `(mtls_\w+)` \|", section, re.MULTILINE)) == sorted(read)


def as_specified(documented: dict[str, Any]) -> dict[str, Any]:
    """Documented options as an argument specification has them."""
    found = {}
    for option, told in documented.items():
        found[option] = {word: value for word, value in told.items() if word not in ("description", "suboptions")}
        if "suboptions" in told:
            found[option]["options"] = as_specified(told["suboptions"])
    return found


@pytest.mark.parametrize("name", CONTROLLER_MODULES)
def test_documentation_of_a_controller_module_is_its_specification(name: str) -> None:
    """ansible-test does not compare them where the code is an action plugin alone."""
    action = importlib.import_module(f"ansible_collections.mutual.tls.plugins.action.{name}")
    specification = getattr(action, "ARGUMENT_SPEC", None)
    if specification is None:
        pytest.skip("the action runs a module, whose specification ansible-test compares")
    module = importlib.import_module(f"ansible_collections.mutual.tls.plugins.modules.{name}")
    documented = yaml.safe_load(module.DOCUMENTATION)["options"]
    assert as_specified(documented) == specification


def test_tags_that_leave_the_roles_out_need_nothing_that_the_roles_find_out(tmp_path: Path) -> None:
    """Ansible checks a role's arguments whatever tags a run has, so also before anything was collected."""
    entry_points = [(role.name, name) for role in ROLES for name in in_yaml(role / "meta" / "argument_specs.yml")["argument_specs"]]
    hosts = {"core": {"mtls_kind": "platform", "mtls_keystore_password": "a password"}}
    play = {
        "hosts": "core",
        "gather_facts": False,
        "tags": ["tls"],
        "vars": {"product_members": ["core"]},
        "tasks": [{"ansible.builtin.import_role": {"name": f"mutual.tls.{role}", "tasks_from": name}} for role, name in entry_points],
    }
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts, "vars": {"ansible_connection": "local"}}}))
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "--inventory=hosts.json", "--tags=application", "play.yml"],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(Path(next(iter(installed.__path__))).parents[2]), "ANSIBLE_HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "client_auth : Validating arguments against arg spec 'apply'" in done.stdout
