# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The properties module: in this process for each case, and once as Ansible runs it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mutual.tls.plugins.module_utils import errors
from ansible_collections.mutual.tls.plugins.modules import properties

SECRET = "correct horse battery"
ENCRYPT = """#!/bin/sh
# Another text each time; which call it is, is counted.
read -r secret
echo call >> "$0.calls"
printf '%s' "$secret" | sha256sum | cut -c1-16 | sed "s/$/-$(wc -l < "$0.calls")-$$/"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "app.properties"
    path.write_bytes(b"# of the app\r\na = 1\r\nb=2\r\nkeep.password=hush\r\n")
    path.chmod(0o640)
    return path


@pytest.fixture
def encrypt(tmp_path: Path) -> Path:
    path = tmp_path / "encrypt"
    path.write_text(ENCRYPT)
    path.chmod(0o700)
    return path


class Runner:
    """Runs the module's main() and returns what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, path: Path, check: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {"path": str(path), **options, "_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            properties.main()
        out = self.capsys.readouterr().out
        result: dict[str, Any] = json.loads(out)
        # Ansible itself adds the options, and the size of the file at "path".
        return {name: value for name, value in result.items() if name not in ("invocation", "size")}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Runner:
    return Runner(capsys)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def calls(encrypt: Path) -> int:
    log = Path(f"{encrypt}.calls")
    return len(log.read_text().splitlines()) if log.exists() else 0


def test_check_run_check_run_change_check(run: Runner, file: Path) -> None:
    before = file.read_bytes()
    wish = {"values": {"a": 9, "b": None, "c": True}}
    foretold = run(file, check=True, **wish)
    assert foretold["changed"] and file.read_bytes() == before
    done = run(file, **wish)
    assert done == foretold
    assert [(change["name"], change["action"]) for change in done["changes"]] == [("a", "set"), ("b", "remove"), ("c", "set")]
    assert done["diff"]["before"] == "a: 1\nb: 2\n"
    assert done["diff"]["after"] == "a: 9\nc: true\n"
    assert file.read_bytes() == b"# of the app\r\na = 9\r\nkeep.password=hush\r\nc=true\r\n"
    assert mode(file) == 0o640
    inode = file.stat().st_ino
    for check in (True, False):
        again = run(file, check=check, **wish)
        assert (again["changed"], again["changes"]) == (False, [])
    assert file.stat().st_ino == inode, "an unchanged file is not written"
    assert run(file, check=True, values={"a": "8"})["changed"]


def test_secrets_are_encrypted_once_and_never_shown(run: Runner, file: Path, encrypt: Path) -> None:
    wish = {"secrets": {"new.password": SECRET}, "encrypt": {"command": [str(encrypt)]}}
    foretold = run(file, check=True, **wish)
    assert foretold["changed"] and calls(encrypt) == 0
    done = run(file, **wish)
    assert calls(encrypt) == 1
    assert done == foretold
    assert [change["name"] for change in done["changes"]] == ["new.password", "mutual.tls.seal"]
    text = file.read_text()
    stored = next(line for line in text.splitlines() if line.startswith("new.password="))
    assert SECRET not in text
    for secret in (SECRET, stored.split("=")[1], "pbkdf2", "hush"):
        assert secret not in json.dumps(done)
    for check in (True, False):
        assert not run(file, check=check, **wish)["changed"]
    assert calls(encrypt) == 1
    assert run(file, **{**wish, "secrets": {"new.password": "another"}})["changed"]
    assert calls(encrypt) == 2


def test_secrets_without_encryption_are_stored_as_they_are(run: Runner, file: Path) -> None:
    done = run(file, secrets={"new.password": SECRET})
    assert done["changed"] and SECRET not in json.dumps(done)
    assert f"new.password={SECRET}\r\n" in file.read_bytes().decode()
    assert "mutual.tls.seal" not in file.read_text()
    assert not run(file, secrets={"new.password": SECRET})["changed"]
    assert run(file, secrets={"new.password": "another"})["changed"]


def test_encrypted_texts_are_stored_as_they_are(run: Runner, file: Path) -> None:
    assert run(file, encrypted={"x": "DR-4-AA"})["changed"]
    assert not run(file, encrypted={"x": "DR-4-AA"})["changed"]
    done = run(file, encrypted={"x": "DR-4-BB"})
    assert done["changes"] == [{"name": "x", "action": "set", "reason": "its value differs"}]
    assert "DR-4" not in json.dumps(done)


def test_a_program_that_fails_leaves_the_file_alone(run: Runner, file: Path, encrypt: Path) -> None:
    before = file.read_bytes()
    encrypt.write_text('#!/bin/sh\nread -r secret; echo "cannot encrypt $secret" >&2; exit 4\n')
    failed = run(file, values={"a": "9"}, secrets={"p": SECRET}, encrypt={"command": [str(encrypt)]})
    assert failed["failed"] and "exit code 4" in failed["msg"] and SECRET not in json.dumps(failed)
    missing = run(file, secrets={"p": SECRET}, encrypt={"command": [str(encrypt) + ".absent"]})
    assert missing["failed"] and "There is no program" in missing["msg"]
    assert file.read_bytes() == before


