# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must agree across the collection's files, and which part of the core may know which."""

from __future__ import annotations

import ast
import graphlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import ansible_collections.mutual.tls as installed

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "plugins" / "module_utils"
CORE_NAME = "ansible_collections.mutual.tls.plugins.module_utils"

# The layers of the core, lowest first. A file may import from its own layer, as long as there is no circle, and from those
# before it. A package (plan/) counts as one. A new file is added to the lowest layer that holds all it imports.
LAYERS = [
    {"crypto", "errors"},
    # Formats: bytes and text to values and back.
    {
        "ber",
        "chains",
        "der",
        "derivation",
        "entries",
        "files",
        "jks",
        "mac",
        "pbe",
        "pkcs12",
        "profiles",
        "programs",
        "properties_file",
        "rc2",
        "seals",
        "settings",
        "tcp_sockets",
    },
    # What the formats mean.
    {"connections", "crls", "keystore", "listeners", "tls", "x509"},
    # Decisions.
    {"bundles", "plan"},
    # What modules measure for decisions, and how they carry them out.
    {
        "authority",
        "facts",
        "mediationzone",
        "nss",
        "options",
        "pem_files",
        "pending",
        "reloading",
        "store_changes",
        "transactions",
        "warnings",
    },
    # The only one that knows Ansible.
    {"edge"},
]

COPYRIGHT = "# Copyright: (c) 2026, mutual.tls contributors"
LICENSE = "# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)"
SPDX = "# SPDX-License-Identifier: GPL-3.0-or-later"

EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}


def in_yaml(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def sources(*folders: str) -> list[Path]:
    """Python files under these folders, in the order of their names."""
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert found, f"no Python file under {folders}"
    return sorted(found)


def by_path(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports_of(path: Path) -> set[str]:
    """Full names of all that a file imports, wherever in the file; ``from a import b`` counts as ``a.b``."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{by_path(path)}:{node.lineno}: imports are absolute here"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def part_of_core(path: Path) -> str:
    """The name under which a file of the core stands in LAYERS."""
    return path.relative_to(CORE).with_suffix("").parts[0]


def core_parts_imported(path: Path) -> set[str]:
    """The parts of the core that a file imports."""
    prefix = f"{CORE_NAME}."
    return {name[len(prefix) :].split(".")[0] for name in imports_of(path) if name.startswith(prefix)}


def layer_of(part: str) -> int:
    for number, layer in enumerate(LAYERS):
        if part in layer:
            return number
    raise AssertionError(f"module_utils/{part} is in no layer: add it to LAYERS in {__file__}")


CORE_FILES = [path for path in sources("plugins/module_utils") if path != CORE / "__init__.py"]


@pytest.mark.parametrize("path", CORE_FILES, ids=by_path)
def test_core_imports_point_downwards(path: Path) -> None:
    own = part_of_core(path)
    above = sorted(part for part in core_parts_imported(path) if layer_of(part) > layer_of(own))
    assert not above, f"{by_path(path)} imports from a layer above its own: {', '.join(above)}"


def test_core_imports_form_no_circle() -> None:
    graph: dict[str, set[str]] = {}
    for path in CORE_FILES:
        own = part_of_core(path)
        graph.setdefault(own, set()).update(core_parts_imported(path) - {own})
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("path", CORE_FILES, ids=by_path)
def test_only_the_edge_knows_ansible(path: Path) -> None:
    of_ansible = sorted(name for name in imports_of(path) if name.split(".")[0] == "ansible")
    assert not of_ansible or path == CORE / "edge.py", f"{by_path(path)} imports {', '.join(of_ansible)}"


def test_every_layer_names_parts_that_exist() -> None:
    assert set().union(*LAYERS) == {part_of_core(path) for path in CORE_FILES}


def test_action_group_names_every_module() -> None:
    modules = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}
    assert set(in_yaml("meta/runtime.yml")["action_groups"]["all"]) == modules


def test_no_tasks_are_called_as_a_playbook_is() -> None:
    """Ansible would take the playbook for them where it looks beside that first: in what is included by what is included."""
    playbooks = {path.name for path in (ROOT / "playbooks").glob("*.yml")}
    assert playbooks
    assert not playbooks & {path.name for path in (ROOT / "playbooks" / "tasks").glob("*.yml")}


def test_names_of_files_say_something() -> None:
    named = [path for path in (ROOT / "plugins").rglob("*") if path.name.split(".")[0] in EMPTY_NAMES]
    assert not named, f"these names say nothing: {', '.join(map(by_path, named))}"


@pytest.mark.parametrize("path", sources("plugins", "tests", "tools"), ids=by_path)
def test_file_has_the_license_header(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert [line for line in lines if not line.startswith("#!")][:3] == [COPYRIGHT, LICENSE, SPDX] or not lines


def test_version_is_written_in_galaxy_yml_only() -> None:
    version = in_yaml("galaxy.yml")["version"]
    elsewhere = [
        f"{by_path(path)}:{number}"
        for path in [*sources("plugins", "tools"), ROOT / "pyproject.toml", ROOT / "Makefile"]
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        # Since when there is an option stays true, whatever the version is.
        if re.search(rf"(?<![\d.]){re.escape(version)}(?![\d.])", line) and "version_added" not in line
    ]
    assert not elsewhere, f"the version {version} belongs in galaxy.yml alone, and is in {', '.join(elsewhere)}"


def test_version_has_a_changelog() -> None:
    fragments = list((ROOT / "changelogs" / "fragments").glob("*.yml"))
    assert fragments or in_yaml("galaxy.yml")["version"] in in_yaml("changelogs/changelog.yaml")["releases"]


def test_oldest_ansible_is_the_same_everywhere() -> None:
    required = re.search(r"^ansible-core>=([\d.]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert required
    assert in_yaml("meta/runtime.yml")["requires_ansible"] == f">={required[1]}.0"


def test_oldest_cryptography_is_the_one_that_is_tested() -> None:
    required = re.search(r"^cryptography>=([\d.]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    tested = re.search(r"^CRYPTOGRAPHIES := ([\d.]+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert required
    assert tested
    assert tested[1].startswith(f"{required[1]}.")


def test_installed_collection_is_this_one() -> None:
    """Tests import the installed collection: one that is older than the checkout would be tested in its stead."""
    where = Path(next(iter(installed.__path__)))
    assert (where / "MANIFEST.json").is_file(), "not an installed artefact: run `make install`"
    published = [path for folder in ("plugins", "roles", "playbooks") for path in (ROOT / folder).rglob("*")]
    differing = [
        by_path(path)
        for path in published
        if path.is_file()
        and "__pycache__" not in path.parts
        and (not (where / path.relative_to(ROOT)).is_file() or (where / path.relative_to(ROOT)).read_bytes() != path.read_bytes())
    ]
    assert not differing, f"the installed collection is not this one, run `make install`: {', '.join(differing)}"


def test_what_only_developing_needs_is_not_published() -> None:
    where = Path(next(iter(installed.__path__)))
    assert not [name for name in ("tests", "tools", "build", "Makefile", ".ci", ".venv") if (where / name).exists()]
