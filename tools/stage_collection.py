# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mirrors the collection's files to build/stage/ansible_collections/mutual/tls.

Ansible's tools want to find a collection under that path, and with nothing else beside it: no virtual environment, no
caches. The artefact is built from the mirror, mypy and ansible-test look at the mirror, so all of them see the same files.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAGE = ROOT / "build" / "stage" / "ansible_collections" / "mutual" / "tls"

# What a tree without git (a downloaded archive) may hold beside the collection's files.
NOT_OURS = {
    ".ansible",
    ".git",
    ".hypothesis",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".venv",
    "__pycache__",
    "build",
}


def collection_files() -> list[Path]:
    """The collection's files relative to the root, sorted: those that git knows or would add; without git, all but caches."""
    try:
        listed = subprocess.run(
            ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        # A tree unpacked inside somebody else's repository is not git's, and may even be ignored there.
        is_repository = (ROOT / ".git").exists()
    except (OSError, subprocess.CalledProcessError):
        is_repository = False
    if is_repository:
        files = [Path(name) for name in listed.split("\0") if name]
    else:
        files = []
        for folder, folders, names in os.walk(ROOT):
            folders[:] = [name for name in folders if name not in NOT_OURS]
            files += [(Path(folder) / name).relative_to(ROOT) for name in names]
    # git also lists what was deleted and not yet committed.
    return sorted(file for file in set(files) if (ROOT / file).is_file())


def stage() -> str:
    """Bring the mirror up to date; a digest of all names, modes and contents is returned."""
    digest = hashlib.sha256()
    wanted = collection_files()
    for file in wanted:
        source, copy = ROOT / file, STAGE / file
        content = source.read_bytes()
        mode = source.stat().st_mode & 0o777
        digest.update(f"{file}\0{mode:o}\0{len(content)}\0".encode())
        digest.update(content)
        # Files that did not change keep their times, so that mypy need not look at them again.
        if not copy.is_file() or copy.read_bytes() != content or copy.stat().st_mode & 0o777 != mode:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)
    remove_all_but(set(wanted))
    return digest.hexdigest()


def remove_all_but(wanted: set[Path]) -> None:
    """Remove from the mirror what is no longer in the tree, so that nothing deleted is tested or published."""
    for folder, folders, names in os.walk(STAGE, topdown=False):
        for name in names:
            if (Path(folder) / name).relative_to(STAGE) not in wanted:
                (Path(folder) / name).unlink()
        for name in folders:
            if not any((Path(folder) / name).iterdir()):
                (Path(folder) / name).rmdir()


if __name__ == "__main__":
    stage()
