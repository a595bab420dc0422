# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store is written whole or not at all: killed at any moment, on a full disk, where nothing may be written, by many at once.

What is killed, limited or run many times over is a process of its own. Each starts Python once and forks the rest.
"""

from __future__ import annotations

import fcntl
import functools
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mutual.tls.plugins.module_utils import files
from ansible_collections.mutual.tls.plugins.module_utils import keystore as core

from ..unit.factory import PASSWORD, Keytool, cert_bag, issue, key_bag, pfx
from .rhythm import DESKTOP, IDENTITY, PLATFORM, TRUST, Call

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
#: Two stores, with so few iterations that most of the time goes into writing.
OLD, NEW = (
    pfx(
        key_bag(each.pkcs8, "key", b"Time 1"),
        cert_bag(each.der, "key", b"Time 1"),
        *(cert_bag(PLATFORM.der, f"trusted{number}", trusted=True) for number in range(count)),
    )
    for each, count in ((PLATFORM, 3), (DESKTOP, 30))
)
FIRST_LINES = """
import contextlib, json, os, resource, signal, sys, time
from ansible.module_utils import basic
from ansible_collections.mutual.tls.plugins.module_utils import files, keystore as core
from ansible_collections.mutual.tls.plugins.modules import keystore

def run_module(**options):
    settings = {"_ansible_remote_tmp": "/tmp", "_ansible_diff": True}
    basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = json.dumps({"ANSIBLE_MODULE_ARGS": {**options, **settings}}).encode(), "legacy"
    try:
        keystore.main()
    except SystemExit as ended:
        return ended.code or 0
"""


def program(text: str, *arguments: str | Path) -> list[str]:
    return [sys.executable, "-c", FIRST_LINES + textwrap.dedent(text), *map(str, arguments)]


def said_by(text: str, *arguments: str | Path) -> dict[str, Any]:
    """What the module answers in a process of its own."""
    done = subprocess.run(program(text, *arguments), env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def leftovers(folder: Path) -> list[Path]:
    return [each for each in folder.iterdir() if each.name.startswith(".mutual-tls-")]


# --- killed ----------------------------------------------------------------------------------------------------------

WRITER = """
path, password = sys.argv[1], sys.argv[2]
datas = [open(each, "rb").read() for each in sys.argv[3:]]
stores = [core.parse_store(data, password) for data in datas]

def mortal(name, when):
    real = getattr(os, name)
    def call(*arguments):
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        real(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(os, name, call)

for line in sys.stdin:
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        print("gone", flush=True)
        continue
    print(os.getpid(), flush=True)
    if line.strip():
        mortal(*line.split())
        core.write_store(path, stores[1], datas[1], password)
    while True:
        for store, data in zip(stores, datas):
            core.write_store(path, store, data, password)
"""


class Writer:
    """Processes that write the store, one after the other, and what is there when one was killed."""

    def __init__(self, folder: Path, process: subprocess.Popen[str]) -> None:
        self.path = folder / "keys"
        self.process = process
        self.owner = (12345, 54321) if os.geteuid() == 0 else (os.geteuid(), os.getegid())

    def start_over(self) -> None:
        self.path.write_bytes(OLD)
        self.path.chmod(0o640)
        os.chown(self.path, *self.owner)

    def killed(self, where: str = "", after: float | None = None) -> bytes:
        """The file's content, after everything else was found to be as it must be."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{where}\n")
        child = int(self.process.stdout.readline())
        if after is not None:
            time.sleep(after)
            os.kill(child, signal.SIGKILL)
        assert self.process.stdout.readline() == "gone\n"
        content, status = self.path.read_bytes(), self.path.stat()
        assert content in (OLD, NEW)
        assert len(core.parse_store(content, PASSWORD).entries) in (4, 31)
        assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o640, *self.owner)
        return content


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writer]:
    folder, given = tmp_path_factory.mktemp("written"), tmp_path_factory.mktemp("given")
    (given / "old").write_bytes(OLD)
    (given / "new").write_bytes(NEW)
    words = program(WRITER, folder / "keys", PASSWORD, given / "old", given / "new")
    with subprocess.Popen(words, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        yield Writer(folder, process)
        assert process.stdin is not None
        process.stdin.close()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["fchmod", "fsync", "replace"])
def test_killed_at_a_step_the_store_is_the_old_one_until_the_new_one_took_its_place(writer: Writer, step: str, when: str) -> None:
    writer.start_over()
    expected = NEW if (step, when) == ("replace", "after") else OLD
    assert writer.killed(f"{step} {when}") == expected
    left = leftovers(writer.path.parent)
    assert len(left) == (expected == OLD)
    for each in left:
        # Until it has all its content it is for its owner alone; from then on for whom the store is for.
        assert stat.S_IMODE(each.stat().st_mode) == (0o600 if (step, when) == ("fchmod", "before") else 0o640)
        each.unlink()


def test_killed_at_any_moment_the_store_is_the_old_or_the_new_one(writer: Writer) -> None:
    moments = random.Random(20261121)  # the same at each run, as far as a computer can
    writer.start_over()
    found, longest = [OLD], 0.02
    for _time in range(60):
        found.append(writer.killed(after=moments.uniform(0, longest)))
        # A busy computer gets nothing written in so short a time: then more of it.
        longest = min(longest * 1.3, 0.3) if found[-1] == found[-2] else max(longest / 1.3, 0.02)
    assert set(found) == {OLD, NEW}, "the store was rewritten meanwhile"


