# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers to make handshakes with, that Python's ssl and OpenSSL run, and what they do with those who come."""

from __future__ import annotations

import os
import re
import select
import socket
import ssl
import struct
import subprocess
import threading
import time
from pathlib import Path


class TcpServer:
    """A server in a thread that does *behave* with each connection, and keeps what went wrong there."""

    def __init__(self, behave) -> None:
        self.errors: list[Exception] = []
        self.peers: list[str] = []
        self._behave = behave
        self._stop = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(0.05)
        self.port = self._listening.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                connection, peer = self._listening.accept()
            except socket.timeout:
                continue
            self.peers.append(peer[0])
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(5)
            try:
                self._behave(connection)
            except OSError as error:
                self.errors.append(error)

    def __enter__(self) -> TcpServer:
        self._threads[0].start()
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        self._threads[0].join()
        for thread in self._threads[1:]:
            thread.join()
        self._listening.close()


def until_the_client_leaves(connection: ssl.SSLSocket) -> None:
    while connection.recv(4096):
        pass
    connection.unwrap()


def greets_first(connection: ssl.SSLSocket) -> None:
    connection.sendall(b"hello")
    until_the_client_leaves(connection)


def resets(connection: ssl.SSLSocket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def hangs_up(connection: ssl.SSLSocket) -> None:
    os.close(connection.detach())


def says_goodbye(connection: ssl.SSLSocket) -> None:
    connection.unwrap()


class TlsServer(TcpServer):
    """Python's ssl as a server; *client_auth* is an ssl.CERT_... value."""

    def __init__(
        self, files: Path, version="TLSv1.3", client_auth=ssl.CERT_REQUIRED, tickets=2, then=until_the_client_leaves, ciphers=None
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files / "cert.pem", files / "key.pem")
        context.load_verify_locations(files / "ca.pem")
        context.verify_mode = client_auth
        context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version.replace(".", "_"))
        context.num_tickets = tickets
        if ciphers:
            context.set_ciphers(ciphers)

        def behave(connection: socket.socket) -> None:
            with context.wrap_socket(connection, server_side=True) as secured:
                then(secured)

        super().__init__(behave)


class SServer:
    """openssl s_server, which says what it saw of its clients."""

    def __init__(self, files: Path, version: str, *options: str, connections: int) -> None:
        flag = {"TLSv1.2": "-tls1_2", "TLSv1.3": "-tls1_3"}[version]
        self._process = subprocess.Popen(
            [
                "openssl",
                "s_server",
                "-accept",
                "127.0.0.1:0",
                "-cert",
                "cert.pem",
                "-key",
                "key.pem",
                "-cert_chain",
                "cert.pem",
                "-CAfile",
                "ca.pem",
                flag,
                "-naccept",
                str(connections),
                *options,
            ],
            cwd=files,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.output = b""
        self.port = int(self._read_until(rb"ACCEPT 127\.0\.0\.1:(\d+)").group(1))

    def _read_until(self, pattern: bytes) -> re.Match[bytes]:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            found = re.search(pattern, self.output)
            if found:
                return found
            if select.select([self._process.stdout], [], [], 0.1)[0]:
                self.output += os.read(self._process.stdout.fileno(), 65536)
        raise AssertionError(f"no {pattern!r} in: {self.output!r}")

    def __enter__(self) -> SServer:
        return self

    def __exit__(self, *_) -> None:
        """What it wrote is in *output* then. It ends by itself after its last connection, else by its process id."""
        try:
            self._process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self.output += self._process.communicate()[0]


def never_writes(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as once:
        return once.getsockname()[1]
