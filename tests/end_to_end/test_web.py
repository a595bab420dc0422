# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nginx with the trust model authority over its life, while two people connect ten times a second to each server.

Nobody who is to be let in is ever refused, whatever is renewed, replaced or revoked; who is revoked never gets in again.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fleet import BIN, OWN_AUTHORITY, Run, new_network, passed
from judges import openssl
from web import NGINX, PORT, Web, connecting, refusals, running

VARIABLES = {
    "mtls_product": "nginx",
    **OWN_AUTHORITY,
}

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian: apt-get install nginx-light)")


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    system = Web(tmp_path_factory.mktemp("web"), new_network(), dict(VARIABLES))
    with running(system):
        yield system


def play(web: Web, playbook: str = "site", **extra: Any) -> Run:
    return passed(web.play_and_report(playbook, **extra))


@pytest.fixture(scope="module")
def looked(web: Web) -> Run:
    """A look before anything is there."""
    return web.play("enable", "--check", "--diff")


@pytest.mark.long
def test_a_first_look_changes_nothing_and_fails_nothing(web: Web, looked: Run) -> None:
    assert looked.code == 0, looked.output[-6000:]
    assert looked.changed > 0


@pytest.fixture(scope="module")
def enabled(web: Web) -> Run:
    return web.play("enable", extra={"mtls_report_path": str(web.root / "matrix.json")})


def test_people_with_certificates_are_let_in_and_others_are_not(web: Web, enabled: Run) -> None:
    assert enabled.code == 0, enabled.output[-6000:]
    for server in web.gateways:
        for client, outcome in (("alice", "accepted"), ("bob", "accepted"), ("(no certificate)", "refused"), ("(a stranger)", "refused")):
            assert (client, server, outcome) in web.outcomes()
    again = play(web, "enable")
    assert again.changed == 0, again.output


def test_servers_read_key_and_chain_from_a_file_for_root_alone(web: Web, enabled: Run) -> None:
    for name in web.gateways:
        identity, trust = (web.root / name / "mutual_tls" / file for file in ("identity.pem", "trust.pem"))
        assert identity.stat().st_mode & 0o777 == 0o600
        for path, what in ((identity, "PRIVATE KEY"), (trust, "X509 CRL")):
            assert f"-----BEGIN {what}-----" in path.read_text(encoding="ascii")
        assert "PRIVATE KEY" not in trust.read_text(encoding="ascii")


@pytest.mark.long
def test_a_new_name_is_served_without_a_refusal(web: Web, enabled: Run) -> None:
    """Renewed: the key stays, and so does everybody's trust."""
    masters = web.masters()
    with connecting(web, "alice", "bob") as people:
        names = ["IP:{{ mtls_address }}", "DNS:gw1.example.test"]
        run = web.play("site", hosts={"gw1": {"mtls_subject_alt_name": names}})
        assert run.code == 0, run.output[-6000:]
    assert_nobody_was_refused(people)
    assert "DNS:gw1.example.test" in served(web, "gw1")
    assert web.masters() == masters, "reloaded, and not restarted"
    back = play(web)
    assert back.code == 0


def test_who_is_revoked_is_refused_from_then_on_and_nobody_else_ever(web: Web, enabled: Run) -> None:
    session = web.root / "session.pem"
    stores = {name: web.store(name).read_bytes() for name in web.kinds}
    with connecting(web, "alice", "bob") as people, connecting(web, "carol") as revoked:
        resumes = resumed(web, "carol", "gw1", "-sess_out", str(session))
        run = play(web, "revoke", revoke="carol")
        done = time.monotonic()
        time.sleep(3)
    assert "hello CN=carol" in resumes
    assert_nobody_was_refused(people)
    tried = [attempt for person in revoked for attempt in person.since(done)]
    accepted = [attempt for attempt in tried if attempt.accepted]
    print(f"revoked: {len(tried)} attempts after the run, {len(accepted)} accepted")
    assert len(tried) > 20
    assert accepted == []
    assert "hello" not in resumed(web, "carol", "gw1", "-sess_in", str(session)), "a session from before opens no door"
    assert ("carol", "gw1", "refused") in web.outcomes()
    assert "This is NOT lasting yet: add to the inventory's mtls_revoked carol." in run.output
    assert {name: web.store(name).read_bytes() for name in web.kinds} == stores, "a revocation list is all that it takes"
    again = play(web, mtls_clients=[{"name": "alice"}, {"name": "carol", "state": "revoked"}])
    assert again.changed == 0, again.output


