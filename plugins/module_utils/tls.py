# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handshakes really made: who is accepted, who is refused, by whom and why.

With TLS 1.3 a refused client sees its own handshake succeed: its certificate travels in its last message, and the
refusal comes after it (RFC 8446, section 2 and appendix E.1.2). So a probe listens on after the handshake, and the
socket's bytes are read here rather than by OpenSSL, because only they tell a server that took us (it sends tickets)
from one that hung up.

The ciphers, versions and security level are those of the host's OpenSSL, as its administrator set them.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import secrets
import socket
import ssl
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Callable, TypeVar

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.crypto import NameOID, serialization
from ansible_collections.mutual.tls.plugins.module_utils.crypto import x509 as crypto_x509
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, TrustError

if TYPE_CHECKING:
    from ansible_collections.mutual.tls.plugins.module_utils.entries import SigningKey

#: Seconds to wait after the handshake for a server that says nothing.
SETTLE = 1.0
#: Seconds in which an alert would follow the first record after the handshake, and in which a server ends its side.
QUIET = 0.25
#: Bytes of a reply that are read: enough for the error page of a web server.
MAX_REPLY = 8192

# X509_V_FLAG_PARTIAL_CHAIN of OpenSSL's x509_vfy.h, which Python's ssl names from 3.10 on only. With it every trusted
# certificate is an anchor by itself, as in Java; without it OpenSSL wants a self-signed one at the end of each chain.
_PARTIAL_CHAIN = 0x80000

# OpenSSL names an alert that it received after the version that brought it, and only alerts are named so (sslerr.h, 1000 and
# above): SSLV3_ALERT_BAD_CERTIFICATE, TLSV1_UNRECOGNIZED_NAME, TLSV13_ALERT_CERTIFICATE_REQUIRED.
_ALERT = re.compile(r"(?:SSLV3|TLSV1|TLSV13)_(?:ALERT_)?([A-Z0-9_]+)$")
_ALERT_SPELLINGS = {"user_cancelled": "user_canceled"}

# What servers say to a client that presents nothing: OpenSSL and Java 25 the first with TLS 1.3 and the second with TLS 1.2,
# Java 17 the third with both; the last is what older libraries sent.
_DEMANDS = frozenset({"certificate_required", "handshake_failure", "bad_certificate", "no_certificate"})

# nginx completes every handshake and refuses in HTTP, with these two sentences (ngx_http_special_response.c, 495 and 496).
_HTTP_REFUSAL = re.compile(rb"HTTP/1\.[01] (\d{3}).*?(No required SSL certificate was sent|The SSL certificate error)", re.DOTALL)

_CHANGE_CIPHER_SPEC, _ALERT_RECORD, _HANDSHAKE = 20, 21, 22  # record types: RFC 8446, section 5.1
_CERTIFICATE, _SERVER_HELLO_DONE = 11, 14  # handshake messages: RFC 5246, section 7.4

_T = TypeVar("_T")


@dataclass(frozen=True)
class Identity:
    """What a client presents: a private key and its certificates (DER, leaf first)."""

    key: SigningKey = field(repr=False)
    chain: Sequence[bytes] = field(repr=False)


@dataclass(frozen=True)
class Probe:
    """One handshake to be made, and what is expected of it."""

    name: str
    host: str
    port: int
    #: The name (or address) that the server's certificate must have; None: names are not checked.
    server_name: str | None = None
    #: None presents nothing.
    identity: Identity | None = None
    #: Certificates (DER); each is an anchor by itself, leaf or CA.
    trusted: Sequence[bytes] = field(default=(), repr=False)
    #: ``accepted`` or ``refused``
    expect: str = "accepted"
    #: Bytes written once the server has taken us, such as an HTTP request.
    send: bytes | None = field(default=None, repr=False)
    #: Seconds for the connection (to each address that the host's name has), and as many for the handshake.
    timeout: float = 10
    source_address: str | None = None


