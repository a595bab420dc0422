# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Web servers on loopback addresses: nginx as an ordinary process, and people who connect to it all the time."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12
from fleet import PASSWORD, Fleet, Run

PORT = 8443
#: 10 connections a second.
_EVERY_SECONDS = 0.1
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
NGINX = shutil.which("nginx", path=_PATH)
AnyWeb = TypeVar("AnyWeb", bound="Web")

#: What an ordinary user's nginx needs beside what Debian's has, and one block.
_CONFIGURATION = """
pid {root}/nginx.pid;
error_log {root}/error.log info;
worker_processes 2;
events {{ worker_connections 256; }}
http {{
  access_log {root}/access.log;
  client_body_temp_path {root}/body;
  proxy_temp_path {root}/proxy;
  fastcgi_temp_path {root}/fastcgi;
  uwsgi_temp_path {root}/uwsgi;
  scgi_temp_path {root}/scgi;
  {block}
}}
"""
_SERVER = """
  # What an administrator may well have set for the whole server: nobody who was revoked may profit by it.
  ssl_session_cache shared:SSL:1m;
  ssl_session_tickets off;
  server {{
    listen {address}:{port} ssl;
    include {root}/mutual_tls/nginx.conf;{more}
    location / {{ return 200 "hello $ssl_client_s_dn, session $ssl_session_reused\\n"; }}
  }}
"""


@dataclass
class Web(Fleet):
    """Two gateways, and three people with certificates."""

    kinds: dict[str, str] = field(
        default_factory=lambda: {"gw1": "gateway", "gw2": "gateway", "alice": "client", "bob": "client", "carol": "client"}
    )

    @property
    def gateways(self) -> list[str]:
        """The members that are servers."""
        return [name for name, kind in self.kinds.items() if kind == "gateway"]

    def host(self, name: str) -> dict[str, Any]:
        """The inventory's entry of one member."""
        home = self.root / name
        if self.kinds[name] == "client":
            return {**super().host(name), "mtls_keystore_path": str(home / "keys")}
        return {
            **super().host(name),
            "mtls_endpoints": [{"name": "https", "port": PORT}],
            "mtls_pem_directory": str(home / "mutual_tls"),
            "mtls_nginx_check_command": self.nginx(name, "-t"),
            # What systemctl reload-or-restart does.
            "mtls_nginx_reload_command": ["sh", str(home / "reload_or_start")],
        }

    def nginx(self, name: str, *options: str) -> list[str]:
        """The command line of one gateway's nginx."""
        assert NGINX is not None
        return [NGINX, "-p", str(self.root / name), "-e", str(self.root / name / "start.log"), "-c", "nginx.conf", *options]

    def start(self) -> None:
        """Make everybody's home, and the gateways' configurations; nothing runs yet."""
        for name in self.kinds:
            home = self.root / name
            home.mkdir(parents=True)
            if name in self.gateways:
                self.configure(name)
                start, reload = (" ".join(f"'{word}'" for word in self.nginx(name, *more)) for more in ((), ("-s", "reload")))
                (home / "reload_or_start").write_text(
                    f"if kill -0 $(cat {home}/nginx.pid 2>/dev/null) 2>/dev/null; then exec {reload}; fi\nexec {start}\n", encoding="utf-8"
                )

    def configure(self, name: str, more: str = "") -> None:
        """Write one gateway's own configuration, which includes what the collection writes."""
        self.write_configuration(name, _SERVER.format(root=self.root / name, address=self.addresses[name], port=PORT, more=more))

    def write_configuration(self, name: str, block: str) -> None:
        """Write one gateway's configuration with that *block* as what it serves."""
        home = self.root / name
        (home / "nginx.conf").write_text(_CONFIGURATION.format(root=home, block=block), encoding="utf-8")

    def stop(self) -> None:
        """Stop every nginx that runs."""
        for name in self.gateways:
            if (self.root / name / "nginx.pid").exists():
                subprocess.run(self.nginx(name, "-s", "stop"), check=False, capture_output=True, timeout=30)

    @property
    def report(self) -> Path:
        """Where play_and_report() has the matrix written."""
        return self.root / "matrix.json"

    def play_and_report(self, playbook: str, *, hosts: dict[str, dict[str, Any]] | None = None, **extra: Any) -> Run:
        """A run with these variables that writes its matrix down."""
        return self.play(playbook, hosts=hosts, extra={"mtls_report_path": str(self.report), **extra})

    def outcomes(self) -> set[tuple[str, str, str]]:
        """(client, server, outcome) of each row of the last matrix."""
        rows = json.loads(self.report.read_text(encoding="utf-8"))["links"]
        return {(row["client"], row["server"], row["outcome"]) for row in rows}

    def store(self, name: str) -> Path:
        """The member's keystore."""
        return self.root / name / ("mutual_tls/keys" if name in self.gateways else "keys")

    def masters(self) -> dict[str, str]:
        """Gateway -> the process id of its nginx: another one is a restart."""
        return {name: (self.root / name / "nginx.pid").read_text(encoding="ascii").strip() for name in self.gateways}


