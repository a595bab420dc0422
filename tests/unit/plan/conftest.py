# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of plans may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.mutual.tls.plugins.module_utils.authority import directory as directory_file


@pytest.fixture(autouse=True)
def _few_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests make many keys."""
    monkeypatch.setattr(directory_file, "ENCRYPTION", directory_file.ENCRYPTION._replace(iterations=1))


@pytest.fixture()
def path(tmp_path: Path) -> Path:
    return tmp_path / "authority"
