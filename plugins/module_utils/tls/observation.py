# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an endpoint serves and demands, measured by a client that presents nothing and verifies nothing."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.tls.context import client_context
from ansible_collections.mutual.tls.plugins.module_utils.tls.handshake import SETTLE, meet

# What servers say to a client that presents nothing: OpenSSL and Java 25 the first with TLS 1.3 and the second with TLS 1.2,
# Java 17 the third with both; the last is what older libraries sent.
_DEMANDS = frozenset({"certificate_required", "handshake_failure", "bad_certificate", "no_certificate"})


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


def observe(
    host: str, port: int, timeout: float = 10, source_address: str | None = None, send: bytes | None = None, settle: float = SETTLE
) -> Observation:
    """Measure what an endpoint serves and whether it demands a certificate; nothing is verified or judged.

    *send* is for servers that demand in HTTP, as nginx does: a request such as ``b"GET / HTTP/1.0\\r\\n\\r\\n"``.
    """
    seen = meet(host, port, client_context(None, None, False), None, timeout, source_address, send, settle)
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