@dataclass(frozen=True)
class Outcome:
    """How a probe ended.

    ``accepted``; ``refused``, by whom and why; ``not_tls``: the host answered, or hung up, without TLS; ``unreachable``:
    no connection, or no answer in time.
    """

    name: str
    outcome: str
    #: ``server`` or ``client``: the client is this probe, which does not trust the server.
    refused_by: str | None = None
    #: The alert's own name (RFC 8446, section 6), the verifier's own words, or how the connection ended.
    reason: str | None = None
    protocol: str | None = None
    cipher: str | None = None
    #: Hex digest of the server's certificate, where it was seen.
    peer_sha256: str | None = None
    #: The server's certificate as PEM, where it was seen.
    peer_certificate: str | None = None
    #: Whether the server refused after it had in hand what was presented, and not before (no common protocol, for one).
    judged: bool = True

    def as_expected(self, expect: str) -> bool:
        """Whether this is what *expect* (``accepted`` or ``refused``) asks for.

        Only a server that saw what was presented can refuse it: a server that is down, that we do not trust, or that
        shares no protocol with us has shown nothing about whom it lets in.
        """
        if expect == "refused":
            return self.outcome == "refused" and self.refused_by == "server" and self.judged
        return self.outcome == expect

    def describe(self) -> str:
        """The outcome in words, to follow the name of the probe."""
        if self.outcome == "accepted":
            return f"was accepted ({self.protocol})"
        if self.outcome == "unreachable":
            return f"could not be made: {self.reason}"
        if self.outcome == "not_tls":
            return f"met no TLS server: {self.reason}"
        if self.refused_by == "client":
            return f"was given up by the client, which does not accept the server: {self.reason}"
        if not self.judged:
            return f"was refused by the server before it saw what was presented: {self.reason}"
        return f"was refused by the server: {self.reason}"


@dataclass(frozen=True)
class Observation:
    """What an endpoint serves and demands of a client that presents nothing and verifies nothing."""

    listening: bool
    tls: bool
    served_sha256: str | None = None
    served_pem: str | None = None
    #: ``required``, ``not_required``, or None when it could not be found out.
    asks: str | None = None
    protocol: str | None = None
    reason: str | None = None


def probe(p: Probe, settle: float = SETTLE) -> Outcome:
    """Make one handshake and tell how it ended. Raises InputError when the probe itself cannot be used."""
    return probe_all([p], settle=settle)[0]


def probe_all(probes: Sequence[Probe], workers: int = 16, settle: float = SETTLE) -> list[Outcome]:
    """The outcomes of *probes*, in their order, with up to *workers* handshakes at a time.

    Raises InputError, before the first handshake, when a probe cannot be used.
    """
    # Probes of one member share their key and trust, and loading hundreds of anchors takes longer than a handshake.
    contexts: dict[tuple[int, tuple[bytes, ...], bool], ssl.SSLContext] = {}
    prepared = []
    for p in probes:
        kind = (id(p.identity), tuple(p.trusted), p.server_name is not None)
        if kind not in contexts:
            contexts[kind] = _context_for(p)
        _check(p, contexts[kind])
        prepared.append((p, contexts[kind]))
    with ThreadPoolExecutor(max_workers=max(1, min(workers, len(prepared)))) as pool:
        return list(pool.map(lambda pair: _probe(pair[0], pair[1], settle), prepared))


def observe(
    host: str, port: int, timeout: float = 10, source_address: str | None = None, send: bytes | None = None, settle: float = SETTLE
) -> Observation:
    """Measure what an endpoint serves and whether it demands a certificate; nothing is verified or judged.

    *send* is for servers that demand in HTTP, as nginx does: a request such as ``b"GET / HTTP/1.0\\r\\n\\r\\n"``.
    """
    seen = _meet(host, port, _context(None, None, False), None, timeout, source_address, send, settle)
    ending = seen.ending
    asks = None
    if ending.outcome == "accepted":
        asks = "not_required"
    elif ending.refused_by == "server" and ending.judged and (ending.reason in _DEMANDS or ending.in_http):
        asks = "required"
    return Observation(
        listening=seen.connected,
        tls=seen.tls,
        served_sha256=x509.sha256(seen.certificate) if seen.certificate else None,
        served_pem=x509.der_to_pem(seen.certificate) if seen.certificate else None,
        asks=asks,
        protocol=seen.protocol,
        reason=ending.reason,
    )


def stranger(common_name: str, now: datetime.datetime | None = None) -> Identity:
    """An identity that nobody trusts, made in memory: a fresh self-signed leaf, valid from an hour ago for a day.

    Its *common_name* may be a member's: whoever goes by names instead of by keys takes it for that member.
    """
    start = (now or datetime.datetime.now(datetime.timezone.utc)) - datetime.timedelta(hours=1)
    # X.520 allows 64 characters, and the certificate that lends its name may have more.
    subject = crypto_x509.Name([crypto_x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64] or "stranger")])
    key = x509.generate_key("EC")
    certificate = x509.self_signed(key, subject, [], now=start + x509.BACKDATE, valid_for=datetime.timedelta(hours=25) - x509.BACKDATE)
    return Identity(key, [certificate])


