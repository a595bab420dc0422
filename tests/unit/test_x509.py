# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""X.509: names and times as people write them, certificates as openssl verifies them, proofs that cannot be handed on."""

from __future__ import annotations

import base64
import datetime
import re
from pathlib import Path

import pytest
from cryptography import x509 as other
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, TrustError

from .factory import DAY, NOW, issue, new_key, openssl, pem, shared_key

pytestmark = pytest.mark.codec

UTC = datetime.timezone.utc


# --- times -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30d", datetime.timedelta(days=30)),
        ("12h", datetime.timedelta(hours=12)),
        ("90m", datetime.timedelta(minutes=90)),
        ("1w2d", datetime.timedelta(days=9)),
        ("1d1d", datetime.timedelta(days=2)),
        ("0s", datetime.timedelta(0)),
        ("36500d", datetime.timedelta(days=36500)),
    ],
)
def test_times_that_are_understood(text: str, expected: datetime.timedelta) -> None:
    assert x509.parse_duration(text, "valid_for") == expected


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1.5d", "30 d", "30D", "1y", "30d ", "tomorrow"])
def test_times_that_are_not_understood(text: str) -> None:
    with pytest.raises(InputError) as refused:
        x509.parse_duration(text, "valid_for")
    assert str(refused.value) == f"'valid_for' is {text!r}; a time is written like 30d, 12h or 1w2d."


@pytest.mark.parametrize("text", ["36501d", "3000000d", "99999999999d", "999999999d999999999w", "9" * 5000 + "d"])
def test_times_beyond_a_century_are_refused(text: str) -> None:
    """A certificate that ends after the year 9999 cannot be made, and a sum of days may overflow."""
    with pytest.raises(InputError) as refused:
        x509.parse_duration(text, "valid_for")
    assert str(refused.value) == f"'valid_for' is {text!r}; 36500d is the longest time."


# --- names -----------------------------------------------------------------------------------------------------------


def attributes(name: other.Name) -> list[tuple[str, str]]:
    """In the encoded order."""
    return [(attribute.oid.dotted_string, attribute.value) for attribute in name]


CN, ORGANISATION, UNIT, COUNTRY = "2.5.4.3", "2.5.4.10", "2.5.4.11", "2.5.4.6"


@pytest.mark.parametrize(
    ("text", "expected", "formatted"),
    [
        ("CN=ec1,O=Example", [(ORGANISATION, "Example"), (CN, "ec1")], "CN=ec1,O=Example"),
        ("cn=ec1, o=Example", [(ORGANISATION, "Example"), (CN, "ec1")], "CN=ec1,O=Example"),
        (r"CN=ec1,O=Example\, Inc.", [(ORGANISATION, "Example, Inc."), (CN, "ec1")], r"CN=ec1,O=Example\, Inc."),
        (r"CN=back\\slash", [(CN, "back\\slash")], r"CN=back\\slash"),
        (r"CN=ends with\\,O=x", [(ORGANISATION, "x"), (CN, "ends with\\")], r"CN=ends with\\,O=x"),
        (r"CN=a\+b\=c\<d\>e\;f", [(CN, "a+b=c<d>e;f")], r"CN=a\+b\=c\<d\>e\;f"),
        ("CN=a=b", [(CN, "a=b")], r"CN=a\=b"),
        (r"CN=\ space around\ ", [(CN, " space around ")], r"CN=\ space around\ "),
        (r"CN=\#hash", [(CN, "#hash")], r"CN=\#hash"),
        (r"CN=\"quoted\"", [(CN, '"quoted"')], r"CN=\"quoted\""),
        ("CN=a\n,\n O=b\n", [(ORGANISATION, "b"), (CN, "a")], "CN=a,O=b"),
        (r"CN=two\0Alines\00", [(CN, "two\nlines\0")], r"CN=two\0Alines\00"),
        (r"CN=Lu\C4\8Di\C4\87", [(CN, "Lučić")], "CN=Lučić"),
        ("CN=größe 🔑", [(CN, "größe 🔑")], "CN=größe 🔑"),
        ("CN=a,OU=x,OU=y,C=DE", [(COUNTRY, "DE"), (UNIT, "y"), (UNIT, "x"), (CN, "a")], "CN=a,OU=x,OU=y,C=DE"),
    ],
)
def test_names_as_rfc_4514_writes_them(text: str, expected: list[tuple[str, str]], formatted: str) -> None:
    name = x509.parse_name(text)
    assert attributes(name) == expected
    assert x509.format_name(name) == formatted
    assert x509.parse_name(formatted) == name


