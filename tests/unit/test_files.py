# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing a file whole or not at all, whoever owns it, whenever the process is killed, whatever the disk says."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest

from ansible_collections.mutual.tls.plugins.module_utils import files
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, PeerError

HEAD = "import os, resource, signal, sys\nfrom ansible_collections.mutual.tls.plugins.module_utils import files\n"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
OLD, NEW = b"old\n" * 1000, b"new\n" * 1000


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def leftovers(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir() if each.name.startswith(".mutual-tls-")]


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_a_new_file_is_for_its_owner_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        files.write_atomically(str(tmp_path / "keys"), NEW)
        files.write_atomically(str(tmp_path / "public"), NEW, mode=0o644)
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "keys") == 0o600
    assert mode_of(tmp_path / "public") == 0o644
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o664])
def test_an_existing_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys"
    path.write_bytes(OLD)
    path.chmod(mode)
    files.write_atomically(str(path), NEW, mode=0o600)
    assert path.read_bytes() == NEW
    assert mode_of(path) == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to somebody else")
def test_an_existing_file_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(OLD)
    os.chown(path, 12345, 54321)
    files.write_atomically(str(path), NEW)
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 54321)
    assert path.read_bytes() == NEW


def test_an_existing_file_keeps_its_group(tmp_path: Path) -> None:
    others = [group for group in os.getgroups() if group != os.getegid()]
    if not others:
        pytest.skip("this user is in one group only, and cannot give a file to another")
    path = tmp_path / "keys"
    path.write_bytes(OLD)
    os.chown(path, -1, others[0])
    files.write_atomically(str(path), NEW)
    assert path.stat().st_gid == others[0]


def test_a_symbolic_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "real" / "keys"
    target.parent.mkdir()
    target.write_bytes(OLD)
    target.chmod(0o640)
    link = tmp_path / "keys"
    link.symlink_to("real/keys")
    files.write_atomically(str(link), NEW)
    assert os.readlink(link) == "real/keys"
    assert target.read_bytes() == NEW
    assert mode_of(target) == 0o640
    assert leftovers(tmp_path) == leftovers(target.parent) == []


def test_a_link_to_nothing_gets_its_target(tmp_path: Path) -> None:
    link = tmp_path / "keys"
    link.symlink_to("real")
    files.write_atomically(str(link), NEW)
    assert link.is_symlink()
    assert (tmp_path / "real").read_bytes() == NEW


def test_nobody_else_may_read_the_content_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys"
    seen = []

    def fchmod(descriptor: int, mode: int) -> None:
        seen.append((stat.S_IMODE(os.fstat(descriptor).st_mode), mode))

    monkeypatch.setattr(os, "fchmod", fchmod)
    files.write_atomically(str(path), NEW, mode=0o644)
    assert seen == [(0o600, 0o644)]


@pytest.mark.parametrize("step", ["fsync", "fchmod", "replace"])
def test_when_a_step_fails_the_old_file_stays_alone_and_the_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "keys"
    path.write_bytes(OLD)

    def fail(*_arguments: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="Input/output error") as failed:
        files.write_atomically(str(path), NEW)
    assert (failed.value.errno, failed.value.filename) == (5, str(path))
    assert path.read_bytes() == OLD
    assert leftovers(tmp_path) == []


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.write_atomically(str(tmp_path / "keys"), NEW)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "error"),
    [
        pytest.param("absent/keys", FileNotFoundError, id="no-directory"),
        pytest.param("file/keys", NotADirectoryError, id="directory-is-a-file"),
        pytest.param("directory", IsADirectoryError, id="file-is-a-directory"),
    ],
)
def test_where_no_file_can_be_the_path_is_named(tmp_path: Path, name: str, error: type[OSError]) -> None:
    (tmp_path / "file").write_bytes(OLD)
    (tmp_path / "directory").mkdir()
    with pytest.raises(error) as failed:
        files.write_atomically(str(tmp_path / name), NEW)
    assert failed.value.filename == str(tmp_path / name)
    assert (tmp_path / "file").read_bytes() == OLD
    assert leftovers(tmp_path) == []


