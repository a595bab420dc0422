# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handshakes of which something is expected: who is to be accepted, and who refused."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError
from ansible_collections.mutual.tls.plugins.module_utils.tls.context import client_context
from ansible_collections.mutual.tls.plugins.module_utils.tls.handshake import SETTLE, meet
from ansible_collections.mutual.tls.plugins.module_utils.tls.identity import Identity


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

    @classmethod
    def from_options(cls, wish: Mapping[str, Any], identity: Identity | None, trusted: Sequence[bytes]) -> Probe:
        """The probe in a module's options; what C(present) stands for is *identity*."""
        same = {name: wish[name] for name in ("name", "host", "port", "server_name", "expect", "timeout", "source_address")}
        return cls(**same, identity=identity, trusted=trusted, send=wish["send"].encode("utf-8") if wish["send"] else None)


def probe_options(present: Sequence[str], default: str) -> dict[str, Any]:
    """The options of one probe, as modules take them; *present* is what may be presented."""
    return {
        "name": {"type": "str", "required": True},
        "host": {"type": "str", "required": True},
        "port": {"type": "int", "required": True},
        "server_name": {"type": "str"},
        "source_address": {"type": "str"},
        "present": {"type": "str", "choices": list(present), "default": default},
        "expect": {"type": "str", "choices": ["accepted", "refused"], "default": "accepted"},
        "send": {"type": "str"},
        "timeout": {"type": "int", "default": 10},
    }


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

    def to_result(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        """The outcome as modules return it, with the options of its probe (*wish*)."""
        return {
            **{key: wish[key] for key in ("name", "host", "port", "present", "expect")},
            "outcome": self.outcome,
            "refused_by": self.refused_by,
            "as_expected": self.as_expected(wish["expect"]),
            "reason": self.reason,
            "protocol": self.protocol,
            "cipher": self.cipher,
            "peer_sha256": self.peer_sha256,
            "peer_certificate": self.peer_certificate,
        }

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


def _context_for(p: Probe) -> ssl.SSLContext:
    try:
        return client_context(p.identity, p.trusted, p.server_name is not None)
    except InputError as error:
        raise InputError(f"The probe '{p.name}' cannot be made: {error}.", probe=p.name) from error


def _check(p: Probe, context: ssl.SSLContext) -> None:
    if p.expect not in ("accepted", "refused"):
        raise InputError(f"The probe '{p.name}' expects {p.expect!r}; a probe expects 'accepted' or 'refused'.", probe=p.name)
    try:
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=p.server_name)
    except ValueError as error:  # a UnicodeError is one: the idna codec's word for a name that cannot be
        raise InputError(f"The probe '{p.name}' cannot check the server name {p.server_name!r}: {error}.", probe=p.name) from error


def _probe(p: Probe, context: ssl.SSLContext, settle: float) -> Outcome:
    seen = meet(p.host, p.port, context, p.server_name, p.timeout, p.source_address, p.send, settle)
    certificate = seen.certificate
    if seen.ending.refused_by == "client":  # OpenSSL keeps what it refuses to itself; who is refused should be known all the same
        unverifying = client_context(None, None, False)
        certificate = meet(p.host, p.port, unverifying, p.server_name, p.timeout, p.source_address, None, 0).certificate
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