@given(
    st.lists(
        st.tuples(st.sampled_from(["CN", "OU", "O", "L"]), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10)),
        min_size=1,
        max_size=4,
    )
)
def test_any_name_is_read_back(parts: list[tuple[str, str]]) -> None:
    oids = {"CN": NameOID.COMMON_NAME, "OU": NameOID.ORGANIZATIONAL_UNIT_NAME, "O": NameOID.ORGANIZATION_NAME, "L": NameOID.LOCALITY_NAME}
    name = other.Name([other.NameAttribute(oids[kind], value) for kind, value in parts])
    assert x509.parse_name(x509.format_name(name)) == name


def test_openssl_writes_the_same_names(tmp_path: Path) -> None:
    text = r"CN=a\, b\\c\0A \"d\" \#,OU=\#x,O=\ y\ "
    made = issue("", subject=x509.parse_name(text))
    said = openssl("x509", "-noout", "-subject", "-nameopt", "RFC2253", stdin=made.pem.encode()).rstrip("\n")
    assert said == f"subject={x509.format_name(made.certificate.subject)}"


@pytest.mark.parametrize(
    "text",
    ["", "ec1", "CN=", "=ec1", "CN=a,", "CN=a,,O=b", "XX=a", "CN=a,b", 'O="Example, Inc."', "CN=a\\", r"CN=\a"],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InputError) as refused:
        x509.parse_name(text)
    assert str(refused.value) == (
        f"'subject' is {text!r}; a name is written like CN=ec1,OU=Unit,O=Company with CN, OU, O, L, ST, C, DC, SERIALNUMBER."
    )


def test_what_a_certificate_cannot_say_is_refused() -> None:
    for text in ("CN=a,C=Germany", r"CN=\C4"):
        with pytest.raises(InputError) as refused:
            x509.parse_name(text)
        assert str(refused.value).startswith(f"'subject' is {text!r}: ")


@pytest.mark.parametrize(
    ("text", "formatted"),
    [
        ("DNS:ec1.example.test", "DNS:ec1.example.test"),
        ("dns:*.example.test", "DNS:*.example.test"),
        ("IP:192.0.2.7", "IP:192.0.2.7"),
        ("ip:2001:DB8:0::1", "IP:2001:db8::1"),
        ("email:joe@example.test", "email:joe@example.test"),
    ],
)
def test_alternative_names(text: str, formatted: str) -> None:
    [name] = x509.parse_alternative_names([text])
    assert x509.format_alternative_name(name) == formatted
    assert x509.parse_alternative_names([formatted]) == [name]


@pytest.mark.parametrize(
    "text", ["", "ec1", "DNS:", "IP:", "IP:300.1.1.1", "IP:192.0.2.0/24", "URI:https://example.test", "DNS:größe.test", "email:"]
)
def test_what_is_no_alternative_name_is_refused(text: str) -> None:
    with pytest.raises(InputError) as refused:
        x509.parse_alternative_names(["DNS:good", text])
    assert str(refused.value).startswith(f"'subject_alt_name' has {text!r}: ")
    assert str(refused.value).endswith(". A name is written like DNS:ec1.example.test or IP:192.0.2.7.")


# --- certificates ----------------------------------------------------------------------------------------------------


def made(kind: str, **options) -> bytes:
    names = x509.parse_alternative_names(["DNS:ec1.test", "IP:192.0.2.7"])
    return x509.self_signed(shared_key(kind), x509.parse_name("CN=ec1,O=Example"), names, **{"now": NOW, "valid_for": 30 * DAY, **options})


USAGES = {
    "RSA": "Digital Signature, Key Encipherment",
    "EC": "Digital Signature",
    "Ed25519": "Digital Signature",
}


