# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One-time passwords: what they are made of, and where they go."""

from __future__ import annotations

import math
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ansible.constants import DEFAULT_VAULT_IDENTITY
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError
from ansible_collections.mutual.tls.plugins.plugin_utils import one_time

#: Says where one_time.terminal() finds the terminal of its parent.
PROGRAM = """
import multiprocessing, os, sys
from ansible_collections.mutual.tls.plugins.plugin_utils import one_time
def worker(queue):
    os.setsid()  # as newer releases of ansible-core cut their workers off
    found = one_time.terminal()
    if found is not None:
        one_time.show(found, {"alice": "a-word", "b": "another"})
    queue.put(found)
queue = multiprocessing.get_context("fork").Queue()
process = multiprocessing.get_context("fork").Process(target=worker, args=(queue,))
process.start()
open(sys.argv[1], "w").write(str(queue.get(timeout=20)))
process.join()
"""


def test_a_password_has_100_bits_and_is_easy_to_type() -> None:
    password = one_time.new_password()
    assert re.fullmatch(r"[a-z2-9]{4}(-[a-z2-9]{4}){5}", password)
    assert not set(password) & set("ilo01")
    assert math.log2(len(set(one_time.ALPHABET))) * one_time.GROUPS * one_time.LENGTH > 100
    assert len({one_time.new_password() for _time in range(1000)}) == 1000


def test_every_character_comes_as_often_as_any_other() -> None:
    drawn = "".join(one_time.new_password() for _time in range(2000)).replace("-", "")
    expected = len(drawn) / len(one_time.ALPHABET)
    # Six standard deviations: by chance it fails once in some ten million runs.
    assert all(abs(drawn.count(each) - expected) < 6 * math.sqrt(expected) for each in one_time.ALPHABET)


def test_the_terminal_is_found_though_the_process_is_cut_off_from_it(tmp_path: Path) -> None:
    manager, terminal = pty.openpty()
    said = tmp_path / "said"
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(said)], stdout=terminal, stderr=terminal, stdin=subprocess.DEVNULL) as child:
        name = os.ttyname(terminal)
        assert child.wait(30) == 0
    os.close(terminal)
    shown = os.read(manager, 65536).decode()
    os.close(manager)
    assert said.read_text(encoding="utf-8") == name
    assert "  alice  a-word\r\n" in shown
    assert "  b      another\r\n" in shown


def test_without_a_terminal_there_is_none(tmp_path: Path) -> None:
    said, log = tmp_path / "said", tmp_path / "log"
    with log.open("wb") as stream:
        subprocess.run([sys.executable, "-c", PROGRAM, str(said)], stdout=stream, stderr=stream, check=True, timeout=30)
    assert said.read_text(encoding="utf-8") == "None"
    assert log.read_bytes() == b""


def test_a_file_for_its_owner_only_in_a_directory_of_its_own(tmp_path: Path) -> None:
    directory = tmp_path / "passwords"
    directory.mkdir(mode=0o700)
    one_time.check_apart(str(directory), str(tmp_path / "bundles"))
    paths = one_time.keep(str(directory), {"alice": "a-word"})
    assert paths == {"alice": str(directory / "alice.txt")}
    assert (directory / "alice.txt").read_text(encoding="ascii") == "a-word\n"
    assert (directory / "alice.txt").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("inner", ["bundles", "bundles/passwords", ".", "link"])
def test_passwords_never_lie_with_what_they_open(tmp_path: Path, inner: str) -> None:
    (tmp_path / "bundles").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "bundles")
    with pytest.raises(InputError, match="would lie with the bundles that they open"):
        one_time.check_apart(str(tmp_path / inner), str(tmp_path / "bundles"))


def test_a_vault_id_has_it_encrypted(tmp_path: Path) -> None:
    vault = VaultLib([(DEFAULT_VAULT_IDENTITY, VaultSecret(b"another")), ("people", VaultSecret(b"secret of people"))])
    (tmp_path / "alice.txt").write_text("of a run before", encoding="ascii")
    one_time.check_vault(vault, "people")
    paths = one_time.keep(str(tmp_path), {"alice": "a-word"}, vault, "people")
    content = Path(paths["alice"]).read_bytes()
    assert content.startswith(b"$ANSIBLE_VAULT;1.2;AES256;people")
    assert b"a-word" not in content
    assert VaultLib([("people", VaultSecret(b"secret of people"))]).decrypt(content) == b"a-word\n"
    assert not (tmp_path / "alice.txt").exists(), "a password in the clear that opens nothing any more"


def test_a_vault_id_that_the_run_was_not_given_is_refused() -> None:
    with pytest.raises(InputError, match="has no such vault secret: give it with --vault-id people@"):
        one_time.check_vault(VaultLib([(DEFAULT_VAULT_IDENTITY, VaultSecret(b"another"))]), "people")