def run(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A program in a process of its own, with what every one of these imports."""
    return subprocess.run(
        [sys.executable, "-c", HEAD + textwrap.dedent(program), *map(str, arguments)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_directory_that_may_not_be_written_to() -> None:
    """As an ordinary user, which root becomes for it."""
    program = """
        if os.geteuid() == 0:
            os.setgroups([]); os.setgid(65534); os.setuid(65534)
        try:
            files.write_atomically(sys.argv[1], b"new")
        except PermissionError as error:
            print(error.filename)
    """
    # pytest's own folders are closed to others, so that they would be refused for another reason.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "keys"
        path.write_bytes(OLD)
        path.chmod(0o666)
        folder.chmod(0o555)
        done = run(program, path)
        folder.chmod(0o755)
        assert (done.stdout, done.stderr) == (f"{path}\n", "")
        assert path.read_bytes() == OLD
        assert leftovers(folder) == []


def test_a_full_disk(tmp_path: Path) -> None:
    """A limit to the size of files stands in for it, because a small disk of one's own takes root: the same write() fails.

    The kernel says EFBIG where a full disk says ENOSPC; nothing in write_atomically() tells them apart.
    """
    path = tmp_path / "keys"
    path.write_bytes(OLD)
    program = """
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            files.write_atomically(sys.argv[1], b"new" * 1000)
        except OSError as error:
            print(error.strerror, error.filename)
    """
    done = run(program, path)
    assert (done.stdout, done.stderr) == (f"File too large {path}\n", "")
    assert path.read_bytes() == OLD
    assert leftovers(tmp_path) == []


def test_killed_at_any_moment_the_file_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    """One process rewrites the file without end and is killed; 40 times, at another moment each."""
    path = tmp_path / "keys"
    path.write_bytes(OLD)
    path.chmod(0o640)
    contents = [OLD, *(letter * 100_000 for letter in (b"a", b"b", b"c"))]
    # One start of Python for all: each writer is a fork of it, which says when it begins.
    program = """
        for _line in sys.stdin:
            child = os.fork()
            if child:
                os.waitpid(child, 0)
                print("gone", flush=True)
                continue
            print(os.getpid(), flush=True)
            while True:
                for letter in (b"a", b"b", b"c"):
                    files.write_atomically(sys.argv[1], letter * 100_000)
    """
    moments = random.Random(20261121)  # the same moments at each run, as far as a computer can
    seen = set()
    with subprocess.Popen(
        [sys.executable, "-c", HEAD + textwrap.dedent(program), str(path)],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        for _time in range(40):
            parent.stdin.write("\n")
            child = int(parent.stdout.readline())
            time.sleep(moments.uniform(0, 0.02))
            os.kill(child, signal.SIGKILL)
            assert parent.stdout.readline() == "gone\n"
            content = path.read_bytes()
            assert content in contents
            assert mode_of(path) == 0o640
            seen.add(content[:1])
        parent.stdin.close()
    assert len(seen) > 1, "the file was rewritten meanwhile"


def test_a_directory_that_cannot_be_synced_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file has its new content by then: an error would say that it is as it was."""
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(22, "Invalid argument")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    files.write_atomically(str(tmp_path / "keys"), NEW)
    assert (tmp_path / "keys").read_bytes() == NEW


def test_an_interrupt_after_the_rename_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.replace

    def interrupt(*names: str) -> None:
        real(*names)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.write_atomically(str(tmp_path / "keys"), NEW)
    assert [each.name for each in tmp_path.iterdir()] == ["keys"]


# --- alone -----------------------------------------------------------------------------------------------------------


def test_two_in_one_directory_wait_for_each_other_and_two_elsewhere_do_not(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")
    with files.alone_at(str(tmp_path / "keys"), wait=0), files.alone_at(str(tmp_path / "elsewhere" / "keys"), wait=0):
        for name in ("keys", "other", "link/keys"):
            with pytest.raises(PeerError) as late, files.alone_at(str(tmp_path / name), wait=0):
                pass
            folder = tmp_path / "elsewhere" if name == "link/keys" else tmp_path
            assert str(late.value) == (
                f"Another run has been changing a file in {folder} for more than 0 seconds. This one changed nothing: "
                "wait until the other ends, or end it if it hangs, and run this again."
            )
    with files.alone_at(str(tmp_path / "keys"), wait=0):
        pass


def test_the_lock_ends_with_what_it_was_for(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), files.alone_at(str(tmp_path / "keys"), wait=0):
        raise ZeroDivisionError
    with files.alone_at(str(tmp_path / "keys"), wait=0):
        pass


@pytest.mark.parametrize("error", [OSError(37, "No locks available"), OSError(95, "Operation not supported")])
def test_where_there_are_no_locks_nobody_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    def refuse(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr(fcntl, "flock", refuse)
    with files.alone_at(str(tmp_path / "keys"), wait=0), files.alone_at(str(tmp_path / "keys"), wait=0):
        pass


def test_a_directory_that_is_not_there_is_for_others_to_tell(tmp_path: Path) -> None:
    with files.alone_at(str(tmp_path / "absent" / "keys"), wait=0):
        pass


# --- reading ---------------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_not_an_empty_one(tmp_path: Path) -> None:
    assert files.read_if_present(str(tmp_path / "absent")) is None
    (tmp_path / "empty").write_bytes(b"")
    assert files.read_if_present(str(tmp_path / "empty")) == b""
    with pytest.raises(IsADirectoryError):
        files.read_if_present(str(tmp_path))
    with pytest.raises(NotADirectoryError):
        files.read_if_present(str(tmp_path / "empty" / "keys"))


def test_no_more_is_read_than_asked_for(tmp_path: Path) -> None:
    """The largest store and one byte show that a file is too large; a disk's image must not go through memory for it."""
    with open(tmp_path / "sparse", "wb") as stream:
        stream.truncate(2**40)
    assert files.read_if_present(str(tmp_path / "sparse"), most=1000) == bytes(1000)


def test_a_copy_is_for_its_owner_only(tmp_path: Path) -> None:
    """Whatever the mode of the file is: it may have been made by others."""
    path = tmp_path / "keys"
    path.write_bytes(b"old")
    path.chmod(0o644)
    copy = Path(files.keep_copy(str(path)))
    assert (copy.read_bytes(), copy.stat().st_mode & 0o777) == (b"old", 0o600)
    assert copy.name.startswith("keys.")
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_private_directory_is_made_for_its_owner_only_and_taken_as_it_is_then(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    for _twice in range(2):
        files.make_private_directory(str(path), "bundles")
        assert path.stat().st_mode & 0o777 == 0o700
    path.chmod(0o710)
    with pytest.raises(InputError, match="of bundles has the mode 0710, and is for its owner only"):
        files.make_private_directory(str(path), "bundles")
    with pytest.raises(InputError, match="of bundles does not exist; make it first"):
        files.make_private_directory(str(tmp_path / "nowhere" / "kept"), "bundles")


def test_a_file_is_removed_once(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    assert files.remove_if_present(str(path))
    assert not files.remove_if_present(str(path))
    assert not path.exists()
