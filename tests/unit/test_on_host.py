# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host answers its task, and says nothing about variables, hosts or groups; tests/end_to_end/test_authority.py has one that lies."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from ansible_collections.mutual.tls.plugins.plugin_utils.on_host import OnHost, answer

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))


def test_what_ansible_would_act_upon_is_taken_out() -> None:
    said = {
        "changed": True,
        "store": {"ansible_facts": 1},
        "ansible_facts": {"mtls_subject": "CN=platform1"},
        "add_host": {},
        "add_group": {},
    }
    assert answer(said) == {"changed": True, "store": {"ansible_facts": 1}}


@pytest.mark.parametrize("name", MODULES)
def test_no_module_runs_on_a_host_without_it(name: str) -> None:
    """Those that never run there have a specification on the controller; one takes its answers out itself."""
    action = importlib.import_module(f"ansible_collections.mutual.tls.plugins.action.{name}")
    assert hasattr(action, "ARGUMENT_SPEC") or issubclass(action.ActionModule, OnHost) or action.answer is answer