@pytest.mark.parametrize("kind", ["RSA", "EC", "Ed25519"])
def test_openssl_verifies_what_is_made(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "certificate.pem"
    path.write_text(x509.der_to_pem(made(kind)))
    for purpose in ("sslserver", "sslclient"):
        verify = ("verify", "-partial_chain", "-x509_strict", "-check_ss_sig", "-purpose", purpose, "-CAfile", path)
        assert openssl(*verify, "-verify_hostname", "ec1.test", path).strip() == f"{path}: OK"
        assert "hostname mismatch" in openssl(*verify, "-verify_hostname", "other.test", path, check=False)
    assert "certificate has expired" in openssl(
        "verify", "-partial_chain", "-attime", str(int((NOW + 31 * DAY).timestamp())), "-CAfile", path, path, check=False
    )


@pytest.mark.parametrize("kind", ["RSA", "EC", "Ed25519"])
def test_openssl_reads_an_end_entity_of_both_usages(kind: str) -> None:
    text = openssl("x509", "-noout", "-text", stdin=x509.der_to_pem(made(kind)).encode())
    extensions = dict(re.findall(r"^            X509v3 (.*?): *(?:critical)?\n +(.*?) *$", text, re.MULTILINE))
    identifier = extensions.pop("Subject Key Identifier")
    assert re.fullmatch(r"([0-9A-F]{2}:){19}[0-9A-F]{2}", identifier)
    assert extensions == {
        "Basic Constraints": "CA:FALSE",
        "Key Usage": USAGES[kind],
        "Extended Key Usage": "TLS Web Server Authentication, TLS Web Client Authentication",
        "Subject Alternative Name": "DNS:ec1.test, IP Address:192.0.2.7",
    }
    assert re.findall(r"X509v3 (.*?): critical", text) == ["Basic Constraints", "Key Usage"]
    assert "Version: 3" in text
    assert "Issuer: O = Example, CN = ec1" in text


def test_a_member_cannot_sign_certificates_for_others(tmp_path: Path) -> None:
    """CA:FALSE is what keeps a trusted member from making identities for all others."""
    key = new_key()
    member = x509.self_signed(key, x509.parse_name("CN=member"), [], now=NOW, valid_for=30 * DAY)
    (tmp_path / "member.pem").write_text(x509.der_to_pem(member))
    forged = issue("forged", by=issue("member", key=key))
    (tmp_path / "forged.pem").write_text(forged.pem)
    said = openssl("verify", "-partial_chain", "-CAfile", tmp_path / "member.pem", tmp_path / "forged.pem", check=False)
    assert "invalid CA certificate" in said or "verification failed" in said


@pytest.mark.parametrize(("curve", "digest"), [("secp256r1", "SHA256"), ("secp384r1", "SHA384"), ("secp521r1", "SHA384")])
def test_larger_curves_sign_with_a_larger_digest(curve: str, digest: str) -> None:
    key = x509.generate_key("EC", curve=curve)
    certificate = x509.self_signed(key, x509.parse_name("CN=a"), [], now=NOW, valid_for=DAY)
    assert x509.load_certificate(certificate).signature_hash_algorithm.name.upper() == digest
    assert x509.describe(certificate)["curve"] == curve


def test_dates_are_the_given_ones() -> None:
    said = x509.describe(made("EC", now=datetime.datetime(2049, 12, 31, 23, 0, tzinfo=UTC), valid_for=datetime.timedelta(hours=2)))
    # RFC 5280 section 4.1.2.5: another form from 2050 on.
    assert (said["not_before"], said["not_after"]) == ("2049-12-31T22:55:00Z", "2050-01-01T01:00:00Z")


def test_a_certificate_says_what_it_says() -> None:
    said = x509.describe(made("EC"))
    pem_text = said.pop("pem")
    assert base64.b64decode("".join(pem_text.splitlines()[1:-1])) == x509.pem_to_der(pem_text, "it")[0]
    assert pem_text == pem(x509.pem_to_der(pem_text, "it")[0])
    assert re.fullmatch("[0-9a-f]{64}", said.pop("sha256"))
    assert re.fullmatch("[0-9a-f]{1,40}", said.pop("serial_number"))
    assert said == {
        "subject": "CN=ec1,O=Example",
        "issuer": "CN=ec1,O=Example",
        "not_before": x509.timestamp(NOW - datetime.timedelta(minutes=5)),
        "not_after": x509.timestamp(NOW + 30 * DAY),
        "subject_alt_name": ["DNS:ec1.test", "IP:192.0.2.7"],
        "is_ca": False,
        "signature_digest": "SHA256",
        "extended_key_usage": ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"],
        "key_type": "EC",
        "key_size": 256,
        "curve": "secp256r1",
    }
    bare = x509.describe(issue("bare", ca=None, usages=None).der)
    assert (bare["is_ca"], bare["extended_key_usage"], bare["subject_alt_name"]) == (False, None, [])
    assert x509.describe(issue("ca", ca=True).der)["is_ca"] is True


CERTIFICATE = issue("damaged", key_ids=True, san=["damaged.test"]).der


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        pytest.param(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x01", id="version-2"),
        pytest.param(b"\x0c\x07damaged", b"\x03\x07damaged", id="name-that-is-a-bit-string"),
        pytest.param(b"\x0c\x07damaged", b"\x0c\x07damag\xff\xff", id="name-that-is-no-text"),
        pytest.param(b"\x06\x03\x55\x1d\x11", b"\x06\x03\x55\x1d\x13", id="two-extensions-of-one-kind"),
        pytest.param(b"\x82\x0cdamaged.test", b"\x83\x0cdamaged.test", id="alternative-name-of-an-unknown-kind"),
        pytest.param(b"\x2a\x86\x48\xce\x3d\x02\x01", b"\x2a\x86\x48\xce\x3d\x02\x7f", id="key-of-an-unknown-kind"),
    ],
)
def test_a_damaged_certificate_is_no_traceback(there: bytes, instead: bytes) -> None:
    assert x509.describe(CERTIFICATE)["subject"] == "CN=damaged"
    assert there in CERTIFICATE
    with pytest.raises(TrustError, match=" cannot be read: "):
        x509.describe(CERTIFICATE.replace(there, instead))


