# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running nginx moves from the collection's own authority to a company's, and back, while people connect."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from company import Company
from fleet import OWN_AUTHORITY, Run, new_network, passed
from judges import openssl
from web import NGINX, Web, connecting, refusals, running

VARIABLES = {
    "mtls_product": "nginx",
    **OWN_AUTHORITY,
}
OWN = {"mtls_authority_options": {"crl_valid_for": "180d", "crl_renew_before": "179d"}}
EXTERNAL = {"mtls_authority_mode": "external"}

pytestmark = [pytest.mark.long, pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian: apt-get install nginx-light)")]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    made = Company(tmp_path_factory.mktemp("company") / "ca")
    made.start()
    return made


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    kinds = {"gw1": "gateway", "alice": "client", "bob": "client"}
    system = Web(tmp_path_factory.mktemp("from_own"), new_network(), dict(VARIABLES), kinds)
    with running(system):
        yield system


def play(web: Web, playbook: str = "site", **extra: Any) -> Run:
    return web.play_and_report(playbook, **extra)


def issuer(web: Web) -> str:
    """Who has signed what the gateway presents."""
    return openssl("x509", "-noout", "-issuer", text=openssl("s_client", "-connect", f"{web.addresses['gw1']}:8443", text="")).strip()


def cas(web: Web) -> list[str]:
    """Whom the gateway names to its clients as trusted."""
    shown = openssl("s_client", "-connect", f"{web.addresses['gw1']}:8443", text="")
    named = shown.partition("Acceptable client certificate CA names\n")[2]
    return list(itertools.takewhile(lambda line: "CN = " in line, named.splitlines()))


@pytest.fixture(scope="module")
def moved(web: Web, company: Company) -> list[Run]:
    """From the own authority to the company's: a run that asks, and one once it has signed."""
    authority = web.root / "authority"
    runs = [passed(play(web, "enable", **OWN))]
    company.publish(authority, 2)
    with connecting(web, "alice", "bob") as people:
        runs.append(play(web, **EXTERNAL))
        company.sign(authority)
        runs.append(play(web, **EXTERNAL))
    assert refusals(people, 0) == []
    return runs


def test_the_first_run_asks_and_leaves_everybody_at_work(web: Web, moved: list[Run]) -> None:
    passed(moved[1])
    assert "Certificates that are yet to be signed:" in moved[1].output


def test_what_the_company_signed_takes_the_place_of_what_the_own_authority_had(web: Web, moved: list[Run]) -> None:
    passed(moved[2])
    assert "Example issuing CA" in issuer(web)
    assert {("alice", "gw1", "accepted"), ("bob", "gw1", "accepted"), ("(no certificate)", "gw1", "refused")} <= web.outcomes()
    assert cas(web) == ["O = Example, CN = Example root"], "nobody of the own authority is trusted any more"
    again = passed(play(web, **EXTERNAL))
    assert again.changed == 0, again.output


def test_and_back(web: Web, moved: list[Run]) -> None:
    with connecting(web, "alice", "bob") as people:
        passed(play(web, mtls_generation=3, **OWN))
    assert refusals(people, 0) == []
    assert "Example issuing CA" not in issuer(web)
    assert len(cas(web)) == 1
    assert "Example" not in cas(web)[0]
    again = passed(play(web, mtls_generation=3, **OWN))
    assert again.changed == 0, again.output
