# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trust model shared, settings in files, and HTTP as well: the other ways through the same journey."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from bystander import command_lines
from fleet import PASSWORD, WORD, Run
from judges import keytool_entries, matrix, openssl, outcomes, s_client
from loopback import Loopback

pytestmark = pytest.mark.long
VARIABLES = {
    "mtls_trust_model": "shared",
    "mtls_mediationzone_settings": "file",
    "mtls_mediationzone_http": True,
    "mtls_key_type": "EC",
    # What the product really does is not documented, so both ways of handing a password over are used.
    "mtls_mediationzone_password_handover": "argument",
}


@pytest.fixture(scope="module")
def enabled(loopback: Loopback) -> Run:
    """The first enable."""
    with command_lines(containing=WORD) as seen:
        run = loopback.play("enable", "-vvv", "--diff", extra={"mtls_report_path": str(loopback.root / "matrix.json")})
    (loopback.root / "command_lines").write_text("\n".join(seen), encoding="utf-8")
    return run


def test_enable_accepts_every_link_and_refuses_outsiders_everywhere(loopback: Loopback, enabled: Run) -> None:
    assert enabled.code == 0, enabled.output[-4000:]
    assert all(row["as_expected"] for row in matrix(loopback))
    for server in ("platform1", "ec1", "ec2", "sc1"):
        assert ("(no certificate)", server, "refused") in outcomes(loopback)
        assert ("(a stranger)", server, "refused") in outcomes(loopback)


def test_members_hold_the_platforms_store_byte_for_byte(loopback: Loopback, enabled: Run, keytool: Path) -> None:
    original = loopback.store("platform1").read_bytes()
    assert all(loopback.store(name).read_bytes() == original for name in ("ec1", "ec2", "sc1"))
    assert {loopback.store(name).stat().st_mode & 0o777 for name in loopback.kinds} == {0o600}


def test_desktops_have_keys_of_their_own(loopback: Loopback, enabled: Run, keytool: Path) -> None:
    entries = {name: keytool_entries(keytool, loopback.store(name)) for name in ("platform1", "desktop1")}
    assert entries["platform1"] == {"platform1": "PrivateKeyEntry", "desktop1": "trustedCertEntry", "desktop2": "trustedCertEntry"}
    assert entries["desktop1"] == {"desktop1": "PrivateKeyEntry", "platform1": "trustedCertEntry"}


def test_the_files_hold_no_password(loopback: Loopback, enabled: Run) -> None:
    for name in ("platform1", "ec1"):
        path = loopback.root / name / "etc" / "mutual_tls.properties"
        text = path.read_text(encoding="utf-8")
        assert "pico.rcp.tls.require_clientauth" in text
        assert "mz.httpd.security.key.password" in text
        assert PASSWORD not in text
        assert WORD not in text
        assert path.stat().st_mode & 0o777 == 0o600


def test_the_web_port_speaks_https_with_the_platforms_certificate(loopback: Loopback, enabled: Run) -> None:
    seen = s_client(loopback, port=9000)
    assert "CN = platform1" in seen or "CN=platform1" in seen, seen
    assert "id-ecPublicKey" in openssl(
        "pkcs12", "-in", str(loopback.store("platform1")), "-passin", "env:PASSWORD", "-nodes", "-nocerts"
    ) or ("Server public key is 256 bit" in seen)


def test_neither_passwords_nor_the_shared_store_are_in_the_output(loopback: Loopback, enabled: Run) -> None:
    assert WORD not in enabled.output
    content = base64.b64encode(loopback.store("platform1").read_bytes()).decode("ascii")
    assert loopback.store("ec1").read_bytes() == loopback.store("platform1").read_bytes(), "what travelled is what is there"
    assert [part for part in (content[:64], content[600:664]) if part in enabled.output] == []


def test_a_bystander_sees_the_password_that_is_handed_over_as_an_argument(loopback: Loopback, enabled: Run) -> None:
    """What the README warns of, and why it is not the default; and nothing but mzsh's own call."""
    lines = (loopback.root / "command_lines").read_text(encoding="utf-8").splitlines()
    assert lines
    assert [line for line in lines if "encryptpassword" not in line] == []


def test_a_second_run_changes_and_restarts_nothing(loopback: Loopback, enabled: Run) -> None:
    before = loopback.processes()
    run = loopback.play("enable")
    assert run.code == 0, run.output
    assert run.changed == 0
    assert loopback.processes() == before


def test_a_revoked_desktop_leaves_every_copy(loopback: Loopback, enabled: Run, keytool: Path) -> None:
    run = loopback.play("site", extra={"mtls_revoked": ["desktop1"], "mtls_report_path": str(loopback.root / "matrix.json")})
    assert run.code == 0, run.output
    assert ("desktop1", "platform1", "refused") in outcomes(loopback)
    assert ("desktop2", "platform1", "accepted") in outcomes(loopback)
    assert "desktop1" not in keytool_entries(keytool, loopback.store("ec2"))


def test_a_new_password_protects_every_store_anew(loopback: Loopback, enabled: Run, keytool: Path) -> None:
    """Stores, settings and processes change together, and then it is quiet."""
    passwords = {"mtls_keystore_password": "the next one", "mtls_keystore_previous_password": PASSWORD, "mtls_revoked": ["desktop1"]}
    run = loopback.play("site", extra=passwords)
    assert run.code == 0, run.output[-4000:]
    for name in ("platform1", "ec1", "desktop2"):
        assert "platform1" in keytool_entries(keytool, loopback.store(name), "the next one")
    again = loopback.play("site", extra=passwords)
    assert (again.code, again.changed) == (0, 0), again.output
