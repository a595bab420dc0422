# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bounds of benchmarks/keystore.py, twice as wide: what grows with the square of a store is found here, a slow machine is not."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic

PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks" / "keystore.py"
SLACK = 2


@pytest.fixture(scope="module")
def bench() -> Any:
    """The benchmark as a Python module."""
    spec = importlib.util.spec_from_file_location("keystore_benchmark", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def check(measured: Any) -> None:
    """The figure is no worse than its bound, with some slack."""
    assert measured.bound is not None
    wide = measured._replace(bound=measured.bound / SLACK if measured.at_least else measured.bound * SLACK)
    assert wide.holds, measured


def test_500_certificates_beside_keytool(bench: Any, keytool: Path, tmp_path: Path) -> None:
    (measured,) = bench.beside_keytool(keytool, tmp_path, calls=2, rounds=2, whole=False)
    check(measured)


def test_500_certificates_beside_cryptography(bench: Any, tmp_path: Path) -> None:
    measured = list(bench.beside_cryptography(tmp_path, rounds=1))
    if not measured:
        pytest.skip("this cryptography writes no trust stores for Java: it is older than 45")
    check(measured[0])


def test_10000_certificates_are_read_in_time_and_in_little_memory(bench: Any, tmp_path: Path) -> None:
    for name, path in bench.large_stores(tmp_path, bench.MANY, [3]).items():  # without keys it takes less time
        found = bench.in_child("read", path, rounds=2)
        assert found["seconds"] <= SLACK * bench.READ_SECONDS, name
        assert found["megabytes"] <= SLACK * bench.READ_MEGABYTES, name


@pytest.mark.parametrize("store_format", ["pkcs12", "jks"])
def test_one_task_with_many_certificates_grows_with_their_number(bench: Any, tmp_path: Path, store_format: str) -> None:
    measured = bench.growing(tmp_path, 300, 10, 2, store_format)
    assert measured.figure <= 2, measured


def test_a_run_that_changes_nothing_derives_each_key_once(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", None)
    derived = next(iter(bench.without_change(tmp_path, rounds=1)))
    assert derived.figure == derived.bound, derived
