# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One connection to a server, each byte of which passes through here on its way to OpenSSL."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from typing import Callable, TypeVar

#: Seconds in which an alert would follow the first record after the handshake, and in which a server ends its side.
QUIET = 0.25
#: Bytes of a reply that are read: enough for the error page of a web server.
MAX_REPLY = 8192

_CHANGE_CIPHER_SPEC, _ALERT_RECORD, _HANDSHAKE = 20, 21, 22  # record types: RFC 8446, section 5.1
_CERTIFICATE, _SERVER_HELLO_DONE = 11, 14  # handshake messages: RFC 5246, section 7.4

_T = TypeVar("_T")


class EndedError(Exception):
    """The connection has nothing more to give: ``closed``, ``reset``, ``silent`` (for now) or ``lost``."""

    def __init__(self, how: str, why: str = "") -> None:
        super().__init__(how)
        self.how = how
        self.why = why


class Records:
    """What the server's bytes show without any key: records, and the messages that TLS 1.2 sends in the clear."""

    def __init__(self) -> None:
        #: The server's first bytes, 40 at most.
        self.first = b""
        #: How many records have come whole.
        self.complete = 0
        #: Whether TLS 1.2's ServerHelloDone came: what a server says after it is about what was presented.
        self.hello_done = False
        #: The server's own certificate (DER), where it came in the clear.
        self.certificate: bytes | None = None
        self._pending = bytearray()
        self._messages = bytearray()
        self._encrypted = False

    @property
    def tls(self) -> bool:
        """Whether the server's first bytes are a TLS record: a handshake message or an alert, version 3.x."""
        return len(self.first) > 1 and self.first[0] in (_ALERT_RECORD, _HANDSHAKE) and self.first[1] == 3

    def feed(self, data: bytes) -> None:
        """Take what the server sent next."""
        self.first = (self.first + data[:40])[:40]
        if not self.tls:
            return
        self._pending += data
        while len(self._pending) >= 5:
            end = 5 + int.from_bytes(self._pending[3:5], "big")
            if len(self._pending) < end:
                return
            kind, body = self._pending[0], bytes(self._pending[5:end])
            del self._pending[:end]
            self.complete += 1
            self._encrypted = self._encrypted or kind == _CHANGE_CIPHER_SPEC
            if kind == _HANDSHAKE and not self._encrypted:
                self._read_messages(body)

    def _read_messages(self, body: bytes) -> None:
        self._messages += body
        while len(self._messages) >= 4:
            end = 4 + int.from_bytes(self._messages[1:4], "big")
            if len(self._messages) < end:
                return
            kind, message = self._messages[0], bytes(self._messages[4:end])
            del self._messages[:end]
            self.hello_done = self.hello_done or kind == _SERVER_HELLO_DONE
            if kind == _CERTIFICATE and len(message) > 6:  # a list's length, then each certificate's: three bytes each
                self.certificate = message[6 : 6 + int.from_bytes(message[3:6], "big")]


class Connection:
    """A socket with OpenSSL beside it: each byte passes through here."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, server_name: str | None, timeout: float) -> None:
        self.heard = Records()
        # What the handshake came to: OpenSSL forgets it when an alert comes.
        self.finished = False
        self.protocol: str | None = None
        self.cipher: str | None = None
        self.certificate: bytes | None = None
        self._socket = sock
        self._deadline = time.monotonic() + timeout
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)

    def shake_hands(self) -> None:
        """Make the handshake. Raises EndedError, or OpenSSL's own SSLError."""
        while self._step(self._handshake) is None:
            self._receive(self._deadline - time.monotonic())
        cipher = self._tls.cipher()
        self.finished = True
        self.protocol = self._tls.version()
        self.cipher = cipher[0] if cipher else None
        self.certificate = self._tls.getpeercert(binary_form=True)

    def read(self, seconds: float) -> bytes | None:
        """Data of the application, b"" for a close_notify, or None when records came that carry no data, such as tickets.

        Raises EndedError, ``silent`` after *seconds*, or OpenSSL's own SSLError.
        """
        until = time.monotonic() + seconds
        complete = self.heard.complete
        while True:
            data = self._step(lambda: self._tls.read(MAX_REPLY))
            if data is not None or self.heard.complete > complete:
                return data
            self._receive(until - time.monotonic())

    def write(self, data: bytes) -> None:
        """Send data of the application. Raises OpenSSL's own SSLError."""
        self._step(lambda: self._tls.write(data))

    def close(self) -> None:
        """Say goodbye with a close_notify where that is possible, so that a server has no error to log."""
        with contextlib.suppress(ssl.SSLError, OSError, ValueError):
            self._step(self._tls.unwrap)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            # Unread bytes at close() make the kernel send a reset, which servers log as an error.
            until = time.monotonic() + QUIET
            while time.monotonic() < until:
                self._socket.settimeout(max(0.001, until - time.monotonic()))
                if not self._socket.recv(65536):
                    break

    def _handshake(self) -> bool:
        self._tls.do_handshake()
        return True

    def _step(self, step: Callable[[], _T]) -> _T | None:
        """Let OpenSSL do one step and send what it has to say; None when it must hear more first."""
        try:
            return step()
        except ssl.SSLWantReadError:
            return None
        finally:
            self._flush()

    def _flush(self) -> None:
        data = self._outgoing.read()
        if not data:
            return
        # A server that refused and went makes sending fail, while its alert still waits to be read: reading decides.
        with contextlib.suppress(OSError):
            self._socket.settimeout(max(0.001, self._deadline - time.monotonic()))
            self._socket.sendall(data)

    def _receive(self, seconds: float) -> None:
        if seconds <= 0:
            raise EndedError("silent")
        self._socket.settimeout(seconds)
        try:
            data = self._socket.recv(65536)
        except socket.timeout as error:
            raise EndedError("silent") from error
        except ConnectionError as error:
            raise EndedError("reset") from error
        except OSError as error:
            raise EndedError("lost", error.strerror or str(error)) from error
        if not data:
            raise EndedError("closed")
        self.heard.feed(data)
        self._incoming.write(data)
