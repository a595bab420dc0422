# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that others made, read from the packages that `make judges` fetches: none is copied into the tree."""

from __future__ import annotations

import base64
import os
import re
import tarfile
import zipfile
from pathlib import Path

import pytest

FETCHED = Path(__file__).resolve().parents[2] / "build" / "vectors"


def _package(pattern: str) -> Path:
    """The fetched file; without it the calling test is skipped, or fails where all judges must be there."""
    found = sorted(FETCHED.glob(pattern))
    if not found:
        reason = f"no {pattern} in build/vectors: run `make judges`"
        assert os.environ.get("MUTUAL_TLS_JUDGES") != "all", reason
        pytest.skip(reason)
    return found[-1]


def cryptography_names(folder: str) -> list[str]:
    """The files below *folder* with which the cryptography package tests itself; none where they were not fetched."""
    packages = sorted(FETCHED.glob("cryptography_vectors-*.whl"))
    if not packages:
        return []
    with zipfile.ZipFile(packages[-1]) as package:
        start = f"cryptography_vectors/{folder}/"
        return sorted(name[len(start) :] for name in package.namelist() if name.startswith(start) and not name.endswith("/"))


def cryptography_file(path: str) -> bytes:
    """One of them."""
    with zipfile.ZipFile(_package("cryptography_vectors-*.whl")) as package:
        return package.read(f"cryptography_vectors/{path}")


def rfc9879_a1() -> bytes:
    """The first file of RFC 9879, appendix A: PBMAC1 with HMAC-SHA256, as its author's own package has it."""
    package = _package("pyasn1_alt_modules-*.tar.gz")
    with tarfile.open(package) as archive:
        member = archive.extractfile(f"{package.name.removesuffix('.tar.gz')}/tests/test_rfc9879.py")
        assert member is not None
        text = member.read().decode()
    found = re.search(r'pfx_pem_text = """\\\n(.*?)"""', text, re.DOTALL)
    assert found is not None
    return base64.b64decode(found[1])