def common_name_of(certificate: bytes) -> str | None:
    """The subject's common name in a certificate (DER), or None when it has none or cannot be read."""
    try:
        names = x509.load_certificate(certificate).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except (TrustError, ValueError):
        return None
    return str(names[0].value) if names else None


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


# --- what a probe needs before the first byte ------------------------------------------------------------------------


def _context_for(p: Probe) -> ssl.SSLContext:
    try:
        return _context(p.identity, p.trusted, p.server_name is not None)
    except InputError as error:
        raise InputError(f"The probe '{p.name}' cannot be made: {error}.", probe=p.name) from error


def _check(p: Probe, context: ssl.SSLContext) -> None:
    if p.expect not in ("accepted", "refused"):
        raise InputError(f"The probe '{p.name}' expects {p.expect!r}; a probe expects 'accepted' or 'refused'.", probe=p.name)
    try:
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=p.server_name)
    except ValueError as error:  # a UnicodeError is one: the idna codec's word for a name that cannot be
        raise InputError(f"The probe '{p.name}' cannot check the server name {p.server_name!r}: {error}.", probe=p.name) from error


def _context(identity: Identity | None, trusted: Sequence[bytes] | None, check_names: bool) -> ssl.SSLContext:
    """A client's context; *trusted* None verifies nothing, an empty one trusts nobody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Raised, never lowered: the host's policy may allow TLS 1.3 only.
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    context.check_hostname = check_names
    if trusted is None:
        context.verify_mode = ssl.CERT_NONE
    else:
        context.verify_flags |= _PARTIAL_CHAIN
        _load_trust(context, trusted)
    if identity is not None:
        _load_identity(context, identity)
    return context


def _load_trust(context: ssl.SSLContext, trusted: Sequence[bytes]) -> None:
    if not trusted:
        return
    try:
        context.load_verify_locations(cadata=b"".join(trusted))
    except (ssl.SSLError, ValueError) as error:
        raise InputError(f"one of its {len(trusted)} trusted certificates cannot be read by OpenSSL: {error}") from error


def _load_identity(context: ssl.SSLContext, identity: Identity) -> None:
    """Give *context* the key and chain. Python's ssl takes keys from files only."""
    if not identity.chain:
        raise InputError("the key that it presents has no certificate")
    # A private key is never on disk unencrypted, not for a moment: whatever becomes of the file (a crash, a snapshot, a
    # swapped page), what is in it is of no use without a passphrase that only this process's memory has.
    passphrase = secrets.token_hex(32).encode("ascii")
    pem = identity.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(passphrase)
    )
    pem += "".join(x509.der_to_pem(certificate) for certificate in identity.chain).encode("ascii")
    try:
        with _file_holding(pem) as path:
            context.load_cert_chain(path, password=passphrase)
    except ssl.SSLError as error:
        words = (error.reason or str(error)).replace("_", " ").lower()
        raise InputError(f"OpenSSL does not take the key and certificate that it presents ({words})") from error


@contextlib.contextmanager
def _file_holding(data: bytes) -> Iterator[str]:
    """The path of a file that has *data* and that nobody else can open: in memory where the system can, else 0600."""
    descriptor = _memory_file()
    if descriptor is not None:
        path = f"/proc/self/fd/{descriptor}"
    else:
        descriptor, path = tempfile.mkstemp()
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        yield path
    finally:
        os.close(descriptor)
        if not path.startswith("/proc/"):
            os.unlink(path)


def _memory_file() -> int | None:
    """The descriptor of a new file in memory that has a path, or None where there is no such thing."""
    if not hasattr(os, "memfd_create"):
        return None
    try:
        descriptor = os.memfd_create("identity")
    except OSError:
        return None
    if os.path.exists(f"/proc/self/fd/{descriptor}"):
        return descriptor
    os.close(descriptor)
    return None


# --- one connection --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Ending:
    outcome: str
    refused_by: str | None = None
    reason: str | None = None
    judged: bool = True
    #: Refused in an HTTP answer, after a handshake that succeeded.
    in_http: bool = False


@dataclass(frozen=True)
class _Encounter:
    """All that was learnt from one connection."""

    ending: _Ending
    connected: bool = True
    tls: bool = False
    protocol: str | None = None
    cipher: str | None = None
    certificate: bytes | None = None


