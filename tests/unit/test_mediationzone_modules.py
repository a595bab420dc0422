# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mediationzone_topology and mediationzone_pico: real module processes, the stand-in's real mzsh and real picos."""

from __future__ import annotations

import json
import os
import random
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mutual.tls.plugins.module_utils import errors
from ansible_collections.mutual.tls.plugins.modules import mediationzone_pico, mediationzone_topology

STAND_IN = Path(__file__).resolve().parent.parent / "stand_ins" / "mediationzone" / "install.py"
PASSWORD = "-correct horse battery"
WISH: dict[str, Any] = {
    "container": "exec1",
    "values": {"pico.rcp.tls.keystore": "/opt/mz/keys", "pico.rcp.tls.require_clientauth": True},
    "secrets": {"pico.rcp.tls.keystore.password": PASSWORD},
}


class System:
    """An installed stand-in on a loopback address of its own, and the modules run on its mzsh."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.capsys = root, capsys
        self.address = f"127.{random.randint(64, 126)}.{random.randint(1, 254)}.10"
        platform = {"name": "platform", "kind": "platform", "port": 6790, "web_port": 9000}
        ec1 = {"name": "ec1", "kind": "ec", "port": 6791}
        system = {
            "containers": [
                {"name": "main1", "kind": "platform", "address": self.address, "picos": [platform, ec1]},
                {"name": "exec1", "kind": "execution", "address": self.address, "picos": []},
            ]
        }
        subprocess.run(
            [sys.executable, str(STAND_IN), "--root", str(root), "--system", "-"], input=json.dumps(system), text=True, check=True
        )
        self.mzsh = root / "main1" / "bin" / "mzsh"

    def shell(self, *words: str) -> str:
        return subprocess.run([str(self.mzsh), *words], capture_output=True, text=True, check=False).stdout

    def common(self) -> dict[str, str]:
        content: dict[str, str] = json.loads(self.shell("topo", "get", "--format", "data-only", "topo://container:exec1/obj:common"))
        return content

    def run(self, module: Any, check: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {"mzsh": str(self.mzsh), **options, "_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        result: dict[str, Any] = json.loads(self.capsys.readouterr().out)
        result.pop("invocation", None)
        return result

    def topology(self, check: bool = False, **options: Any) -> dict[str, Any]:
        return self.run(mediationzone_topology, check, **{**WISH, **options})

    def pico(self, state: str, check: bool = False, **options: Any) -> dict[str, Any]:
        return self.run(mediationzone_pico, check, **{"picos": ["platform", "ec1"], "state": state, "timeout": 30, **options})

    def ansible(self, module: str, options: dict[str, Any]) -> str:
        """As Ansible runs it, at the highest verbosity; everything that it prints."""
        command = [str(Path(sys.executable).parent / "ansible"), "localhost", "-i", "localhost,", "-c", "local", "-D", "-vvv"]
        arguments = json.dumps({"mzsh": str(self.mzsh), **options})
        command += ["-e", f"ansible_python_interpreter={sys.executable}", "-m", f"mutual.tls.{module}", "-a", arguments]
        environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(Path(errors.__file__).parents[5]), "ANSIBLE_NOCOLOR": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        return done.stdout + done.stderr


@pytest.fixture
def system(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[System]:
    installed = System(tmp_path / "mz", capsys)
    yield installed
    installed.shell("shutdown", "ec1", "platform")


def test_topology_check_run_check_run_change_check(system: System) -> None:
    before = system.common()
    foretold = system.topology(check=True)
    assert foretold["changed"] and not foretold["activated"] and system.common() == before
    done = system.topology()
    assert done["activated"] and done["changes"] == foretold["changes"] and done["diff"] == foretold["diff"]
    common = system.common()
    assert common["pico.rcp.tls.require_clientauth"] == "true"
    for secret in (PASSWORD, common["pico.rcp.tls.keystore.password"], "pbkdf2"):
        assert secret not in json.dumps(done)
    for check in (True, False):
        again = system.topology(check=check)
        assert (again["changed"], again["activated"], again["changes"]) == (False, False, [])
    assert system.common() == common
    other = system.topology(check=True, secrets={"pico.rcp.tls.keystore.password": "another"})
    assert [change["name"] for change in other["changes"]] == ["pico.rcp.tls.keystore.password", "mutual.tls.seal"]
    gone = dict.fromkeys([*WISH["values"], *WISH["secrets"], "mutual.tls.seal"])
    assert system.topology(values=gone, secrets={})["activated"]
    assert system.common() == before


def test_topology_puts_back_what_a_run_has_changed(system: System, tmp_path: Path) -> None:
    first, second, third = (f"20260101T00000{number}Z-0123abcd" for number in range(3))
    keep = {"keep_path": str(tmp_path / "kept"), "keep": 2}
    assert system.topology(run=first, **keep)["activated"]
    common = system.common()
    other = {"values": {"pico.rcp.tls.keystore.alias": "other"}, "secrets": {"pico.rcp.tls.keystore.password": "another"}}
    changed = system.topology(run=second, **keep, **other)
    assert changed["activated"] and system.common() != common
    [kept] = tmp_path.glob(f"kept.{second}.before~")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    back = {"values": {}, "secrets": {}, "state": "rolled_back"}
    assert not system.topology(run=third, **keep, **back)["changed"], "that run has changed nothing"
    foretold = system.topology(check=True, run=second, **keep, **back)
    done = system.topology(run=second, **keep, **back)
    assert done["activated"] and done["changes"] == foretold["changes"]
    assert system.common() == common
    for secret in (PASSWORD, common["pico.rcp.tls.keystore.password"], common["mutual.tls.seal"]):
        assert secret not in json.dumps(done)
    assert not system.topology(run=second, **keep, **back)["changed"]
    # A run that continues a dead one goes back to what was before that.
    system.topology(run=second, **keep, **other)
    system.topology(run=third, continues=[second], **keep, values={"pico.rcp.tls.keystore.alias": "third"}, secrets={})
    assert system.topology(run=third, **keep, **back)["activated"]
    assert system.common() == common
    assert not list(tmp_path.glob(f"kept.{first}.before~")), "only the last two are kept"
    # Also one that found everything as it should be, and so has kept nothing.
    system.topology(run=second, **keep, **other)
    fourth = "20260101T000003Z-0123abcd"
    assert not system.topology(run=fourth, continues=[second], **keep, **other)["changed"]
    assert not system.topology(run=fourth, **keep, **back)["changed"], "the failing twin: it does not know of the dead one"
    assert system.topology(run=fourth, continues=[second], **keep, **back)["activated"]
    assert system.common() == common
    assert "is no name of a run" in system.topology(run="../x", **keep, values={"a": "b"})["msg"]


def test_topology_refuses_to_activate_what_others_staged(system: System) -> None:
    system.shell("topo", "set", "--no-activation", "topo://container:main1/val:common.other", '"hush"')
    failed = system.topology()
    assert "Somebody else's changes are staged" in failed["msg"] and "hush" not in json.dumps(failed)
    assert failed["staged"] == ["set topo://container:main1/val:common.other"]
    system.shell("topo", "reset")
    assert system.topology()["activated"]


def test_topology_hands_over_an_argument_only_when_asked_to(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MZ_STANDIN_ENCRYPT", "argument-only")
    failed = system.topology(secrets={"p": "correct"})
    assert "did not encrypt the secret (exit code 1): mzsh encryptpassword: no password given" in failed["msg"]
    assert system.topology(secrets={"p": "correct"}, handover="argument")["activated"]
    assert "begins with '-'" in system.topology(handover="argument")["msg"]


def test_topology_names_what_is_not_there(system: System) -> None:
    assert "did not show the values of the container 'exec9'" in system.topology(container="exec9")["msg"]
    assert "There is no program '/nowhere/bin/mzsh'" in system.topology(mzsh="/nowhere/bin/mzsh")["msg"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give the installation to another user")
def test_modules_say_whom_to_become(system: System) -> None:
    os.chown(system.root / "main1", 12345, 12345)
    try:
        for failed in (system.topology(), system.pico("started")):
            assert "only the owner of MZ_HOME (12345)" in failed["msg"] and "become_user" in failed["msg"]
    finally:
        os.chown(system.root / "main1", 0, 0)


def test_picos_check_run_check_run(system: System) -> None:
    endpoints = [{"pico": "platform", "host": system.address, "port": 6790}, {"pico": "ec1", "host": system.address, "port": 6791}]
    for state, action in (("started", "start"), ("stopped", "stop")):
        foretold = system.pico(state, check=True, endpoints=endpoints)
        done = system.pico(state, endpoints=endpoints)
        assert done["changed"] and [pico["action"] for pico in done["picos"]] == [action, action], "check mode did nothing"
        assert (done["changed"], done["picos"]) == (foretold["changed"], foretold["picos"])
        assert not system.pico(state, endpoints=endpoints)["changed"]


def test_a_restart_takes_new_processes(system: System) -> None:
    assert system.pico("started", picos=["platform"])["changed"]
    before = system.shell("status", "-verbose", "platform")
    done = system.pico("restarted", picos=["platform"])
    assert [(pico["before"], pico["after"], pico["action"]) for pico in done["picos"]] == [("running", "running", "restart")]
    assert done["diff"] == {"before": "platform: running\n", "after": "platform: running (restarted)\n"}
    after = system.shell("status", "-verbose", "platform")
    assert "pid" in before and before != after


def test_a_failed_start_names_the_pico_the_code_and_the_log(system: System) -> None:
    """104: the port is taken. The stand-in says so as the product does, with its code."""
    with socket.create_server((system.address, 6790)):
        failed = system.pico("started")
    log = str(system.root / "main1" / "log" / "platform.log")
    assert failed["failed"] and failed["pico"] == "platform" and failed["log"] == log and failed["rc"] in (1, 104)
    assert log in failed["msg"] and f"exit code {failed['rc']}" in failed["msg"]
    assert [(pico["name"], pico["action"], pico["after"]) for pico in failed["picos"]] == [
        ("platform", "start", "failed"),
        ("ec1", "none", "not_running"),
    ]


def test_the_known_lies_are_errors(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "There is no pico 'ec9'" in system.pico("started", picos=["ec9"])["msg"]
    monkeypatch.setenv("MZ_STANDIN_DEGRADED", "platform")
    assert "did not start: started with errors (exit code 0" in system.pico("started", picos=["platform"])["msg"]


def test_topology_as_ansible_runs_it(system: System) -> None:
    first, second = system.ansible("mediationzone_topology", WISH), system.ansible("mediationzone_topology", WISH)
    assert "localhost | CHANGED" in first and "localhost | SUCCESS" in second
    assert "+pico.rcp.tls.require_clientauth: true" in first
    stored = system.common()["pico.rcp.tls.keystore.password"]
    for secret in (PASSWORD, stored, "pbkdf2"):
        assert secret not in first + second


def test_pico_as_ansible_runs_it(system: System) -> None:
    options = {"picos": ["platform"], "endpoints": [{"pico": "platform", "host": system.address, "port": 6790}]}
    assert "localhost | CHANGED" in system.ansible("mediationzone_pico", options)
    assert "localhost | SUCCESS" in system.ansible("mediationzone_pico", options)
