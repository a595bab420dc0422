# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MediationZone, and people who import a keystore into the Desktop Launcher: keytool opens theirs, and openssl connects with them.

Nobody watches a terminal: the passwords are in files that are encrypted for a vault id.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from fleet import BIN, OWN_AUTHORITY, PASSWORD, Run
from judges import keytool_entries, matrix, outcomes, s_client
from loopback import Loopback

WITHOUT = ("ec2", "sc1", "desktop1", "desktop2")
VARIABLES = {
    **OWN_AUTHORITY,
    "mtls_bundle_path": "{{ inventory_dir }}/bundles",
    "mtls_bundle_password_path": "{{ inventory_dir }}/passwords",
    "mtls_bundle_vault_id": "people",
}
DESKTOPS = [
    {"name": "desk7", "kind": "desktop", "readers": ["java"], "formats": ["pkcs12", "jks"]},
    {"name": "desk8", "kind": "desktop"},
]
SECRET = "what opens the vault"

pytestmark = pytest.mark.long


def play(loopback: Loopback, playbook: str, *options: str, **extra: Any) -> Run:
    """A run that writes its matrix down."""
    return loopback.play(
        playbook, *options, extra={"mtls_clients": DESKTOPS, "mtls_report_path": str(loopback.root / "matrix.json"), **extra}
    )


def vault_id(loopback: Loopback) -> tuple[str, str]:
    """The option that gives a program the vault's secret."""
    path = loopback.root / "vault_secret"
    path.touch(0o600)
    path.write_text(SECRET, encoding="ascii")
    return "--vault-id", f"people@{path}"


def password(loopback: Loopback, name: str) -> str:
    """Somebody's one-time password, as ansible-vault reads it."""
    path = loopback.root / "passwords" / f"{name}.vault"
    assert path.read_text(encoding="ascii").startswith("$ANSIBLE_VAULT;1.2;AES256;people\n")
    command = [str(BIN / "ansible-vault"), "view", *vault_id(loopback), str(path)]
    return subprocess.run(command, env=loopback.environment(), capture_output=True, text=True, check=True).stdout.strip()


def connect(loopback: Loopback, bundle: Path, word: str, folder: Path) -> str:
    """What openssl sees of the Platform with the key of a PKCS#12 file."""
    pem = folder / f"{bundle.stem}.pem"
    command = ["openssl", "pkcs12", "-in", str(bundle), "-passin", "env:WORD", "-passout", "env:PASSWORD", "-clcerts"]
    subprocess.run([*command, "-out", str(pem)], env={**os.environ, "WORD": word, "PASSWORD": PASSWORD}, capture_output=True, check=True)
    return s_client(loopback, "-cert", str(pem), "-key", str(pem), "-pass", "env:PASSWORD")


@pytest.fixture(scope="module")
def enabled(loopback: Loopback) -> Run:
    """One run from nothing, the desktops' bundles included."""
    run = play(loopback, "enable", *vault_id(loopback))
    assert run.code == 0, run.output[-4000:]
    return run


def test_without_the_vaults_secret_nothing_is_signed(loopback: Loopback) -> None:
    refused = play(loopback, "issue_client", client="desk7")
    assert refused.code != 0
    assert "this run has no such vault secret: give it with --vault-id people@FILE." in refused.words, refused.output[-3000:]
    assert not (loopback.root / "bundles" / "desk7.p12").exists()


def test_desktops_are_let_in_with_their_bundles_and_nobody_without(loopback: Loopback, enabled: Run, tmp_path: Path) -> None:
    assert all(row["as_expected"] for row in matrix(loopback))
    assert ("(no certificate)", "platform1", "refused") in outcomes(loopback)
    assert "WELCOME" not in s_client(loopback)
    for name in ("desk7", "desk8"):
        assert "WELCOME" in connect(loopback, loopback.root / "bundles" / f"{name}.p12", password(loopback, name), tmp_path)


def test_an_old_launcher_opens_the_jks_and_is_let_in(loopback: Loopback, enabled: Run, keytool: Path, tmp_path: Path) -> None:
    store, word = loopback.root / "bundles" / "desk7.jks", password(loopback, "desk7")
    assert store.read_bytes().startswith(b"\xfe\xed\xfe\xed")
    assert keytool_entries(keytool, store, word) == {"desk7 mediationzone": "PrivateKeyEntry"}
    with pytest.raises(subprocess.CalledProcessError):
        keytool_entries(keytool, store, password(loopback, "desk8"))
    copy = tmp_path / "copy.p12"
    both = ["-srcstorepass:env", "WORD", "-deststorepass:env", "WORD", "-deststoretype", "PKCS12", "-noprompt"]
    command = [str(keytool), "-importkeystore", "-srckeystore", str(store), "-destkeystore", str(copy), *both]
    subprocess.run(command, env={**os.environ, "WORD": word}, capture_output=True, check=True)
    assert "WELCOME" in connect(loopback, copy, word, tmp_path)
    assert not (loopback.root / "bundles" / "desk8.jks").exists()


def test_a_second_run_issues_nothing_and_restarts_nothing(loopback: Loopback, enabled: Run) -> None:
    processes = loopback.processes()
    again = play(loopback, "enable")
    assert (again.code, again.changed) == (0, 0), again.output[-4000:]
    assert loopback.processes() == processes


def test_one_is_revoked_and_the_other_gets_another_bundle(loopback: Loopback, enabled: Run, tmp_path: Path) -> None:
    """The product reads no revocation lists: a new CA signs for all others."""
    before = {}
    for name in ("desk7", "desk8"):
        before[name] = tmp_path / f"former_{name}.p12", password(loopback, name)
        before[name][0].write_bytes((loopback.root / "bundles" / f"{name}.p12").read_bytes())
    revoked = [{**each, "state": "revoked"} if each["name"] == "desk7" else each for each in DESKTOPS]
    run = play(loopback, "site", *vault_id(loopback), mtls_clients=revoked)
    assert run.code == 0, run.output[-4000:]
    assert "WELCOME" in connect(loopback, loopback.root / "bundles" / "desk8.p12", password(loopback, "desk8"), tmp_path)
    for path, word in before.values():
        assert "WELCOME" not in connect(loopback, path, word, tmp_path)
    assert sorted(path.name for path in (loopback.root / "bundles").glob("desk7.*")) == []
