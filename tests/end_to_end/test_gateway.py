# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A web console that knows nothing of certificates, behind nginx that the role gateway configures; curl, openssl and a browser connect."""

from __future__ import annotations

import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from browser import CHROMIUM, Browser
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from fleet import BIN, OWN_AUTHORITY, liar, new_network, one_time, passed
from web import NGINX, PORT, Web, running
from web_console.application import Application

HEALTH_PORT = 8081
VARIABLES = {
    "mtls_product": "nginx",
    **OWN_AUTHORITY,
    "mtls_bundle_path": "{{ inventory_dir }}/bundles",
    "mtls_clients": [{"name": "alice"}, {"name": "bob", "readers": ["linux"]}],
}
#: The programs that manage the databases of browsers.
NSS = shutil.which("pk12util")
WITH_A_BROWSER = pytest.mark.skipif(CHROMIUM is None, reason="no browser (Debian: apt-get install chromium libnss3-tools)")

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian: apt-get install nginx-light)")


@dataclass
class Console(Web):
    """One gateway in front of an application."""

    upstream: str = ""

    def host(self, name: str) -> dict[str, Any]:
        address = self.addresses[name]
        if name == "desk1":
            own = {"mtls_browsers": NSS is not None, "mtls_browser_home": str(self.root / name / "home")}
            return {**super().host(name), **own, "mtls_system_name": "Console"}
        return {
            **super().host(name),
            # Of a process that listens nowhere nothing is asked.
            "mtls_endpoints": [{"name": "https", "port": PORT}, {"name": "watcher", "port": None}],
            # No browser is here, whoever says so.
            "mtls_browsers": NSS is not None,
            "mtls_browser_home": str(self.root / name / "home"),
            "mtls_gateway_upstream": self.upstream,
            "mtls_gateway_listen": [f"{address}:{PORT}"],
            "mtls_gateway_health_listen": f"{address}:{HEALTH_PORT}",
            "mtls_gateway_package": "",
            "mtls_gateway_program": NGINX,
            "mtls_gateway_path": str(self.root / name / "conf.d" / "console.conf"),
        }

    def configure(self, name: str, more: str = "") -> None:
        """What is nginx's own, without any server."""
        (self.root / name / "conf.d").mkdir(exist_ok=True)
        self.write_configuration(name, f"{more} include {self.root / name}/conf.d/*.conf;")

    def curl(self, *options: str, person: str = "", password: str = "", path: str = "/told") -> str:
        """What curl got, as a person with a bundle or with nothing; its complaint otherwise."""
        bundle = self.root / "bundles" / f"{person}.p12"
        config = [f'cert = "{bundle}:{password}"', 'cert-type = "P12"'] if person else []
        ca = self.root / "bundles" / "server_ca.crt"
        command = ["curl", "--silent", "--show-error", "--cacert", str(ca), "--config", "-", *options]
        done = subprocess.run(
            [*command, f"https://{self.addresses['gw1']}:{PORT}{path}"],
            input="\n".join(config),
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
        return done.stdout + done.stderr

    def copies(self) -> list[str]:
        """What is beside the role's file, but for what a transaction keeps."""
        kept = (".before~", ".undone~")
        return [path.name for path in self.written.parent.iterdir() if path != self.written and not path.name.endswith(kept)]

    @property
    def written(self) -> Path:
        """The file of the role."""
        return self.root / "gw1" / "conf.d" / "console.conf"


@pytest.fixture(scope="module")
def application() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Application) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory, application: str) -> Iterator[Console]:
    kinds = {"gw1": "gateway", "desk1": "client"}
    system = Console(tmp_path_factory.mktemp("console"), new_network(), dict(VARIABLES), kinds, upstream=application)
    with running(system):
        for name in system.kinds:
            (system.root / name / "home").mkdir()
        yield system


@pytest.fixture(scope="module")
def passwords(console: Console) -> dict[str, str]:
    """One run from nothing: a server that demands certificates, and bundles for everybody."""
    run, shown = console.play_at_terminal("site")
    passed(run)
    return one_time(shown)


def test_the_application_is_told_who_it_is(console: Console, passwords: dict[str, str]) -> None:
    told = json.loads(console.curl(person="alice", password=passwords["alice"]))
    assert (told["X_CLIENT_VERIFY"], told["X_CLIENT_SUBJECT"]) == ("SUCCESS", "CN=alice")
    shown = ["openssl", "pkcs12", "-in", str(console.root / "bundles" / "alice.p12"), "-passin", "env:WORD", "-nokeys", "-clcerts"]
    certificate = subprocess.run(shown, env={"PATH": "/usr/bin:/bin", "WORD": passwords["alice"]}, capture_output=True, check=True).stdout
    for option, header in (("-fingerprint", "X_CLIENT_FINGERPRINT"), ("-serial", "X_CLIENT_SERIAL")):
        printed = subprocess.run(["openssl", "x509", "-noout", option], input=certificate, capture_output=True, check=True).stdout
        assert printed.decode().strip().rpartition("=")[2].replace(":", "").lower() == told[header].lower()
    assert told["X_FORWARDED_PROTO"] == "https"
    assert "No required SSL certificate was sent" in console.curl()


