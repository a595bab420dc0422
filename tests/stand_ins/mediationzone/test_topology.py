# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The topology registry, passwords, ownership and keystore reading of the stand-in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from mediationzone import install, keystores

NOBODY = (65534, 65534)
PLATFORM = {"name": "platform", "kind": "platform", "port": 6790, "web_port": 9000}
KEYSTORE = "pico.rcp.tls.keystore"


def get(installed: Any, target: str, container: str = "main1") -> str:
    text: str = installed.run(container, "topo", "get", "--format", "data-only", target)
    return text.rstrip("\n")


def test_values_are_found_in_either_spelling_and_objects_keep_quoted_keys_flat(installed: Any) -> None:
    installed.run("main1", "topo", "set", "topo://container:exec1/obj:common.pico.rcp.tls", '{ keystore=${mz.home}"/keys" }')
    installed.run("main1", "topo", "set", f'container:exec1/val:common."{KEYSTORE}.password"', "DR-4-AB")
    assert get(installed, f"topo://container:exec1/val:common.{KEYSTORE}") == f"{installed.home('exec1')}/keys"
    assert get(installed, f"container:exec1/val:common.{KEYSTORE}.password") == "DR-4-AB"
    assert f'"{KEYSTORE}.password": "DR-4-AB"' in get(installed, "container:exec1/obj:common")
    assert get(installed, "topo://val:common.pico.rcp.platform.port") == "6790"
    assert get(installed, "container:.*/pico:[es]c1/val:config.properties.stand_in.rcp.port").split() == ["6791", "6792"]
    installed.run("main1", "topo", "unset", f"container:exec1/val:common.{KEYSTORE}")
    assert "no value found" in installed.run("main1", "topo", "get", f"container:exec1/val:common.{KEYSTORE}", rc=1)


def test_an_unquoted_name_cannot_be_below_a_value(installed: Any) -> None:
    installed.run("main1", "topo", "set", f'container:exec1/val:common."{KEYSTORE}"', "/keys")
    before = installed.run("main1", "topo", "hash")
    text = installed.run("main1", "topo", "set", f"container:exec1/val:common.{KEYSTORE}.password", "x", rc=1)
    assert f"common.{KEYSTORE} is both a value and an object" in text
    assert installed.run("main1", "topo", "hash") == before
    assert installed.run("main1", "topo", "diff") == ""


@pytest.mark.parametrize("target", ["container:ghost/val:common.a", "container:exec1/pico:ghost/val:config.properties.a", "nonsense"])
def test_unknown_targets_are_refused(installed: Any, target: str) -> None:
    installed.run("main1", "topo", "set", target, "1", rc=1)


def test_staged_changes_are_shown_activated_and_reset(installed: Any) -> None:
    target = "container:exec1/pico:ec1/val:config.properties.aaa"
    installed.run("main1", "topo", "set", target, "1")
    old = installed.run("main1", "topo", "hash").strip()
    installed.run("main1", "topo", "set", "--no-activation", target, '"2"')
    assert get(installed, target) == "1"
    assert installed.run("main1", "topo", "diff") == f'mzsh topo set topo://{target} "2"  # (was: 1)\n'
    assert (
        installed.run("main1", "topo", "diff", "-e") == 'UPDATE   (containers/exec1/picos/ec1.conf) config.properties.aaa:"2"  # (was: 1)\n'
    )
    assert installed.run("main1", "topo", "diff", "-q") == "containers/exec1/picos/ec1.conf\n"
    installed.run("main1", "topo", "activate", "--dry-run")
    assert installed.run("main1", "topo", "hash").strip() == old
    installed.run("main1", "topo", "activate", "--hash", "0" * 64, rc=1)
    installed.run("main1", "topo", "activate", "--hash", old)
    assert get(installed, target) == "2" and installed.run("main1", "topo", "hash").strip() != old
    installed.run("main1", "topo", "set", "--no-activation", target, "3")
    installed.run("main1", "topo", "reset")
    assert installed.run("main1", "topo", "diff") == "" and get(installed, target) == "2"


def test_a_file_edited_by_hand_is_validated_when_activated(installed: Any) -> None:
    file = installed.home("main1") / "common/config/cell/default/master/cell.conf"
    file.write_text("common {\n  # HOCON\n  a.b : 1\n  c = ${mz.home}/x\n}\n")
    installed.run("main1", "topo", "activate")
    assert get(installed, "val:common.a.b") == "1"
    file.write_text("common { a ")
    assert "is not valid" in installed.run("main1", "topo", "activate", rc=1)