_ACCEPTED = _Ending("accepted")


class _EndedError(Exception):
    """The connection has nothing more to give: ``closed``, ``reset``, ``silent`` (for now) or ``lost``."""

    def __init__(self, how: str, why: str = "") -> None:
        super().__init__(how)
        self.how = how
        self.why = why


class _Records:
    """What the server's bytes show without any key: records, and the messages that TLS 1.2 sends in the clear."""

    def __init__(self) -> None:
        self.first = b""
        self.complete = 0
        self.hello_done = False
        self.certificate: bytes | None = None
        self._pending = bytearray()
        self._messages = bytearray()
        self._encrypted = False

    @property
    def tls(self) -> bool:
        """Whether the server's first bytes are a TLS record: a handshake message or an alert, version 3.x."""
        return len(self.first) > 1 and self.first[0] in (_ALERT_RECORD, _HANDSHAKE) and self.first[1] == 3

    def feed(self, data: bytes) -> None:
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


class _Wire:
    """A socket with OpenSSL beside it: each byte passes through here."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, server_name: str | None, timeout: float) -> None:
        self.heard = _Records()
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
        """Raises _EndedError, or OpenSSL's own SSLError."""
        while self._step(self._handshake) is None:
            self._receive(self._deadline - time.monotonic())
        cipher = self._tls.cipher()
        self.finished = True
        self.protocol = self._tls.version()
        self.cipher = cipher[0] if cipher else None
        self.certificate = self._tls.getpeercert(binary_form=True)

    def read(self, seconds: float) -> bytes | None:
        """Data of the application, b"" for a close_notify, or None when records came that carry no data, such as tickets.

        Raises _EndedError, ``silent`` after *seconds*, or OpenSSL's own SSLError.
        """
        until = time.monotonic() + seconds
        complete = self.heard.complete
        while True:
            data = self._step(lambda: self._tls.read(MAX_REPLY))
            if data is not None or self.heard.complete > complete:
                return data
            self._receive(until - time.monotonic())

    def write(self, data: bytes) -> None:
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
            raise _EndedError("silent")
        self._socket.settimeout(seconds)
        try:
            data = self._socket.recv(65536)
        except socket.timeout as error:
            raise _EndedError("silent") from error
        except ConnectionError as error:
            raise _EndedError("reset") from error
        except OSError as error:
            raise _EndedError("lost", error.strerror or str(error)) from error
        if not data:
            raise _EndedError("closed")
        self.heard.feed(data)
        self._incoming.write(data)


def _probe(p: Probe, context: ssl.SSLContext, settle: float) -> Outcome:
    seen = _meet(p.host, p.port, context, p.server_name, p.timeout, p.source_address, p.send, settle)
    certificate = seen.certificate
    if seen.ending.refused_by == "client":  # OpenSSL keeps what it refuses to itself; who is refused should be known all the same
        certificate = _meet(p.host, p.port, _context(None, None, False), p.server_name, p.timeout, p.source_address, None, 0).certificate
    return Outcome(
        name=p.name,
        outcome=seen.ending.outcome,
        refused_by=seen.ending.refused_by,
        reason=seen.ending.reason,
        protocol=seen.protocol,
        cipher=seen.cipher,
        peer_sha256=x509.sha256(certificate) if certificate else None,
        peer_certificate=x509.der_to_pem(certificate) if certificate else None,
        judged=seen.ending.judged,
    )


def _meet(
    host: str,
    port: int,
    context: ssl.SSLContext,
    server_name: str | None,
    timeout: float,
    source_address: str | None,
    send: bytes | None,
    settle: float,
) -> _Encounter:
    source = (source_address, 0) if source_address else None
    try:
        sock = socket.create_connection((host, port), timeout, source_address=source)
    except (OSError, UnicodeError, OverflowError) as error:
        return _Encounter(_Ending("unreachable", reason=_no_connection(error, timeout, source_address)), connected=False)
    with sock:
        wire = _Wire(sock, context, server_name or _indication(host), timeout)
        try:
            ending = _introduce(wire, timeout) or _settle(wire, settle)
            if ending.outcome == "accepted" and send:
                ending = _ask(wire, send, settle)
        finally:
            wire.close()
        return _encounter(wire, ending)


