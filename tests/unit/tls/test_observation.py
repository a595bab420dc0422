# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an endpoint serves and demands, as one sees who presents nothing."""

from __future__ import annotations

import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ansible_collections.mutual.tls.plugins.module_utils.tls.observation import Observation, observe

from .parties import both_versions, pem_of
from .servers import SServer, TlsServer, hangs_up


@both_versions
@pytest.mark.parametrize(
    ("client_auth", "asks"), [(ssl.CERT_REQUIRED, "required"), (ssl.CERT_OPTIONAL, "not_required"), (ssl.CERT_NONE, "not_required")]
)
def test_what_an_endpoint_serves_and_demands(files, parties, version, client_auth, asks):
    with TlsServer(files, version, client_auth) as server:
        seen = observe("127.0.0.1", server.port)
    reasons = {"TLSv1.2": "handshake_failure", "TLSv1.3": "certificate_required"}
    assert seen == Observation(
        listening=True,
        tls=True,
        served_sha256=x509.load_der_x509_certificate(parties.server.chain[0]).fingerprint(hashes.SHA256()).hex(),
        served_pem=pem_of(parties.server.chain[0]),
        asks=asks,
        protocol=version,
        reason=reasons[version] if asks == "required" else None,
    )


def test_a_server_that_hangs_up_demands_nothing_that_could_be_known(files):
    with TlsServer(files, client_auth=ssl.CERT_NONE, tickets=0, then=hangs_up) as server:
        seen = observe("127.0.0.1", server.port)
    assert (seen.asks, seen.reason) == (None, "connection closed after the handshake")


@both_versions
def test_openssl_agrees_that_it_demands_a_certificate(files, version):
    with SServer(files, version, "-Verify", "4", connections=1) as server:
        assert observe("127.0.0.1", server.port).asks == "required"
    assert b"peer did not return a certificate" in server.output