@pytest.mark.long
def test_without_our_word_on_sessions_one_from_before_would_open_the_door(web: Web, enabled: Run) -> None:
    """The failing twin: nginx judges nobody again who resumes a session from a cache that the server keeps."""
    directives = web.root / "gw2" / "mutual_tls" / "nginx.conf"
    ours = directives.read_text(encoding="utf-8")
    session = web.root / "session2.pem"
    play(web)  # carol may come again, with a new key
    try:
        kept = "".join(line for line in ours.splitlines(keepends=True) if "ssl_session" not in line)
        directives.write_text(kept, encoding="utf-8")
        subprocess.run(web.nginx("gw2", "-s", "reload"), check=True, capture_output=True)
        time.sleep(1)
        assert "hello CN=carol" in resumed(web, "carol", "gw2", "-sess_out", str(session))
        trust = web.root / "gw2" / "mutual_tls" / "trust.pem"
        before = trust.read_bytes()
        with (web.root / "authority" / "ledger.jsonl").open(encoding="utf-8") as lines:
            assert any(json.loads(line)["name"] == "carol" for line in lines)
        # What the run for carol's revocation writes, without the run.
        revoke(web, "carol")
        trust.write_bytes(pem(before, "CERTIFICATE") + (web.root / "authority" / "clients-1.crl.pem").read_bytes())
        subprocess.run(web.nginx("gw2", "-s", "reload"), check=True, capture_output=True)
        time.sleep(1)
        assert "hello" not in resumed(web, "carol", "gw2")
        assert "hello CN=carol" in resumed(web, "carol", "gw2", "-sess_in", str(session))
    finally:
        directives.write_text(ours, encoding="utf-8")
    assert play(web, mtls_revoked=["carol"]).changed > 0
    assert "hello" not in resumed(web, "carol", "gw2", "-sess_in", str(session))


@pytest.mark.long
def test_all_are_replaced_in_three_steps_without_a_refusal(web: Web, enabled: Run) -> None:
    """Both CAs, every key: trust both, present the new, drop the old; each step is proven before the next."""
    masters = web.masters()
    old = {name: served(web, name) for name in web.gateways}
    with connecting(web, "alice", "bob") as people:
        run = play(web, mtls_generation=2, mtls_revoked=["carol"])
    assert_nobody_was_refused(people)
    assert run.output.count("Plan for nginx: ") == 3
    assert "Then, once all whom they meet trust what signs them, new certificates for gw1, gw2, alice, bob." in run.output
    assert all(served(web, name) != before for name, before in old.items())
    for name in web.gateways:
        trust = (web.root / name / "mutual_tls" / "trust.pem").read_text(encoding="ascii")
        assert (trust.count("BEGIN CERTIFICATE"), trust.count("BEGIN X509 CRL")) == (1, 1)
    assert web.masters() == masters
    again = play(web, mtls_generation=2, mtls_revoked=["carol"])
    assert again.changed == 0, again.output
    assert "carol" not in {client for client, _server, outcome in web.outcomes() if outcome == "accepted"}


@pytest.mark.long
def test_none_and_requested_and_required_again(web: Web, enabled: Run) -> None:
    """Who asks for a certificate judges the one that comes, also where none need come."""
    play(web, mtls_client_auth="requested")
    for client, outcome in (("alice", "accepted"), ("(no certificate)", "accepted"), ("(a stranger)", "refused")):
        assert (client, "gw1", outcome) in web.outcomes()
    play(web, "disable")
    assert {outcome for _client, _server, outcome in web.outcomes()} == {"accepted"}
    play(web, "enable")
    assert ("(no certificate)", "gw1", "refused") in web.outcomes()