@dataclass(frozen=True)
class Attempt:
    """One request."""

    begun: float
    #: The server's answer, its first line and its body; None when there was none.
    answer: str | None
    #: Why there was none.
    failure: str | None = None

    @property
    def accepted(self) -> bool:
        """Whether the server answered as it does to somebody whom it takes."""
        return self.answer is not None and "hello CN=" in self.answer


class Person:
    """Connects to one gateway again and again, with what its keystore holds at the moment, and remembers how that ended."""

    def __init__(self, web: Web, name: str, gateway: str) -> None:
        self.attempts: list[Attempt] = []
        self.name = name
        self._web, self._gateway = web, gateway
        self._loaded: tuple[int, ssl.SSLContext] | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._again_and_again, daemon=True)

    def __enter__(self) -> Person:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ended.set()
        self._thread.join()

    def since(self, moment: float) -> list[Attempt]:
        """The attempts that began later."""
        return [attempt for attempt in list(self.attempts) if attempt.begun >= moment]

    def _again_and_again(self) -> None:
        while not self._ended.wait(_EVERY_SECONDS):
            self.attempts.append(self.attempt())

    def attempt(self) -> Attempt:
        """One request, from nothing to the answer."""
        begun = time.monotonic()
        try:
            return Attempt(begun, self._request())
        except OSError as error:
            return Attempt(begun, None, f"{type(error).__name__}: {error}")

    def _request(self) -> str:
        addresses = self._web.addresses
        source = (addresses[self.name], 0)
        server = addresses[self._gateway]
        with (
            socket.create_connection((server, PORT), timeout=10, source_address=source) as plain,
            self.context().wrap_socket(plain, server_hostname=server) as stream,
        ):
            stream.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b""
            while True:
                with contextlib.suppress(ssl.SSLEOFError):
                    data = stream.recv(4096)
                    if data:
                        answer += data
                        continue
                break
            if not answer:
                raise ConnectionResetError("the server closed the connection without an answer")
            return answer.decode("utf-8", "replace")

    def context(self) -> ssl.SSLContext:
        """Identity and trust, as the keystore has them; the cryptography package reads it."""
        store = self._web.store(self.name)
        written = store.stat().st_mtime_ns
        if self._loaded is None or self._loaded[0] != written:
            found = pkcs12.load_pkcs12(store.read_bytes(), PASSWORD.encode())
            assert found.key is not None and found.cert is not None
            others = [each.certificate.public_bytes(Encoding.PEM).decode() for each in found.additional_certs]
            between = [each.certificate for each in found.additional_certs if each.certificate.issuer != each.certificate.subject]
            own = "".join(each.public_bytes(Encoding.PEM).decode() for each in [found.cert.certificate, *between])
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(cadata="".join(others))
            key = found.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
            path = self._web.root / f"{self.name}.{self._gateway}.pem"  # there is no other way into a context
            path.touch(0o600)
            path.write_text(key + own, encoding="ascii")
            context.load_cert_chain(path)
            path.unlink()
            self._loaded = written, context
        return self._loaded[1]


@contextlib.contextmanager
def connecting(web: Web, *names: str) -> Iterator[list[Person]]:
    """Each of these people, connecting to each gateway until the block ends."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Person(web, name, gateway)) for name in names for gateway in web.gateways]


@contextlib.contextmanager
def running(system: AnyWeb) -> Iterator[AnyWeb]:
    """The system, from the first configuration until all of its servers are stopped."""
    system.start()
    try:
        yield system
    finally:
        system.stop()


def refusals(people: list[Person], since: float) -> list[str]:
    """Every attempt since then that did not end as it should, in words."""
    return [
        f"{person.name}: {attempt.failure or attempt.answer}"
        for person in people
        for attempt in person.since(since)
        if not attempt.accepted
    ]
