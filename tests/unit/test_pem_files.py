# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PEM files made from a keystore by the module; Python's OpenSSL and the openssl program read them."""

from __future__ import annotations

import json
import ssl
import stat
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mutual.tls.plugins.module_utils import keystore, x509
from ansible_collections.mutual.tls.plugins.module_utils.authority import directory as directory_file
from ansible_collections.mutual.tls.plugins.module_utils.authority.directory import Directory
from ansible_collections.mutual.tls.plugins.module_utils.crls import read_crls
from ansible_collections.mutual.tls.plugins.module_utils.entries import PrivateKeyEntry, TrustedCertEntry
from ansible_collections.mutual.tls.plugins.module_utils.keystore import Store
from ansible_collections.mutual.tls.plugins.modules import pem_files

from .authority.scenery import SYSTEM, request, run
from .factory import DAY, new_key

PASSWORD = "pass word"


class Host:
    """A directory with an authority's CA, and a keystore with a key that it signed for."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.capsys = root, capsys
        self.key = new_key()
        self.issue()

    def issue(self) -> None:
        chain = run(self.root / "ca", request("gw1", key=self.key, valid_for=100 * DAY), wishes=[SYSTEM]).issued["gw1"]
        found = Directory(str(self.root / "ca")).authorities["system", 1]
        assert found.crl is not None
        self.crl = found.crl.pem
        self.store = (
            Store.empty()
            .put(PrivateKeyEntry("gw1", x509.to_pkcs8(self.key), chain))
            .put(TrustedCertEntry("system-ca-1", found.certificate))
        )
        self.write()

    def write(self) -> None:
        path = str(self.root / "keys")
        keystore.write_store(path, self.store, keystore.serialize_store(self.store, PASSWORD), PASSWORD)

    def __call__(self, *, check: bool = False, **more: Any) -> dict[str, Any]:
        arguments = {
            "keystore": {"path": str(self.root / "keys"), "password": PASSWORD, "alias": "gw1"},
            "identity_path": str(self.identity),
            "trust_path": str(self.trust),
            "crl_content": [self.crl],
            **more,
            "_ansible_check_mode": check,
            "_ansible_diff": True,
        }
        with patch_module_args(arguments), pytest.raises(SystemExit):
            pem_files.main()
        result: dict[str, Any] = json.loads(self.capsys.readouterr().out)
        return result

    @property
    def identity(self) -> Path:
        return self.root / "identity.pem"

    @property
    def trust(self) -> Path:
        return self.root / "trust.pem"


@pytest.fixture()
def host(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(directory_file, "ENCRYPTION", directory_file.ENCRYPTION._replace(iterations=1))
    return Host(tmp_path, capsys)


def changed(result: dict[str, Any]) -> list[str]:
    assert not result.get("failed"), result
    assert result["changed"] == bool(result["changes"])
    return [change["file"] for change in result["changes"]]


def test_openssl_takes_both(host: Host) -> None:
    assert changed(host()) == ["trust", "identity"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(host.identity)  # it refuses a key of another certificate
    context.load_verify_locations(host.trust)
    assert context.cert_store_stats() == {"x509": 1, "crl": 1, "x509_ca": 1}
    verified = subprocess.run(
        ["openssl", "verify", "-crl_check", "-CAfile", host.trust, host.identity], capture_output=True, text=True, check=False
    )
    assert verified.stdout.strip().endswith("OK"), verified.stderr
    without = subprocess.run(["openssl", "verify", "-CAfile", host.identity, host.identity], capture_output=True, text=True, check=False)
    assert without.returncode == 0, "the chain is in the file with the key"


def test_the_key_is_for_the_owner_alone_and_in_no_answer(host: Host) -> None:
    result = host()
    assert stat.S_IMODE(host.identity.stat().st_mode) == 0o600
    assert "PRIVATE KEY" in host.identity.read_text()
    assert "PRIVATE KEY" not in json.dumps(result)
    assert "PRIVATE KEY" not in host.trust.read_text()


def test_check_mode_promises_what_the_run_does(host: Host) -> None:
    assert changed(host(check=True)) == ["trust", "identity"]
    assert not host.identity.exists() and not host.trust.exists()
    assert changed(host()) == ["trust", "identity"]
    assert changed(host(check=True)) == []


def test_a_second_run_changes_nothing(host: Host) -> None:
    host()
    written = host.identity.stat().st_mtime_ns, host.trust.stat().st_mtime_ns
    assert changed(host()) == []
    assert (host.identity.stat().st_mtime_ns, host.trust.stat().st_mtime_ns) == written


def test_only_the_file_that_differs_is_written(host: Host) -> None:
    host()
    assert changed(host(crl_content=[])) == ["trust"]
    host()
    host.issue()
    assert changed(host()) == ["identity"]
    host.store = host.store.remove("system-ca-1")
    host.write()
    assert changed(host()) == ["trust"]


def test_what_somebody_else_wrote_there_is_put_right(host: Host) -> None:
    host()
    host.identity.write_text("-----BEGIN NOTHING-----\n")
    found = host(check=True)
    assert found["pem"]["identity_change"] == "it is not the key and the chain in the keystore"
    assert changed(host()) == ["identity"]


def test_its_answer_is_what_the_plan_reads(host: Host) -> None:
    found = host()["pem"]
    ca = Directory(str(host.root / "ca")).authorities["system", 1]
    assert found["trusted"] == [x509.sha256(ca.certificate)]
    assert found["crls"] == [crl.sha256 for crl in read_crls(host.crl)]
    assert found["identity_change"] is None
    assert found["modified"] == host.identity.stat().st_mtime


def test_a_key_without_a_certificate_is_refused(host: Host) -> None:
    entry = host.store.key_entry("gw1")
    host.store = host.store.put(replace(entry, chain=()))
    host.write()
    assert "has no certificate" in host()["msg"]
    assert "holds 0 private keys" in host(keystore={"path": str(host.root / "keys"), "password": PASSWORD, "alias": "other"})["msg"]
