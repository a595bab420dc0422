# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job on a system with the trust model pairwise: look, enable, again, revoke, disable. The tests build on one another."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from bystander import command_lines
from fleet import PASSWORD, WORD, Run
from judges import keytool_entries, matrix, openssl, outcomes, public_key, s_client
from loopback import Loopback

LINKS = 4 + 3 + 1  # everybody to the platform, and the platform to the containers
OUTSIDERS = 4 * 2  # no certificate and a stranger, at each of four endpoints


@pytest.fixture(scope="module")
def plain(loopback: Loopback) -> dict[str, str]:
    """The processes before the first run."""
    return loopback.processes()


@pytest.fixture(scope="module")
def looked(loopback: Loopback, plain: dict[str, str]) -> tuple[Run, dict[str, bytes], dict[str, bytes]]:
    """A first look, with the files before and after it."""
    before = loopback.files()
    return loopback.play("enable", "--check", "--diff"), before, loopback.files()


@pytest.fixture(scope="module")
def enabled(loopback: Loopback, looked: Any) -> Run:
    """The first enable, as talkative as people make it, with a log file and a fact cache."""
    secrets_could_be_in = {
        "ANSIBLE_LOG_PATH": str(loopback.root / "ansible.log"),
        "ANSIBLE_CACHE_PLUGIN": "jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(loopback.root / "facts"),
    }
    report = {"mtls_report_path": str(loopback.root / "matrix.json"), "mtls_plan_path": str(loopback.root / "plan.json")}
    with command_lines(containing=WORD) as seen:
        run = loopback.play("enable", "-vvv", "--diff", extra=report, env=secrets_could_be_in)
    (loopback.root / "command_lines").write_text("\n".join(seen), encoding="utf-8")
    return run


@pytest.fixture(scope="module")
def again(loopback: Loopback, enabled: Run) -> tuple[Run, dict[str, str]]:
    """The second enable, with the processes before it."""
    before = loopback.processes()
    return loopback.play("enable"), before


@pytest.fixture(scope="module")
def revoked(loopback: Loopback, again: Any) -> Run:
    """desktop1 is revoked."""
    return loopback.play("site", extra={"mtls_revoked": ["desktop1"], "mtls_report_path": str(loopback.root / "matrix.json")})


@pytest.fixture(scope="module")
def disabled(loopback: Loopback, revoked: Run) -> Run:
    """Client auth is taken off again."""
    return loopback.play("disable", extra={"mtls_revoked": ["desktop1"], "mtls_report_path": str(loopback.root / "matrix.json")})


def test_check_mode_lists_what_will_change_and_changes_nothing(loopback: Loopback, plain: dict[str, str], looked: Any) -> None:
    run, before, after = looked
    assert run.code == 0, run.output
    assert before == after
    assert loopback.processes() == plain
    assert re.search(r"ec1\s+keystore\s+create\s+ec1\s+there is no private key under this alias", run.output)
    assert re.search(r"platform1\s+keystore\s+trust\s+desktop2\s+'desktop2' gets an identity in this run", run.output)
    assert re.search(r"ec2\s+setting\s+set\s+", run.output)
    assert re.search(r"platform1\s+restart\s+restart\s+platform\s+its keystore changes", run.output)
    assert "+pico.rcp.tls.require_clientauth: true" in run.output


def test_enable_accepts_every_link_and_refuses_outsiders_everywhere(loopback: Loopback, enabled: Run) -> None:
    assert enabled.code == 0, enabled.output[-4000:]
    rows = matrix(loopback)
    assert len(rows) == LINKS + OUTSIDERS
    for member in ("ec1", "ec2", "sc1", "desktop1", "desktop2"):
        assert (member, "platform1", "accepted") in outcomes(loopback)
    for server in ("platform1", "ec1", "ec2", "sc1"):
        assert ("(no certificate)", server, "refused") in outcomes(loopback)
        assert ("(a stranger)", server, "refused") in outcomes(loopback)
    for server in ("ec1", "ec2", "sc1"):
        assert ("platform1", server, "accepted") in outcomes(loopback)


def test_openssl_is_refused_without_certificate(loopback: Loopback, enabled: Run) -> None:
    seen = s_client(loopback)
    assert re.search(r"alert (certificate required|handshake failure|bad certificate)", seen), seen
    assert "WELCOME" not in seen


def test_openssl_is_let_in_with_the_desktops_key(loopback: Loopback, enabled: Run, tmp_path: Path) -> None:
    """The failing twin of the test before: the same client, with a key that the platform trusts."""
    pem = tmp_path / "desktop2.pem"
    openssl("pkcs12", "-in", str(loopback.store("desktop2")), "-passin", "env:PASSWORD", "-passout", "env:PASSWORD", "-out", str(pem))
    seen = s_client(loopback, "-cert", str(pem), "-key", str(pem), "-pass", "env:PASSWORD")
    assert "WELCOME" in seen, seen


def test_each_store_holds_exactly_what_the_plan_names(loopback: Loopback, enabled: Run, keytool: Path) -> None:
    members = ("ec1", "ec2", "sc1", "desktop1", "desktop2")
    expected = {name: {name: "PrivateKeyEntry", "platform1": "trustedCertEntry"} for name in members}
    expected["platform1"] = {"platform1": "PrivateKeyEntry", **dict.fromkeys(members, "trustedCertEntry")}
    assert {name: keytool_entries(keytool, loopback.store(name)) for name in expected} == expected


