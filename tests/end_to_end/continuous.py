# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that never stop connecting, as an Execution container does to the Platform, and count how that ends.

Each has the identity and the trust that its container's process has: those of the keystore at the moment when that process started. A
desktop has no process, and reads its keystore whenever that was written.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import time
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fleet import PASSWORD
from loopback import Loopback

from ansible_collections.mutual.tls.plugins.module_utils import keystore as stores

#: 10 connections a second.
_EVERY_SECONDS = 0.1
#: A server that goes down may still answer somebody, and one that comes up may fail once more. A client that is down itself does not try.
_ONE_GAP = 30


@dataclass(frozen=True)
class Attempt:
    """One connection, from nothing to the Platform's answer."""

    #: When it began, by the monotonic clock.
    begun: float
    #: Why there was no answer; None when there was one.
    failure: str | None


class ContinuousClient:
    """Connects to one server again and again from one member's address, as long as that member's process runs."""

    def __init__(self, loopback: Loopback, member: str, server: str = "platform1") -> None:
        self.server = server
        self.attempts: list[Attempt] = []
        self._loopback = loopback
        self._member = member
        self._process: str | None = None
        self._context: ssl.SSLContext | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._connect_again_and_again, daemon=True)

    def __enter__(self) -> ContinuousClient:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def name(self) -> str:
        """Who connects to whom."""
        return f"{self._member} -> {self.server}"

    @property
    def refused(self) -> list[str]:
        """Every refusal by either side, in words: not that the server was down."""
        return [attempt.failure for attempt in list(self.attempts) if attempt.failure is not None and "SSL" in attempt.failure]

    @property
    def gaps(self) -> int:
        """How many times the server was down: failures less than half a minute apart are one."""
        failed = [attempt.begun for attempt in list(self.attempts) if attempt.failure is not None]
        return sum(later - sooner > _ONE_GAP for sooner, later in zip([-_ONE_GAP * 2, *failed], failed))

    def between(self, begin: float, end: float) -> list[Attempt]:
        """The attempts that began in this time."""
        return [attempt for attempt in list(self.attempts) if begin <= attempt.begun < end]

    def _connect_again_and_again(self) -> None:
        while not self._ended.wait(_EVERY_SECONDS):
            process = self._running()
            if process is None:
                continue
            begun = time.monotonic()
            try:
                if process != self._process:
                    self._context = self._loaded()
                    self._process = process
                self._connect()
            except (OSError, ValueError) as error:
                self.attempts.append(Attempt(begun, f"{type(error).__name__}: {error}"))
            else:
                self.attempts.append(Attempt(begun, None))

    def _running(self) -> str | None:
        """The process id of the container's pico; None when it does not run. Of a desktop, when its keystore was written."""
        if self._member not in self._loopback.endpoints:
            store = self._loopback.store(self._member)
            return str(store.stat().st_mtime_ns) if store.exists() else "no keystore"
        with contextlib.suppress(OSError, ValueError, IndexError):
            process = self._loopback.processes()[self._loopback.endpoints[self._member][0]["name"]]
            os.kill(int(process), 0)
            return process
        return None

    def _loaded(self) -> ssl.SSLContext | None:
        """The identity and the trust in the container's keystore; None when it has none yet, and connects without TLS."""
        keystore = self._loopback.store(self._member)
        if not keystore.exists():
            return None
        store = stores.parse_store(keystore.read_bytes(), PASSWORD)
        entry = store.key_entry(None)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cadata="".join(map(_pem, store.anchors())))
        key = entry.private_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        identity = self._loopback.root / f"{self._member}.{self.server}.pem"  # there is no other way into a context
        identity.touch(0o600)
        identity.write_text(key + _pem(entry.chain[0]), encoding="ascii")
        context.load_cert_chain(identity)
        identity.unlink()
        return context

    def _connect(self) -> None:
        addresses = self._loopback.addresses
        port = self._loopback.endpoints[self.server][0]["port"]
        with contextlib.ExitStack() as stack:
            stream: socket.socket = stack.enter_context(
                socket.create_connection((addresses[self.server], port), timeout=10, source_address=(addresses[self._member], 0))
            )
            if self._context is not None:
                stream = stack.enter_context(self._context.wrap_socket(stream))
            stream.sendall(f"HELLO {self._member} again\n".encode())
            if not stream.recv(100).startswith(b"WELCOME"):
                raise ConnectionResetError("the server closed the connection without an answer")


def _pem(certificate: bytes) -> str:
    return x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM).decode()