def test_what_a_killed_process_left_is_removed_by_a_later_one_and_not_too_early(tmp_path: Path) -> None:
    for name, age in ((".mutual-tls-young", 3500), (".mutual-tls-old", 3700), ("somebody-elses", 3700)):
        (tmp_path / name).write_bytes(NEW)
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    (tmp_path / ".mutual-tls-folder").mkdir()  # nothing of ours, and no reason to fail
    os.utime(tmp_path / ".mutual-tls-folder", (1, 1))
    core.write_store(str(tmp_path / "keys"), core.parse_store(NEW, PASSWORD), NEW, PASSWORD)
    assert {each.name for each in tmp_path.iterdir()} - {".mutual-tls-folder"} == {"keys", ".mutual-tls-young", "somebody-elses"}


# --- where nothing can be written ------------------------------------------------------------------------------------


def test_a_limit_to_the_size_of_files_is_said_and_the_store_is_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(OLD)
    text = """
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        run_module(path=sys.argv[1], password=sys.argv[2])
    """
    assert said_by(text, path, PASSWORD)["msg"] == f"The operating system refused: File too large ({path})."
    assert path.read_bytes() == OLD
    assert leftovers(tmp_path) == []


@pytest.fixture()
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount a small disk")
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"this root may not mount a small disk: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("trouble", ["No space left on device", "Read-only file system"])
def test_a_disk_that_takes_nothing_is_said_and_the_store_is_the_old_one(call: Call, small_disk: Path, trouble: str) -> None:
    path = small_disk / "keys"
    path.write_bytes(OLD)
    if trouble == "Read-only file system":
        subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    else:
        (small_disk / "ballast").write_bytes(bytes(64 * 1024 - 4096 * -(-len(OLD) // 4096)))
    said = call(path=str(path), fails=True)
    assert said["msg"] == (
        f"The file system of the directory {small_disk} is read-only, so {path} cannot be changed."
        if trouble == "Read-only file system"
        else f"The operating system refused: {trouble} ({path})."
    )
    assert path.read_bytes() == OLD
    assert leftovers(small_disk) == []


def test_a_directory_that_may_not_be_written_to_is_said_and_the_store_is_the_old_one() -> None:
    """As an ordinary user, which root becomes for it. pytest's own folders would be closed to that user for another reason."""
    text = """
        "".encode("utf-16-be"), time.strptime("1", "%d")  # what Python loads late, another user may not be able to read
        if os.geteuid() == 0:
            os.setgroups([]); os.setgid(65534); os.setuid(65534)
        run_module(path=sys.argv[1], password=sys.argv[2])
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "keys"
        path.write_bytes(OLD)
        path.chmod(0o666)
        folder.chmod(0o555)
        said = said_by(text, path, PASSWORD)["msg"]
        folder.chmod(0o755)
        assert said.endswith(
            f"cannot write into the directory {folder}, where a new file is made beside {path} and takes its place: "
            "run as the directory's owner (become_user)."
        )
        assert path.read_bytes() == OLD
        assert leftovers(folder) == []


def test_a_directory_that_is_not_there_is_said(call: Call, tmp_path: Path) -> None:
    assert call(fails=True, path=str(tmp_path / "absent" / "keys"), identity=IDENTITY)["msg"] == (
        f"The directory {tmp_path}/absent of the keystore does not exist; make it first, owned by the product's user."
    )
    (tmp_path / "file").write_bytes(b"")
    said = call(fails=True, path=str(tmp_path / "file" / "keys"), identity=IDENTITY)["msg"]
    assert said == f"The operating system refused: Not a directory ({tmp_path}/file/keys)."


# --- many at once ----------------------------------------------------------------------------------------------------

CROWD = """
count, wishes = 8, json.loads(sys.argv[2])
real = core.write_store
def slow(*arguments):
    time.sleep(0.1)  # so that without the lock all have read before one writes
    return real(*arguments)
core.write_store = slow
if sys.argv[1] == "without":
    files.alone_at = lambda path: contextlib.nullcontext()
children = []
for number in range(count):
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        trusted = [{"alias": f"number{number}", "cert_content": wishes["pem"]}]
        os._exit(run_module(path=wishes["path"], password=wishes["password"], trusted=trusted))
    children.append(child)
print(json.dumps({"codes": [os.waitpid(child, 0)[1] for child in children]}))
"""


@pytest.mark.parametrize("lock", ["with", "without"])
def test_of_eight_runs_at_once_none_loses_what_another_did(tmp_path: Path, java: Keytool, lock: str) -> None:
    """Each adds one certificate. Without the lock some would be lost, so that the lock is what this test shows."""
    wishes = {"path": str(tmp_path / "keys"), "password": PASSWORD, "pem": issue("common").pem}
    assert said_by(CROWD, lock, json.dumps(wishes)) == {"codes": [0] * 8}
    found = sorted(java.list(tmp_path / "keys"))
    assert (found == [f"number{number}" for number in range(8)]) == (lock == "with")
    assert leftovers(tmp_path) == []


def test_who_waits_too_long_says_for_what(call: Call, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call(trusted=TRUST)
    held = files.alone_at(str(path.parent / "another file"))
    monkeypatch.setattr(files, "alone_at", functools.partial(files.alone_at, wait=0.1))
    with held:
        assert call(fails=True, identity=IDENTITY)["msg"] == (
            f"Another run has been changing a file in {path.parent} for more than 0.1 seconds. This one changed nothing: "
            "wait until the other ends, or end it if it hangs, and run this again."
        )
        # A check changes nothing, so it waits for nobody.
        assert call(check=True, identity=IDENTITY)["changed"] is True
    assert call(identity=IDENTITY)["changed"] is True


def test_a_file_system_without_locks_is_written_to_all_the_same(
    call: Call, java: Keytool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    call(trusted=TRUST)
    assert list(java.list(path)) == ["platform"]