def test_a_second_run_changes_nothing(console: Console, passwords: dict[str, str]) -> None:
    again = passed(console.play("site"))
    assert again.changed == 0, again.output


FORGED = {
    "X-Client-Subject": "CN=root",
    "x-client-subject": "CN=root",
    "X_Client_Subject": "CN=root",
    "x_client_verify": "SUCCESS",
    "X-Client-Verify": "SUCCESS",
    "X-CLIENT-FINGERPRINT": "ab",
    "X-Client_Serial": "01",
    "X-Forwarded-For": "192.0.2.99",
    "X-Real-Ip": "192.0.2.99",
    "Forwarded": "for=192.0.2.99",
    # A proxy in between would leave out what is named here.
    "Connection": "X-Client-Subject, X-Client-Verify, Upgrade",
    # And with another protocol a client would speak past nginx.
    "Upgrade": "h2c",
}


def forged() -> list[str]:
    return [word for name, value in FORGED.items() for word in ("--header", f"{name}: {value}")]


def test_nobody_says_of_himself_who_he_is(console: Console, passwords: dict[str, str]) -> None:
    told = json.loads(console.curl(*forged(), person="bob", password=passwords["bob"]))
    assert (told["X_CLIENT_VERIFY"], told["X_CLIENT_SUBJECT"]) == ("SUCCESS", "CN=bob")
    assert not [value for value in told.values() if "root" in value or "192.0.2.99" in value]
    assert len(told["X_CLIENT_FINGERPRINT"]) == 40
    assert "UPGRADE" not in told
    websocket = console.curl("--header", "Upgrade: WebSocket", "--header", "Connection: Upgrade", person="bob", password=passwords["bob"])
    assert (json.loads(websocket)["UPGRADE"], json.loads(websocket)["CONNECTION"]) == ("websocket", "upgrade")
    assert told["X_CLIENT_SERIAL"] != "01"


@pytest.mark.parametrize(("version", "spoken"), [("tls1", False), ("tls1_1", False), ("tls1_2", True), ("tls1_3", True)])
def test_only_versions_that_are_still_good_are_spoken(console: Console, passwords: dict[str, str], version: str, spoken: bool) -> None:
    client = ["openssl", "s_client", f"-{version}", "-cipher", "ALL:@SECLEVEL=0", "-connect", f"{console.addresses['gw1']}:{PORT}"]
    done = subprocess.run(client, input="", capture_output=True, text=True, check=False, timeout=20)
    assert ("Server certificate" in done.stdout) is spoken, done.stdout + done.stderr
    assert spoken or "alert protocol version" in done.stderr, "not for want of a cipher on our side"


def test_it_says_that_it_is_alive_and_nothing_else_without_tls(console: Console, passwords: dict[str, str]) -> None:
    def plain(path: str) -> str:
        url = f"http://{console.addresses['gw1']}:{HEALTH_PORT}{path}"
        command = ["curl", "--silent", "--write-out", "%{http_code}", *forged(), url]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=20).stdout

    assert plain("/health") == "ok\n200"
    assert plain("/").endswith("404")


def test_another_application_is_taken_with_a_reload(console: Console, passwords: dict[str, str]) -> None:
    masters = console.masters()
    headers = {"gw1": {"mtls_gateway_headers": {"X-Remote-User": "$ssl_client_s_dn"}}}
    checked = passed(console.play("site", "--check", "--diff", hosts=headers))
    assert "+        proxy_set_header X-Remote-User $ssl_client_s_dn;" in checked.output
    assert "X-Remote-User" not in console.written.read_text()
    passed(console.play("site", hosts=headers))
    told = json.loads(console.curl("--header", "X-Remote-User: CN=root", person="bob", password=passwords["bob"]))
    assert told["X_REMOTE_USER"] == "CN=bob"
    assert "X_CLIENT_SUBJECT" not in told
    passed(console.play("site"))
    assert console.masters() == masters
    assert console.copies() == []


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"mtls_gateway_directives": ["client_max_body_sighs 1m"]}, 'unknown directive "client_max_body_sighs"'),
        # Good by itself, and not beside what else nginx reads.
        ({"mtls_gateway_directives": ["limit_req zone=ours"], "mtls_gateway_validate": False}, 'zero size shared memory zone "ours"'),
        ({"mtls_gateway_upstream": "http://127.0.0.1:80; return 200"}, "must be where the application is"),
        ({"mtls_gateway_headers": {"X-Client": "$remote_addr; return 200"}}, "must be words without quotes"),
    ],
)
def test_what_nginx_refuses_changes_nothing(console: Console, passwords: dict[str, str], given: dict[str, Any], why: str) -> None:
    before = console.written.read_bytes()
    refused = console.play("site", hosts={"gw1": given})
    assert refused.code != 0
    assert why in refused.words, refused.output[-3000:]
    assert console.written.read_bytes() == before
    assert console.copies() == []
    assert json.loads(console.curl(person="bob", password=passwords["bob"]))["X_CLIENT_SUBJECT"] == "CN=bob"


