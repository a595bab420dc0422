# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS, client authentication and processes of the stand-in, with a really running system."""

from __future__ import annotations

import os
import signal
import socket
import urllib.request
from pathlib import Path
from typing import Any

import pytest

# Fixtures are typed Any: the classes live in conftest.py, which is not for importing.
PASSWORD = "correct horse"


def test_a_plain_system_connects_and_reports_so(installed: Any) -> None:
    installed.start()
    installed.wait_connected("exec1", "ec1")
    installed.wait_connected("service1", "sc1")
    assert installed.run("exec1", "status", "ec1") == "ec1 is running\n"
    table = installed.run("main1", "mzadmin/secret", "pico", "-view")
    assert f"ec1 ({installed.net}.11:" in table and f"sc1 ({installed.net}.12:" in table
    assert installed.run("exec1", "startup", "ec1") == "ec1 is already started\n"
    installed.stop()
    assert installed.run("exec1", "status", "ec1", rc=2) == "ec1 is not running\n"


def test_exit_codes_of_picos_that_do_not_exist_or_do_not_run(installed: Any) -> None:
    assert installed.run("exec1", "startup", "ghost") == "ghost: no such server process\n"
    installed.run("exec1", "shutdown", "ghost", rc=1)
    installed.run("exec1", "shutdown", "ec1")
    installed.run("exec1", "kill", "ec1", rc=2)
    installed.run("exec1", "status", "ghost", rc=2)
    installed.run("exec1", "restart", "ghost")
    installed.run("exec1", "startup", "ec1", rc=102, MZ_STANDIN_STARTUP_TIMEOUT="0.001")
    assert "degraded" not in installed.run("main1", "status", "platform", rc=2)


def test_a_degraded_start_exits_with_zero(installed: Any) -> None:
    text = installed.run("main1", "startup", "platform", MZ_STANDIN_DEGRADED="platform")
    assert text == "Started with errors, Only Codeserver service is guaranteed to be running.\n"


def test_an_ec_without_platform_runs_without_contact(installed: Any) -> None:
    installed.run("exec1", "startup", "ec1")
    text = installed.run("exec1", "status", "ec1")
    assert text == "ec1 is running without contact with the platform RCP service\n"
    installed.run("main1", "startup", "platform")
    installed.wait_connected("exec1", "ec1")


def test_a_frozen_pico_is_not_responding_and_cannot_be_stopped_gently(installed: Any) -> None:
    installed.run("main1", "startup", "platform")
    pid = installed.counters("main1", "platform")["pid"]
    os.kill(pid, signal.SIGSTOP)
    os.utime(installed.home("main1") / "tmp" / "platform.counters.json", (0, 0))
    assert "not responding but process running" in installed.run("main1", "status", "platform", rc=1)
    installed.run("main1", "shutdown", "platform", rc=4, MZ_STANDIN_SHUTDOWN_TIMEOUT="0.3")
    installed.run("main1", "kill", "platform")
    assert not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text()


def test_a_port_in_use_is_a_critical_error_with_its_reason(installed: Any) -> None:
    with socket.socket() as other:
        other.bind((f"{installed.net}.10", 6790))
        other.listen()
        assert "cannot listen on" in installed.run("main1", "startup", "platform", rc=104)


def test_running_picos_keep_their_settings_until_restarted(installed: Any, stores: Any) -> None:
    installed.start()
    installed.wait_connected("exec1", "ec1")
    installed.tls(stores)
    assert installed.hello(99, None) == "WELCOME platform"
    # Stops in reverse order, so that the Platform is up again before it is needed.
    installed.run("exec1", "shutdown", "ec1")
    installed.run("main1", "restart", "platform")
    installed.run("exec1", "startup", "ec1")
    installed.wait_connected("exec1", "ec1")
    assert installed.hello(99, None) != "WELCOME platform"
    assert "client certificate CN=exec1" in installed.log("main1", "platform")
    # sc1 has no keystore: it still speaks plain RCP and must not get through.
    assert installed.counters("service1", "sc1")["connected"] is False


def test_client_authentication_judges_by_certificate_and_by_address(installed: Any, stores: Any) -> None:
    installed.tls(stores)
    installed.run("main1", "startup", "platform")
    assert installed.hello(99, stores.client_context(None)) == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    assert installed.hello(99, stores.client_context("stranger")) == "TLSV1_ALERT_UNKNOWN_CA"
    assert installed.hello(99, stores.client_context("client")) == "WELCOME platform"
    # The product asks clients outside the local host only.
    assert installed.hello(10, stores.client_context(None)) == "WELCOME platform"
    # Its own key entry is trusted too: that is how a shared keystore works.
    assert installed.hello(99, stores.client_context("main1")) == "WELCOME platform"
    log = installed.log("main1", "platform")
    assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in log and "certificate verify failed: self-signed certificate" in log.replace(
        "self signed", "self-signed"
    )


