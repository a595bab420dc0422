# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trust model authority over the life of a system: enabled, renewed, one revoked, all revoked; and the way there and back."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from continuous import ContinuousClient
from fleet import OWN_AUTHORITY, Run, liar
from judges import keytool_entries, matrix, outcomes, s_client
from loopback import Loopback

WITHOUT = ("ec2",)
VARIABLES = OWN_AUTHORITY


def play(loopback: Loopback, playbook: str = "site", **extra: Any) -> Run:
    """A run that writes its matrix down."""
    return loopback.play(playbook, extra={"mtls_report_path": str(loopback.root / "matrix.json"), **extra})


@contextlib.contextmanager
def connecting(loopback: Loopback, what: str, restarts: int) -> Iterator[None]:
    """Somebody connects ten times a second to every server; outside of its own restarts, *restarts* at most, none of that fails."""
    others = [name for name in loopback.endpoints if name != "platform1"]
    pairs = [*((name, "platform1") for name in others), *(("platform1", name) for name in others)]
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(ContinuousClient(loopback, client, server)) for client, server in pairs]
        time.sleep(1)
        yield
        time.sleep(1)
    for client in clients:
        failed = sum(attempt.failure is not None for attempt in client.attempts)
        told = f"{len(client.attempts)} connections, {failed} failed in {client.gaps} gaps, {len(client.refused)} refused"
        print(f"{what}: {client.name}: {told}")
        if client.gaps > restarts:
            print([(round(attempt.begun, 1), attempt.failure) for attempt in client.attempts])
        assert client.attempts[0].failure is None and client.attempts[-1].failure is None
        assert client.refused == []
        assert client.gaps <= restarts


def ledger(loopback: Loopback) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (loopback.root / "authority" / "ledger.jsonl").read_text().splitlines()]


#: What one of the hosts adds to each of its answers.
LIES = {"mtls_subject": "CN=platform1", "mtls_authority_host": "ec1", "authority_wish": {"alias": "platform1"}, "authority_signed": {}}


@pytest.fixture(scope="module")
def enabled(loopback: Loopback) -> Run:
    """The first enable; one of the hosts lies."""
    hosts = {"ec1": {"ansible_python_interpreter": str(liar(loopback.root, **LIES))}}
    return loopback.play("enable", "-vvv", "--diff", hosts=hosts, extra={"mtls_report_path": str(loopback.root / "matrix.json")})


def test_no_host_says_what_is_signed_for_it(loopback: Loopback, enabled: Run) -> None:
    assert "'mtls_subject': 'CN=platform1'" not in enabled.output, "what it adds is not even shown"
    said = subprocess.run([loopback.root / "lying_python", "-c", "print('{}')"], capture_output=True, text=True, check=True).stdout
    assert json.loads(said)["ansible_facts"]["mtls_subject"] == "CN=platform1", "it does lie"
    assert {line["name"]: line["subject"] for line in ledger(loopback) if line["name"] in loopback.kinds} == {
        name: f"CN={name}" for name in loopback.kinds
    }


def test_everybody_is_accepted_and_strangers_are_refused(loopback: Loopback, enabled: Run) -> None:
    assert enabled.code == 0, enabled.output[-4000:]
    assert all(row["as_expected"] for row in matrix(loopback))
    for server in loopback.endpoints:
        assert ("(no certificate)", server, "refused") in outcomes(loopback)
        assert ("(a stranger)", server, "refused") in outcomes(loopback)


def test_stores_hold_the_cas_and_nobody_elses_certificate(loopback: Loopback, enabled: Run, keytool: Path) -> None:
    entries = {name: keytool_entries(keytool, loopback.store(name)) for name in loopback.kinds}
    both = {"system-ca-1": "trustedCertEntry", "clients-ca-1": "trustedCertEntry"}
    assert entries["platform1"] == {"platform1": "PrivateKeyEntry", **both}
    for name in ("ec1", "sc1", "desktop1", "desktop2"):
        assert entries[name] == {name: "PrivateKeyEntry", "system-ca-1": "trustedCertEntry"}


