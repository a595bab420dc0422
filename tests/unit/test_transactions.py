# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transactions: what a run keeps, what it puts back, and whom it keeps off."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mutual.tls.plugins.module_utils import transactions
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, PeerError
from ansible_collections.mutual.tls.plugins.modules import transaction

ONE, TWO, THREE = "20260101T000000Z-00000001", "20260101T000000Z-00000002", "20260102T000000Z-00000003"
HOLDER = {"user": "admin", "host": "desk", "pid": 7}


@pytest.fixture()
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_bytes(b"old")
    path.chmod(0o640)
    os.utime(path, (1000, 1000))
    return path


@pytest.fixture()
def record(tmp_path: Path) -> str:
    return str(tmp_path / "keys.transaction")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def begin(record: str, run: str, *paths: Path, take_over: str | None = None) -> list[str]:
    return transactions.begin(record, run, HOLDER, [str(path) for path in paths], expected={}, take_over=take_over)


def test_a_file_is_put_back_with_its_mode_and_time(file: Path, record: str) -> None:
    begin(record, ONE, file)
    assert stat.S_IMODE(file.with_name("keys.before~").stat().st_mode) == 0o600
    file.write_bytes(b"new")
    [restored] = transactions.roll_back(record, ONE, loaded=False)
    assert (restored.action, file.read_bytes()) == ("restored", b"old")
    assert (stat.S_IMODE(file.stat().st_mode), file.stat().st_mtime) == (0o640, 1000)
    assert Path(restored.undone or "").read_bytes() == b"new"


def test_what_processes_may_have_loaded_gets_the_present_time(file: Path, record: str) -> None:
    begin(record, ONE, file)
    file.write_bytes(b"new")
    transactions.roll_back(record, ONE, loaded=True)
    assert file.stat().st_mtime > 1_000_000


def test_a_file_that_was_not_changed_is_left_alone(file: Path, record: str) -> None:
    begin(record, ONE, file)
    inode = file.stat().st_ino
    assert [each.action for each in transactions.roll_back(record, ONE, loaded=True)] == ["none"]
    assert (file.stat().st_ino, file.stat().st_mtime) == (inode, 1000)


def test_a_file_that_the_run_made_is_set_aside(tmp_path: Path, record: str) -> None:
    made = tmp_path / "keys"
    begin(record, ONE, made)
    made.write_bytes(b"new")
    [restored] = transactions.roll_back(record, ONE, loaded=True)
    assert (restored.action, made.exists()) == ("set_aside", False)
    assert Path(restored.undone or "").read_bytes() == b"new"


def test_a_link_stays_and_its_target_is_put_back(tmp_path: Path, file: Path, record: str) -> None:
    link = tmp_path / "link"
    link.symlink_to(file)
    begin(record, ONE, link)
    link.write_bytes(b"new")
    transactions.roll_back(record, ONE, loaded=True)
    assert (link.is_symlink(), file.read_bytes()) == (True, b"old")


def test_it_can_be_done_again(file: Path, record: str) -> None:
    begin(record, ONE, file)
    file.write_bytes(b"new")
    transactions.roll_back(record, ONE, loaded=True)
    assert [each.action for each in transactions.roll_back(record, ONE, loaded=True)] == ["none"]
    assert file.read_bytes() == b"old"


def test_a_copy_that_is_gone_or_another_is_not_put_back(file: Path, record: str) -> None:
    for spoil in (lambda copy: copy.write_bytes(b"somebody's"), Path.unlink):
        begin(record, ONE, file)
        file.write_bytes(b"new")
        spoil(file.with_name("keys.before~"))
        with pytest.raises(PeerError, match="cannot be put back"):
            transactions.roll_back(record, ONE, loaded=True)
        assert file.read_bytes() == b"new"
        file.write_bytes(b"old")
        transactions.end(record, ONE, keep=3)


def test_another_run_is_kept_off_until_it_has_ended(file: Path, record: str) -> None:
    begin(record, ONE, file)
    with pytest.raises(PeerError, match=r"Another run \(20260101T000000Z-00000001, admin on desk, process 7\)") as refused:
        begin(record, TWO, file)
    assert (refused.value.details["held_run"], refused.value.details["held_by"]) == (ONE, HOLDER)
    assert transactions.roll_back(record, TWO, loaded=True) == []
    assert not transactions.end(record, TWO, keep=3), "nobody closes another's transaction"
    assert transactions.end(record, ONE, keep=3)
    assert begin(record, TWO, file) == []


def test_beginning_twice_keeps_what_was_first(file: Path, record: str) -> None:
    begin(record, ONE, file)
    file.write_bytes(b"new")
    begin(record, ONE, file)
    transactions.roll_back(record, ONE, loaded=True)
    assert file.read_bytes() == b"old"


