# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container hosts for tests that molecule does not run: each test file gets its own, made and destroyed as molecule's are."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import images
from containers import SLOT
from system import BIN, FOLDER, System

# testinfra asks the ansible-inventory that it finds there.
os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"


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
        made.arrange(*(() if keep else ("destroy",)), "create", "prepare")
        yield made
    finally:
        if not keep:
            made.arrange("destroy")
