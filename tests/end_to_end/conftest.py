# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Systems for the tests of whole playbooks: each test file gets one, on loopback addresses of its own."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "stand_ins")]

from loopback import Loopback  # noqa: E402


@pytest.fixture(scope="module")
def loopback(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, java_home: Path) -> Iterator[Loopback]:
    """A running system without TLS; the test module's VARIABLES are its wishes, WITHOUT its missing members."""
    network = f"{64 + secrets.randbelow(150)}.{secrets.randbelow(250)}"  # another for each, so that runs may overlap
    wishes, without = getattr(request.module, "VARIABLES", {}), getattr(request.module, "WITHOUT", ())
    system = Loopback(tmp_path_factory.mktemp("system"), network, java_home, dict(wishes), without)
    try:
        system.start()
        yield system
    finally:
        system.stop()
