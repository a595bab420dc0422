# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container hosts for tests that molecule does not run: each test file gets its own, made and destroyed as molecule's are."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import images
from containers import SLOT
from system import BIN, FOLDER, ROOT, System

# testinfra asks the ansible-inventory that it finds there.
os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
SHARED = ROOT / "molecule" / "shared"


def play_shared(system: System, *playbooks: str) -> None:
    """Run playbooks of molecule/shared with the inventory of the system's hosts."""
    inventories = [f"--inventory={path}" for path in (SHARED / "inventory", system.scenario / "inventory")]
    done = subprocess.run(
        [str(BIN / "ansible-playbook"), *inventories, *(str(SHARED / f"{name}.yml") for name in playbooks)],
        env={**os.environ, **system.environment(), "ANSIBLE_LOCALHOST_WARNING": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-6000:]


@pytest.fixture(scope="session")
def host_images() -> None:
    """The images that hosts are made of."""
    lack = images.missing()
    assert lack is None, lack
    images.main()


@pytest.fixture(scope="module")
def system(request: pytest.FixtureRequest, host_images: None) -> Iterator[System]:
    """Hosts with the product and without TLS. The test module's SCENARIO is the folder that has their inventory.

    Which addresses and names they have is said by MUTUAL_TLS_HOSTS_SLOT, as with molecule: what is in that slot is destroyed first. With
    MUTUAL_TLS_HOSTS_KEEP=1, for work on a test, hosts that are there are used as they are, and stay.
    """
    keep = bool(os.environ.get("MUTUAL_TLS_HOSTS_KEEP"))
    ephemeral = FOLDER / "run" / SLOT
    ephemeral.mkdir(parents=True, exist_ok=True)
    made = System(request.module.SCENARIO, ephemeral)
    try:
        play_shared(made, *(() if keep else ("destroy",)), "create", "prepare")
        yield made
    finally:
        if not keep:
            play_shared(made, "destroy")
