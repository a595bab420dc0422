# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nginx, and a certificate authority that is somebody else's: openssl keeps it, with a root and a CA below it.

Runs leave requests and stop, or go on with what works; and take up what was signed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from company import Company
from fleet import Run, new_network, passed
from judges import openssl
from web import NGINX, Web, connecting, refusals, running

VARIABLES = {
    "mtls_product": "nginx",
    "mtls_trust_model": "authority",
    "mtls_authority_mode": "external",
    "mtls_authority_path": "{{ inventory_dir }}/elsewhere",
    "mtls_key_type": "EC",
}
SOON = {"alice": {"mtls_renew_before": "200d"}}

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian: apt-get install nginx-light)")


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    made = Company(tmp_path_factory.mktemp("company") / "ca")
    made.start()
    return made


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    kinds = {"gw1": "gateway", "alice": "client", "bob": "client"}
    system = Web(tmp_path_factory.mktemp("external"), new_network(), dict(VARIABLES), kinds)
    with running(system):
        yield system


def elsewhere(web: Web) -> Path:
    return web.root / "elsewhere"


def play(web: Web, playbook: str = "site", *, hosts: dict[str, dict[str, Any]] | None = None, **extra: Any) -> Run:
    return web.play_and_report(playbook, hosts=hosts, **extra)


def requests(web: Web) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (elsewhere(web) / "requests").iterdir()}


def serial(web: Web, name: str) -> str:
    """The serial number of the certificate that the member presents."""
    shown = openssl("pkcs12", "-in", str(web.store(name)), "-passin", "env:PASSWORD", "-nokeys", "-clcerts")
    return openssl("x509", "-noout", "-serial", text=shown).strip()


@pytest.fixture(scope="module")
def asked(web: Web) -> Run:
    """The first run, before anybody has put down a CA; and the next, once somebody has."""
    return play(web, "enable")


def test_without_its_root_nothing_is_done_and_what_to_put_where_is_told(web: Web, asked: Run) -> None:
    assert asked.code != 0
    assert "has no CA 'clients', and generation 1 is wished: put the root that is to be trusted into" in asked.words
    assert not web.store("alice").exists()


@pytest.fixture(scope="module")
def left(web: Web, company: Company, asked: Run) -> Run:
    company.publish(elsewhere(web))
    return play(web, "enable")


def test_requests_are_left_and_the_run_stops_with_the_list(web: Web, left: Run) -> None:
    assert left.code != 0
    told = left.words
    assert "Somebody else has to sign first for gw1, alice, bob: nothing that they have is accepted by anybody." in told
    assert "Certificates that are yet to be signed:" in left.output
    assert not (web.root / "gw1" / "nginx.pid").exists(), "nothing was started"
    before, stores = requests(web), {name: web.store(name).read_bytes() for name in web.kinds}
    assert sorted(before) == sorted(f"{name}.{kind}" for name in web.kinds for kind in ("csr.pem", "ext"))
    assert play(web, "enable").code != 0
    assert requests(web) == before, "the same requests wait"
    assert {name: web.store(name).read_bytes() for name in web.kinds} == stores, "and the same keys"


@pytest.fixture(scope="module")
def enabled(web: Web, company: Company, left: Run) -> Run:
    company.sign(elsewhere(web))
    return play(web, "enable")


def test_what_was_signed_is_taken_and_everybody_is_let_in(web: Web, enabled: Run) -> None:
    passed(enabled)
    for client, outcome in (("alice", "accepted"), ("bob", "accepted"), ("(no certificate)", "refused"), ("(a stranger)", "refused")):
        assert (client, "gw1", outcome) in web.outcomes()
    shown = openssl("s_client", "-connect", f"{web.addresses['gw1']}:8443", "-CAfile", str(elsewhere(web) / "system-1.crt.pem"), text="")
    assert "Verify return code: 0 (ok)" in shown
    assert "CN = Example issuing CA" in shown
    assert requests(web) == {}
    again = passed(play(web, "enable"))
    assert again.changed == 0, again.output


@pytest.mark.long
def test_who_waits_for_a_renewal_goes_on_with_what_works_and_so_do_all_others(web: Web, company: Company, enabled: Run) -> None:
    before = {name: serial(web, name) for name in web.kinds}
    with connecting(web, "alice", "bob") as people:
        run = passed(play(web, hosts=SOON))
        assert "Somebody else has yet to sign for alice, and they go on with what they have." in run.words
        assert [name for name in requests(web) if name.endswith(".pem")] == ["alice.csr.pem"]
        company.sign(elsewhere(web), days=150)
        refused = passed(play(web, hosts=SOON))
        assert "sooner than renew_before" in refused.output, "it would be asked for anew at every run"
        assert {name: serial(web, name) for name in web.kinds} == before
        company.sign(elsewhere(web), days=300)
        passed(play(web, hosts=SOON))
    assert refusals(people, 0) == []
    changed = {name for name, value in before.items() if serial(web, name) != value}
    assert changed == {"alice"}
    assert passed(play(web, hosts=SOON)).changed == 0


@pytest.mark.long
def test_a_key_that_is_replaced_waits_beside_the_one_that_works(web: Web, company: Company, enabled: Run) -> None:
    other = {"bob": {"mtls_key_type": "RSA"}}
    before, key = web.store("bob").read_bytes(), web.store("bob").with_name("keys.next")
    with connecting(web, "alice", "bob") as people:
        passed(play(web, hosts=other))
        assert (web.store("bob").read_bytes(), key.exists()) == (before, True)
        left = requests(web)
        passed(play(web, hosts=other))
        assert requests(web) == left, "the key that waits is the same"
        company.sign(elsewhere(web))
        passed(play(web, hosts=other))
    assert refusals(people, 0) == []
    assert not key.exists()
    assert web.store("bob").read_bytes() != before
    assert passed(play(web, hosts=other)).changed == 0


@pytest.mark.long
def test_who_joins_waits_alone_and_keeps_its_key(web: Web, company: Company, enabled: Run) -> None:
    """The run does all else, says so, and fails with the name."""
    web.kinds["carol"] = "client"
    (web.root / "carol").mkdir()
    with connecting(web, "alice") as people:
        waits = play(web)
        told = waits.words
        assert waits.code != 0
        assert "Somebody else has to sign first for carol: nothing that they have is accepted by anybody." in told
        assert "All others are as they should be." in told
        assert {client for client, _server, outcome in web.outcomes() if outcome == "accepted"} == {"alice", "bob"}
        left, store = requests(web), web.store("carol").read_bytes()
        assert play(web).code != 0
        assert (requests(web), web.store("carol").read_bytes()) == (left, store)
        company.sign(elsewhere(web))
        passed(play(web))
    assert refusals(people, 0) == []
    assert ("carol", "gw1", "accepted") in web.outcomes()


def test_who_is_revoked_has_to_be_on_the_list_and_is_refused_then(web: Web, company: Company, enabled: Run) -> None:
    unlisted = play(web, "revoke", revoke="bob")
    assert unlisted.code != 0
    assert "'bob' is to be revoked, and no revocation list of the authority 'clients' has its certificate" in " ".join(
        unlisted.output.split()
    )
    company.revoke("bob")
    company.publish(elsewhere(web))
    with connecting(web, "alice") as people:
        passed(play(web, "revoke", revoke="bob"))
    assert refusals(people, 0) == []
    assert {("alice", "gw1", "accepted"), ("bob", "gw1", "refused")} <= web.outcomes()
    again = passed(play(web, mtls_revoked=["bob"]))
    assert again.changed == 0, again.output
