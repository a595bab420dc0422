# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After everything was revoked: what each had is refused, and what each got is not."""

from __future__ import annotations

import re

import pytest
from system import System
from web import DATABASE, KEYSTORE, NONE_SENT, NOT_ACCEPTED, password, with_browser, with_bundle, with_keystore, without_certificate

pytestmark = pytest.mark.parametrize("gateway", ["gw1", "gw2"])
STORES = {"ca1": "/home/mzadmin/mediationzone/keys", "desktop1": KEYSTORE}


@pytest.mark.parametrize("client", STORES)
def test_a_former_key_is_refused_and_the_new_one_is_not(system: System, gateway: str, client: str) -> None:
    assert f"CN={client}" in with_keystore(system, client, gateway, STORES[client])
    former = f"{STORES[client]}.former"
    assert "SSL certificate problem" in with_keystore(system, client, gateway, former), "it does not know the server"
    assert NOT_ACCEPTED in with_keystore(system, client, gateway, former, "--insecure"), "nor the server it"


def test_a_former_bundle_is_refused_and_the_new_one_is_not(system: System, gateway: str) -> None:
    assert "CN=alice" in with_bundle(system, gateway)
    word = password(system, "former")
    assert word != password(system)
    assert NOT_ACCEPTED in with_bundle(system, gateway, bundle=system.ephemeral / "former" / "alice.p12", word=word)


def test_browsers_got_the_new_certificate_and_keep_no_other(system: System, gateway: str) -> None:
    assert "CN=desktop1" in with_browser(system, "desktop1", gateway)
    # Even told to trust any server (-o), it has nothing from a CA that the server names.
    assert NONE_SENT in with_browser(system, "desktop1", gateway, f"{DATABASE}.former", "-o")
    listed = system.host("desktop1").check_output("runuser -u desktop -- certutil -L -d sql:%s", DATABASE)
    assert len(re.findall(r" u,u,u *$", listed, re.MULTILINE)) == 1


def test_who_was_revoked_or_never_had_any_is_refused_as_before(system: System, gateway: str) -> None:
    assert NONE_SENT in with_browser(system, "desktop2", gateway, DATABASE, "-o")
    assert NONE_SENT in without_certificate(system, "outside1", gateway)
