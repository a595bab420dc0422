# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in's RCP: one text line each way after the (TLS) handshake, then PING and PONG on a connection that stays open.

The product's own protocol is not public; what matters here is who may open the connection.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

HANDSHAKE_SECONDS = 10.0
IDLE_SECONDS = 30.0
RETRY_SECONDS = 0.5
PING_SECONDS = 1.0
LONGEST_LINE = 256

log = logging.getLogger("pico")


class RefusedError(Exception):
    """The other side speaks, but not RCP."""


def listen(addresses: list[str], port: int) -> list[socket.socket]:
    """Listening sockets; raises OSError naming the address, with nothing left open."""
    opened: list[socket.socket] = []
    try:
        for address in addresses:
            server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            opened.append(server)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                server.bind((address, port))
            except OSError as error:
                raise OSError(f"cannot listen on {address}:{port}: {error.strerror}") from error
        for server in opened:
            server.listen(128)
    except OSError:
        for server in opened:
            server.close()
        raise
    return opened


def is_local(connection: socket.socket) -> bool:
    """The peer has the address that it reached us under. On loopback each container has its own 127.x.y.z, so this means "same host"."""
    return bool(connection.getpeername()[0] == connection.getsockname()[0])


def read_line(connection: socket.socket) -> str:
    """One line without its end; empty at the end of the stream. Raises RefusedError for what cannot be RCP."""
    data = b""
    while not data.endswith(b"\n"):
        byte = connection.recv(1)
        if not byte:
            return ""
        data += byte
        if len(data) > LONGEST_LINE or not data.isascii():
            raise RefusedError("the other side does not speak plain RCP")
    return data.decode("ascii").strip()


def reason_of(error: BaseException) -> str:
    """The verifier's or the alert's own name where there is one."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return error.reason or str(error)
    return str(error) or type(error).__name__


@dataclass
class Peer:
    """A pico that has connected."""

    name: str
    address: str
    since: float
    connected: bool


class RcpServer:
    """Accepts picos. `contexts` is (for the local host, for others), or None for plain TCP."""

    def __init__(self, pico: str, sockets: list[socket.socket], contexts: tuple[ssl.SSLContext, ssl.SSLContext] | None) -> None:
        self.pico = pico
        self.sockets = sockets
        self.contexts = contexts
        self.peers: dict[str, Peer] = {}

    def start(self) -> None:
        for server in self.sockets:
            threading.Thread(target=self._accept, args=(server,), daemon=True).start()

    def stop(self) -> None:
        for server in self.sockets:
            server.close()

    def _accept(self, server: socket.socket) -> None:
        while server.fileno() >= 0:
            try:
                connection, _address = server.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
            except (OSError, RuntimeError) as error:
                if server.fileno() >= 0:
                    log.warning("rcp accept: %s", error)
                    time.sleep(0.1)

    def _serve(self, raw: socket.socket) -> None:
        who = "unknown"
        connection: socket.socket = raw
        try:
            raw.settimeout(HANDSHAKE_SECONDS)
            who = "{}:{}".format(*raw.getpeername())
            if self.contexts:
                # Certificates are demanded from outside the local host only, hence one context per connection.
                context = self.contexts[0] if is_local(raw) else self.contexts[1]
                # In two steps, because a handshake that fails inside wrap_socket closes the socket before our alert is read.
                connection = context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False)
                connection.do_handshake()
                log.info("rcp tls from %s: %s, client certificate %s", who, connection.version(), _subject(connection))
            self._talk(connection, who)
        except (OSError, ValueError, RefusedError) as error:
            log.warning("rcp refused %s: %s", who, reason_of(error))
            _linger(connection)
        finally:
            connection.close()
            raw.close()

    def _talk(self, connection: socket.socket, who: str) -> None:
        first = read_line(connection)
        if not first:
            log.info("rcp %s left without a word", who)
            return
        word, _blank, name = first.partition(" ")
        if word != "HELLO" or not name:
            raise RefusedError("the first line is not HELLO")
        connection.sendall(f"WELCOME {self.pico}\n".encode())
        log.info("rcp accepted %s from %s", name, who)
        peer = self.peers[name] = Peer(name, who, time.time(), True)
        connection.settimeout(IDLE_SECONDS)
        try:
            while read_line(connection) == "PING":
                connection.sendall(b"PONG\n")
        finally:
            peer.connected = False
            log.info("rcp lost %s from %s", name, who)


def _subject(connection: ssl.SSLSocket) -> str:
    certificate = connection.getpeercert()
    if not certificate:
        return "not asked for"
    subject: Any = certificate.get("subject", ())
    return ", ".join(f"{'CN' if key == 'commonName' else key}={value}" for part in subject for key, value in part)


def _linger(connection: socket.socket) -> None:
    """Let the other side read our alert: closing with unread input makes the kernel send a reset that destroys it."""
    with suppress(OSError, ValueError):
        connection.settimeout(1.0)
        connection.shutdown(socket.SHUT_WR)
        for _try in range(16):
            if not connection.recv(4096):
                break


class RcpClient:
    """Keeps a connection to the Platform. `report(connected, reason)` is told of every attempt's end."""

    def __init__(
        self, pico: str, source: str, platform: tuple[str, int], context: ssl.SSLContext | None, report: Callable[[bool, str], None]
    ) -> None:
        self.pico = pico
        self.source = source
        self.platform = platform
        self.context = context
        self.report = report

    def start(self) -> None:
        threading.Thread(target=self._keep, daemon=True).start()

    def _keep(self) -> None:
        while True:
            try:
                self._hold()
                reason = "the Platform closed the connection"
            except (OSError, ValueError, RefusedError) as error:
                reason = reason_of(error)
            log.warning("rcp no contact with %s:%s: %s", *self.platform, reason)
            self.report(False, reason)
            time.sleep(RETRY_SECONDS)

    def _hold(self) -> None:
        source = None if self.source == "0.0.0.0" else (self.source, 0)
        connection: socket.socket
        with socket.create_connection(self.platform, HANDSHAKE_SECONDS, source) as raw:
            connection = raw
            if self.context:
                connection = self.context.wrap_socket(raw)
            with connection:
                connection.sendall(f"HELLO {self.pico}\n".encode())
                # With TLS 1.3 our handshake succeeds before the server has judged our certificate: only an answer proves anything.
                answer = read_line(connection)
                if not answer.startswith("WELCOME "):
                    raise RefusedError("the Platform closed the connection without an answer" if not answer else "no WELCOME")
                protocol = connection.version() if isinstance(connection, ssl.SSLSocket) else "plain"
                log.info("rcp connected to %s:%s (%s)", *self.platform, protocol)
                self.report(True, "")
                while True:
                    time.sleep(PING_SECONDS)
                    connection.sendall(b"PING\n")
                    if read_line(connection) != "PONG":
                        return