def test_who_continues_a_dead_run_goes_back_to_what_was_before_that(tmp_path: Path, file: Path, record: str) -> None:
    other = tmp_path / "settings"
    other.write_bytes(b"set")
    begin(record, ONE, file)
    file.write_bytes(b"half")
    assert begin(record, TWO, file, other, take_over=ONE) == [ONE]
    file.write_bytes(b"new")
    assert begin(record, THREE, file, other, take_over=TWO) == [ONE, TWO]
    other.write_bytes(b"reset")
    transactions.roll_back(record, THREE, loaded=True)
    assert (file.read_bytes(), other.read_bytes()) == (b"old", b"set")


@pytest.mark.parametrize("proven", [True, False])
def test_what_a_dead_run_has_proven_is_what_its_heir_goes_back_to(file: Path, record: str, proven: bool) -> None:
    begin(record, ONE, file)
    file.write_bytes(b"shown to work")
    assert not transactions.prove(record, TWO), "another run has shown nothing"
    if proven:
        assert transactions.prove(record, ONE)
    assert begin(record, TWO, file, take_over=ONE) == ([] if proven else [ONE])
    file.write_bytes(b"new")
    transactions.roll_back(record, TWO, loaded=True)
    assert file.read_bytes() == (b"shown to work" if proven else b"old")
    assert transactions.end(record, TWO, keep=3)
    kept = file.with_name(f"keys.{ONE}.before~")
    assert (kept.read_bytes() if kept.exists() else None) == (b"old" if proven else None)


def test_a_run_that_has_proven_it_all_can_still_be_undone(file: Path, record: str) -> None:
    """As when another host does not answer at just that step."""
    begin(record, ONE, file)
    file.write_bytes(b"new")
    transactions.prove(record, ONE)
    transactions.roll_back(record, ONE, loaded=True)
    assert file.read_bytes() == b"old"


def test_a_run_that_is_alive_is_kept_off_from_what_is_proven_too(file: Path, record: str) -> None:
    begin(record, ONE, file)
    transactions.prove(record, ONE)
    with pytest.raises(PeerError, match="Another run"):
        begin(record, TWO, file)


def test_a_run_that_died_while_it_was_undone_is_continued_too(file: Path, record: str) -> None:
    begin(record, ONE, file)
    file.write_bytes(b"half")
    transactions.roll_back(record, ONE, loaded=True)
    begin(record, TWO, file, take_over=ONE)
    file.write_bytes(b"new")
    transactions.roll_back(record, TWO, loaded=True)
    assert file.read_bytes() == b"old"


def test_a_second_member_with_the_same_keystore_adds_its_own_files(tmp_path: Path, file: Path, record: str) -> None:
    settings = tmp_path / "settings"
    settings.write_bytes(b"set")
    begin(record, ONE, file)
    file.write_bytes(b"new")
    assert transactions.begin(record, ONE, HOLDER, [str(file), str(settings)], expected={str(file): sha256(b"old")}) == []
    settings.write_bytes(b"reset")
    transactions.roll_back(record, ONE, loaded=True)
    assert (file.read_bytes(), settings.read_bytes()) == (b"old", b"set")


