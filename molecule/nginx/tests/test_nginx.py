# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nginx on hosts, with client auth and a desktop revoked: judged by openssl and curl, and by what others on the hosts could see."""

from __future__ import annotations

import re

import pytest
from system import System

GATEWAYS = ["gw1", "gw2"]
CLIENTS = {"ca1": "/home/mzadmin/mediationzone/keys", "desktop1": "/home/desktop/mediationzone/desktop.p12"}
MEMBERS = [*GATEWAYS, *CLIENTS, "desktop2"]
STORES = {**dict.fromkeys(GATEWAYS, "/etc/mutual_tls/keys"), **CLIENTS, "desktop2": CLIENTS["desktop1"]}
OWNERS = {**dict.fromkeys(GATEWAYS, "root"), "ca1": "mzadmin", "desktop1": "desktop", "desktop2": "desktop"}


def answer(system: System, client: str, gateway: str, store: str | None = None) -> str:
    """What curl on *client* gets, with the key of a keystore there if one is given, and its CAs."""
    address = system.address(gateway)
    if store is None:
        return system.host(client).run(f"curl --silent --show-error --insecure https://{address}/").stdout
    pem = "/run/judge.pem"
    export = f"umask 077; openssl pkcs12 -in {store} -passin env:PASSWORD -nodes -out {pem}"
    line = f"curl --silent --show-error --cacert {pem} --cert {pem} https://{address}/; rm -f {pem}"
    return system.with_password(client, f"PASSWORD=$(head -n 1); export PASSWORD; {export} && {line}")


@pytest.mark.parametrize("gateway", GATEWAYS)
@pytest.mark.parametrize("client", CLIENTS)
def test_who_has_a_certificate_is_let_in_and_knows_the_server(system: System, client: str, gateway: str) -> None:
    assert f"WELCOME CN={client}" in answer(system, client, gateway, CLIENTS[client])


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_who_has_none_is_not(system: System, gateway: str) -> None:
    assert "No required SSL certificate was sent" in answer(system, "outside1", gateway)
    assert "No required SSL certificate was sent" in answer(system, gateway, gateway), "from its own host neither"


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_who_is_revoked_is_not(system: System, gateway: str) -> None:
    refused = answer(system, "desktop2", gateway, STORES["desktop2"])
    assert "The SSL certificate error" in refused
    assert "WELCOME" not in refused


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_nginx_was_reloaded_and_starts_with_its_host(system: System, gateway: str) -> None:
    host = system.host(gateway)
    assert host.service("nginx").is_enabled
    log = host.check_output("journalctl --no-pager --output=cat --unit nginx")
    begun, ended = (len(re.findall(rf"^{word} nginx", log, re.MULTILINE)) for word in ("Started", "Stopped"))
    assert begun == ended + 1 == 2, "it was stopped before the first run, and never again"
    assert re.search(r"^Reloaded nginx", log, re.MULTILINE), "the revocation came with a reload"


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