def test_a_new_file_is_for_its_owner_only(run: Runner, tmp_path: Path) -> None:
    path = tmp_path / "new.properties"
    assert run(path, check=True, values={"a": "1"})["changed"] and not path.exists()
    assert not run(path, values={"a": None})["changed"] and not path.exists()
    assert run(path, values={"a": "1"})["changed"]
    assert (path.read_text(), mode(path)) == ("a=1\n", 0o600)
    other = tmp_path / "other.properties"
    run(other, values={"a": "1"}, mode="0644")
    assert mode(other) == 0o644


def test_a_new_file_is_not_made_unless_wanted(run: Runner, tmp_path: Path) -> None:
    failed = run(tmp_path / "new.properties", values={"a": "1"}, create=False)
    assert failed["msg"].endswith("new.properties does not exist, and 'create' is false.")
    failed = run(tmp_path / "absent" / "new.properties", values={"a": "1"})
    assert "its directory does not exist" in failed["msg"]
    assert "is a directory" in run(tmp_path, values={"a": "1"})["msg"]


def test_file_attributes_alone_are_a_change(run: Runner, file: Path) -> None:
    wish = {"values": {"a": "1"}, "mode": "0600"}
    for check in (True, False):
        done = run(file, check=check, **wish)
        assert done["changed"] and [change["action"] for change in done["changes"]] == ["attributes"]
        assert mode(file) == (0o640 if check else 0o600)
    assert not run(file, **wish)["changed"]


def test_a_backup_is_the_file_as_it_was_for_its_owner_only(run: Runner, file: Path) -> None:
    before = file.read_bytes()
    assert "backup_file" not in run(file, values={"a": "1"}, backup=True)
    assert "backup_file" not in run(file, check=True, values={"a": "9"}, backup=True)
    backup = Path(run(file, values={"a": "9"}, backup=True)["backup_file"])
    assert (backup.read_bytes(), mode(backup)) == (before, 0o600)


def test_a_symbolic_link_stays_one(run: Runner, file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.properties"
    link.symlink_to(file)
    assert run(link, values={"a": "9"})["changed"]
    assert link.is_symlink() and b"a = 9" in file.read_bytes()


def test_colon_files(run: Runner, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("# c\nrest:\n  port: 1\nsecurity.on: false # why\n")
    assert run(path, format="colon", values={"security.on": True, "n.new": "a: b"})["changed"]
    assert path.read_text() == '# c\nrest:\n  port: 1\nsecurity.on: true # why\nn.new: "a: b"\n'
    assert "nested block 'rest:'" in run(path, check=True, format="colon", values={"rest.port": 2})["msg"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"values": {"a": "1"}, "secrets": {"a": "2"}}, "'a' is in 'values' and in"),
        ({"secrets": {"a": "1"}, "encrypted": {"a": "2"}}, "'a' is in 'secrets' and in 'encrypted'"),
        ({"secrets": {"a": 123}}, "put it in quotes"),
        ({"values": {"a": {"b": 1}}}, "is a dict"),
    ],
)
def test_a_contradictory_wish_is_refused(run: Runner, file: Path, options: dict[str, Any], message: str) -> None:
    before = file.read_bytes()
    assert message in run(file, **options)["msg"]
    assert file.read_bytes() == before


def test_as_ansible_runs_it(file: Path, encrypt: Path) -> None:
    """A real process, at the highest verbosity, which repeats the options and the module's whole answer."""
    collections = Path(errors.__file__).parents[5]
    options = {"path": str(file), "values": {"a": "9"}, "secrets": {"p": SECRET}, "encrypt": {"command": [str(encrypt)]}}
    command = [str(Path(sys.executable).parent / "ansible"), "localhost", "-i", "localhost,", "-c", "local", "-D", "-vvv"]
    command += ["-e", f"ansible_python_interpreter={sys.executable}", "-m", "mutual.tls.properties", "-a", json.dumps(options)]
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_NOCOLOR": "1"}
    outputs = []
    for word in ("CHANGED", "SUCCESS"):
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert f"localhost | {word}" in done.stdout, done.stdout + done.stderr
        outputs.append(done.stdout + done.stderr)
    assert "+a: 9" in outputs[0] and calls(encrypt) == 1
    for secret in (SECRET, "hush", "pbkdf2", next(line[2:] for line in file.read_text().splitlines() if line.startswith("p="))):
        assert secret not in "".join(outputs)


def test_in_check_mode_the_directory_may_be_another_tasks_to_make(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "not_yet" / "app.properties"
    run = Runner(capsys)
    assert run(path, check=True, values={"a": "1"})["changed"]
    assert "its directory does not exist" in run(path, values={"a": "1"})["msg"]