def test_without_client_authentication_nobody_is_asked(installed: Any, stores: Any) -> None:
    installed.tls(stores, **{"pico.rcp.tls.require_clientauth": "false"})
    installed.run("main1", "startup", "platform")
    assert installed.hello(99, stores.client_context(None)) == "WELCOME platform"
    assert installed.hello(99, stores.client_context("stranger")) == "WELCOME platform"


def test_an_ec_serves_and_demands_certificates_as_well(installed: Any, stores: Any) -> None:
    installed.tls(stores)
    installed.run("exec1", "startup", "ec1")  # the Platform is away: no TLS is known here yet
    assert installed.hello(99, None, host=11, port=6791) == "WELCOME ec1"
    installed.run("main1", "startup", "platform")
    installed.run("exec1", "restart", "ec1")
    assert installed.hello(99, stores.client_context(None), host=11, port=6791) == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    assert installed.hello(99, stores.client_context("main1"), host=11, port=6791) == "WELCOME ec1"


def test_an_ec_that_the_platform_does_not_trust_has_no_contact(installed: Any, stores: Any) -> None:
    installed.tls(stores)
    installed.set("exec1", installed.properties(stores.path("stranger.p12"), "stranger"))
    installed.run("main1", "startup", "platform")
    installed.run("exec1", "startup", "ec1")
    assert "without contact" in installed.run("exec1", "status", "ec1")
    assert "UNKNOWN_CA" in installed.log("exec1", "ec1")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("keystore", "/nowhere/keys", "cannot read the keystore /nowhere/keys"),
        ("keystore.password", PASSWORD, "pico.rcp.tls.keystore.password is not encrypted"),
        ("keystore.password", "wrong", "keystore password was incorrect"),
        ("key.password", "wrong", "the key password is not the store password"),
        ("keystore.alias", "ghost", "has no private key under the alias 'ghost'; it has: main1"),
    ],
)
def test_a_pico_does_not_start_with_a_bad_keystore(installed: Any, stores: Any, name: str, value: str, reason: str) -> None:
    given = installed.encrypted(value) if value == "wrong" else value
    installed.set("main1", {**installed.properties(stores.path("main1.p12"), "MAIN1"), f"pico.rcp.tls.{name}": given})
    text = installed.run("main1", "startup", "platform", rc=104)
    assert reason in text and (value != PASSWORD or PASSWORD not in text)


def test_an_installation_configured_by_file(installed: Any, stores: Any) -> None:
    values = installed.properties(stores.path("main1.p12"), "main1")
    values["pico.rcp.tls.require_clientauth"] = "true"
    text = "# by file\n" + "".join(f"{key} = {value}\n" for key, value in values.items())
    (installed.home("main1") / "etc" / "10-tls.properties").write_text(text)
    installed.run("main1", "startup", "platform")
    assert installed.hello(99, stores.client_context(None)) == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    assert installed.hello(99, stores.client_context("client")) == "WELCOME platform"


def test_garbage_and_scans_do_not_hurt_a_pico(installed: Any, stores: Any) -> None:
    installed.tls(stores)
    installed.run("main1", "startup", "platform")
    for content in (b"", b"\x00\xff" * 50, b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\x00\x05aaaaa"):
        for port in (6790, 9000):
            with socket.create_connection((f"{installed.net}.10", port), 5) as connection:
                connection.sendall(content)
    assert installed.hello(99, stores.client_context("client")) == "WELCOME platform"
    assert "Traceback" not in installed.log("main1", "platform")


def test_the_web_port_speaks_https_and_containers_follow(installed: Any, stores: Any) -> None:
    values = installed.properties(stores.path("main1.p12"), "main1", "mz.httpd.security")
    installed.set("main1", {**values, "mz.httpd.security": "true"})
    installed.run("main1", "startup", "platform")
    url = f"https://{installed.net}.10:9000/"
    with urllib.request.urlopen(url, context=stores.client_context(None), timeout=5) as answer:
        assert b"MediationZone stand-in" in answer.read()
    assert installed.run("exec1", "topo", "get", "--format", "data-only", "val:common.mz.webserver.port") == "9000\n"


def test_no_password_is_in_the_command_line_or_the_environment(installed: Any, stores: Any) -> None:
    installed.tls(stores)
    installed.run("main1", "startup", "-e", f"x.password={PASSWORD}", "platform")
    process = Path("/proc") / str(installed.counters("main1", "platform")["pid"])
    seen = (process / "cmdline").read_bytes() + (process / "environ").read_bytes() + installed.log("main1", "platform").encode()
    assert b"platform" in seen and PASSWORD.encode() not in seen