def test_a_second_run_changes_and_restarts_nothing(loopback: Loopback, enabled: Run) -> None:
    before, written = loopback.processes(), ledger(loopback)
    again = play(loopback, "enable", mtls_revoked=["nobody"])
    assert (again.code, again.changed) == (0, 0), again.output[-4000:]
    assert "Note: 'nobody' is to be revoked, and this authority never issued a certificate to it." in again.output
    assert (loopback.processes(), ledger(loopback)) == (before, written)


def test_nothing_secret_is_in_the_output(loopback: Loopback, enabled: Run) -> None:
    assert OWN_AUTHORITY["mtls_authority_passphrase"] not in enabled.output
    assert "PRIVATE KEY" not in enabled.output


@pytest.mark.long
def test_a_revoked_desktop_is_refused_and_all_others_are_not(loopback: Loopback, enabled: Run, keytool: Path) -> None:
    """The product reads no revocation lists: a new CA for clients signs for all others, and the old one is trusted no more."""
    with ContinuousClient(loopback, "desktop1") as revoked:
        with connecting(loopback, "one is revoked", restarts=1):
            run = play(loopback, "revoke", revoke="desktop1")
        done = time.monotonic()
        time.sleep(2)
    assert run.code == 0, run.output[-4000:]
    assert [attempt for attempt in revoked.attempts if attempt.failure is None], "it was let in before"
    after = revoked.between(done, float("inf"))
    assert len(after) > 10
    assert not [attempt for attempt in after if attempt.failure is None], "and never again"
    assert "'desktop1' is revoked, and mediationzone reads no revocation lists: all others get new certificates" in run.output
    assert ("desktop1", "platform1", "refused") in outcomes(loopback)
    assert {row for row in outcomes(loopback) if row[2] == "accepted"} == {
        ("desktop2", "platform1", "accepted"),
        ("ec1", "platform1", "accepted"),
        ("sc1", "platform1", "accepted"),
        ("platform1", "ec1", "accepted"),
        ("platform1", "sc1", "accepted"),
    }
    entries = keytool_entries(keytool, loopback.store("platform1"))
    assert entries == {"platform1": "PrivateKeyEntry", "system-ca-1": "trustedCertEntry", "clients-ca-2": "trustedCertEntry"}
    assert [line["name"] for line in ledger(loopback) if line["state"] == "revoked"] == ["desktop1"]
    again = play(loopback, mtls_revoked=["desktop1"])
    assert (again.code, again.changed) == (0, 0), again.output[-4000:]


@pytest.mark.long
def test_a_certificate_that_ends_soon_is_renewed_without_touching_anybody_elses_store(loopback: Loopback, enabled: Run) -> None:
    """Its key stays, and so does what others trust."""
    stores = {name: loopback.store(name).read_bytes() for name in loopback.kinds}
    named = {"ec1": {"mtls_subject_alt_name": ["DNS:ec1.example.test"]}}
    with connecting(loopback, "one is renewed", restarts=1):
        run = loopback.play("site", extra={"mtls_revoked": ["desktop1"]}, hosts=named)
    assert run.code == 0, run.output[-4000:]
    assert [name for name, before in stores.items() if loopback.store(name).read_bytes() != before] == ["ec1"]
    again = play(loopback, mtls_revoked=["desktop1"])
    assert again.code == 0, again.output[-4000:]


@pytest.mark.long
def test_a_raised_generation_replaces_every_certificate_and_both_cas(loopback: Loopback, enabled: Run, keytool: Path) -> None:
    with connecting(loopback, "all are revoked", restarts=1):
        run = play(loopback, mtls_generation=5)
    assert run.code == 0, run.output[-4000:]
    assert all(row["as_expected"] for row in matrix(loopback))
    entries = keytool_entries(keytool, loopback.store("platform1"))
    assert set(entries) == {"platform1", "system-ca-5", "clients-ca-5"}
    assert ("desktop1", "platform1", "accepted") in outcomes(loopback), "who is revoked no more has a new key"


@pytest.mark.long
def test_and_back_to_pairwise(loopback: Loopback, enabled: Run, keytool: Path) -> None:
    back = play(loopback, mtls_generation=5, mtls_trust_model="pairwise", mtls_authority_host="localhost")
    assert back.code == 0, back.output[-4000:]
    assert all(row["as_expected"] for row in matrix(loopback))
    entries = keytool_entries(keytool, loopback.store("platform1"))
    assert set(entries) == {"platform1", "ec1", "sc1", "desktop1", "desktop2"}
    again = play(loopback, mtls_generation=5, mtls_trust_model="pairwise", mtls_authority_host="localhost")
    assert (again.code, again.changed) == (0, 0), again.output[-4000:]