def test_a_gateway_that_does_not_come_up_is_undone(console: Console, passwords: dict[str, str]) -> None:
    """Nothing is wrong with the file by itself: it listens elsewhere, and nobody is served where they were."""
    before, address = console.written.read_bytes(), console.addresses["gw1"]
    given = {"mtls_gateway_listen": [f"{address}:{PORT + 1}"], "mtls_service_timeout": 20}
    planned = passed(console.play("plan", hosts={"gw1": given}))
    assert "its gateway's configuration changes in this run" in planned.words
    failed = console.play("site", hosts={"gw1": given})
    assert failed.code != 0
    assert "This run failed and was undone" in failed.words
    assert f"for new workers at {address}:{PORT}, in vain" in failed.words, failed.output[-5000:]
    assert console.written.read_bytes() == before
    assert json.loads(console.curl(person="bob", password=passwords["bob"]))["X_CLIENT_SUBJECT"] == "CN=bob"


def test_a_gateway_does_not_say_what_is_signed_for_it(console: Console, passwords: dict[str, str]) -> None:
    """Built-in modules run there, too, and what they bring back Ansible takes for the host's own facts."""
    ledger = (console.root / "authority" / "ledger.jsonl").read_bytes()
    lies = {"ansible_python_interpreter": str(liar(console.root, mtls_subject="CN=admin", mtls_authority_host="gw1"))}
    refused = console.play("site", hosts={"gw1": {**lies, "mtls_subject_alt_name": ["DNS:another.example.test"]}})
    assert refused.code != 0
    assert "'gw1' could not be measured: its answers set what only the inventory and this run may set (mtls_" in refused.words
    assert (console.root / "authority" / "ledger.jsonl").read_bytes() == ledger


