# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handshakes against servers that OpenSSL and Python's ssl run: each success beside the failures that it must be told from."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
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

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ansible_collections.mutual.tls.plugins.module_utils import tls
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError

CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
HOUR = datetime.timedelta(hours=1)
NOW = datetime.datetime.now(datetime.timezone.utc)
VERSIONS = ("TLSv1.2", "TLSv1.3")

both_versions = pytest.mark.parametrize("version", VERSIONS)


# --- certificates ----------------------------------------------------------------------------------------------------


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def pem_of(*chain: bytes) -> str:
    return "".join(ssl.DER_cert_to_PEM_cert(certificate) for certificate in chain)


class Authority:
    """A CA that signs what a test asks for."""

    def __init__(self, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(self.name, self.key, NOW - HOUR, NOW + 24 * HOUR)
        self.certificate = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(
            self.key, hashes.SHA256()
        )
        self.der = der(self.certificate)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, start: datetime.datetime, end: datetime.datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
        )

    def sign(self, name: str, usages=(CLIENT, SERVER), start=NOW - HOUR, end=NOW + 24 * HOUR, names=("server.test",)) -> tls.Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(subject, key, start, end)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(usages)), critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False)
        return tls.Identity(key, [der(builder.sign(self.key, hashes.SHA256())), self.der])


class Parties:
    """Everybody who takes part in these tests."""

    def __init__(self) -> None:
        self.ca = Authority("ca")
        self.other = Authority("other ca")
        self.server = self.ca.sign("server.test")
        self.client = self.ca.sign("client")
        self.foreign = self.other.sign("client")
        self.expired = self.ca.sign("client", start=NOW - 48 * HOUR, end=NOW - 24 * HOUR)
        self.server_only = self.ca.sign("client", usages=(SERVER,))


@pytest.fixture(scope="module")
def parties() -> Parties:
    return Parties()


