# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Systems for the tests of whole playbooks: each test file gets one, on loopback addresses of its own."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "stand_ins")]

from continuous import ContinuousClient  # noqa: E402
from faults import run, served, works  # noqa: E402
from fleet import new_network  # noqa: E402
from loopback import Loopback  # noqa: E402

#: Ten for each test that needs one.
GENERATIONS = itertools.count(10, 10)


@pytest.fixture(scope="module")
def loopback(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, java_home: Path) -> Iterator[Loopback]:
    """A running system without TLS; the test module's VARIABLES are its wishes, WITHOUT its missing members."""
    network = new_network()
    wishes, without = getattr(request.module, "VARIABLES", {}), getattr(request.module, "WITHOUT", ())
    system = Loopback(tmp_path_factory.mktemp("system"), network, dict(wishes), java_home=java_home, without=without)
    try:
        system.start()
        yield system
    finally:
        system.stop()


@pytest.fixture(scope="module")
def enabled(loopback: Loopback) -> Iterator[Loopback]:
    """The system with client auth, to which somebody connects all the time."""
    with ContinuousClient(loopback, "ec1") as loopback.client:
        done = run(loopback, "enable")
        assert done.code == 0, done.output[-4000:]
        assert done.additive, "nobody connected while trust was added"
        yield loopback


@pytest.fixture()
def generation(enabled: Loopback) -> Iterator[int]:
    """Another one for each test, which leaves no override behind."""
    yield next(GENERATIONS)
    for path in enabled.root.glob("*/etc/zz_override.properties"):
        path.unlink()


@pytest.fixture()
def certificates(enabled: Loopback) -> dict[str, str]:
    """What everybody served before the run."""
    works(enabled)
    return {name: served(enabled, name) for name in enabled.endpoints}
