# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of handshakes share: made once for each file."""

from __future__ import annotations

from pathlib import Path

import pytest

from .parties import Parties, pem_of, plain_pem


@pytest.fixture(scope="module")
def parties() -> Parties:
    return Parties()


@pytest.fixture(scope="module")
def files(parties: Parties, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server's identity and the CA as the files that servers read."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "key.pem").write_bytes(plain_pem(parties.server.key))
    (folder / "cert.pem").write_text(pem_of(*parties.server.chain))
    (folder / "ca.pem").write_text(pem_of(parties.ca.der))
    return folder