@pytest.fixture(scope="module")
def files(parties: Parties, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server's identity and the CA as the files that servers read."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "key.pem").write_bytes(plain_pem(parties.server.key))
    (folder / "cert.pem").write_text(pem_of(*parties.server.chain))
    (folder / "ca.pem").write_text(pem_of(parties.ca.der))
    return folder


def plain_pem(key) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


# --- servers ---------------------------------------------------------------------------------------------------------


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


def to(server, parties: Parties, **wishes) -> tls.Probe:
    """A probe that is accepted, but for the *wishes*."""
    probe = {"name": "client-to-server", "host": "127.0.0.1", "port": server.port, "server_name": "server.test"}
    return tls.Probe(**{**probe, "identity": parties.client, "trusted": [parties.ca.der], **wishes})


def refusal(outcome: tls.Outcome) -> tuple:
    return outcome.outcome, outcome.refused_by, outcome.reason


# --- the server judges the client ------------------------------------------------------------------------------------


@both_versions
def test_openssl_accepts_the_member_and_the_member_leaves_without_an_error(files, parties, version):
    with SServer(files, version, "-Verify", "4", "-verify_return_error", connections=1) as server:
        outcome = tls.probe(to(server, parties))
    assert outcome == tls.Outcome(
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
    identity = tls.stranger("client") if attribute == "stranger" else getattr(parties, attribute) if attribute else None
    with SServer(files, version, "-Verify", "4", "-verify_return_error", connections=1) as server:
        outcome = tls.probe(to(server, parties, identity=identity))
    assert refusal(outcome) == ("refused", "server", reasons[version])
    assert re.search(judgement, server.output), server.output
    assert outcome.peer_certificate == pem_of(parties.server.chain[0])
    assert outcome.protocol == version
    assert outcome.as_expected("refused") and not outcome.as_expected("accepted")


@both_versions
@pytest.mark.parametrize("identity", [None, "client", "foreign"])
def test_a_server_that_does_not_ask_accepts_everybody(files, parties, version, identity):
    with TlsServer(files, version, client_auth=ssl.CERT_NONE) as server:
        outcome = tls.probe(to(server, parties, identity=getattr(parties, identity) if identity else None))
    assert refusal(outcome) == ("accepted", None, None)
    assert server.errors == []


@both_versions
def test_pythons_server_accepts_the_member_and_has_no_error_to_log(files, parties, version):
    with TlsServer(files, version) as server:
        assert tls.probe(to(server, parties)).outcome == "accepted"
    assert server.errors == []


@both_versions
def test_a_leaf_is_an_anchor_by_itself(files, parties, version):
    with TlsServer(files, version) as server:
        assert tls.probe(to(server, parties, trusted=[parties.server.chain[0]])).outcome == "accepted"
        # The twin: another leaf of the same CA and name is not that anchor.
        twin = tls.probe(to(server, parties, trusted=[parties.ca.sign("server.test").chain[0]]))
    assert refusal(twin) == ("refused", "client", "self-signed certificate in certificate chain")


# --- what a server does after a TLS 1.3 handshake --------------------------------------------------------------------


def test_a_server_that_says_nothing_and_stays_has_accepted(files, parties):
    with TlsServer(files, tickets=0) as server:
        started = time.monotonic()
        outcome = tls.probe(to(server, parties), settle=0.4)
        took = time.monotonic() - started
    assert refusal(outcome) == ("accepted", None, None)
    assert 0.4 <= took < 1


def test_without_tickets_a_refusal_is_still_seen(files, parties):
    with TlsServer(files, tickets=0) as server:
        assert refusal(tls.probe(to(server, parties, identity=None))) == ("refused", "server", "certificate_required")


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
            impatient = tls.probe(to(server, parties, identity=None), settle=0.1)
            patient = tls.probe(to(server, parties, identity=None), settle=3)
    assert impatient.outcome == "accepted"
    assert refusal(patient) == ("refused", "server", "certificate_required")


def test_a_server_that_greets_has_accepted_at_once(files, parties):
    with TlsServer(files, tickets=0, then=greets_first) as server:
        started = time.monotonic()
        assert tls.probe(to(server, parties), settle=5).outcome == "accepted"
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
        outcome = tls.probe(to(server, parties))
    assert refusal(outcome) == ("refused", "server", reason)
    assert outcome.as_expected("refused")


@pytest.mark.parametrize("then", [hangs_up, says_goodbye])
def test_a_server_that_hangs_up_after_its_tickets_had_accepted(files, parties, then):
    with TlsServer(files, tickets=2, then=then) as server:
        assert refusal(tls.probe(to(server, parties))) == ("accepted", None, None)


def test_a_server_that_is_still_talking_has_no_error_to_log(files, parties):
    def talks(connection):
        for _try in range(5):
            connection.sendall(b"hello")
            time.sleep(0.02)
        until_the_client_leaves(connection)

    with TlsServer(files, "TLSv1.2", then=talks) as server:
        assert tls.probe(to(server, parties)).outcome == "accepted"
    assert server.errors == []


@pytest.mark.parametrize("then", [resets, hangs_up, says_goodbye])
def test_with_tls_1_2_the_complete_handshake_is_the_servers_word(files, parties, then):
    with TlsServer(files, "TLSv1.2", then=then) as server:
        assert refusal(tls.probe(to(server, parties))) == ("accepted", None, None)


# --- what is sent ----------------------------------------------------------------------------------------------------


@both_versions
def test_what_is_sent_reaches_a_server_that_accepts(files, parties, version):
    heard = []

    def listens(connection):
        heard.append(connection.recv(100))
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nfine")
        until_the_client_leaves(connection)

    with TlsServer(files, version, then=listens) as server:
        assert tls.probe(to(server, parties, send=b"GET / HTTP/1.0\r\n\r\n")).outcome == "accepted"
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
        outcome = tls.probe(to(server, parties, send=b"GET / HTTP/1.0\r\n\r\n"))
        seen = tls.observe("127.0.0.1", server.port, send=b"GET / HTTP/1.0\r\n\r\n")
    assert refusal(outcome) == ("refused", "server", f"HTTP 400: {sentence}")
    assert seen.asks == "required"


def test_another_bad_request_is_no_refusal_of_the_client(files, parties):
    with TlsServer(files, client_auth=ssl.CERT_NONE, then=nginx_says("400", "Request Header Or Cookie Too Large")) as server:
        assert tls.probe(to(server, parties, send=b"GET / HTTP/1.0\r\n\r\n")).outcome == "accepted"
        assert tls.observe("127.0.0.1", server.port, send=b"GET / HTTP/1.0\r\n\r\n").asks == "not_required"


# --- the client judges the server ------------------------------------------------------------------------------------


@both_versions
def test_a_server_that_we_do_not_trust_is_refused_by_us(files, parties, version):
    with TlsServer(files, version) as server:
        outcome = tls.probe(to(server, parties, trusted=[parties.other.der]))
        nobody = tls.probe(to(server, parties, trusted=[]))
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
        wrong = tls.probe(to(server, parties, server_name="platform.test"))
        address = tls.probe(to(server, parties, server_name="127.0.0.1"))
        unchecked = tls.probe(to(server, parties, server_name=None))
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
        outcome = tls.probe(to(server, parties))
    assert outcome.outcome == "refused" and outcome.refused_by == "client"
    assert re.search(words, outcome.reason)


def test_a_refusal_before_the_server_saw_the_client_proves_nothing(files, parties):
    # Only RSA suites for a server with an EC key: no common cipher, whoever comes.
    with TlsServer(files, "TLSv1.2", ciphers="ECDHE-RSA-AES128-GCM-SHA256") as server:
        outcome = tls.probe(to(server, parties, identity=None))
        seen = tls.observe("127.0.0.1", server.port)
    assert refusal(outcome) == ("refused", "server", "handshake_failure")
    assert not outcome.judged
    assert not outcome.as_expected("refused")
    assert (seen.tls, seen.asks) == (True, None)


# --- no TLS, no server -----------------------------------------------------------------------------------------------


def says_ssh(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    connection.recv(4096)


def says_http(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def closes(connection: socket.socket) -> None:
    connection.recv(4096)


def never_writes(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        (says_ssh, "the answer is not TLS, it starts with 'SSH-2.0-OpenSSH_9.2p1..'"),
        (says_http, "the answer is not TLS, it starts with 'HTTP/1.1 400 Bad Request....'"),
        (closes, "the connection was closed before any TLS record came"),
    ],
)
def test_a_host_without_tls(parties, behave, reason):
    with TcpServer(behave) as server:
        outcome = tls.probe(to(server, parties))
        seen = tls.observe("127.0.0.1", server.port)
    assert refusal(outcome) == ("not_tls", None, reason)
    assert not outcome.as_expected("refused") and not outcome.as_expected("accepted")
    assert seen == tls.Observation(listening=True, tls=False, reason=reason)


def test_a_server_that_accepts_connections_and_never_writes(parties):
    with TcpServer(never_writes) as server:
        outcome = tls.probe(to(server, parties, timeout=0.3))
        seen = tls.observe("127.0.0.1", server.port, timeout=0.3)
    assert refusal(outcome) == ("unreachable", None, "no answer to the TLS greeting within 0.3 s")
    assert (seen.listening, seen.tls, seen.asks) == (True, False, None)


def test_a_server_that_stops_in_the_middle_is_not_taken_for_a_refusal(files, parties):
    with TlsServer(files) as real:

        def relays_a_little(connection):
            with socket.create_connection(("127.0.0.1", real.port)) as inner:
                inner.sendall(connection.recv(65536))
                connection.sendall(inner.recv(65536)[:60])
                never_writes(connection)

        with TcpServer(relays_a_little) as server:
            outcome = tls.probe(to(server, parties, timeout=0.3))
    assert refusal(outcome) == ("unreachable", None, "the handshake was not finished within 0.3 s")


@both_versions
def test_a_connection_cut_before_the_client_presented_anything_proves_nothing(files, parties, version):
    with TlsServer(files, version) as real:

        def cuts(connection):
            with socket.create_connection(("127.0.0.1", real.port)) as inner:
                inner.sendall(connection.recv(65536))
                connection.sendall(inner.recv(65536)[:60])

        with TcpServer(cuts) as server:
            outcome = tls.probe(to(server, parties))
    assert refusal(outcome) == ("refused", "server", "connection closed during the handshake")
    assert not outcome.as_expected("refused")


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as once:
        return once.getsockname()[1]


def test_a_closed_port_is_unreachable_and_no_refusal():
    port = closed_port()
    outcome = tls.probe(tls.Probe("nobody", "127.0.0.1", port, expect="refused"))
    assert refusal(outcome) == ("unreachable", None, "Connection refused")
    assert not outcome.as_expected("refused")
    assert tls.observe("127.0.0.1", port) == tls.Observation(listening=False, tls=False, reason="Connection refused")


def test_a_name_that_nobody_has_is_unreachable():
    outcome = tls.probe(tls.Probe("nobody", "no-such-host.invalid", 443))
    assert (outcome.outcome, outcome.refused_by) == ("unreachable", None)
    assert "ame" in outcome.reason  # "Name or service not known", in the resolver's words
    assert tls.probe(tls.Probe("nobody", "x" * 70 + ".invalid", 443)).outcome == "unreachable"


def test_no_answer_to_a_connection_is_unreachable():
    # A backlog that is full drops what comes: on Linux a connect() to it waits.
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = []
        for _try in range(3):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(full.getsockname())
            waiting.append(client)
        time.sleep(0.1)
        outcome = tls.probe(tls.Probe("late", "127.0.0.1", full.getsockname()[1], timeout=0.3))
        for client in waiting:
            client.close()
    assert refusal(outcome) == ("unreachable", None, "no connection within 0.3 s")


def test_the_source_address_is_bound(files, parties):
    with TlsServer(files) as server:
        assert tls.probe(to(server, parties, source_address="127.0.0.9")).outcome == "accepted"
        assert tls.observe("127.0.0.1", server.port, source_address="127.0.0.8").listening
        elsewhere = tls.probe(to(server, parties, source_address="192.0.2.1"))
    assert server.peers == ["127.0.0.9", "127.0.0.8"]
    assert elsewhere.outcome == "unreachable"
    assert re.fullmatch(r".+ \(from 192\.0\.2\.1\)", elsewhere.reason)


# --- many at a time --------------------------------------------------------------------------------------------------


def test_many_probes_are_made_at_a_time_and_answered_in_order(files, parties):
    with TlsServer(files) as server:
        port = closed_port()
        probes = []
        for number in range(24):
            kind = [{}, {"identity": None}, {"port": port}][number % 3]
            probes.append(to(server, parties, name=str(number), **kind))
        started = time.monotonic()
        outcomes = tls.probe_all(probes)
        took = time.monotonic() - started
    assert [outcome.name for outcome in outcomes] == [str(number) for number in range(24)]
    assert [outcome.outcome for outcome in outcomes] == ["accepted", "refused", "unreachable"] * 8
    assert took < 3  # one after the other they wait for eight settled connections alone 2 s, and say goodbye after that
    assert tls.probe_all([]) == []


def test_probes_with_one_key_load_it_once(files, parties, monkeypatch):
    made = []
    real = tls._file_holding
    monkeypatch.setattr(tls, "_file_holding", lambda data: made.append(1) or real(data))
    with TlsServer(files) as server:
        tls.probe_all([to(server, parties, name=str(number)) for number in range(5)])
    assert made == [1]


# --- keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_private_key_is_never_on_disk_unencrypted(files, parties, tmp_path, monkeypatch, in_memory):
    """Every file that was ever in TMPDIR is kept by a hard link, as a snapshot of the disk would."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tls.tempfile, "tempdir", None)
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create")
    kept = tmp_path / "kept"
    kept.mkdir()
    seen = []
    real = ssl.SSLContext.load_cert_chain

    def snapshot(context, path, *arguments, **named):
        modes = [oct(each.stat().st_mode & 0o777) for each in tmp_path.iterdir() if each.is_file()]
        seen.append((Path(path).read_bytes(), modes))
        for each in tmp_path.iterdir():
            if each.is_file():
                os.link(each, kept / each.name)
        return real(context, path, *arguments, **named)

    with TlsServer(files) as server:
        monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", snapshot)
        outcome = tls.probe(to(server, parties))
    assert outcome.outcome == "accepted"
    [(content, modes)] = seen
    assert modes == ([] if in_memory else ["0o600"])
    assert [each.name for each in tmp_path.iterdir()] == ["kept"], "the file was left behind"
    contents = [content, *(each.read_bytes() for each in kept.iterdir())]
    assert len(contents) == (1 if in_memory else 2)
    for each in contents:
        assert b"-----BEGIN ENCRYPTED PRIVATE KEY-----" in each
        assert b"BEGIN PRIVATE KEY" not in each and b"EC PRIVATE KEY" not in each
        with pytest.raises(TypeError):  # cryptography's word for "a password is needed"
            serialization.load_pem_private_key(each, password=None)


def test_a_key_that_fails_to_load_leaves_no_file(parties, tmp_path, monkeypatch):
    monkeypatch.setattr(tls.tempfile, "tempdir", str(tmp_path))
    monkeypatch.delattr(os, "memfd_create")
    mixed = tls.Identity(parties.client.key, parties.server.chain)
    with pytest.raises(InputError, match=r"^The probe 'p' cannot be made: OpenSSL does not take the key .* \(key values mismatch\)\.$"):
        tls.probe(tls.Probe("p", "127.0.0.1", 1, identity=mixed))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"identity": tls.Identity(ec.generate_private_key(ec.SECP256R1()), [])}, "the key that it presents has no certificate"),
        ({"trusted": [b"no certificate"]}, "one of its 1 trusted certificates cannot be read by OpenSSL"),
        ({"expect": "maybe"}, "a probe expects 'accepted' or 'refused'"),
        ({"server_name": ".test"}, "cannot check the server name '.test'"),
        ({"server_name": "x" * 64 + ".test"}, "cannot check the server name"),
    ],
)
def test_a_probe_that_cannot_be_made_is_said_before_the_first_handshake(files, parties, wish, words):
    with TlsServer(files) as server, pytest.raises(InputError, match=words):
        tls.probe_all([to(server, parties), to(server, parties, **wish)])
    assert server.peers == []


def test_a_key_is_in_no_representation(parties):
    probe = tls.Probe("p", "h", 1, identity=parties.client, trusted=[parties.ca.der], send=b"secret")
    assert repr(probe.identity) == "Identity()"
    assert "secret" not in repr(probe)


# --- the stranger ----------------------------------------------------------------------------------------------------


def test_the_stranger_takes_a_name_and_is_new_each_time():
    before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    first, second = tls.stranger("ec1"), tls.stranger("ec1")
    assert first.chain != second.chain
    assert tls.common_name_of(first.chain[0]) == "ec1"
    certificate = x509.load_der_x509_certificate(first.chain[0])
    assert certificate.issuer == certificate.subject
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert certificate.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    assert set(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == {CLIENT, SERVER}
    start, end = tls.x509.not_before(certificate), tls.x509.not_after(certificate)
    assert datetime.timedelta() <= start - (before - HOUR) < datetime.timedelta(seconds=5)
    assert end - start == 25 * HOUR


def test_the_stranger_takes_any_name():
    assert tls.common_name_of(tls.stranger("x" * 100).chain[0]) == "x" * 64
    assert tls.common_name_of(tls.stranger("").chain[0]) == "stranger"
    assert tls.common_name_of(b"no certificate") is None


def test_the_stranger_would_be_accepted_by_whoever_trusts_it(parties, tmp_path):
    known = tls.stranger("client")
    (tmp_path / "key.pem").write_bytes(plain_pem(parties.server.key))
    (tmp_path / "cert.pem").write_text(pem_of(*parties.server.chain))
    (tmp_path / "ca.pem").write_text(pem_of(known.chain[0]))
    with TlsServer(tmp_path) as server:
        assert tls.probe(to(server, parties, identity=known)).outcome == "accepted"
        assert refusal(tls.probe(to(server, parties, identity=tls.stranger("client")))) == ("refused", "server", "unknown_ca")


# --- observing -------------------------------------------------------------------------------------------------------


@both_versions
@pytest.mark.parametrize(
    ("client_auth", "asks"), [(ssl.CERT_REQUIRED, "required"), (ssl.CERT_OPTIONAL, "not_required"), (ssl.CERT_NONE, "not_required")]
)
def test_what_an_endpoint_serves_and_demands(files, parties, version, client_auth, asks):
    with TlsServer(files, version, client_auth) as server:
        seen = tls.observe("127.0.0.1", server.port)
    reasons = {"TLSv1.2": "handshake_failure", "TLSv1.3": "certificate_required"}
    assert seen == tls.Observation(
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
        seen = tls.observe("127.0.0.1", server.port)
    assert (seen.asks, seen.reason) == (None, "connection closed after the handshake")


@both_versions
def test_openssl_agrees_that_it_demands_a_certificate(files, version):
    with SServer(files, version, "-Verify", "4", connections=1) as server:
        assert tls.observe("127.0.0.1", server.port).asks == "required"
    assert b"peer did not return a certificate" in server.output


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
    assert tls.alert_name(error) == name


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (tls.Outcome("a", "accepted", protocol="TLSv1.3"), "was accepted (TLSv1.3)"),
        (tls.Outcome("a", "refused", "server", "unknown_ca"), "was refused by the server: unknown_ca"),
        (
            tls.Outcome("a", "refused", "server", "protocol_version", judged=False),
            "was refused by the server before it saw what was presented: protocol_version",
        ),
        (
            tls.Outcome("a", "refused", "client", "self-signed certificate"),
            "was given up by the client, which does not accept the server: self-signed certificate",
        ),
        (tls.Outcome("a", "unreachable", reason="Connection refused"), "could not be made: Connection refused"),
        (tls.Outcome("a", "not_tls", reason="the answer is ..."), "met no TLS server: the answer is ..."),
    ],
)
def test_an_outcome_in_words(outcome, words):
    assert outcome.describe() == words