@pytest.mark.parametrize("member", ["platform1", "ec1", "desktop1"])
def test_the_key_comes_first_in_the_file(loopback: Loopback, enabled: Run, member: str) -> None:
    """keytool sorts its list by alias; openssl tells the order in the file."""
    shown = openssl("pkcs12", "-in", str(loopback.store(member)), "-passin", "env:PASSWORD", "-nokeys", "-nocerts", "-info")
    bags = re.findall(r"^(Shrouded Keybag|Certificate bag)", shown, re.MULTILINE)
    assert bags[0] == "Shrouded Keybag"
    assert set(bags[1:]) == {"Certificate bag"}


def test_stores_are_readable_by_their_owner_only(loopback: Loopback, enabled: Run) -> None:
    assert {loopback.store(name).stat().st_mode & 0o777 for name in loopback.kinds} == {0o600}


def test_private_keys_stay_where_they_were_made(loopback: Loopback, enabled: Run) -> None:
    """Invariant 3: every store has a key of its own, and none of them is in another store."""
    assert len({public_key(loopback.store(name)) for name in loopback.kinds}) == len(loopback.kinds)


def test_no_password_is_in_the_output_the_log_or_the_fact_cache(loopback: Loopback, enabled: Run) -> None:
    """Invariant 4, with the whole password and with its parts as a shell, JSON or a properties file would write them."""
    assert (loopback.root / "ansible.log").stat().st_size > 10_000, "the log file was written"
    texts = {"output": enabled.output, "log": (loopback.root / "ansible.log").read_text(encoding="utf-8")}
    texts.update({str(path): path.read_text(encoding="utf-8") for path in (loopback.root / "facts").rglob("*") if path.is_file()})
    texts.update({name: (loopback.root / name).read_text(encoding="utf-8") for name in ("plan.json", "matrix.json")})
    parts = (PASSWORD, json.dumps(PASSWORD)[1:-1], WORD, "{x} #1")
    assert [(where, part) for where, text in texts.items() for part in parts if part in text] == []


def test_no_password_is_on_a_command_line(loopback: Loopback, enabled: Run) -> None:
    """Its failing twin is in test_shared_by_file.py, where the password is handed over as an argument."""
    assert (loopback.root / "command_lines").read_text(encoding="utf-8") == ""


def test_no_password_is_in_the_registry(loopback: Loopback, enabled: Run) -> None:
    for path, content in loopback.files().items():
        if "config" in path:
            assert WORD.encode() not in content, path


def test_a_plan_with_something_pending_fails_where_that_is_asked_for(loopback: Loopback, enabled: Run) -> None:
    assert loopback.play("plan", extra={"plan_pending_is_failure": True}).code == 0
    pending = {"mtls_generation": 2}
    assert loopback.play("plan", extra=pending).code == 0
    run = loopback.play("plan", extra={**pending, "plan_pending_is_failure": True})
    assert run.code == 2
    assert "changes are pending, and plan_pending_is_failure is set" in run.output


def test_a_second_run_changes_and_restarts_nothing(loopback: Loopback, again: tuple[Run, dict[str, str]]) -> None:
    run, before = again
    assert run.code == 0, run.output
    assert run.changed == 0
    assert loopback.processes() == before
    assert "Nothing is to be changed and nothing is to be restarted." in run.output


def test_a_revoked_desktop_is_refused_and_the_others_are_not(loopback: Loopback, revoked: Run, keytool: Path) -> None:
    assert revoked.code == 0, revoked.output
    assert ("desktop1", "platform1", "refused") in outcomes(loopback)
    assert ("desktop2", "platform1", "accepted") in outcomes(loopback)
    assert ("ec1", "platform1", "accepted") in outcomes(loopback)
    assert "desktop1" not in keytool_entries(keytool, loopback.store("platform1"))


def test_revoking_again_changes_nothing(loopback: Loopback, revoked: Run) -> None:
    before = loopback.processes()
    run = loopback.play("site", extra={"mtls_revoked": ["desktop1"]})
    assert run.code == 0, run.output
    assert run.changed == 0
    assert loopback.processes() == before


def test_disable_accepts_everybody_again(loopback: Loopback, disabled: Run) -> None:
    assert disabled.code == 0, disabled.output
    assert {row["outcome"] for row in matrix(loopback)} == {"accepted"}
    assert ("(no certificate)", "platform1", "accepted") in outcomes(loopback)
    assert ("(a stranger)", "ec2", "accepted") in outcomes(loopback)
    assert "WELCOME" in s_client(loopback)


def test_disabling_again_changes_nothing(loopback: Loopback, disabled: Run) -> None:
    before = loopback.processes()
    run = loopback.play("disable", extra={"mtls_revoked": ["desktop1"]})
    assert run.code == 0, run.output
    assert run.changed == 0
    assert loopback.processes() == before


def test_verify_fails_where_client_auth_is_not_enforced(loopback: Loopback, disabled: Run) -> None:
    """Invariant 8: 'enabled' that is not enforced is a failure with that name."""
    run = loopback.play("verify", extra={"mtls_revoked": ["desktop1"]})
    assert run.code == 2
    who = r"\(no certificate\), \(a stranger\)"
    assert re.search(who + r" -> ec1 at \S+, tried from 'platform1': accepted, expected refused", run.output), run.output
    assert run.changed == 0