@pytest.mark.long
def test_and_to_the_authority_again(loopback: Loopback, enabled: Run, keytool: Path) -> None:
    run = play(loopback, mtls_generation=5)
    assert run.code == 0, run.output[-4000:]
    assert all(row["as_expected"] for row in matrix(loopback))
    assert set(keytool_entries(keytool, loopback.store("platform1"))) == {"platform1", "system-ca-5", "clients-ca-5"}


@pytest.mark.long
def test_rolling_replaces_all_in_three_steps_and_stops_one_process_at_a_time(loopback: Loopback, enabled: Run, keytool: Path) -> None:
    """Trust both, present the new, drop the old: whoever runs and whoever has restarted accept each other at every moment."""
    with connecting(loopback, "all are replaced, rolling", restarts=3):
        run = play(loopback, "rotate", rotate_to="6", mtls_restart="rolling")
    assert run.code == 0, run.output[-4000:]
    assert run.output.count("Plan for mediationzone: ") == 3
    assert "MediationZone | Stop, tier by tier" not in run.output
    assert "To make this last, set 'mtls_generation: 6' in the inventory" in run.output
    assert all(row["as_expected"] for row in matrix(loopback))
    assert set(keytool_entries(keytool, loopback.store("platform1"))) == {"platform1", "system-ca-6", "clients-ca-6"}
    again = play(loopback, "rotate", rotate_to=6, mtls_restart="rolling")
    assert (again.code, again.changed) == (0, 0), again.output[-4000:]


@pytest.mark.long
def test_rolling_who_is_revoked_is_let_in_until_the_last_step_and_no_longer(loopback: Loopback, enabled: Run) -> None:
    """Everything is replaced as well: the CA that signed for it goes in the third step, and those before it must not end the run."""
    run = play(loopback, mtls_generation=7, mtls_restart="rolling", mtls_revoked=["desktop2"])
    assert run.code == 0, run.output[-4000:]
    assert run.output.count("Plan for mediationzone: ") == 3
    assert "'desktop2' is revoked, and does not trust what 'platform1' presents now" in run.output, "it would hang up itself"
    assert ("desktop2", "platform1", "accepted") not in outcomes(loopback)
    assert ("desktop1", "platform1", "accepted") in outcomes(loopback)


@pytest.mark.long
def test_rotate_and_revoke_say_what_they_need(loopback: Loopback, enabled: Run) -> None:
    run = play(loopback, "rotate", rotate_to=1)
    assert run.code != 0
    assert "N greater than the inventory's mtls_generation (1)" in run.output
    run = play(loopback, "revoke")
    assert run.code != 0
    assert "Say who is to be revoked with --extra-vars revoke=NAME" in run.output


@pytest.mark.long
def test_a_system_in_which_everything_has_expired_is_repaired(loopback: Loopback, enabled: Run) -> None:
    """No handshake works any more, and no step needs one."""
    short = {"mtls_valid_for": "150s", "mtls_renew_before": "1s", "mtls_authority_options": {"valid_for": "150s", "renew_before": "2s"}}
    run = play(loopback, mtls_generation=8, **short)
    assert run.code == 0, run.output[-4000:]
    wait_until_expired(loopback)
    run = play(loopback, mtls_generation=8)
    assert run.code == 0, run.output[-4000:]
    assert "it expired on" in run.output
    assert all(row["as_expected"] for row in matrix(loopback))
    again = play(loopback, mtls_generation=8)
    assert (again.code, again.changed) == (0, 0), again.output[-4000:]


def wait_until_expired(loopback: Loopback) -> None:
    """Until openssl says of every server's certificate that it has expired; not for ever."""
    for name, endpoints in loopback.endpoints.items():
        for _second in range(200):
            said = s_client(loopback, "-showcerts", member=name, port=endpoints[0]["port"])
            if "certificate has expired" in said:
                break
            time.sleep(1)
        else:
            raise AssertionError(f"{name} never expired: {said}")
