# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One handshake with a server, and what follows it: who accepted or refused whom, and why."""

from __future__ import annotations

import re
import socket
import ssl
import time
from dataclasses import dataclass

from ansible_collections.mutual.tls.plugins.module_utils.tls.connection import MAX_REPLY, QUIET, Connection, EndedError, Records

#: Seconds to wait after the handshake for a server that says nothing.
SETTLE = 1.0

# OpenSSL names an alert that it received after the version that brought it, and only alerts are named so (sslerr.h, 1000 and
# above): SSLV3_ALERT_BAD_CERTIFICATE, TLSV1_UNRECOGNIZED_NAME, TLSV13_ALERT_CERTIFICATE_REQUIRED.
_ALERT = re.compile(r"(?:SSLV3|TLSV1|TLSV13)_(?:ALERT_)?([A-Z0-9_]+)$")
_ALERT_SPELLINGS = {"user_cancelled": "user_canceled"}

# nginx completes every handshake and refuses in HTTP, with these two sentences (ngx_http_special_response.c, 495 and 496).
_HTTP_REFUSAL = re.compile(rb"HTTP/1\.[01] (\d{3}).*?(No required SSL certificate was sent|The SSL certificate error)", re.DOTALL)


@dataclass(frozen=True)
class Ending:
    """How a handshake ended; the fields are those of ``probes.Outcome``, and one more."""

    outcome: str
    refused_by: str | None = None
    reason: str | None = None
    judged: bool = True
    #: Refused in an HTTP answer, after a handshake that succeeded.
    in_http: bool = False


@dataclass(frozen=True)
class Encounter:
    """All that was learnt from one connection."""

    ending: Ending
    connected: bool = True
    #: Whether the server speaks TLS.
    tls: bool = False
    protocol: str | None = None
    cipher: str | None = None
    #: The server's certificate (DER), where it was seen.
    certificate: bytes | None = None


_ACCEPTED = Ending("accepted")


def meet(
    host: str,
    port: int,
    context: ssl.SSLContext,
    server_name: str | None,
    timeout: float,
    source_address: str | None,
    send: bytes | None,
    settle: float,
) -> Encounter:
    """Connect to a server as the client that *context* is, and stay until it has shown whether it takes us.

    *server_name* is indicated to it, or *host* where there is none. *timeout* seconds are for the connection, and as many for the
    handshake; *settle* seconds for a server that says nothing after it. *send* is written once the server has taken us.
    """
    source = (source_address, 0) if source_address else None
    try:
        sock = socket.create_connection((host, port), timeout, source_address=source)
    except (OSError, UnicodeError, OverflowError) as error:
        return Encounter(Ending("unreachable", reason=_no_connection(error, timeout, source_address)), connected=False)
    with sock:
        connection = Connection(sock, context, server_name or _indication(host), timeout)
        try:
            ending = _introduce(connection, timeout) or _settle(connection, settle)
            if ending.outcome == "accepted" and send:
                ending = _ask(connection, send, settle)
        finally:
            connection.close()
        return _encounter(connection, ending)


def _encounter(connection: Connection, ending: Ending) -> Encounter:
    heard = connection.heard
    if connection.finished:
        return Encounter(ending, tls=True, protocol=connection.protocol, cipher=connection.cipher, certificate=connection.certificate)
    # Python tells nothing of a handshake that failed. With TLS 1.2 the certificate was in the clear, and only TLS 1.2 has
    # the message ServerHelloDone.
    return Encounter(ending, tls=heard.tls, protocol="TLSv1.2" if heard.hello_done else None, certificate=heard.certificate)


def _indication(host: str) -> str | None:
    """The name to indicate to the server (SNI, RFC 6066 section 3), as ordinary clients do; Python leaves addresses out."""
    name = host.rstrip(".")
    try:
        name.encode("idna")
    except UnicodeError:
        return None
    return None if not name or name.startswith(".") or ":" in name else name


def _no_connection(error: Exception, timeout: float, source_address: str | None) -> str:
    late = isinstance(error, socket.timeout)
    why = f"no connection within {timeout:g} s" if late else getattr(error, "strerror", None) or str(error)
    return f"{why} (from {source_address})" if source_address else why


