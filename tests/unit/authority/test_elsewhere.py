# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that are left for somebody else's authority, and what of its answers is taken. Openssl is that somebody."""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509 as crypto_x509
from cryptography.hazmat.primitives import hashes, serialization

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.authority.directory import Directory, directory_facts
from ansible_collections.mutual.tls.plugins.module_utils.authority.elsewhere import (
    OutcomeElsewhere,
    carry_out,
    check_directory,
)
from ansible_collections.mutual.tls.plugins.module_utils.authority.wishes import AuthorityWish, Request, Revocation, Task
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, MtlsError, StoreError, TrustError

from ..factory import CLIENT, DAY, NOW, SERVER, Issued, issue, new_key, pem, revocation_list
from ..factory import name as common_name

pytestmark = pytest.mark.codec

NAMES = ("DNS:ec1.example.test", "IP:192.0.2.7")


class Elsewhere:
    """A directory, and somebody's root with a CA below it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(mode=0o755)
        self.root = issue("example root", ca=True, usages=None)
        self.below = issue("example issuing CA", by=self.root, ca=True, usages=None)
        self.put("system-1.crt.pem", pem(self.root.der))

    def put(self, name: str, text: str) -> Path:
        file = self.path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="ascii")
        return file

    def answer(self, leaf: Issued, *above: Issued, name: str = "ec1") -> Path:
        return self.put(f"certificates/{name}.pem", pem(leaf.der, *(each.der for each in above)))

    def run(
        self,
        *requests: Request,
        revoked: Sequence[str] = (),
        generation: int = 1,
        check: bool = False,
        now: datetime.datetime = NOW,
    ) -> OutcomeElsewhere:
        task = Task([AuthorityWish("system", "", generation=generation)], requests, [Revocation(name) for name in revoked])
        return carry_out(Directory(str(self.path)), task, now, check=check)


@pytest.fixture()
def elsewhere(tmp_path: Path) -> Elsewhere:
    return Elsewhere(tmp_path / "elsewhere")


def asked(key: Any, name: str = "ec1", **given: Any) -> Request:
    subject, names = given.get("subject", f"CN={name}"), given.get("subject_alt_name", NAMES)
    csr = x509.signing_request(key, x509.parse_name(subject), x509.parse_alternative_names(names))
    wish = {
        "csr": csr,
        "subject": subject,
        "subject_alt_name": names,
        "usages": ("server", "client"),
        "valid_for": 825 * DAY,
        "renew_before": 30 * DAY,
    }
    return Request(name, "system", **{**wish, **given})


def signed(key: Any, by: Issued, name: str = "ec1", names: Sequence[str] = NAMES, **given: Any) -> Issued:
    """An answer as it is wished, made by the cryptography package alone; *given* makes it another."""
    kinds = {"DNS": crypto_x509.DNSName, "IP": lambda value: crypto_x509.IPAddress(ipaddress.ip_address(value))}
    san = [kinds[kind](value) for kind, _colon, value in (name.partition(":") for name in names)]
    usages = given.pop("usages", (SERVER, CLIENT))
    subject = given.pop("subject", None) or common_name(name)
    builder = (
        crypto_x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject)
        .public_key(key.public_key())
        .serial_number(given.pop("serial", None) or crypto_x509.random_serial_number())
        .not_valid_before(given.pop("begins", NOW - DAY))
        .not_valid_after(given.pop("ends", NOW + 365 * DAY))
        .add_extension(crypto_x509.SubjectAlternativeName(san), critical=False)
        .add_extension(crypto_x509.BasicConstraints(ca=given.pop("ca", False), path_length=None), critical=True)
    )
    if usages is not None:
        builder = builder.add_extension(crypto_x509.ExtendedKeyUsage(list(usages)), critical=False)
    assert not given
    return Issued(key, builder.sign(by.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER), by.chain)


# --- what is left ----------------------------------------------------------------------------------------------------


def test_a_request_is_left_once_and_stays_as_it_is(elsewhere: Elsewhere) -> None:
    key = new_key()
    first = elsewhere.run(asked(key))
    assert [(each.subject, each.action) for each in first.changes] == [("ec1", "request")]
    request = elsewhere.path / "requests" / "ec1.csr.pem"
    left = request.read_bytes()
    again = elsewhere.run(asked(key))  # another signature, and nothing else
    assert (again.changes, request.read_bytes()) == ([], left)
    assert [(each.name, each.request, each.refused) for each in again.awaited] == [("ec1", str(request), None)]
    elsewhere.run(asked(new_key()))
    assert request.read_bytes() != left


def test_check_mode_leaves_nothing(elsewhere: Elsewhere) -> None:
    promised = elsewhere.run(asked(new_key()), check=True)
    assert [each.action for each in promised.changes] == ["request"]
    assert sorted(each.name for each in elsewhere.path.iterdir()) == ["system-1.crt.pem"]


def test_openssl_signs_what_is_left_and_it_is_taken(elsewhere: Elsewhere) -> None:
    """With the extensions that are left beside the request, as the documentation says."""
    elsewhere.run(asked(new_key("RSA")))
    ca, ca_key = elsewhere.put("below.pem", pem(elsewhere.below.der)), elsewhere.put("below.key", elsewhere.below.key_pem.decode())
    certificate, requests = elsewhere.path / "certificates" / "ec1.pem", elsewhere.path / "requests"
    sign = ["openssl", "x509", "-req", "-days", "200", "-CAcreateserial", "-CA", str(ca), "-CAkey", str(ca_key)]
    files = ["-in", str(requests / "ec1.csr.pem"), "-extfile", str(requests / "ec1.ext"), "-out", str(certificate)]
    subprocess.run([*sign, *files], check=True, capture_output=True)
    key = crypto_x509.load_pem_x509_csr((requests / "ec1.csr.pem").read_bytes()).public_key()
    request = dataclasses.replace(asked(new_key()), csr=(requests / "ec1.csr.pem").read_text())
    refused = elsewhere.run(request).awaited[0].refused
    assert (
        refused is not None
        and "signed by 'CN=example issuing CA', and what comes with it does not lead to the authority 'system'" in refused
    )
    with certificate.open("a", encoding="ascii") as file:
        file.write(pem(elsewhere.below.der))
    outcome = elsewhere.run(request, now=x509.now())
    assert outcome.awaited == []
    leaf = crypto_x509.load_der_x509_certificate(outcome.issued["ec1"][0])
    assert x509.key_sha256(leaf.public_key()) == x509.key_sha256(key)
    assert outcome.issued["ec1"][1:] == (elsewhere.below.der, elsewhere.root.der)
    assert leaf.extensions.get_extension_for_class(crypto_x509.KeyUsage).value.key_encipherment
    assert not list(requests.iterdir()), "it is asked for no more"


# --- what is taken ---------------------------------------------------------------------------------------------------


def test_what_was_taken_is_in_the_ledger_once(elsewhere: Elsewhere) -> None:
    key = new_key()
    elsewhere.answer(signed(key, elsewhere.root))
    elsewhere.run(asked(key))
    elsewhere.run(asked(key))  # the run that took it died before it was installed
    assert [(line.name, line.state) for line in Directory(str(elsewhere.path)).ledger.of("ec1")] == [("ec1", "issued")]
    renewed = signed(key, elsewhere.root)
    elsewhere.answer(renewed)
    elsewhere.run(asked(key))
    lines = Directory(str(elsewhere.path)).ledger.of("ec1")
    assert [(line.state, line.sha256 == renewed.sha256) for line in lines] == [("superseded", False), ("issued", True)]


def test_of_several_for_one_key_the_latest_is_taken(elsewhere: Elsewhere) -> None:
    key = new_key()
    old, new = signed(key, elsewhere.root, begins=NOW - 9 * DAY), signed(key, elsewhere.root)
    elsewhere.answer(old, new)
    assert elsewhere.run(asked(key)).issued["ec1"][0] == new.der


OTHER = common_name("another")


@pytest.mark.parametrize(
    ("given", "request_given", "why"),
    [
        pytest.param({"ends": NOW - DAY, "begins": NOW - 2 * DAY}, {}, "it expired on", id="expired"),
        pytest.param({"begins": NOW + DAY}, {}, "it is valid from", id="not-yet"),
        pytest.param({"ends": NOW + 29 * DAY}, {}, "sooner than renew_before (30 days)", id="ends-soon"),
        pytest.param({"usages": (CLIENT,)}, {}, "it is not for the server side of TLS: its extended key usage is", id="clients-only"),
        pytest.param({"ca": True}, {}, "it is a CA's (CA:TRUE), with which 'ec1' could make identities for all others", id="ca"),
        pytest.param(
            {"names": ("DNS:b.test",)}, {}, "its alternative names are DNS:b.test where DNS:ec1.example.test, IP:192.0.2.7", id="san"
        ),
        pytest.param({"subject": OTHER}, {}, "its subject is 'CN=another' where 'CN=ec1' is wished", id="subject"),
        pytest.param(
            {"subject": OTHER},
            {"any_subject": True, "generation": 2},
            "its subject 'CN=another' does not name the generation (OU=generation 2)",
            id="generation",
        ),
    ],
)
def test_what_does_not_fit_is_left_alone_and_told(
    elsewhere: Elsewhere, given: dict[str, Any], request_given: dict[str, Any], why: str
) -> None:
    key = new_key()
    elsewhere.answer(signed(key, elsewhere.root, **given))
    outcome = elsewhere.run(asked(key, **request_given))
    assert outcome.issued == {}
    assert outcome.awaited[0].refused is not None and why in outcome.awaited[0].refused
    assert Directory(str(elsewhere.path)).ledger.certificates == {}


def test_another_subject_and_other_names_are_taken_where_nobody_wished_any(elsewhere: Elsewhere) -> None:
    key = new_key()
    elsewhere.answer(signed(key, elsewhere.root, subject=OTHER))
    assert "ec1" in elsewhere.run(asked(key, any_subject=True, subject_alt_name=())).issued


@pytest.mark.parametrize(("text", "why"), [("nothing", "holds no PEM certificate"), (None, "it is for another key than the request's")])
def test_what_is_no_answer_is_told(elsewhere: Elsewhere, text: str | None, why: str) -> None:
    elsewhere.put("certificates/ec1.pem", text if text is not None else pem(signed(new_key(), elsewhere.root).der))
    refused = elsewhere.run(asked(new_key())).awaited[0].refused
    assert refused is not None and why in refused


def test_a_stranger_who_calls_himself_the_root_signs_nothing(elsewhere: Elsewhere) -> None:
    key = new_key()
    forger = issue("example root", ca=True, usages=None)
    elsewhere.answer(signed(key, forger), forger)
    refused = elsewhere.run(asked(key)).awaited[0].refused
    assert refused is not None and "what comes with it does not lead to the authority 'system' of generation 1" in refused


def test_a_new_generation_asks_for_the_new_root(elsewhere: Elsewhere) -> None:
    key = new_key()
    elsewhere.answer(signed(key, elsewhere.root))
    with pytest.raises(InputError, match="has only generation 1 of the CA 'system', and generation 2 is wished: put the root"):
        elsewhere.run(asked(key), generation=2)
    second = issue("example root 2", ca=True, usages=None)
    elsewhere.put("system-2.crt.pem", pem(second.der))
    refused = elsewhere.run(asked(key)).awaited[0].refused
    assert refused is not None and "of generation 2" in refused
    elsewhere.answer(signed(key, second))
    assert elsewhere.run(asked(key)).issued["ec1"][-1] == second.der


def test_what_was_taken_before_is_no_wrong_answer(elsewhere: Elsewhere) -> None:
    """At each renewal the last answer is still there."""
    key = new_key()
    elsewhere.answer(signed(key, elsewhere.root, ends=NOW + 60 * DAY))
    elsewhere.run(asked(key))
    renewing = elsewhere.run(asked(key, renew_before=90 * DAY))
    assert [(each.name, each.refused) for each in renewing.awaited] == [("ec1", None)]
    assert elsewhere.run(asked(new_key())).awaited[0].refused is None


def test_what_stands_on_a_list_is_not_taken(elsewhere: Elsewhere) -> None:
    key = new_key()
    elsewhere.answer(signed(key, elsewhere.below, serial=7), elsewhere.below)
    elsewhere.put("system-1.crl.pem", revocation_list(elsewhere.root, 7))
    assert elsewhere.run(asked(key), check=True).awaited == [], "serial numbers are an issuer's own"
    elsewhere.put("system-1.crl.pem", revocation_list(elsewhere.root) + revocation_list(elsewhere.below, 7))
    assert "is on a revocation list" in str(elsewhere.run(asked(key)).awaited[0].refused)
    elsewhere.put("system-1.crl.pem", revocation_list(elsewhere.root, elsewhere.below.certificate.serial_number))
    assert "a CA above it, is on a revocation list" in str(elsewhere.run(asked(key)).awaited[0].refused)


def test_of_two_ways_to_the_root_the_one_that_leads_there_is_found(elsewhere: Elsewhere) -> None:
    """A CA below that another root signed too, for the same key."""
    key, other = new_key(), issue("another root", ca=True, usages=None)
    crossed = issue("example issuing CA", by=other, key=elsewhere.below.key, ca=True, usages=None)
    elsewhere.answer(signed(key, elsewhere.below), crossed, elsewhere.below, other)
    assert elsewhere.run(asked(key)).issued["ec1"][1:] == (elsewhere.below.der, elsewhere.root.der)


def test_of_two_cas_between_the_one_that_signed_is_taken(elsewhere: Elsewhere) -> None:
    key, sister = new_key(), issue("example issuing CA", by=elsewhere.root, ca=True, usages=None)
    elsewhere.answer(signed(key, elsewhere.below), sister, elsewhere.below)
    assert elsewhere.run(asked(key)).issued["ec1"][1:] == (elsewhere.below.der, elsewhere.root.der)


def test_many_cas_that_sign_each_other_hold_nobody_up(elsewhere: Elsewhere) -> None:
    """Of one name and one key, so that each is above all others, and none leads to the root."""
    key, own = new_key(), new_key()
    ring = [issue("a ring", key=own, ca=True, usages=None, ends=NOW + (100 + each) * DAY) for each in range(12)]
    elsewhere.answer(signed(key, ring[0]), *ring)
    begun = time.monotonic()
    assert "ec1" not in elsewhere.run(asked(key)).issued
    assert time.monotonic() - begun < 20, "there are 12! ways"


def test_what_the_proof_would_refuse_is_not_taken(elsewhere: Elsewhere) -> None:
    """The CA between has expired, which no date of the leaf says."""
    key = new_key()
    below = issue("old issuing CA", by=elsewhere.root, ca=True, usages=None, begins=NOW - 9 * DAY, ends=NOW - DAY)
    elsewhere.answer(signed(key, below), below)
    assert "expired" in str(elsewhere.run(asked(key)).awaited[0].refused)


def test_a_root_that_is_renewed_takes_the_place_of_the_one_before(elsewhere: Elsewhere) -> None:
    key = new_key()
    elsewhere.answer(signed(key, elsewhere.root))
    renewed = issue("example root", key=elsewhere.root.key, ca=True, usages=None, ends=NOW + 900 * DAY)
    elsewhere.put("system-2.crt.pem", pem(renewed.der))
    with pytest.raises(InputError, match="has the name or the key of generation 1: another generation is another CA"):
        elsewhere.run(asked(key))
    (elsewhere.path / "system-2.crt.pem").unlink()
    elsewhere.put("system-1.crt.pem", pem(renewed.der))
    assert elsewhere.run(asked(key)).issued["ec1"][-1] == renewed.der


# --- what is refused -------------------------------------------------------------------------------------------------


def test_a_host_that_asks_for_other_names_is_refused_by_name(elsewhere: Elsewhere) -> None:
    key = new_key()
    forged = x509.signing_request(key, x509.parse_name("CN=platform1"), [])
    with pytest.raises(TrustError, match="request of 'ec1' asks for other names than the inventory wishes: 'CN=platform1'"):
        elsewhere.run(dataclasses.replace(asked(key), csr=forged))
    more = x509.signing_request(key, x509.parse_name("CN=ec1"), x509.parse_alternative_names([*NAMES, "DNS:platform1"]))
    with pytest.raises(TrustError, match="DNS:platform1"):
        elsewhere.run(dataclasses.replace(asked(key), csr=more))
    assert not (elsewhere.path / "requests").exists()


def test_a_host_that_asks_to_be_a_ca_is_refused_by_name(elsewhere: Elsewhere) -> None:
    """Whoever signs it may copy what it asks for."""
    key = new_key()
    builder = crypto_x509.CertificateSigningRequestBuilder().subject_name(common_name("ec1"))
    names = crypto_x509.SubjectAlternativeName(x509.parse_alternative_names(NAMES))
    wants = crypto_x509.BasicConstraints(ca=True, path_length=None)
    made = builder.add_extension(names, critical=False).add_extension(wants, critical=True).sign(key, hashes.SHA256())
    csr = made.public_bytes(serialization.Encoding.PEM).decode()
    with pytest.raises(TrustError, match="request of 'ec1' asks for more than names .extensions 2.5.29.19."):
        elsewhere.run(dataclasses.replace(asked(key), csr=csr))


def test_a_request_with_names_that_cannot_be_read_is_refused_by_name(elsewhere: Elsewhere) -> None:
    key = new_key()
    names = crypto_x509.UnrecognizedExtension(crypto_x509.ObjectIdentifier("2.5.29.17"), b"nonsense")
    builder = crypto_x509.CertificateSigningRequestBuilder().subject_name(common_name("ec1")).add_extension(names, critical=False)
    csr = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    with pytest.raises(TrustError, match="request of 'ec1' (cannot be read|asks for)"):
        elsewhere.run(dataclasses.replace(asked(key), csr=csr))


@pytest.mark.parametrize("name", ["../../etc/passwd", ".hidden", "a/b"])
def test_a_name_that_is_no_file_name_is_refused(elsewhere: Elsewhere, name: str) -> None:
    with pytest.raises(InputError, match="cannot be the name of a file"):
        elsewhere.run(asked(new_key(), name))
    assert sorted(each.name for each in elsewhere.path.iterdir()) == ["system-1.crt.pem"]


def test_a_ca_that_is_not_there_is_asked_for(tmp_path: Path) -> None:
    directory = Directory(str(tmp_path / "nothing"))
    with pytest.raises(InputError, match=r"has no CA 'system', and generation 1 is wished: put the root .* into .*system-1\.crt\.pem"):
        carry_out(directory, Task([AuthorityWish("system", "")]), NOW, check=True)


def test_only_a_root_is_trusted(elsewhere: Elsewhere) -> None:
    elsewhere.put("system-1.crt.pem", pem(elsewhere.below.der))
    with pytest.raises(InputError, match="is no root: CN=example root signed it"):
        elsewhere.run()
    elsewhere.put("system-1.crt.pem", pem(issue("nobody").der))
    with pytest.raises(InputError, match="is not the certificate of a CA"):
        elsewhere.run()


def test_a_directory_that_others_may_write_to_is_refused(elsewhere: Elsewhere) -> None:
    elsewhere.run(asked(new_key()))
    (elsewhere.path / "certificates").chmod(0o775)
    check_directory(str(elsewhere.path))
    for each in (elsewhere.path / "requests", elsewhere.path / "system-1.crt.pem", elsewhere.path):
        each.chmod(0o775)
        with pytest.raises(InputError, match="has the mode 0775: whoever may write there can have all members trust another CA"):
            check_directory(str(elsewhere.path))
        each.chmod(0o755)


# --- revocation ------------------------------------------------------------------------------------------------------


def test_who_is_revoked_is_looked_for_on_the_list(elsewhere: Elsewhere) -> None:
    key = new_key()
    leaf = signed(key, elsewhere.root, serial=4711)
    elsewhere.answer(leaf)
    elsewhere.run(asked(key))
    elsewhere.put("system-1.crl.pem", revocation_list(elsewhere.root))
    first = elsewhere.run(revoked=["ec1"])
    assert ([each.action for each in first.changes], [line.name for line in first.unlisted]) == (["revoke"], ["ec1"])
    elsewhere.put("system-1.crl.pem", revocation_list(elsewhere.root, 4711))
    again = elsewhere.run(revoked=["ec1"])
    assert (again.changes, again.unlisted) == ([], [])
    with pytest.raises(MtlsError, match="a certificate for its key was revoked; it needs another key"):
        elsewhere.run(asked(key))
    assert elsewhere.run(revoked=["nobody"]).notes == ["'nobody' is to be revoked, and no certificate for it was taken here"]


def test_a_list_counts_for_what_its_own_issuer_signed(elsewhere: Elsewhere) -> None:
    """Counters of several CAs count alike."""
    keys = {"ec1": new_key(), "ec2": new_key()}
    elsewhere.answer(signed(keys["ec1"], elsewhere.root, serial=2), name="ec1")
    elsewhere.answer(signed(keys["ec2"], elsewhere.below, name="ec2", serial=2), elsewhere.below, name="ec2")
    taken = elsewhere.run(*(asked(key, name) for name, key in keys.items()))
    assert sorted(taken.issued) == ["ec1", "ec2"]
    elsewhere.put("system-1.crl.pem", revocation_list(elsewhere.root, 2) + revocation_list(elsewhere.below))
    assert [line.name for line in elsewhere.run(revoked=["ec1", "ec2"]).unlisted] == ["ec2"]


def test_what_was_signed_for_somebody_revoked_and_not_taken_counts_too(elsewhere: Elsewhere) -> None:
    key = new_key()
    elsewhere.run(asked(key))
    assert (elsewhere.path / "requests" / "ec1.csr.pem").exists()
    elsewhere.answer(signed(key, elsewhere.below, serial=9), elsewhere.below)
    elsewhere.put("system-1.crl.pem", revocation_list(elsewhere.root) + revocation_list(elsewhere.below))
    assert [(line.name, line.serial) for line in elsewhere.run(revoked=["ec1"]).unlisted] == [("ec1", "9")]
    assert not (elsewhere.path / "requests" / "ec1.csr.pem").exists(), "nobody signs it any more"


def test_nobody_is_revoked_for_a_certificate_that_lies_in_anothers_place(elsewhere: Elsewhere) -> None:
    """Whoever may write to the answers could have any member revoked."""
    keys = {"ec1": new_key(), "ec2": new_key()}
    elsewhere.run(*(asked(key, name) for name, key in keys.items()))
    elsewhere.answer(signed(keys["ec2"], elsewhere.root, name="ec2"), name="ec1")
    outcome = elsewhere.run(revoked=["ec1"])
    assert (outcome.revoked, outcome.unlisted) == ([], [])
    elsewhere.answer(signed(keys["ec2"], elsewhere.root, name="ec2"), name="ec2")
    assert "ec2" in elsewhere.run(asked(keys["ec2"], "ec2"), revoked=["ec1"]).issued


def test_a_request_of_somebody_revoked_is_withdrawn_though_nothing_was_ever_signed(elsewhere: Elsewhere) -> None:
    elsewhere.run(asked(new_key()))
    assert [each.action for each in elsewhere.run(revoked=["ec1"], check=True).changes] == ["withdraw"]
    assert [each.action for each in elsewhere.run(revoked=["ec1"]).changes] == ["withdraw"]
    assert not (elsewhere.path / "requests" / "ec1.csr.pem").exists()
    assert elsewhere.run(revoked=["ec1"]).changes == []


def test_a_list_that_the_root_did_not_sign_is_refused(elsewhere: Elsewhere) -> None:
    elsewhere.put("system-1.crl.pem", revocation_list(issue("example root", ca=True, usages=None)))
    with pytest.raises(InputError, match="The revocation list of 'CN=example root' in .* is not signed by the key of"):
        elsewhere.run()


def test_several_lists_are_one_that_ends_with_the_first(elsewhere: Elsewhere) -> None:
    elsewhere.put("system-1.crl.pem", revocation_list(elsewhere.root, 1, ends=NOW + 5 * DAY) + revocation_list(elsewhere.below, 2, 3))
    found = directory_facts(Directory(str(elsewhere.path)))["authorities"][0]["crl"]
    assert (found["length"], found["next_update"], found["pem"].count("BEGIN")) == (3, x509.timestamp(NOW + 5 * DAY), 2)


def test_a_file_of_lists_without_one_is_told(elsewhere: Elsewhere) -> None:
    elsewhere.put("system-1.crl.pem", "nothing")
    with pytest.raises(StoreError, match="holds no revocation list"):
        Directory(str(elsewhere.path))


def test_a_root_that_ends_soon_is_told(elsewhere: Elsewhere) -> None:
    root = issue("ends soon", ca=True, usages=None, ends=NOW + 89 * DAY)
    elsewhere.put("system-1.crt.pem", pem(root.der))
    assert "have its owner make another" in elsewhere.run().notes[0]