#: What changes something, or has just done so, in the order of a step.
MOMENTS = (
    "transaction : Keep the member's files as they are",
    "identity : Make or renew the member's identity",
    "authority : Sign | Have the authority sign",
    "trust : Trust whom the plan names",
    "trust : Give the product the PEM files",
    "client_auth : Plan the settings",
    "service : Nginx | Reload the servers",
    "handshake : Make the member's handshakes",
    "transaction : Write down that the system works",
    "transaction : Keep the member's files no longer at hand",
    "transaction : Write down what was done",
)


@pytest.mark.fault
def test_a_rotation_that_is_killed_again_and_again_comes_to_its_end(web: Web, enabled: Run) -> None:
    """Run after run is killed one moment later than the one before, in each of the three steps; then one is left alone."""
    killed = 0
    with connecting(web, "alice", "bob") as people:
        for _step in range(3):
            for moment in MOMENTS:
                killed += run_until(web, moment, mtls_generation=3)
        last = play(web, mtls_generation=3)
    print(f"{killed} runs were killed; the last one took {last.output.count('Plan for nginx: ')} steps")
    assert killed > len(MOMENTS)
    assert_nobody_was_refused(people)
    again = play(web, mtls_generation=3)
    assert again.changed == 0, again.output
    for name in web.gateways:
        assert (web.root / name / "mutual_tls" / "trust.pem").read_text(encoding="ascii").count("BEGIN CERTIFICATE") == 1
    assert not list(web.root.glob("**/keys.next")), "no key waits any more"


def run_until(web: Web, moment: str, **extra: Any) -> int:
    """Run until a task begins, and kill it all there; 0 if the run came to its end before, else 1."""
    command = web.command("site", extra=extra)
    with subprocess.Popen(
        command, cwd=web.root, env=web.environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("TASK [mutual.tls.") and moment in line:
                os.killpg(process.pid, signal.SIGKILL)
                return 1
    assert process.returncode == 0, f"it failed before '{moment}'"
    return 0


def assert_nobody_was_refused(people: list[Any]) -> None:
    """None of the attempts while a run went on, and there were enough of them; the figures are printed."""
    failed = refusals(people, 0)
    count = sum(len(person.attempts) for person in people)
    print(f"let in: {count} attempts, {len(failed)} failed")
    assert count > 100
    assert failed == []


def served(web: Web, name: str) -> str:
    """What openssl says of the certificate that a gateway serves."""
    address = f"{web.addresses[name]}:{PORT}"
    shown = subprocess.run(["openssl", "s_client", "-connect", address], input="", capture_output=True, text=True, timeout=20, check=False)
    return openssl("x509", "-noout", "-serial", "-ext", "subjectAltName", text=shown.stdout)


def resumed(web: Web, name: str, gateway: str, *options: str) -> str:
    """What a gateway answers openssl with somebody's certificate."""
    pem_file = web.root / f"{name}.openssl.pem"
    pem_file.touch(0o600)
    pem_file.write_text(openssl("pkcs12", "-in", str(web.store(name)), "-passin", "env:PASSWORD", "-nodes"), encoding="ascii")
    address = f"{web.addresses[gateway]}:{PORT}"
    command = ["s_client", "-connect", address, "-cert", str(pem_file), "-key", str(pem_file), "-quiet", "-ign_eof", "-tls1_2", *options]
    return openssl(*command, text="GET / HTTP/1.0\r\n\r\n")


def pem(content: bytes, label: str) -> bytes:
    """The blocks with that label."""
    blocks = content.decode("ascii").split("-----BEGIN ")
    return "".join(f"-----BEGIN {block}" for block in blocks if block.startswith(label)).encode("ascii")


def revoke(web: Web, name: str) -> None:
    """Have the authority revoke somebody, and nothing else."""
    arguments = {
        "path": str(web.root / "authority"),
        "passphrase": VARIABLES["mtls_authority_passphrase"],
        "authorities": [{"name": "system"}, {"name": "clients"}],
        "revoked": [{"name": name}],
    }
    subprocess.run(
        [str(BIN / "ansible"), "localhost", "-m", "mutual.tls.authority", "-a", json.dumps(arguments)],
        env=web.environment(),
        check=True,
        capture_output=True,
    )