def _introduce(connection: Connection, timeout: float) -> Ending | None:
    """Make the handshake: how it failed, or None when it is complete on our side."""
    heard = connection.heard
    try:
        connection.shake_hands()
    except ssl.SSLError as error:
        return _ending_of(error, judged=heard.hello_done) if heard.tls else _not_tls(heard)
    except EndedError as over:
        if over.how == "lost":
            return Ending("unreachable", reason=f"the connection was lost during the handshake: {over.why}")
        if over.how == "silent":
            # A program that hangs and one that waits for another protocol's greeting look the same.
            what = "the handshake was not finished" if heard.tls else "no answer to the TLS greeting"
            return Ending("unreachable", reason=f"{what} within {timeout:g} s")
        if not heard.tls:
            return _not_tls(heard)
        how = {"closed": "connection closed", "reset": "connection reset"}[over.how]
        return Ending("refused", "server", f"{how} during the handshake", judged=heard.hello_done)
    return None


def _not_tls(heard: Records) -> Ending:
    if not heard.first:
        return Ending("not_tls", reason="the connection was closed before any TLS record came")
    start = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in heard.first)
    return Ending("not_tls", reason=f"the answer is not TLS, it starts with {start!r}")


def _ending_of(error: ssl.SSLError, judged: bool) -> Ending:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Ending("refused", "client", error.verify_message)
    alert = alert_name(error)
    if alert:
        return Ending("refused", "server", alert, judged=judged)
    return Ending("refused", "client", (error.reason or str(error)).replace("_", " ").lower())


def _settle(connection: Connection, settle: float) -> Ending:
    """After our Finished: does the server take us?

    An alert refuses. Data accepts, and so does TLS 1.2's handshake, which ends with the server's word. A ticket (RFC 8446,
    section 4.6.1) accepts, because a server that asks for a certificate makes it from our last message. A server that
    leaves the connection open and says nothing has accepted. One that hangs up before it showed that it took us, in
    whatever form, has not: servers that judge identities above TLS refuse in that way.
    """
    if connection.protocol != "TLSv1.3":
        return _ACCEPTED
    # What came together with the server's Finished was sent before it had our certificate, so it shows nothing.
    before = connection.heard.complete
    taken = False
    until = time.monotonic() + settle
    try:
        while True:
            data = connection.read(until - time.monotonic())
            if data:
                return _ACCEPTED
            if data is not None:  # the close_notify is itself one of the records
                showed = connection.heard.complete - before > 1
                return _ACCEPTED if showed else Ending("refused", "server", "close_notify after the handshake")
            if not taken:
                taken = True
                until = time.monotonic() + QUIET
    except ssl.SSLError as error:
        return _ending_of(error, judged=True)
    except EndedError as over:
        if over.how == "silent" or connection.heard.complete > before:
            return _ACCEPTED
        return _hung_up(over)


def _hung_up(over: EndedError) -> Ending:
    if over.how == "lost":
        return Ending("unreachable", reason=f"the connection was lost after the handshake: {over.why}")
    how = {"closed": "connection closed", "reset": "connection reset"}[over.how]
    return Ending("refused", "server", f"{how} after the handshake")


def _ask(connection: Connection, send: bytes, settle: float) -> Ending:
    """Write *send* to a server that accepted, and look into its reply for a refusal that it had left until then."""
    reply = b""
    try:
        connection.write(send)
        while len(reply) < MAX_REPLY:
            data = connection.read(QUIET if reply else settle)
            if data == b"":
                break
            reply += data or b""
    except ssl.SSLError as error:
        late = _ending_of(error, judged=True)
        return late if late.refused_by == "server" else _ACCEPTED
    except EndedError:
        pass  # It took us before; how it ends a conversation that it may not understand is no refusal.
    refusal = _HTTP_REFUSAL.match(reply)
    if refusal:
        status, sentence = refusal.group(1).decode("ascii"), refusal.group(2).decode("ascii")
        return Ending("refused", "server", f"HTTP {status}: {sentence}", in_http=True)
    return _ACCEPTED


def alert_name(error: ssl.SSLError) -> str | None:
    """The alert (RFC 8446, section 6) that the peer sent, or None when *error* is not about an alert."""
    # Python knows the names of the OpenSSL that it was built with; a newer one's are in the text only.
    words = error.reason or _upper_snake(str(error))
    found = _ALERT.search(words)
    if not found:
        return None
    name = found.group(1).lower()
    return _ALERT_SPELLINGS.get(name, name)


def _upper_snake(text: str) -> str:
    """``[SSL] tlsv13 alert certificate required (_ssl.c:1)`` as ``TLSV13_ALERT_CERTIFICATE_REQUIRED``."""
    return "_".join(re.sub(r"\[.*?\]|\(_ssl.*?\)", " ", text).upper().split())
