# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The system with client auth, judged from outside, from each host, and by what others on the hosts could see meanwhile."""

from __future__ import annotations

import json
import re

import pytest
from system import REFUSED, System

MEMBERS = ["platform1", "ec1", "ec2", "ec3", "sc1", "desktop1"]
SERVERS = MEMBERS[:-1]


@pytest.mark.parametrize("name", SERVERS)
def test_the_product_runs_and_starts_with_its_host(system: System, name: str) -> None:
    host = system.host(name)
    assert host.service("mediationzone").is_enabled
    assert host.socket(f"tcp://{system.address(name)}:{system.servers[name]}").is_listening
    owners = {process.user for process in host.process.filter(comm="python3") if "pico" in process.args}
    assert owners == {"mzadmin"}


@pytest.mark.parametrize("name", MEMBERS)
def test_a_keystore_is_its_owners_and_nobody_elses(system: System, name: str) -> None:
    store = system.host(name).file(system.store(name))
    assert (store.user, store.group, store.mode) == (system.owner(name), system.owner(name), 0o600)


@pytest.mark.parametrize("name", SERVERS)
def test_openssl_from_outside_is_refused_without_a_certificate(system: System, name: str) -> None:
    seen = system.s_client("outside1", name)
    assert re.search(REFUSED, seen), seen
    assert "WELCOME" not in seen


def test_openssl_from_outside_is_let_in_with_the_desktops_key(system: System) -> None:
    """The failing twin of the test before: the same client, with a key that the Platform trusts, and the Containers do not."""
    system.hand_over("desktop1", "outside1", "/run/desktop.p12")
    assert "WELCOME" in system.s_client("outside1", "platform1", keystore="/run/desktop.p12")
    assert "WELCOME" not in system.s_client("outside1", "ec1", keystore="/run/desktop.p12")


def test_java_is_let_in_with_the_desktops_key_and_not_by_who_does_not_know_it(system: System) -> None:
    system.hand_over("desktop1", "outside1", "/run/desktop.p12")
    assert "WELCOME" in system.java("outside1", "platform1", "/run/desktop.p12")
    assert "PKIX path building failed" in system.java("outside1", "ec1", "/run/desktop.p12"), "it trusts the Platform only"


def test_curl_from_outside_is_refused(system: System) -> None:
    refused = system.host("outside1").run(f"curl --silent --show-error --insecure https://{system.address('platform1')}:6790/")
    assert refused.rc != 0
    assert re.search(REFUSED, refused.stderr), refused.stderr


@pytest.mark.parametrize("name", ["platform1", "ec1", "ec3"])
def test_clients_on_the_servers_own_host_are_not_asked(system: System, name: str) -> None:
    """The product's rule: certificates are demanded from clients outside of the local host only. Both sides of it."""
    assert "WELCOME" in system.s_client(name, name)
    other = "ec2"
    assert "WELCOME" not in system.s_client(other, name)


def test_each_store_holds_exactly_what_the_plan_names(system: System) -> None:
    expected = {name: {name: "PrivateKeyEntry", "platform1": "trustedCertEntry"} for name in MEMBERS[1:]}
    expected["platform1"] = {"platform1": "PrivateKeyEntry", **dict.fromkeys(MEMBERS[1:], "trustedCertEntry")}
    assert {name: system.entries(name) for name in MEMBERS} == expected


def test_private_keys_stay_where_they_were_made(system: System) -> None:
    assert len({system.public_key(name) for name in MEMBERS}) == len(MEMBERS)


@pytest.mark.parametrize("name", MEMBERS)
def test_no_password_was_on_a_command_line(system: System, name: str) -> None:
    """Its failing twin is in the scenario file_properties, where the password is handed over as an argument."""
    assert system.password not in system.command_lines(name)


@pytest.mark.parametrize("name", MEMBERS)
def test_no_keystore_could_be_read_by_others_at_any_moment(system: System, name: str) -> None:
    seen = system.seen(name)
    assert system.store(name).rpartition("/")[2] in {event["name"] for event in seen}, "the watch saw the keystore come"
    assert [event for event in seen if event["readable"]] == []


def test_the_watch_sees_what_others_can_read(system: System) -> None:
    """The failing twin of the test before."""
    host, path = system.host("ec1"), system.home("ec1") + "/for_all"
    host.check_output("touch %s && chmod 0644 %s && sleep 0.5 && rm %s", path, path, path)
    assert [event["readable"] for event in system.seen("ec1") if event["name"] == "for_all"][-1]


@pytest.mark.parametrize("name", MEMBERS)
def test_no_password_is_in_the_journal(system: System, name: str) -> None:
    """Ansible's modules and sudo write there what they are called with."""
    journal = system.host(name).check_output("journalctl --no-pager --output=cat")
    assert "BECOME-SUCCESS" in journal, "sudo has written to it"
    assert system.password not in journal
    assert json.dumps(system.password)[1:-1] not in journal


@pytest.mark.parametrize("name", MEMBERS)
def test_nothing_is_left_behind(system: System, name: str) -> None:
    left = system.host(name).check_output(
        "find /tmp /var/tmp /home/deploy %s -name '*ansible*' -type f -o -name '.*tmp*' -type f", system.home(name)
    )
    assert left == ""
