# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A system whose administrator set TLS up by hand, as the product's manual says, is taken over with its key."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from fleet import PASSWORD, Run
from judges import keytool_entries, matrix
from loopback import Loopback
from mediationzone.install import mzsh

pytestmark = pytest.mark.long
VARIABLES = {"mtls_key_type": "EC"}
#: The platform's own key is RSA under the administrator's alias; it is kept whatever others get.
PLATFORM = {"platform1": {"mtls_alias": "mzkey", "mtls_regenerate": "never"}}


def by_hand(loopback: Loopback, keytool: Path) -> None:
    """The TLS standard setup on the Platform container: key, encrypted passwords, properties in the manual's spelling, restart."""
    home = loopback.root / "platform1"
    key = ("-alias", "mzKey", "-keyalg", "RSA", "-keysize", "2048", "-dname", "CN=mz,O=Example", "-validity", "365", "-storetype", "JKS")
    subprocess.run(
        [
            str(keytool),
            "-genkeypair",
            *key,
            "-keystore",
            str(loopback.store("platform1")),
            "-storepass:env",
            "PASSWORD",
            "-keypass:env",
            "PASSWORD",
        ],
        env={"PASSWORD": PASSWORD},
        check=True,
        capture_output=True,
    )
    encrypted = mzsh(home, "encryptpassword", text=PASSWORD + "\n").stdout.strip()
    container = "topo://container:platform1"
    for target, value in {
        f"{container}/obj:common.pico.rcp.tls": '{ keystore=${mz.home}"/keys" }',
        f'{container}/val:common."pico.rcp.tls.keystore.password"': encrypted,
        f'{container}/val:common."pico.rcp.tls.key.password"': encrypted,
        f'{container}/val:common."pico.rcp.tls.keystore.alias"': "mzkey",
    }.items():
        done = mzsh(home, "topo", "set", target, value)
        assert done.returncode == 0, done.stderr
    assert mzsh(home, "restart", "platform").returncode == 0


def certified_key(store: Path, keytool: Path) -> str:
    """The public half of the administrator's key, as keytool and openssl show it."""
    export = [str(keytool), "-exportcert", "-rfc", "-alias", "mzkey", "-keystore", str(store), "-storepass:env", "PASSWORD"]
    exported = subprocess.run(export, env={"PASSWORD": PASSWORD}, check=True, capture_output=True)
    shown = subprocess.run(["openssl", "x509", "-noout", "-pubkey"], input=exported.stdout, check=True, capture_output=True)
    return shown.stdout.decode()


@pytest.fixture(scope="module")
def key_before(loopback: Loopback, keytool: Path) -> str:
    """The public half of the key that the administrator made."""
    by_hand(loopback, keytool)
    return certified_key(loopback.store("platform1"), keytool)


@pytest.fixture(scope="module")
def enabled(loopback: Loopback, key_before: str) -> Run:
    """Mutual TLS on top of the standard setup."""
    return loopback.play("enable", hosts=PLATFORM, extra={"mtls_report_path": str(loopback.root / "matrix.json")})


def test_every_link_works_afterwards(loopback: Loopback, enabled: Run) -> None:
    assert enabled.code == 0, enabled.output[-4000:]
    assert all(row["as_expected"] for row in matrix(loopback))


def test_the_administrators_key_is_kept(loopback: Loopback, enabled: Run, key_before: str, keytool: Path) -> None:
    assert certified_key(loopback.store("platform1"), keytool) == key_before


def test_the_administrators_keystore_stays_jks(loopback: Loopback, enabled: Run) -> None:
    """As an old Java made it, and as the product may have been told."""
    assert loopback.store("platform1").read_bytes().startswith(b"\xfe\xed\xfe\xed")
    assert loopback.store("ec1").read_bytes().startswith(b"\x30")


def test_others_trust_it_under_the_inventorys_alias(loopback: Loopback, enabled: Run, keytool: Path) -> None:
    assert keytool_entries(keytool, loopback.store("ec1")) == {"ec1": "PrivateKeyEntry", "mzkey": "trustedCertEntry"}


def test_a_second_run_changes_nothing(loopback: Loopback, enabled: Run) -> None:
    before = loopback.processes()
    run = loopback.play("enable", hosts=PLATFORM)
    assert (run.code, run.changed) == (0, 0), run.output
    assert loopback.processes() == before
