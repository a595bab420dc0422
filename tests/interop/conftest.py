# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the keystore's modules share: runs of their main() in this process, and Java's word on what came of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils import basic

from ansible_collections.mutual.tls.plugins.modules import keystore, member_info

from ..unit.factory import PASSWORD, Keytool
from .rhythm import Call

SECRETS = ("password", "old_password", "key_password", "old_key_password")


@pytest.fixture(scope="session")
def java(keytool: Path) -> Keytool:
    return Keytool(keytool)


@pytest.fixture()
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.p12"


@pytest.fixture()
def call(path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    """A run of a module's main(). Whatever comes of it, it says no secret, and what fails or is only a check leaves the file alone."""
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)

    def run(module: ModuleType = keystore, *, check: bool = False, fails: bool = False, **options: Any) -> dict[str, Any]:
        own = {} if module is member_info else {"path": str(path), "password": PASSWORD}
        given = {**own, **options}
        settings = {"_ansible_check_mode": check, "_ansible_diff": True, "_ansible_remote_tmp": str(path.parent), "_ansible_no_log": False}
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": {**given, **settings}}).encode())
        before = path.read_bytes() if path.is_file() else None
        # Where a controller is in the same process, as in other tests, Ansible would show warnings and not return them.
        warned: list[str] = []
        monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _module, warning: warned.append(warning))
        with pytest.raises(SystemExit) as ended:
            module.main()
        said = capsys.readouterr().out
        result = json.loads(said)
        assert result.get("failed", False) == fails == bool(ended.value.code), result.get("msg")
        result.pop("invocation", None)
        if warned:
            result["warnings"] = warned
        shown = json.dumps(result)
        assert "PRIVATE KEY" not in shown
        assert not [given[name] for name in SECRETS if given.get(name) and given[name] in shown]
        if check or fails or not result["changed"]:
            assert (path.read_bytes() if path.is_file() else None) == before
        return result

    yield run
    assert [name for name in os.listdir(path.parent) if name.startswith(".mutual-tls-")] == []