@pytest.mark.parametrize("tag", [0x00, 0x01, 0x02, 0x30])
def test_a_name_of_an_unknown_kind_of_text_is_refused(tag: int) -> None:
    """cryptography 38 to 43 read names late, and raise KeyError."""
    good = issue("ec1").der
    damaged = good.replace(b"\x0c\x03ec1", bytes((tag, 3)) + b"ec1", 1)
    assert damaged != good
    with pytest.raises(TrustError, match="^a certificate cannot be read: "):
        x509.load_certificate(damaged)


@given(st.data())
def test_whatever_the_certificate_only_a_trust_error_is_raised(data: st.DataObject) -> None:
    damaged = bytearray(CERTIFICATE)
    for _damage in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    for read in (x509.describe, x509.public_key_of, lambda der: x509.check_possession("AAAA", "ec1", der)):
        try:
            read(bytes(damaged))
        except TrustError:
            pass
        except UserWarning as warning:  # the cryptography package warns of what it will refuse one day
            assert "certificate" in str(warning) or "name" in str(warning) or "length" in str(warning).lower()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it holds no PEM certificate (-----BEGIN CERTIFICATE-----)."),
        ("-----BEGIN CERTIFICATE-----\n", "it holds no PEM certificate (-----BEGIN CERTIFICATE-----)."),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "it holds no PEM certificate (-----BEGIN CERTIFICATE-----)."),
        ("-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----", "it is not a PEM certificate: "),
        ("-----BEGIN CERTIFICATE-----\nßßßß\n-----END CERTIFICATE-----", "it is not a PEM certificate: "),
        ("-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----", "it is not a PEM certificate: "),
    ],
)
def test_what_is_no_pem_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as refused:
        x509.pem_to_der(text, "it")
    assert str(refused.value).startswith(message)


def test_pem_is_read_with_what_stands_around_it() -> None:
    first, second = issue("a"), issue("b")
    text = f"subject=a\n{first.pem}\r\n# next\n{second.pem}".replace("\n", "\r\n")
    assert x509.pem_to_der(text, "it") == [first.der, second.der]


@pytest.mark.parametrize("kind", ["RSA", "EC", "Ed25519"])
def test_openssl_verifies_a_request(kind: str) -> None:
    request = x509.signing_request(shared_key(kind), x509.parse_name("CN=ec1"), x509.parse_alternative_names(["DNS:ec1.test"]))
    said = openssl("req", "-verify", "-noout", "-text", stdin=request.encode())
    assert "verify OK" in said
    assert "DNS:ec1.test" in said
    body = request.splitlines()
    other_one = x509.signing_request(new_key("EC"), x509.parse_name("CN=ec1"), [])
    assert body[1:] != other_one.splitlines()[1:]
    damaged = bytearray(base64.b64decode("".join(body[1:-1])))
    damaged[-1] ^= 1
    assert "verify OK" not in openssl("req", "-verify", "-noout", "-inform", "DER", stdin=bytes(damaged), check=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key_type": "RSA", "key_size": 2047}, "'key_size' is 2047; RSA keys of 2048 to 8192 bits are made."),
        ({"key_type": "RSA", "key_size": 8193}, "'key_size' is 8193; RSA keys of 2048 to 8192 bits are made."),
        ({"key_type": "EC", "curve": "secp192r1"}, "'curve' is 'secp192r1'; secp256r1, secp384r1, secp521r1 are the curves that are made."),
        ({"key_type": "DSA"}, "'key_type' is 'DSA'; RSA, EC and Ed25519 are made."),
    ],
)
def test_keys_that_are_not_made(options: dict, message: str) -> None:
    with pytest.raises(InputError) as refused:
        x509.generate_key(**options)
    assert str(refused.value) == message


