# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger: what was written stays, whenever the process or the disk gives out."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.mutual.tls.plugins.module_utils.authority.ledger import Ledger, Line
from ansible_collections.mutual.tls.plugins.module_utils.errors import StoreError

pytestmark = pytest.mark.codec

LINE = Line(
    time="2026-01-02T03:04:05Z",
    state="issued",
    name="ec1",
    authority="system",
    generation=1,
    serial="1f",
    sha256="ab" * 32,
    subject="CN=ec1",
    not_before="2026-01-02T03:04:05Z",
    not_after="2027-01-02T03:04:05Z",
    key_sha256="cd" * 32,
)
STATES = ("issued", "superseded", "pending", "revoked")
OTHER = replace(LINE, name="ec2", serial="20", subject="CN=ec2")


@pytest.fixture()
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


def test_lines_are_appended_and_read_again(path: Path) -> None:
    Ledger(str(path)).append([LINE, OTHER])
    before = path.read_bytes()
    again = Ledger(str(path))
    again.append([LINE.become("revoked", "2026-02-01T00:00:00Z", "key_compromise")])
    assert path.read_bytes().startswith(before)
    assert path.stat().st_mode & 0o777 == 0o600
    found = Ledger(str(path))
    assert list(found.certificates.values()) == list(again.certificates.values())
    assert [(line.name, line.state, line.reason) for line in found.certificates.values()] == [
        ("ec1", "revoked", "key_compromise"),
        ("ec2", "issued", None),
    ]
    assert [line.serial for line in found.of("ec2")] == ["20"]
    assert found.of("ec3") == []


def test_each_line_is_json_that_others_can_read(path: Path) -> None:
    Ledger(str(path)).append([LINE])
    assert json.loads(path.read_text()) == {**vars(LINE)}


@pytest.mark.parametrize("kept", range(0, 120, 17))
def test_a_line_that_was_cut_off_is_as_if_it_had_never_been(path: Path, kept: int) -> None:
    Ledger(str(path)).append([LINE])
    whole = path.read_bytes()
    Ledger(str(path)).append([OTHER])
    torn = path.read_bytes()[len(whole) :][:kept]
    path.write_bytes(whole + torn)
    found = Ledger(str(path))
    assert list(found.certificates.values()) == [LINE]
    third = replace(OTHER, serial="21")
    found.append([third])
    assert list(Ledger(str(path)).certificates.values()) == [LINE, third]
    assert path.read_bytes().startswith(whole)


def test_a_long_line_that_was_cut_off_leaves_nothing_behind_a_shorter_one(path: Path) -> None:
    Ledger(str(path)).append([LINE])
    with path.open("ab") as stream:
        stream.write(b'{"torn": "' + b"x" * 5000)
    Ledger(str(path)).append([OTHER])
    assert list(Ledger(str(path)).certificates.values()) == [LINE, OTHER]
    assert path.read_bytes().count(b"\n") == 2 and path.read_bytes().endswith(b"\n")


@pytest.mark.parametrize("damage", [b"not json\n", b'{"state":"issued"}\n', b"[]\n", b"\n"])
def test_a_damaged_line_in_the_middle_is_refused_by_its_number(path: Path, damage: bytes) -> None:
    Ledger(str(path)).append([LINE])
    path.write_bytes(damage + path.read_bytes())
    with pytest.raises(StoreError, match=r"^Line 1 of .*ledger.jsonl cannot be read"):
        Ledger(str(path))


def test_a_full_disk_leaves_what_was_there(path: Path) -> None:
    """RLIMIT_FSIZE is the disk's end here; it holds for a process of its own."""
    Ledger(str(path)).append([LINE])
    before = path.read_bytes()
    program = (
        "import resource, signal, sys\n"
        "from ansible_collections.mutual.tls.plugins.module_utils.authority.ledger import Ledger\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "ledger = Ledger(sys.argv[1])\n"
        "lines = list(ledger.certificates.values())\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) + 100}, {resource.RLIM_INFINITY}))\n"
        "try:\n"
        "    ledger.append([each.become('revoked', each.time) for each in lines])\n"
        "except OSError as error:\n"
        "    sys.exit(f'refused: {error.strerror}')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stderr == "refused: File too large\n"
    assert path.read_bytes() == before


def test_what_is_confirmed_takes_the_place_of_what_its_holder_had(path: Path) -> None:
    ledger = Ledger(str(path))
    before = [replace(LINE, serial=f"{number:x}", sha256=f"{number:02x}" * 32, state=state) for number, state in enumerate(STATES, start=1)]
    older = replace(LINE, serial="a1", sha256="a1" * 32, generation=0)
    over = replace(LINE, serial="a0", sha256="a0" * 32, not_after="2026-02-28T00:00:00Z")
    elsewhere = replace(LINE, serial="a2", sha256="a2" * 32, authority="clients")
    pending = replace(LINE, serial="a3", sha256="a3" * 32, state="pending")
    ledger.append([*before, older, over, elsewhere, OTHER, pending])
    ledger.append(ledger.confirm(pending, "2026-03-01T00:00:00Z", revoke=True))
    found = {line.serial: (line.state, line.reason) for line in Ledger(str(path)).certificates.values()}
    assert found == {
        **dict.fromkeys(("1", "2", "3", "a1"), ("revoked", "superseded")),
        "4": ("revoked", None),
        "a0": ("issued", None),
        "a2": ("issued", None),
        "20": ("issued", None),
        "a3": ("issued", None),
    }


def test_where_nobody_reads_lists_nothing_is_revoked_by_a_confirmation(path: Path) -> None:
    ledger = Ledger(str(path))
    pending = replace(LINE, serial="a3", sha256="a3" * 32, state="pending")
    ledger.append([LINE, pending])
    ledger.append(ledger.confirm(pending, "2026-03-01T00:00:00Z", revoke=False))
    assert [line.state for line in ledger.certificates.values()] == ["superseded", "issued"]
