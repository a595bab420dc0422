# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the collection's artefact into build/ and installs it into the virtual environment that runs this file.

Ansible looks for collections in site-packages by itself, so that `.venv/bin/ansible-playbook mutual.tls.site` needs no
setting, and what is run and tested is what would be published. When nothing changed since the last time, nothing is done.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from stage_collection import ROOT, STAGE, stage

BUILD = ROOT / "build"
COLLECTIONS = Path(sysconfig.get_path("purelib"))
INSTALLED = COLLECTIONS / "ansible_collections" / "mutual" / "tls"
STAMP = Path(sys.prefix) / "installed-collection.sha256"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build-only", action="store_true", help="make the artefact and print its path")
    arguments = parser.parse_args()

    digest = stage()
    if arguments.build_only:
        print(build())
    elif not (INSTALLED / "MANIFEST.json").is_file() or not STAMP.is_file() or STAMP.read_text() != digest:
        STAMP.unlink(missing_ok=True)
        install(build())
        STAMP.write_text(digest)


def build() -> Path:
    """Build the artefact from the mirror; its path is returned."""
    for old in BUILD.glob("mutual-tls-*.tar.gz"):
        old.unlink()
    galaxy("build", str(STAGE), "--output-path", str(BUILD), "--force")
    (artefact,) = BUILD.glob("mutual-tls-*.tar.gz")
    return artefact


def install(artefact: Path) -> None:
    """Replace the installed copy by what *artefact* holds."""
    shutil.rmtree(INSTALLED, ignore_errors=True)
    galaxy("install", "--force", "--offline", "--no-deps", "-p", str(COLLECTIONS), str(artefact))


def galaxy(verb: str, *arguments: str) -> None:
    """Run ``ansible-galaxy collection``; only when it fails is its output of interest."""
    ended = subprocess.run(
        [Path(sys.prefix) / "bin" / "ansible-galaxy", "collection", verb, *arguments],
        check=False,
        cwd=BUILD,
        # Its own files go to build/ instead of the user's HOME.
        env={**os.environ, "ANSIBLE_HOME": str(BUILD / "ansible_home")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if ended.returncode:
        sys.exit(f"{ended.stdout}\n`ansible-galaxy collection {verb}` failed, see above.")


if __name__ == "__main__":
    main()
