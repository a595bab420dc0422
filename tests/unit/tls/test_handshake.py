# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handshakes against servers that OpenSSL and Python's ssl run: each success beside the failures that it must be told from."""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import ssl
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ansible_collections.mutual.tls.plugins.module_utils.tls.handshake import alert_name
from ansible_collections.mutual.tls.plugins.module_utils.tls.identity import stranger
from ansible_collections.mutual.tls.plugins.module_utils.tls.observation import observe
from ansible_collections.mutual.tls.plugins.module_utils.tls.probes import Outcome, probe

from .parties import CLIENT, HOUR, NOW, VERSIONS, both_versions, pem_of, plain_pem, refusal, to
from .servers import SServer, TcpServer, TlsServer, greets_first, hangs_up, resets, says_goodbye, until_the_client_leaves

# --- the server judges the client ------------------------------------------------------------------------------------


@both_versions
def test_openssl_accepts_the_member_and_the_member_leaves_without_an_error(files, parties, version):
    with SServer(files, version, "-Verify", "4", "-verify_return_error", connections=1) as server:
        outcome = probe(to(server, parties))
    assert outcome == Outcome(
        name="client-to-server",
        outcome="accepted",
        protocol=version,
        cipher=outcome.cipher,
        peer_sha256=x509.load_der_x509_certificate(parties.server.chain[0]).fingerprint(hashes.SHA256()).hex(),
        peer_certificate=pem_of(parties.server.chain[0]),
    )
    assert outcome.cipher.encode() in server.output
    assert b"subject=CN = client" in server.output or b"subject=CN=client" in server.output
    assert not re.search(rb"error|ERROR:|unexpected eof", server.output.replace(b"verify_return_error", b"")), server.output
    assert outcome.as_expected("accepted") and not outcome.as_expected("refused")


REFUSED = {
    "nothing": (None, {"TLSv1.2": "handshake_failure", "TLSv1.3": "certificate_required"}, b"peer did not return a certificate"),
    "foreign": ("foreign", {"TLSv1.2": "unknown_ca", "TLSv1.3": "unknown_ca"}, b"certificate verify failed"),
    "expired": ("expired", {"TLSv1.2": "certificate_expired", "TLSv1.3": "certificate_expired"}, b"certificate has expired"),
    "server_only": (
        "server_only",
        dict.fromkeys(VERSIONS, "unsupported_certificate"),
        rb"unsuit\w+ certificate purpose|unsupported certificate purpose",
    ),
    "stranger": ("stranger", dict.fromkeys(VERSIONS, "unknown_ca"), rb"self.signed certificate"),
}


@both_versions
@pytest.mark.parametrize("who", REFUSED)
def test_openssl_refuses_for_the_stated_reason(files, parties, version, who):
    attribute, reasons, judgement = REFUSED[who]
    identity = stranger("client") if attribute == "stranger" else getattr(parties, attribute) if attribute else None
    with SServer(files, version, "-Verify", "4", "-verify_return_error", connections=1) as server:
        outcome = probe(to(server, parties, identity=identity))
    assert refusal(outcome) == ("refused", "server", reasons[version])
    assert re.search(judgement, server.output), server.output
    assert outcome.peer_certificate == pem_of(parties.server.chain[0])
    assert outcome.protocol == version
    assert outcome.as_expected("refused") and not outcome.as_expected("accepted")


@both_versions
@pytest.mark.parametrize("identity", [None, "client", "foreign"])
def test_a_server_that_does_not_ask_accepts_everybody(files, parties, version, identity):
    with TlsServer(files, version, client_auth=ssl.CERT_NONE) as server:
        outcome = probe(to(server, parties, identity=getattr(parties, identity) if identity else None))
    assert refusal(outcome) == ("accepted", None, None)
    assert server.errors == []


@both_versions
def test_pythons_server_accepts_the_member_and_has_no_error_to_log(files, parties, version):
    with TlsServer(files, version) as server:
        assert probe(to(server, parties)).outcome == "accepted"
    assert server.errors == []


@both_versions
def test_a_leaf_is_an_anchor_by_itself(files, parties, version):
    with TlsServer(files, version) as server:
        assert probe(to(server, parties, trusted=[parties.server.chain[0]])).outcome == "accepted"
        # The twin: another leaf of the same CA and name is not that anchor.
        twin = probe(to(server, parties, trusted=[parties.ca.sign("server.test").chain[0]]))
    assert refusal(twin) == ("refused", "client", "self-signed certificate in certificate chain")


# --- what a server does after a TLS 1.3 handshake --------------------------------------------------------------------


def test_a_server_that_says_nothing_and_stays_has_accepted(files, parties):
    with TlsServer(files, tickets=0) as server:
        started = time.monotonic()
        outcome = probe(to(server, parties), settle=0.4)
        took = time.monotonic() - started
    assert refusal(outcome) == ("accepted", None, None)
    assert 0.4 <= took < 1


