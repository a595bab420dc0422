# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Identities: no representation shows their key, and the stranger is one that nobody trusts."""

from __future__ import annotations

import datetime

from cryptography import x509

from ansible_collections.mutual.tls.plugins.module_utils.tls.identity import common_name_of, stranger
from ansible_collections.mutual.tls.plugins.module_utils.tls.probes import Probe, probe
from ansible_collections.mutual.tls.plugins.module_utils.x509 import not_after, not_before

from .parties import CLIENT, HOUR, SERVER, pem_of, plain_pem, refusal, to
from .servers import TlsServer


def test_a_key_is_in_no_representation(parties):
    probe = Probe("p", "h", 1, identity=parties.client, trusted=[parties.ca.der], send=b"secret")
    assert repr(probe.identity) == "Identity()"
    assert "secret" not in repr(probe)


def test_the_stranger_takes_a_name_and_is_new_each_time():
    before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    first, second = stranger("ec1"), stranger("ec1")
    assert first.chain != second.chain
    assert common_name_of(first.chain[0]) == "ec1"
    certificate = x509.load_der_x509_certificate(first.chain[0])
    assert certificate.issuer == certificate.subject
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert certificate.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    assert set(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == {CLIENT, SERVER}
    start, end = not_before(certificate), not_after(certificate)
    assert datetime.timedelta() <= start - (before - HOUR) < datetime.timedelta(seconds=5)
    assert end - start == 25 * HOUR


def test_the_stranger_takes_any_name():
    assert common_name_of(stranger("x" * 100).chain[0]) == "x" * 64
    assert common_name_of(stranger("").chain[0]) == "stranger"
    assert common_name_of(b"no certificate") is None


def test_the_stranger_would_be_accepted_by_whoever_trusts_it(parties, tmp_path):
    known = stranger("client")
    (tmp_path / "key.pem").write_bytes(plain_pem(parties.server.key))
    (tmp_path / "cert.pem").write_text(pem_of(*parties.server.chain))
    (tmp_path / "ca.pem").write_text(pem_of(known.chain[0]))
    with TlsServer(tmp_path) as server:
        assert probe(to(server, parties, identity=known)).outcome == "accepted"
        assert refusal(probe(to(server, parties, identity=stranger("client")))) == ("refused", "server", "unknown_ca")