def _encounter(wire: _Wire, ending: _Ending) -> _Encounter:
    heard = wire.heard
    if wire.finished:
        return _Encounter(ending, tls=True, protocol=wire.protocol, cipher=wire.cipher, certificate=wire.certificate)
    # Python tells nothing of a handshake that failed. With TLS 1.2 the certificate was in the clear, and only TLS 1.2 has
    # the message ServerHelloDone.
    return _Encounter(ending, tls=heard.tls, protocol="TLSv1.2" if heard.hello_done else None, certificate=heard.certificate)


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


def _introduce(wire: _Wire, timeout: float) -> _Ending | None:
    """Make the handshake: how it failed, or None when it is complete on our side."""
    heard = wire.heard
    try:
        wire.shake_hands()
    except ssl.SSLError as error:
        return _ending_of(error, judged=heard.hello_done) if heard.tls else _not_tls(heard)
    except _EndedError as over:
        if over.how == "lost":
            return _Ending("unreachable", reason=f"the connection was lost during the handshake: {over.why}")
        if over.how == "silent":
            # A program that hangs and one that waits for another protocol's greeting look the same.
            what = "the handshake was not finished" if heard.tls else "no answer to the TLS greeting"
            return _Ending("unreachable", reason=f"{what} within {timeout:g} s")
        if not heard.tls:
            return _not_tls(heard)
        how = {"closed": "connection closed", "reset": "connection reset"}[over.how]
        return _Ending("refused", "server", f"{how} during the handshake", judged=heard.hello_done)
    return None


def _not_tls(heard: _Records) -> _Ending:
    if not heard.first:
        return _Ending("not_tls", reason="the connection was closed before any TLS record came")
    start = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in heard.first)
    return _Ending("not_tls", reason=f"the answer is not TLS, it starts with {start!r}")


def _ending_of(error: ssl.SSLError, judged: bool) -> _Ending:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _Ending("refused", "client", error.verify_message)
    alert = alert_name(error)
    if alert:
        return _Ending("refused", "server", alert, judged=judged)
    return _Ending("refused", "client", (error.reason or str(error)).replace("_", " ").lower())


def _settle(wire: _Wire, settle: float) -> _Ending:
    """After our Finished: does the server take us?

    An alert refuses. Data accepts, and so does TLS 1.2's handshake, which ends with the server's word. A ticket (RFC 8446,
    section 4.6.1) accepts, because a server that asks for a certificate makes it from our last message. A server that
    leaves the connection open and says nothing has accepted. One that hangs up before it showed that it took us, in
    whatever form, has not: servers that judge identities above TLS refuse in that way.
    """
    if wire.protocol != "TLSv1.3":
        return _ACCEPTED
    # What came together with the server's Finished was sent before it had our certificate, so it shows nothing.
    before = wire.heard.complete
    taken = False
    until = time.monotonic() + settle
    try:
        while True:
            data = wire.read(until - time.monotonic())
            if data:
                return _ACCEPTED
            if data is not None:  # the close_notify is itself one of the records
                return _ACCEPTED if wire.heard.complete - before > 1 else _Ending("refused", "server", "close_notify after the handshake")
            if not taken:
                taken = True
                until = time.monotonic() + QUIET
    except ssl.SSLError as error:
        return _ending_of(error, judged=True)
    except _EndedError as over:
        if over.how == "silent" or wire.heard.complete > before:
            return _ACCEPTED
        return _hung_up(over)


def _hung_up(over: _EndedError) -> _Ending:
    if over.how == "lost":
        return _Ending("unreachable", reason=f"the connection was lost after the handshake: {over.why}")
    how = {"closed": "connection closed", "reset": "connection reset"}[over.how]
    return _Ending("refused", "server", f"{how} after the handshake")


def _ask(wire: _Wire, send: bytes, settle: float) -> _Ending:
    """Write *send* to a server that accepted, and look into its reply for a refusal that it had left until then."""
    reply = b""
    try:
        wire.write(send)
        while len(reply) < MAX_REPLY:
            data = wire.read(QUIET if reply else settle)
            if data == b"":
                break
            reply += data or b""
    except ssl.SSLError as error:
        late = _ending_of(error, judged=True)
        return late if late.refused_by == "server" else _ACCEPTED
    except _EndedError:
        pass  # It took us before; how it ends a conversation that it may not understand is no refusal.
    refusal = _HTTP_REFUSAL.match(reply)
    if refusal:
        status, sentence = refusal.group(1).decode("ascii"), refusal.group(2).decode("ascii")
        return _Ending("refused", "server", f"HTTP {status}: {sentence}", in_http=True)
    return _ACCEPTED