def test_without_tickets_a_refusal_is_still_seen(files, parties):
    with TlsServer(files, tickets=0) as server:
        assert refusal(probe(to(server, parties, identity=None))) == ("refused", "server", "certificate_required")


def test_a_refusal_that_takes_time_needs_a_longer_wait(files, parties):
    with TlsServer(files, tickets=0) as real:

        def passes_on_late(connection):
            with socket.create_connection(("127.0.0.1", real.port)) as inner:
                inner.sendall(connection.recv(65536))
                connection.sendall(inner.recv(65536))
                last_flight = connection.recv(65536)
                time.sleep(0.6)
                inner.sendall(last_flight)
                with contextlib.suppress(OSError):  # the impatient client has gone
                    connection.sendall(inner.recv(65536))

        with TcpServer(passes_on_late) as server:
            impatient = probe(to(server, parties, identity=None), settle=0.1)
            patient = probe(to(server, parties, identity=None), settle=3)
    assert impatient.outcome == "accepted"
    assert refusal(patient) == ("refused", "server", "certificate_required")


def test_a_server_that_greets_has_accepted_at_once(files, parties):
    with TlsServer(files, tickets=0, then=greets_first) as server:
        started = time.monotonic()
        assert probe(to(server, parties), settle=5).outcome == "accepted"
        assert time.monotonic() - started < 2
    assert server.errors == []


@pytest.mark.parametrize(
    ("then", "reason"),
    [
        (resets, "connection reset after the handshake"),
        (hangs_up, "connection closed after the handshake"),
        (says_goodbye, "close_notify after the handshake"),
    ],
)
def test_a_server_that_hangs_up_before_it_showed_that_it_took_us_has_refused(files, parties, then, reason):
    with TlsServer(files, tickets=0, then=then) as server:
        outcome = probe(to(server, parties))
    assert refusal(outcome) == ("refused", "server", reason)
    assert outcome.as_expected("refused")


@pytest.mark.parametrize("then", [hangs_up, says_goodbye])
def test_a_server_that_hangs_up_after_its_tickets_had_accepted(files, parties, then):
    with TlsServer(files, tickets=2, then=then) as server:
        assert refusal(probe(to(server, parties))) == ("accepted", None, None)


def test_a_server_that_is_still_talking_has_no_error_to_log(files, parties):
    def talks(connection):
        for _try in range(5):
            connection.sendall(b"hello")
            time.sleep(0.02)
        until_the_client_leaves(connection)

    with TlsServer(files, "TLSv1.2", then=talks) as server:
        assert probe(to(server, parties)).outcome == "accepted"
    assert server.errors == []


@pytest.mark.parametrize("then", [resets, hangs_up, says_goodbye])
def test_with_tls_1_2_the_complete_handshake_is_the_servers_word(files, parties, then):
    with TlsServer(files, "TLSv1.2", then=then) as server:
        assert refusal(probe(to(server, parties))) == ("accepted", None, None)


# --- what is sent ----------------------------------------------------------------------------------------------------


@both_versions
def test_what_is_sent_reaches_a_server_that_accepts(files, parties, version):
    heard = []

    def listens(connection):
        heard.append(connection.recv(100))
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nfine")
        until_the_client_leaves(connection)

    with TlsServer(files, version, then=listens) as server:
        assert probe(to(server, parties, send=b"GET / HTTP/1.0\r\n\r\n")).outcome == "accepted"
    assert heard == [b"GET / HTTP/1.0\r\n\r\n"]
    assert server.errors == []


def nginx_says(status: str, sentence: str):
    """nginx 1.22's answer with ssl_verify_client on, which completes the handshake of any client."""
    page = (
        f"<html>\r\n<head><title>400 {sentence}</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n"
        f"<center>{sentence}</center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n"
    )

    def answers(connection: ssl.SSLSocket) -> None:
        connection.recv(4096)
        connection.sendall(
            f"HTTP/1.1 {status} Bad Request\r\nServer: nginx/1.22.1\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\n"
            f"Connection: close\r\n\r\n{page}".encode()
        )
        connection.unwrap()

    return answers


@both_versions
@pytest.mark.parametrize("sentence", ["No required SSL certificate was sent", "The SSL certificate error"])
def test_nginx_refuses_in_http(files, parties, version, sentence):
    with TlsServer(files, version, client_auth=ssl.CERT_NONE, then=nginx_says("400", sentence)) as server:
        outcome = probe(to(server, parties, send=b"GET / HTTP/1.0\r\n\r\n"))
        seen = observe("127.0.0.1", server.port, send=b"GET / HTTP/1.0\r\n\r\n")
    assert refusal(outcome) == ("refused", "server", f"HTTP 400: {sentence}")
    assert seen.asks == "required"