@pytest.mark.long
def test_the_role_works_without_the_playbooks(console: Console, passwords: dict[str, str]) -> None:
    """As its README shows it; the inventory says nothing of mutual.tls."""
    given = {name.replace("mtls_gateway", "gateway"): value for name, value in console.host("gw1").items() if "gateway" in name}
    others = {
        "gateway_pem_directory": console.host("gw1")["mtls_pem_directory"],
        "gateway_check_command": console.nginx("gw1", "-t"),
        "gateway_reload_command": console.nginx("gw1", "-s", "reload"),
    }
    play = {"hosts": "all", "gather_facts": False, "roles": [{"role": "mutual.tls.gateway", "vars": {**given, **others}}]}
    path = console.root / "own.yml"
    path.write_text(json.dumps([play]), encoding="utf-8")
    interpreter = ["--extra-vars", f"ansible_python_interpreter={sys.executable}"]
    command = [str(BIN / "ansible-playbook"), str(path), "--inventory", "console,", "--connection", "local", *interpreter]

    def own(*more: str) -> str:
        done = subprocess.run([*command, *more], env=console.environment(), capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "changed=0" in own(), "it finds what mutual.tls.site has made of the same"
    own("--extra-vars", '{"gateway_directives": ["add_header X-Served-By gateway always"]}')
    assert "X-Served-By: gateway" in console.curl("--include", person="bob", password=passwords["bob"])
    assert passed(console.play("site")).changed > 0
    assert "X-Served-By" not in console.curl("--include", person="bob", password=passwords["bob"])


@WITH_A_BROWSER
def test_a_browser_sees_the_console_with_the_bundle_only(console: Console, passwords: dict[str, str]) -> None:
    browser = Browser(console.root / "bobs_home")
    browser.start(console.root / "bundles" / "server_ca.crt")
    page = f"https://{console.addresses['gw1']}:{PORT}/"
    assert "No required SSL certificate was sent" in browser.page(page)
    browser.install(console.root / "bundles" / "bob.p12", passwords["bob"])
    assert "Hello CN=bob" in browser.page(page)


@pytest.mark.skipif(NSS is None, reason="no programs of NSS (Debian: apt-get install libnss3-tools)")
def test_a_desktops_browser_has_what_the_desktop_has(console: Console, passwords: dict[str, str]) -> None:
    home = console.root / "desk1" / "home"
    shown = ["certutil", "-L", "-d", f"sql:{home / '.pki' / 'nssdb'}"]
    listed = subprocess.run(shown, capture_output=True, text=True, check=True).stdout
    assert re.search(r"^console +u,u,u", listed, re.MULTILINE), listed
    again = passed(console.play("install_client", "-v"))
    assert again.changed == 0, again.output
    assert list((console.root / "gw1" / "home").iterdir()) == []
    if CHROMIUM is not None:
        page = f"https://{console.addresses['gw1']}:{PORT}/"
        assert "Hello CN=desk1" in Browser(home).page(page), "the server is trusted by what was installed, too"


def test_where_certificates_are_requested_the_application_decides(console: Console, passwords: dict[str, str]) -> None:
    passed(console.play("site", extra={"mtls_client_auth": "requested"}))
    assert json.loads(console.curl(person="bob", password=passwords["bob"]))["X_CLIENT_SUBJECT"] == "CN=bob"
    told = json.loads(console.curl(*forged()))
    assert {name for name in told if name.startswith("X_CLIENT")} == {"X_CLIENT_VERIFY"}
    assert told["X_CLIENT_VERIFY"] == "NONE"


def put_list(console: Console, begun: timedelta) -> None:
    """Put in place the clients' revocation list as it was so long ago: what an authority has, and nginx, that nobody has run since."""
    authority = console.root / "authority"
    key: Any = load_pem_private_key((authority / "clients-1.key.pem").read_bytes(), VARIABLES["mtls_authority_passphrase"].encode())
    path, pem = authority / "clients-1.crl.pem", console.root / "gw1" / "mutual_tls" / "trust.pem"
    former = x509.load_pem_x509_crl(path.read_bytes())
    builder = x509.CertificateRevocationListBuilder().issuer_name(former.issuer)
    since = datetime.now(timezone.utc) - begun
    builder = builder.last_update(since).next_update(since + timedelta(days=30))
    for extension in former.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    for each in former:
        builder = builder.add_revoked_certificate(each)
    made = builder.sign(key, SHA256()).public_bytes(Encoding.PEM)
    assert pem.read_bytes().count(path.read_bytes()) == 1
    pem.write_bytes(pem.read_bytes().replace(path.read_bytes(), made))
    path.write_bytes(made)
    subprocess.run(console.nginx("gw1", "-s", "reload"), check=True, capture_output=True)


@pytest.mark.long
def test_a_list_that_ends_is_told_of_before_it_bites(console: Console, passwords: dict[str, str]) -> None:
    put_list(console, begun=timedelta(days=25))
    planned = passed(console.play("plan"))
    assert "the revocation list ends on" in planned.words
    assert json.loads(console.curl(person="bob", password=passwords["bob"]))["X_CLIENT_SUBJECT"] == "CN=bob"
    put_list(console, begun=timedelta(days=31))
    deadline = time.monotonic() + 20  # nginx reloads when it gets to it
    while "The SSL certificate error" not in console.curl(person="bob", password=passwords["bob"]):
        assert time.monotonic() < deadline, "this is what was told of"
        time.sleep(0.2)
    passed(console.play("site"))
    assert json.loads(console.curl(person="bob", password=passwords["bob"]))["X_CLIENT_SUBJECT"] == "CN=bob"
    planned = passed(console.play("plan"))
    assert "the revocation list ends on" not in planned.words


@pytest.mark.long
def test_all_are_revoked_and_given_new_ones(console: Console, passwords: dict[str, str]) -> None:
    """What a web console's own "revoke" does: nothing that was handed out opens it any more, the server's certificate included."""
    former = (console.root / "bundles" / "bob.p12").read_bytes()
    ca = (console.root / "bundles" / "server_ca.crt").read_bytes()
    run, shown = console.play_at_terminal("rotate", extra={"rotate_to": 2})
    passed(run)
    found = one_time(shown)
    assert json.loads(console.curl(person="bob", password=found["bob"]))["X_CLIENT_SUBJECT"] == "CN=bob"
    assert (console.root / "bundles" / "server_ca.crt").read_bytes() != ca
    (console.root / "bundles" / "former.p12").write_bytes(former)
    assert "The SSL certificate error" in console.curl(person="former", password=passwords["bob"])
    passed(console.play("disable", extra={"mtls_generation": 2}))
    assert json.loads(console.curl())["X_CLIENT_VERIFY"] == "NONE"
