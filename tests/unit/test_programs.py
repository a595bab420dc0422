# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that are run for real."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.mutual.tls.plugins.module_utils import programs
from ansible_collections.mutual.tls.plugins.module_utils.errors import DependencyError, PeerError


def test_programs_run_with_their_arguments_as_they_are_and_an_empty_standard_input() -> None:
    script = "import sys; print(sys.argv[1:], repr(sys.stdin.read()))"
    assert programs.run_program([sys.executable, "-c", script, "$HOME", "~"], None, 20) == (0, "['$HOME', '~'] ''\n", "")
    assert programs.run_program([sys.executable, "-c", script], "päss\n", 20) == (0, "[] 'päss\\n'\n", "")


def test_a_daemon_that_keeps_the_output_open_does_not_hold_us() -> None:
    began = time.monotonic()
    assert programs.run_program(["sh", "-c", "sleep 5 & echo started"], None, 20)[1] == "started\n"
    assert time.monotonic() - began < 3


def test_a_program_that_does_not_end_is_ended_with_what_it_started(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with pytest.raises(TimeoutError):
        programs.run_program(["sh", "-c", f"sleep 60 & echo $! > {pid_file}; wait"], None, 0.5)
    child = Path(f"/proc/{pid_file.read_text().strip()}/stat")
    deadline = time.monotonic() + 5
    while child.exists() and child.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline, "the program's child still runs"
        time.sleep(0.05)


def test_a_program_that_cannot_be_run_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DependencyError, match="There is no program"):
        programs.started(programs.run_program, [str(tmp_path / "absent")], None, 5)
    plain = tmp_path / "plain"
    plain.write_text("no program")
    with pytest.raises(DependencyError, match="become_user"):
        programs.started(programs.run_program, [str(plain)], None, 5)
    broken = tmp_path / "broken"
    broken.write_bytes(b"\0")
    broken.chmod(0o755)
    with pytest.raises(DependencyError, match="cannot be run"):
        programs.started(programs.run_program, [str(broken)], None, 5)
    with pytest.raises(PeerError, match=r"did not finish within 0\.2 s"):
        programs.started(programs.run_program, ["sleep", "9"], None, 0.2)
    assert os.access(broken, os.X_OK)


def test_what_is_secret_is_read_from_a_file_that_is_on_no_disk_and_no_command_line() -> None:
    script = "import sys; print([open(name).read() for name in sys.argv[1:]]); print(open('/proc/self/cmdline').read())"
    code, out, _err = programs.run_program([sys.executable, "-c", script, b"first", b"second"], None, 20)
    assert (code, out.splitlines()[0]) == (0, "['first', 'second']")
    assert "first" not in out.splitlines()[1]
    assert "/dev/fd/" in out.splitlines()[1]


def test_nothing_of_it_stays_open() -> None:
    before = os.listdir("/proc/self/fd")
    assert programs.run_program(["cat", b"secret", b"x" * 200_000], None, 5)[1] == "secret" + "x" * 200_000
    with pytest.raises(FileNotFoundError):
        programs.run_program(["no such program", b"secret"], None, 5)
    assert len(os.listdir("/proc/self/fd")) == len(before)