def test_another_bad_request_is_no_refusal_of_the_client(files, parties):
    with TlsServer(files, client_auth=ssl.CERT_NONE, then=nginx_says("400", "Request Header Or Cookie Too Large")) as server:
        assert probe(to(server, parties, send=b"GET / HTTP/1.0\r\n\r\n")).outcome == "accepted"
        assert observe("127.0.0.1", server.port, send=b"GET / HTTP/1.0\r\n\r\n").asks == "not_required"


# --- the client judges the server ------------------------------------------------------------------------------------


@both_versions
def test_a_server_that_we_do_not_trust_is_refused_by_us(files, parties, version):
    with TlsServer(files, version) as server:
        outcome = probe(to(server, parties, trusted=[parties.other.der]))
        nobody = probe(to(server, parties, trusted=[]))
    assert refusal(outcome) == ("refused", "client", "self-signed certificate in certificate chain")
    assert refusal(nobody)[:2] == ("refused", "client")
    assert not outcome.as_expected("refused") and not outcome.as_expected("accepted")
    # Each time it is asked once more who it is, by somebody who trusts everybody and presents nothing.
    reasons = [getattr(error, "reason", None) for error in server.errors]
    assert reasons == ["TLSV1_ALERT_UNKNOWN_CA", "PEER_DID_NOT_RETURN_A_CERTIFICATE"] * 2
    assert outcome.peer_sha256 == nobody.peer_sha256 == hashlib.sha256(parties.server.chain[0]).hexdigest()


@both_versions
def test_the_servers_name_is_checked_if_and_only_if_it_is_given(files, parties, version):
    with TlsServer(files, version) as server:
        wrong = probe(to(server, parties, server_name="platform.test"))
        address = probe(to(server, parties, server_name="127.0.0.1"))
        unchecked = probe(to(server, parties, server_name=None))
    assert refusal(wrong) == ("refused", "client", "Hostname mismatch, certificate is not valid for 'platform.test'.")
    assert refusal(address) == ("refused", "client", "IP address mismatch, certificate is not valid for '127.0.0.1'.")
    assert unchecked.outcome == "accepted"


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"usages": (CLIENT,)}, r"unsuitable certificate purpose|unsupported certificate purpose"),
        ({"start": NOW - 48 * HOUR, "end": NOW - 24 * HOUR}, r"certificate has expired"),
        ({"start": NOW + HOUR, "end": NOW + 24 * HOUR}, r"certificate is not yet valid"),
    ],
)
def test_a_servers_certificate_that_is_not_good_is_refused_by_us(parties, tmp_path, made, words):
    bad = parties.ca.sign("server.test", **made)
    (tmp_path / "key.pem").write_bytes(plain_pem(bad.key))
    (tmp_path / "cert.pem").write_text(pem_of(*bad.chain))
    (tmp_path / "ca.pem").write_text(pem_of(parties.ca.der))
    with TlsServer(tmp_path) as server:
        outcome = probe(to(server, parties))
    assert outcome.outcome == "refused" and outcome.refused_by == "client"
    assert re.search(words, outcome.reason)


def test_a_refusal_before_the_server_saw_the_client_proves_nothing(files, parties):
    # Only RSA suites for a server with an EC key: no common cipher, whoever comes.
    with TlsServer(files, "TLSv1.2", ciphers="ECDHE-RSA-AES128-GCM-SHA256") as server:
        outcome = probe(to(server, parties, identity=None))
        seen = observe("127.0.0.1", server.port)
    assert refusal(outcome) == ("refused", "server", "handshake_failure")
    assert not outcome.judged
    assert not outcome.as_expected("refused")
    assert (seen.tls, seen.asks) == (True, None)


# --- words -----------------------------------------------------------------------------------------------------------


class Refusal(ssl.SSLError):
    """An SSLError as Python makes it: with OpenSSL's name of the reason, or without where it knows none."""

    def __init__(self, reason, text="") -> None:
        super().__init__(1, text)
        self.reason = reason


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (Refusal("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "certificate_required"),
        (Refusal("SSLV3_ALERT_BAD_CERTIFICATE"), "bad_certificate"),
        (Refusal("TLSV1_ALERT_UNKNOWN_CA"), "unknown_ca"),
        (Refusal("TLSV1_ALERT_USER_CANCELLED"), "user_canceled"),
        (Refusal("TLSV1_UNRECOGNIZED_NAME"), "unrecognized_name"),
        (Refusal(None, "[SSL] tlsv13 alert certificate required (_ssl.c:2706)"), "certificate_required"),
        (Refusal("WRONG_VERSION_NUMBER"), None),
        (Refusal("UNSUPPORTED_PROTOCOL"), None),
        (Refusal("SSL_HANDSHAKE_FAILURE"), None),
        (Refusal(None, "something else (_ssl.c:1)"), None),
    ],
)
def test_the_alerts_own_name(error, name):
    assert alert_name(error) == name
