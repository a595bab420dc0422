# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The default journey with each release of ansible-core that the collection admits: turn it on, and again, which shows who is let in.

.venv's own release does the same, and more, in molecule's scenarios.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cores import HERE, Controller, Core, contained
from system import ROOT, System

SCENARIO = ROOT / "molecule" / "default"
#: The others need a newer Python than a controller of Debian 12 has; a container of Debian 13 has it.
ON_THIS_MACHINE = ("2.17", "2.18")
RELEASES = (*ON_THIS_MACHINE, "2.20", "2.21")


@pytest.fixture(scope="module")
def artefact() -> Path:
    """The collection, as it would be published."""
    built = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "install_collection.py"), "--build-only"], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return Path(built.stdout.strip())


@pytest.fixture(scope="module")
def controller(system: System) -> Iterator[Controller]:
    """A container with a newer Python."""
    with contained() as made:
        yield made


@pytest.fixture()
def core(request: pytest.FixtureRequest, artefact: Path) -> Core:
    """The release, with the collection installed."""
    release: str = request.param
    where = HERE if release in ON_THIS_MACHINE else request.getfixturevalue("controller")
    made = Core(release, where)
    made.install(artefact)
    return made


@pytest.mark.parametrize("core", RELEASES, indirect=True)
def test_the_default_journey(system: System, core: Core) -> None:
    """Each release has real work to do: new keys for everybody, and restarts."""
    assert re.match(rf"ansible \[core {re.escape(core.release)}\.\d", core.version()), core.version()
    generation = 10 * (1 + RELEASES.index(core.release))
    before = system.processes()
    enabled = core.play(system, "enable", mtls_generation=generation)
    assert enabled.code == 0, enabled.output[-6000:]
    assert "DEPRECATION WARNING" not in enabled.output, enabled.output
    after = system.processes()
    assert not set(before.items()) & set(after.items()), "a process was not restarted, and has no new key"
    again = core.play(system, "enable", mtls_generation=generation)
    assert (again.code, again.changed) == (0, 0), again.output[-6000:]
    assert system.processes() == after
    expected = re.search(r"Matrix: \d+ handshakes, (\d+) to be accepted and (\d+) to be refused", again.output)
    assert expected is not None, again.output[-6000:]
    assert min(int(number) for number in expected.groups()) >= len(system.servers), "each server lets somebody in, and refuses somebody"
    for name in system.servers:
        assert "WELCOME" not in system.s_client("outside1", name), f"{name} let in who has no certificate"
