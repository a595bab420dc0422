# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Platform's web port: a page, the topology registry for Execution Containers, and the list of picos. JSON over HTTP or HTTPS.

How the product's own synchronisation looks is not public; that it uses the web port is. There is no login here.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TIMEOUT_SECONDS = 10.0
PAGE = b"<!DOCTYPE html><title>MediationZone stand-in</title><h1>MediationZone stand-in</h1>\n"

# (method, path) -> what answers, given the request's JSON.
Routes = dict[tuple[str, str], Callable[[Any], Any]]


class PlatformAwayError(Exception):
    """Nobody answers at the Platform's web port."""


class _Handler(BaseHTTPRequestHandler):
    server: WebServer
    server_version = "MediationZoneStandIn"
    sys_version = ""
    timeout = TIMEOUT_SECONDS

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Requests are not logged: a topo set may carry what its sender should not have sent."""

    def _answer(self, method: str) -> None:
        route = self.server.routes.get((method, self.path))
        if route is None:
            found = method == "GET" and self.path in ("/", "/launch/desktop")
            self._send(200 if found else 404, "text/html", PAGE if found else b"not found\n")
            return
        try:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "null")
            answer = json.dumps(route(body)).encode()
        except (ValueError, TypeError, KeyError) as error:
            self._send(400, "text/plain", f"{error}\n".encode())
            return
        self._send(200, "application/json", answer)

    def _send(self, code: int, kind: str, content: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")


class WebServer(ThreadingHTTPServer):
    """Serves on a socket that already listens."""

    daemon_threads = True

    def __init__(self, listening: socket.socket, context: ssl.SSLContext | None, routes: Routes) -> None:
        super().__init__(listening.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.context = context
        self.routes = routes

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 60}, daemon=True).start()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Runs in the connection's own thread, so a slow handshake keeps nobody waiting."""
        request.settimeout(TIMEOUT_SECONDS)
        if self.context is None:
            super().finish_request(request, client_address)
            return
        with self.context.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)
            with suppress(OSError, ValueError):
                secured.unwrap()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A scanner or a failed handshake is not worth a traceback."""


def ask(platform: tuple[str, int], secure_first: bool, method: str, path: str, body: Any = None) -> Any:
    """One question to the Platform. Raises PlatformAwayError.

    Both protocols are tried: the asker's copy of the topology may be older than the switch to HTTPS. The server's certificate is not
    verified, because what the product's mzsh verifies is not documented.
    """
    reason = ""
    for secure in (secure_first, not secure_first):
        connection = _connection(*platform, secure)
        try:
            connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read()
            if response.status == http.HTTPStatus.OK:
                return json.loads(content)
            reason = f"HTTP {response.status}"
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = str(error) or type(error).__name__
        finally:
            connection.close()
    raise PlatformAwayError(f"cannot reach the Platform at {platform[0]}:{platform[1]}: {reason}")


def _connection(host: str, port: int, secure: bool) -> http.client.HTTPConnection:
    if not secure:
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS / 2)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS / 2, context=context)
