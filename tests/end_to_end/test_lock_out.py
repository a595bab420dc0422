# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway and people, and no other host: certificates are required of them only where somebody could come in, and was seen to."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fleet import OWN_AUTHORITY, Run, new_network
from web import NGINX, PORT, Web, running

VARIABLES = {
    "mtls_product": "nginx",
    **OWN_AUTHORITY,
    "mtls_bundle_path": "{{ inventory_dir }}/bundles",
    "mtls_clients": [{"name": "alice"}],
}
PERSON = "(somebody with a certificate)"
#: What an administrator may have left in the server's block: whoever has a certificate is refused.
REFUSES_PEOPLE = ' if ($ssl_client_verify = SUCCESS) { return 400 "The SSL certificate error"; }'

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian: apt-get install nginx-light)")


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    system = Web(tmp_path_factory.mktemp("lock_out"), new_network(), dict(VARIABLES), {"gw1": "gateway"})
    with running(system):
        yield system


def stranger(web: Web) -> str:
    """What curl gets without a certificate."""
    command = ["curl", "--silent", "--insecure", f"https://{web.addresses['gw1']}:{PORT}/"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=20).stdout


def played(web: Web, playbook: str, **more: Any) -> tuple[Run, list[dict[str, Any]]]:
    """A run, and the handshakes that it made."""
    web.report.unlink(missing_ok=True)
    run, _shown = web.play_at_terminal(playbook, extra={"mtls_report_path": str(web.report), **more})
    return run, json.loads(web.report.read_text())["links"] if web.report.exists() else []


def ledger(web: Web, name: str) -> list[str]:
    """The states that the certificates of somebody went through."""
    lines = map(json.loads, (web.root / "authority" / "ledger.jsonl").read_text().splitlines())
    return [line["state"] for line in lines if line["name"] == name]


@pytest.fixture(scope="module")
def disabled(web: Web) -> Run:
    return played(web, "disable")[0]


def test_nothing_is_required_while_nobody_could_come_in(web: Web, disabled: Run) -> None:
    assert disabled.code == 0, disabled.output
    assert "hello ," in stranger(web)
    planned = web.play("plan", extra={"mtls_client_auth": "required"})
    assert "(people) bundle issue alice there is none yet" in planned.words, planned.output
    refused = web.play("enable")
    assert refused.code != 0
    assert "Name a directory for them in mtls_bundle_password_path" in refused.words
    assert "This run failed and was undone" in refused.words
    assert "hello ," in stranger(web)
    revoked = web.play("enable", extra={"mtls_clients": [{"name": "alice", "state": "revoked"}, {"name": "bob"}], "mtls_revoked": ["bob"]})
    assert revoked.code != 0
    assert "hello ," in stranger(web)


def test_what_refuses_somebody_with_a_certificate_is_undone(web: Web, disabled: Run) -> None:
    web.configure("gw1", REFUSES_PEOPLE)
    run, rows = played(web, "enable")
    assert run.code != 0
    assert [(row["client"], row["outcome"]) for row in rows if not row["as_expected"]] == [(PERSON, "refused")]
    assert "This run failed and was undone" in run.words
    assert "Handshakes: 2 of 2 end as they did before the run" in run.words
    assert "hello ," in stranger(web)
    web.configure("gw1")


def test_somebody_with_a_certificate_is_seen_let_in_once(web: Web, disabled: Run) -> None:
    web.configure("gw1")
    run, rows = played(web, "enable")
    assert run.code == 0, run.output
    assert {row["client"]: row["outcome"] for row in rows} == {
        "(no certificate)": "refused",
        "(a stranger)": "refused",
        PERSON: "accepted",
    }
    assert "400" in stranger(web)
    looks = len(ledger(web, "(probe)"))
    assert ledger(web, "(probe)") == ["pending", "revoked"] * (looks // 2)
    again, rows = played(web, "enable")
    assert (again.code, again.changed) == (0, 0), again.output
    assert {row["client"] for row in rows} == {"(no certificate)", "(a stranger)"}
    assert len(ledger(web, "(probe)")) == looks, "what has loaded nothing new needs no look"


def test_what_a_dead_run_had_loaded_is_looked_at_before_it_is_closed(web: Web, disabled: Run) -> None:
    """It died after the reload and before its handshakes."""
    assert played(web, "enable")[0].changed == 0
    looks = len(ledger(web, "(probe)"))
    record = web.root / "gw1" / "mutual_tls" / "keys.transaction"
    gone = subprocess.Popen(["true"])
    gone.wait()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    holder = {
        "user": "somebody",
        "host": socket.gethostname(),
        "boot": boot,
        "namespace": os.readlink("/proc/self/ns/pid"),
        "pid": gone.pid,
    }
    dead = {"run": "20260101T000000Z-00000000", "continues": [], "holder": holder, "since": "2026-01-01T00:00:00Z", "files": {}}
    record.touch(0o600)
    record.write_text(json.dumps(dead), encoding="utf-8")
    web.configure("gw1", REFUSES_PEOPLE)
    subprocess.run(web.nginx("gw1", "-s", "reload"), check=True, capture_output=True)
    run, rows = played(web, "enable")
    assert run.code != 0
    assert [(row["client"], row["outcome"]) for row in rows if not row["as_expected"]] == [(PERSON, "refused")]
    assert record.exists()
    web.configure("gw1")
    subprocess.run(web.nginx("gw1", "-s", "reload"), check=True, capture_output=True)
    run, rows = played(web, "enable")
    assert run.code == 0, run.output
    assert {row["client"]: row["outcome"] for row in rows}[PERSON] == "accepted"
    assert not record.exists()
    assert len(ledger(web, "(probe)")) > looks


def test_what_is_required_stays_so_whatever_becomes_of_bundles(web: Web, disabled: Run) -> None:
    """Nobody is left with a bundle, and the list that says so is not held back."""
    run = web.play("site", extra={"mtls_clients": [{"name": "alice", "state": "revoked"}, {"name": "zoe"}]})
    assert run.code == 0, run.output
    assert "zoe: no bundle was made" in run.words
    listed = subprocess.run(
        ["openssl", "crl", "-in", str(web.root / "authority" / "clients-1.crl.pem"), "-noout", "-text"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert listed.count("Serial Number:") >= 1