# --- proofs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["RSA", "EC", "Ed25519"])
def test_a_proof_holds_for_its_member_and_its_certificate(kind: str) -> None:
    certificate = made(kind)
    proof = x509.prove_possession(shared_key(kind), "ec1", certificate)
    x509.check_possession(proof, "ec1", certificate)
    renewed = x509.self_signed(shared_key(kind), x509.parse_name("CN=renewed"), [], now=NOW, valid_for=DAY)
    for name, presented in (("ec2", certificate), ("ec1", renewed), ("", certificate)):
        with pytest.raises(TrustError, match=f"^the member '{name}' does not hold the key of the certificate that it presents$"):
            x509.check_possession(proof, name, presented)


@pytest.mark.parametrize("kind", ["RSA", "EC", "Ed25519"])
@pytest.mark.parametrize("proof", ["", "AAAA", "not base64!", "größe", "A" * 10_000])
def test_garbage_is_no_proof(kind: str, proof: str) -> None:
    with pytest.raises(TrustError, match="^the member 'ec1' does not hold the key"):
        x509.check_possession(proof, "ec1", made(kind))


def test_a_proof_by_another_key_is_none() -> None:
    certificate = made("EC")
    for thief in (new_key(), shared_key("RSA"), shared_key("Ed25519")):
        with pytest.raises(TrustError, match="^the member 'ec1' does not hold the key"):
            x509.check_possession(x509.prove_possession(thief, "ec1", certificate), "ec1", certificate)


def test_a_key_that_cannot_prove_anything_is_refused() -> None:
    certificate = issue("ec1", key=shared_key("EC")).der
    point = shared_key("EC").public_key().public_numbers()
    off_the_curve = certificate.replace(point.y.to_bytes(32, "big"), bytes(31) + b"\x01")
    assert off_the_curve != certificate
    for presented in (off_the_curve, b"", b"garbage", _ed448()):
        with pytest.raises(TrustError):
            x509.check_possession("AAAA", "ec1", presented)


def _ed448() -> bytes:
    key = ed448.Ed448PrivateKey.generate()
    builder = other.CertificateBuilder().subject_name(other.Name([])).issuer_name(other.Name([])).public_key(key.public_key())
    return builder.serial_number(1).not_valid_before(NOW - DAY).not_valid_after(NOW + DAY).sign(key, None).public_bytes(Encoding.DER)


def test_a_certificate_belongs_to_its_key() -> None:
    issued = issue("a")
    assert x509.certifies(issued.der, issued.key)
    assert not x509.certifies(issued.der, new_key())
    assert not x509.certifies(issued.der, ec.generate_private_key(ec.SECP384R1()))


# --- who signed ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["RSA", "EC", "Ed25519"])
def test_who_signed_a_certificate_is_known_by_name_and_key(kind: str) -> None:
    ca, namesake = (issue("The CA", ca=True, key=new_key(kind)) for _each in range(2))
    other_ca = issue("Another CA", ca=True, key=ca.key)
    leaf = issue("ec1", by=ca)
    assert x509.is_signed_by(leaf.der, ca.der)
    assert not x509.is_signed_by(leaf.der, namesake.der), "another key under the same name"
    assert not x509.is_signed_by(leaf.der, other_ca.der), "the same key under another name"
    assert not x509.is_signed_by(ca.der, leaf.der)


def test_a_key_of_another_kind_under_the_same_name_signed_nothing() -> None:
    leaf = issue("ec1", by=issue("The CA", ca=True, key=new_key("EC")))
    assert not x509.is_signed_by(leaf.der, issue("The CA", ca=True, key=shared_key("RSA")).der)