def test_an_execution_container_works_through_the_platform(installed: Any) -> None:
    assert installed.run("exec1", "topo", "container") == "exec1\n"
    target = "container:exec1/val:common.aaa"
    assert "cannot reach the Platform" in installed.run("exec1", "topo", "get", target, rc=1)
    installed.run("main1", "startup", "platform")
    installed.run("exec1", "topo", "set", target, "new")
    assert get(installed, target, "exec1") == "new" == get(installed, target, "main1")
    installed.run("main1", "shutdown", "platform")
    # The copy of exec1 is from its installation: no pico of it has run since.
    installed.run("exec1", "topo", "get", "--allow-disconnected", target, rc=1)
    assert get(installed, "val:common.mz.webserver.port") == "9000"
    text = installed.run("exec1", "topo", "get", "--allow-disconnected", "--format", "data-only", "val:common.mz.webserver.port")
    assert text == "9000\n"
    installed.run("exec1", "topo", "set", "--allow-disconnected", target, "x", rc=1)


def test_a_pico_can_be_added_while_the_system_runs(installed: Any) -> None:
    installed.run("main1", "startup", "platform")
    body = "{ template:mz.standard-ec, config { properties { stand_in.rcp.port : 6795 } } }"
    installed.run("main1", "topo", "set", "container:exec1/pico:ec2", body)
    installed.run("exec1", "startup", "ec2")
    installed.wait_connected("exec1", "ec2")
    installed.run("exec1", "shutdown", "ec2")


def test_encrypted_passwords_are_opaque_and_differ(installed: Any) -> None:
    first, second = installed.encrypted("s3cret"), installed.encrypted("s3cret")
    assert first.startswith("DR-4-") and first != second
    assert "s3cret" not in first and b"s3cret".hex().upper() not in first
    by_argument = installed.run("main1", "encryptpassword", "s3cret", MZ_STANDIN_ENCRYPT="argument-only")
    assert by_argument.startswith("DR-4-")
    installed.run("main1", "encryptpassword", rc=1, text="s3cret\n", MZ_STANDIN_ENCRYPT="argument-only")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give MZ_HOME to another user")
def test_only_the_owner_may_run_mzsh_and_root_is_not_the_owner(installed: Any) -> None:
    launcher = str(installed.home("exec1") / "bin" / "mzsh")
    os.chown(installed.home("exec1"), *NOBODY)
    try:
        done = subprocess.run([launcher, "status", "ec1"], capture_output=True, text=True, check=False)
    finally:
        os.chown(installed.home("exec1"), 0, 0)
    assert done.returncode == 1
    assert re.fullmatch(r"mzsh: only the owner of MZ_HOME \(\w+\) may run this command\n", done.stderr)


def runs_as_nobody(python: str) -> bool:
    try:
        done = subprocess.run([python, "-c", ""], user=NOBODY[0], group=NOBODY[1], extra_groups=[], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give MZ_HOME to another user")
def test_the_owner_may_run_mzsh_and_root_runs_it_as_the_owner() -> None:
    # Neither pytest's folders nor a virtual environment need be open to another user.
    usable = [python for python in (sys.executable, "/usr/bin/python3") if runs_as_nobody(python)]
    if not usable:
        pytest.skip("no Python here can be run by an unprivileged user")
    with tempfile.TemporaryDirectory(prefix="mz-") as folder:
        os.chmod(folder, 0o755)
        system = {"containers": [{"name": "one", "kind": "platform", "address": "127.0.0.1", "picos": [PLATFORM]}]}
        (home,) = install.install_system(folder, system, owner=NOBODY[0], python=usable[0])
        assert install.mzsh(home, "status", "platform").stdout == "platform is not running\n"


def entries(path: str, password: str) -> tuple[dict[str, Any], dict[str, str]]:
    store = keystores.read_store(path, password)
    return store.keys, store.trusted


def test_with_and_without_keytool_the_same_is_seen(stores: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    for tool in (stores.keytool, ""):
        monkeypatch.setenv("MZ_KEYTOOL", tool)
        monkeypatch.delenv("JAVA_HOME", raising=False)
        seen.append(entries(stores.path("main1.p12"), stores.password))
    assert seen[0] == seen[1]
    assert set(seen[0][0]) == {"main1"} and set(seen[0][1]) == {"exec1", "client"}
    assert len(keystores.read_store(stores.path("main1.p12"), stores.password).anchors()) == len(["main1", "exec1", "client"])


def test_one_of_several_keys_is_chosen_by_alias(stores: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MZ_KEYTOOL", stores.keytool)
    file = str(shutil.copy(stores.path("client.p12"), tmp_path))
    stores.make(file, "second")
    store = keystores.read_store(file, stores.password)
    with pytest.raises(keystores.StoreError, match="2 private keys and no alias is set"):
        store.choose(None)
    # cryptography's reader gives one key of a file: for one of the two, keytool has to help.
    for alias in ("CLIENT", "second"):
        key = keystores.private_key(store, store.choose(alias), stores.password, b"passphrase")
        assert b"BEGIN ENCRYPTED PRIVATE KEY" in key


def test_a_jks_is_read_with_the_help_of_keytool(stores: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MZ_KEYTOOL", stores.keytool)
    file = str(tmp_path / "keys")
    stores.make(file, "one", "JKS")
    store = keystores.read_store(file, stores.password)
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in keystores.private_key(store, store.choose(None), stores.password, b"passphrase")
