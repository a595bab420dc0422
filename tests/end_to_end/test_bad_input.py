# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input is refused before anything is touched, with a sentence that names the file or the inventory's entry."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from fleet import PASSWORD
from loopback import Loopback


@pytest.fixture
def idle(tmp_path: Path, java_home: Path) -> Loopback:
    """A system whose processes do not run: bad input is refused before anybody would notice."""
    system = Loopback(tmp_path, "59.1", {"mtls_mediationzone_settings": "file"}, java_home=java_home)
    for name in system.kinds:
        (tmp_path / name / "etc").mkdir(parents=True)
    return system


def store_of_keytool(keytool: Path, path: Path, *options: str, password: str = PASSWORD) -> bytes:
    """A keystore with the key ec1, made by keytool."""
    named = ("-alias", "ec1", "-keyalg", "EC", "-dname", "CN=ec1")
    subprocess.run(
        [str(keytool), "-genkeypair", *named, "-keystore", str(path), "-storepass:env", "PASSWORD", *options],
        env={"PASSWORD": password},
        check=True,
        capture_output=True,
    )
    return path.read_bytes()


def refused(system: Loopback, *sentences: str, **options: Any) -> None:
    """A run must fail with all *sentences*, and leave every file as it was."""
    before = system.files()
    run = system.play("site", **options)
    assert run.code == 2, run.output
    assert [sentence for sentence in sentences if sentence not in run.output] == [], run.output
    assert system.files() == before


def test_wrong_password(idle: Loopback, keytool: Path) -> None:
    store_of_keytool(keytool, idle.store("ec1"), password="another password")
    refused(idle, f"The keystore {idle.store('ec1')} cannot be read: the password is wrong, or the store was damaged")


def test_damaged_store(idle: Loopback, keytool: Path) -> None:
    content = store_of_keytool(keytool, idle.store("ec1"))
    idle.store("ec1").write_bytes(content[: len(content) // 2])
    refused(idle, f"The keystore {idle.store('ec1')} cannot be read: the store is cut short")


def test_store_of_an_unknown_kind(idle: Loopback) -> None:
    idle.store("ec1").write_bytes(b"no keystore at all")
    refused(idle, f"The keystore {idle.store('ec1')} cannot be read: it is no keystore of a known kind")


def test_store_of_another_kind(idle: Loopback, keytool: Path) -> None:
    store_of_keytool(keytool, idle.store("ec1"), "-storetype", "JCEKS")
    refused(idle, "it is a JCEKS file and only PKCS#12 and JKS are supported")


def test_a_members_certificate_that_is_a_ca(idle: Loopback, keytool: Path) -> None:
    """Invariant 6: trusting it would let that host make identities for all others."""
    store_of_keytool(keytool, idle.store("ec1"), "-ext", "bc=ca:true", "-groupname", "secp256r1")
    refused(
        idle,
        "the certificate of 'ec1' (CN=ec1, sha256 ",
        "is a CA (CA:TRUE): trusting it would let that host make identities for all others",
    )


@pytest.mark.parametrize(
    ("hosts", "extra", "sentence"),
    [
        ({"ec1": {"mtls_address": ""}}, {}, "host 'ec1': mtls_address is ''"),
        ({"ec1": {"mtls_kind": "executon"}}, {}, "host 'ec1': mtls_kind is 'executon'"),
        ({"ec2": {"mtls_alias": "EC1"}}, {}, "hosts 'ec1' and 'ec2' have the same alias 'ec1'"),
        ({}, {"mtls_trust_model": "everybody"}, "everybody"),
        ({}, {"mtls_product": "abacus"}, "abacus"),
        ({"ec1": {"mtls_keystore_password": "tiny"}}, {}, "must have at least 6 characters"),
        ({"ec1": {"mtls_keystore_password": "p\u00e4ssword"}}, {}, "must be of printable ASCII characters"),
    ],
    ids=["no_address", "unknown_kind", "one_alias_twice", "unknown_trust_model", "unknown_product", "short_password", "not_ascii_password"],
)
def test_inventory_that_cannot_be_carried_out(idle: Loopback, hosts: dict[str, Any], extra: dict[str, Any], sentence: str) -> None:
    refused(idle, sentence, hosts=hosts, extra=extra)
