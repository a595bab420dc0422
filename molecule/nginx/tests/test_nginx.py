# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nginx on hosts, with client auth and a desktop revoked: judged by curl, by NSS's client, and by what others on the hosts could see.

The second gateway is in front of an application on a host of its own, and had no nginx before. Alice is nobody's host, and comes from
the controller, as people do.
"""

from __future__ import annotations

import json
import re

import pytest
from system import System
from web import KEYSTORE, NONE_SENT, NOT_ACCEPTED, password, with_browser, with_bundle, with_keystore, without_certificate

GATEWAYS = ["gw1", "gw2"]
CLIENTS = {"ca1": "/home/mzadmin/mediationzone/keys", "desktop1": KEYSTORE}
MEMBERS = [*GATEWAYS, *CLIENTS, "desktop2"]
STORES = {**dict.fromkeys(GATEWAYS, "/etc/mutual_tls/keys"), **CLIENTS, "desktop2": KEYSTORE}
OWNERS = {**dict.fromkeys(GATEWAYS, "root"), "ca1": "mzadmin", "desktop1": "desktop", "desktop2": "desktop"}

#: How the server, or the application behind it, greets somebody.
GREETINGS = {"gw1": "WELCOME CN={}", "gw2": "Hello CN={}"}
FORGED = {"X-Client-Subject": "CN=root", "X_Client_Subject": "CN=root", "X-Client-Verify": "SUCCESS"}


@pytest.mark.parametrize("gateway", GATEWAYS)
@pytest.mark.parametrize("client", CLIENTS)
def test_who_has_a_certificate_is_let_in_and_knows_the_server(system: System, client: str, gateway: str) -> None:
    assert GREETINGS[gateway].format(client) in with_keystore(system, client, gateway, CLIENTS[client])


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_who_has_none_is_not(system: System, gateway: str) -> None:
    assert NONE_SENT in without_certificate(system, "outside1", gateway)
    assert NONE_SENT in without_certificate(system, gateway, gateway), "from its own host neither"


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_who_is_revoked_is_not(system: System, gateway: str) -> None:
    refused = with_keystore(system, "desktop2", gateway, KEYSTORE)
    assert NOT_ACCEPTED in refused
    assert "WELCOME" not in refused and "Hello" not in refused


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_the_browsers_of_a_desktop_are_let_in_until_it_is_revoked(system: System, gateway: str) -> None:
    assert GREETINGS[gateway].format("desktop1") in with_browser(system, "desktop1", gateway)
    assert NOT_ACCEPTED in with_browser(system, "desktop2", gateway)


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_who_has_a_bundle_is_let_in_with_its_password(system: System, gateway: str) -> None:
    assert GREETINGS[gateway].format("alice") in with_bundle(system, gateway)
    assert "could not" in with_bundle(system, gateway, word="another").lower()


def test_the_application_is_told_by_the_gateway_alone_who_it_is(system: System) -> None:
    headers = [word for name, value in FORGED.items() for word in ("--header", f"{name}: {value}")]
    told = json.loads(with_bundle(system, "gw2", "/told", *headers))
    assert (told["X_CLIENT_SUBJECT"], told["X_CLIENT_VERIFY"]) == ("CN=alice", "SUCCESS")
    assert "CN=root" not in told.values()


def test_a_load_balancer_is_told_that_the_gateway_is_alive(system: System) -> None:
    assert system.host("outside1").check_output(f"curl --silent http://{system.address('gw2')}:8081/health") == "ok"


def test_no_one_time_password_is_on_a_host(system: System) -> None:
    word = password(system)
    for name in (*GATEWAYS, "ca1"):
        found = system.host(name).run(f"grep --recursive --files-with-matches --fixed-strings {word} /etc /home /opt/mz /root /tmp /var")
        assert found.stdout == "", name
    assert system.host("ca1").run("grep --recursive --files-with-matches alice /home/mzadmin/authority").stdout != "", "the failing twin"


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_nginx_was_reloaded_and_starts_with_its_host(system: System, gateway: str) -> None:
    host = system.host(gateway)
    assert host.service("nginx").is_enabled
    log = host.check_output("journalctl --no-pager --output=cat --unit nginx")
    begun, ended = (len(re.findall(rf"^{word} nginx", log, re.MULTILINE)) for word in ("Started", "Stopped"))
    before = 1 if gateway == "gw1" else 0  # where its administrators stopped it
    assert (begun, ended) == (before + 1, before), "it was never stopped by a run"
    assert re.search(r"^Reloaded nginx", log, re.MULTILINE), "the revocation came with a reload"


def test_an_nginx_that_a_run_installed_serves_nothing_else(system: System) -> None:
    """Debian's package brings a site at port 80, and starts it."""
    host = system.host("gw2")
    assert host.package("nginx").is_installed
    assert not host.file("/etc/nginx/sites-enabled/default").exists and host.file("/etc/nginx/sites-available/default").exists
    heard = host.check_output("ss --no-header --listening --numeric --tcp --processes")
    assert {int(port) for port in re.findall(r"[\]0-9.*]:(\d+) .*\"nginx\"", heard)} == {443, 8081}


@pytest.mark.parametrize("name", MEMBERS)
def test_a_keystore_is_its_owners_and_nobody_elses(system: System, name: str) -> None:
    store = system.host(name).file(STORES[name])
    assert (store.user, store.mode) == (OWNERS[name], 0o600)


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_the_key_that_nginx_reads_is_roots_alone(system: System, gateway: str) -> None:
    identity = system.host(gateway).file("/etc/mutual_tls/identity.pem")
    assert (identity.user, identity.mode) == ("root", 0o600)


def test_the_authority_is_its_owners_alone_and_its_keys_are_nowhere_else(system: System) -> None:
    directory = system.host("ca1").file("/home/mzadmin/authority")
    assert (directory.user, directory.mode) == ("mzadmin", 0o700)
    for name in ("system", "clients"):
        key = system.host("ca1").file(f"/home/mzadmin/authority/{name}-1.key.pem")
        assert (key.user, key.mode) == ("mzadmin", 0o600)
        assert "ENCRYPTED PRIVATE KEY" in key.content_string
    for name in (*GATEWAYS, "desktop1"):
        assert system.host(name).run("find / -xdev -name '*-1.key.pem'").stdout == ""


@pytest.mark.parametrize("name", MEMBERS)
def test_no_secret_was_on_a_command_line_or_is_in_the_journal(system: System, name: str) -> None:
    assert system.password not in system.command_lines(name)
    assert system.password not in system.host(name).check_output("journalctl --no-pager --output=cat")


@pytest.mark.parametrize("name", MEMBERS)
def test_no_key_could_be_read_by_others_at_any_moment(system: System, name: str) -> None:
    """Of the files beside the keystore only those without keys may be readable: trust and directives."""
    readable = {event["name"] for event in system.seen(name) if event["readable"]}
    assert {each for each in readable if not re.match(r"(trust\.pem|nginx\.conf)", each)} == set()