def test_a_link_in_the_place_of_the_copy_is_replaced(tmp_path: Path, file: Path, record: str) -> None:
    """Who may write into the directory could have put it there, and somebody with more rights would write through it."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"another's")
    file.with_name("keys.before~").symlink_to(victim)
    begin(record, ONE, file)
    assert victim.read_bytes() == b"another's"
    assert not file.with_name("keys.before~").is_symlink()


def test_a_copy_that_was_there_does_not_make_the_new_one_readable(file: Path, record: str) -> None:
    copy = file.with_name("keys.before~")
    copy.write_bytes(b"x")
    copy.chmod(0o666)
    begin(record, ONE, file)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_a_link_to_what_was_kept_is_not_put_back(tmp_path: Path, file: Path, record: str) -> None:
    """Nor does what it points to get another mode."""
    begin(record, ONE, file)
    file.write_bytes(b"new")
    victim = tmp_path / "victim"
    victim.write_bytes(b"old")
    victim.chmod(0o600)
    copy = file.with_name("keys.before~")
    copy.unlink()
    copy.symlink_to(victim)
    with pytest.raises(PeerError, match="cannot be put back"):
        transactions.roll_back(record, ONE, loaded=True)
    assert stat.S_IMODE(victim.stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_the_copy_is_the_owners(file: Path, record: str) -> None:
    os.chown(file, 65534, 65534)
    begin(record, ONE, file)
    copy = file.with_name("keys.before~").stat()
    assert (copy.st_uid, copy.st_gid, stat.S_IMODE(copy.st_mode)) == (65534, 65534, 0o600)


@pytest.mark.parametrize(("content", "expected"), [(b"old", sha256(b"other")), (b"old", None), (None, sha256(b"old"))])
def test_what_was_changed_after_it_was_planned_is_not_touched(file: Path, record: str, content: bytes | None, expected: str | None) -> None:
    if content is None:
        file.unlink()
    with pytest.raises(PeerError, match="was changed after this run had looked at it"):
        transactions.begin(record, ONE, HOLDER, [str(file)], expected={str(file): expected})
    assert not Path(record).exists()


def test_what_is_as_it_was_planned_is_kept(file: Path, record: str) -> None:
    assert transactions.begin(record, ONE, HOLDER, [str(file)], expected={str(file): sha256(b"old")}) == []


def test_copies_of_the_last_runs_are_kept(tmp_path: Path, file: Path, record: str) -> None:
    strangers = {"keys.backup~", "keys.20260101T000000Z-0000000x.before~", "keys2.20250101T000000Z-00000001.before~"}
    for name in strangers:
        (tmp_path / name).touch()
    for number in range(5):
        run = f"2026010{number}T000000Z-00000001"
        begin(record, run, file)
        file.write_bytes(f"{number}".encode())
        transactions.end(record, run, keep=2)
    assert {path.name for path in tmp_path.iterdir()} == {
        "keys",
        "keys.20260103T000000Z-00000001.before~",
        "keys.20260104T000000Z-00000001.before~",
        *strangers,
    }


def test_the_run_at_hand_keeps_its_copy_whatever_the_clock_said_before(tmp_path: Path, file: Path) -> None:
    ahead = [f"2036010{number}T000000Z-00000001" for number in range(3)]
    for run in [*ahead, ONE]:
        (tmp_path / f"keys.{run}.before~").touch()
    transactions.prune(str(file), 2, spare=[ONE])
    assert {path.name for path in tmp_path.glob("keys.*")} == {f"keys.{run}.before~" for run in (ONE, ahead[2])}


def test_a_file_whose_directory_never_came_is_kept_and_undone_all_the_same(tmp_path: Path, record: str) -> None:
    absent = tmp_path / "conf.d" / "gateway.conf"
    begin(record, ONE, absent)
    transactions.roll_back(record, ONE, loaded=False)
    assert transactions.end(record, ONE, keep=2)
    assert not absent.parent.exists()


def test_who_holds_a_member_is_told(file: Path, record: str) -> None:
    assert transactions.find(record) is None
    begin(record, ONE, file)
    found = transactions.find(record)
    assert found is not None
    assert (found["run"], found["holder"]) == (ONE, HOLDER)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"run": "../../x"}', json.dumps({"run": ONE, "holder": 1}).encode()])
def test_a_record_that_cannot_be_read_keeps_everybody_off(record: str, file: Path, content: bytes) -> None:
    Path(record).write_bytes(content)
    with pytest.raises(PeerError, match="cannot be read"):
        begin(record, ONE, file)


@pytest.mark.parametrize("run", ["", "x", "../../../etc/passwd", f"{ONE}/x"])
def test_a_run_has_a_name_that_is_no_path(record: str, file: Path, run: str) -> None:
    with pytest.raises(InputError, match="is no name of a run"):
        begin(record, run, file)
    with pytest.raises(InputError, match="is no name of a run"):
        transactions.copy_of(str(file), run)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to somebody else")
def test_a_record_of_somebody_else_is_not_believed(record: str, file: Path) -> None:
    """It could name any file, and root would move it."""
    begin(record, ONE, file)
    os.chown(record, 12345, 12345)
    with pytest.raises(PeerError, match="belongs to another user"):
        transactions.roll_back(record, ONE, loaded=True)


def test_a_record_is_no_link(record: str, file: Path, tmp_path: Path) -> None:
    begin(record, ONE, file)
    Path(record).rename(tmp_path / "elsewhere")
    Path(record).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        transactions.roll_back(record, ONE, loaded=True)


def test_a_file_that_may_only_be_changed_outlives_what_made_it(tmp_path: Path, record: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A key that somebody was asked to sign for; one that was there before is put back like any other file."""
    waiting = tmp_path / "keys.next"
    for content, run in ((None, ONE), (b"made", TWO)):
        for state in ("begun", "rolled_back"):
            files = [{"path": str(waiting), "if_present": True}]
            with patch_module_args({"record": record, "run": run, "state": state, "files": files}), pytest.raises(SystemExit):
                transaction.main()
            assert "failed" not in json.loads(capsys.readouterr().out)
            waiting.write_bytes(b"made" if content is None else b"changed") if state == "begun" else None
        with patch_module_args({"record": record, "run": run, "state": "ended"}), pytest.raises(SystemExit):
            transaction.main()
        capsys.readouterr()
        assert waiting.read_bytes() == b"made"
