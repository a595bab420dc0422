# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The MAC of PKCS#12 files: openssl and ``cryptography`` open what is sealed here, and what they seal holds here."""

from __future__ import annotations

import hashlib
import hmac
import re
from pathlib import Path

import pytest
from cryptography.hazmat.backends.openssl import backend
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mutual.tls.plugins.module_utils import der, derivation, mac
from ansible_collections.mutual.tls.plugins.module_utils.derivation import Secret
from ansible_collections.mutual.tls.plugins.module_utils.entries import Algorithm
from ansible_collections.mutual.tls.plugins.module_utils.errors import PasswordError, StoreError, UnsupportedStoreError

from .factory import PASSWORD, issue, openssl
from .vectors import cryptography_file

pytestmark = pytest.mark.codec

DATA = "1.2.840.113549.1.7.1"
PBKDF2 = "1.2.840.113549.1.5.12"
PBMAC1 = "1.2.840.113549.1.5.14"
HMAC_SHA1 = "1.2.840.113549.2.7"
HMAC_SHA256 = "1.2.840.113549.2.9"
SHA256 = "2.16.840.1.101.3.4.2.1"
SHA3_256 = "2.16.840.1.101.3.4.2.8"
OCTETS = bytes(range(20))
SALT = der.octet_string(OCTETS)
WRONG = "^the password is wrong, or the store was damaged: its MAC does not hold$"
WRITTEN = pytest.mark.parametrize("name", [mac.SHA1, mac.SHA256, mac.PBMAC1])


def element(encoded: bytes) -> der.Element:
    return next(der.elements(encoded, "the test's own"))


def algorithm(scheme: str, *parameters: bytes) -> bytes:
    return der.sequence(der.oid(scheme), *parameters)


def mac_data(scheme: bytes, value: bytes, *count: bytes, salt: bytes = SALT) -> der.Element:
    return element(der.sequence(der.sequence(scheme, der.octet_string(value)), salt, *count))


def holds(made: bytes | der.Element, sealed: bytes = b"sealed", password: str = PASSWORD) -> Algorithm:
    return mac.verify(made if isinstance(made, der.Element) else element(made), sealed, Secret(password))


# --- what is written -------------------------------------------------------------------------------------------------


@WRITTEN
@given(sealed=st.binary(max_size=200), password=st.text(max_size=20), iterations=st.integers(1, 5))
def test_a_mac_holds_for_what_it_was_made_of(name: str, sealed: bytes, password: str, iterations: int) -> None:
    made = mac.make(sealed, Secret(password), Algorithm(name, iterations))
    assert holds(made, sealed, password) == Algorithm(name, iterations)


@WRITTEN
@pytest.mark.parametrize(
    ("sealed", "password"),
    [
        pytest.param(b"Sealed", PASSWORD, id="other-content"),
        pytest.param(b"", PASSWORD, id="no-content"),
        pytest.param(b"sealed", "another password", id="other-password"),
        pytest.param(b"sealed", "", id="empty-password"),
        pytest.param(b"sealed", "\ud800 half a pair of surrogates", id="password-that-is-no-text"),
    ],
)
def test_a_mac_holds_for_nothing_else(name: str, sealed: bytes, password: str) -> None:
    with pytest.raises(PasswordError, match=WRONG):
        holds(mac.make(b"sealed", Secret(PASSWORD), Algorithm(name, 1)), sealed, password)


@WRITTEN
def test_an_element_is_sealed_by_its_content(name: str) -> None:
    made = element(mac.make(b"sealed", Secret(PASSWORD), Algorithm(name, 1)))
    assert mac.verify(made, element(der.octet_string(b"sealed")), Secret(PASSWORD)) == Algorithm(name, 1)
    with pytest.raises(PasswordError, match=WRONG):
        mac.verify(made, der.octet_string(b"sealed"), Secret(PASSWORD))


@WRITTEN
def test_each_mac_has_a_salt_of_its_own(name: str) -> None:
    made = [der.parts(mac.make(b"same", Secret(PASSWORD), Algorithm(name, 1)), "the MAC", 2, 3)[1].content for _each in range(3)]
    assert len(set(made)) == 3
    assert {len(salt) for salt in made} == {20}


@WRITTEN
def test_a_default_is_left_out(name: str) -> None:
    """One iteration (X.690 section 11.5): openssl and ``cryptography`` find fault with it otherwise."""
    assert len(der.parts(mac.make(b"", Secret(PASSWORD), Algorithm(name, 1)), "the MAC", 2, 3)) == 2
    assert der.integer_value(der.parts(mac.make(b"", Secret(PASSWORD), Algorithm(name, 2)), "the MAC", 2, 3)[2], "it") == 2


@pytest.mark.parametrize("name", ["HmacPBESHA512", "PBEWithHmacSHA512", "", "NONE"])
def test_what_is_only_read_is_not_written(name: str) -> None:
    with pytest.raises(UnsupportedStoreError) as refused:
        mac.make(b"", Secret(PASSWORD), Algorithm(name, 1))
    assert str(refused.value) == f"no store is sealed with {name} here, only with HmacPBESHA1, HmacPBESHA256 or PBEWithHmacSHA256"


@WRITTEN
@pytest.mark.parametrize("count", [0, derivation.MAX_ITERATIONS + 1])
def test_nothing_is_written_that_could_not_be_read(name: str, count: int) -> None:
    with pytest.raises(UnsupportedStoreError, match=f"^the MAC asks for {count} iterations; 1 to 5000000 are accepted$"):
        mac.make(b"", Secret(PASSWORD), Algorithm(name, count))


def pfx(name: str, password: str = PASSWORD) -> bytes:
    """A store with a certificate that is not encrypted."""
    certificate = der.sequence(der.oid("1.2.840.113549.1.9.22.1"), der.explicit(0, der.octet_string(issue("sealed").der)))
    bag = der.sequence(der.oid("1.2.840.113549.1.12.10.1.3"), der.explicit(0, certificate))
    safe = der.sequence(der.oid(DATA), der.explicit(0, der.octet_string(der.sequence(bag))))
    sealed = der.sequence(safe)
    content = der.sequence(der.oid(DATA), der.explicit(0, der.octet_string(sealed)))
    return der.sequence(der.integer(3), content, mac.make(sealed, Secret(password), Algorithm(name, 1000)))


@WRITTEN
def test_cryptography_opens_what_is_sealed(name: str) -> None:
    openssl_of_cryptography = tuple(int(part) for part in backend.openssl_version_text().split()[1].split(".")[:2] if part.isdigit())
    if name == mac.PBMAC1 and openssl_of_cryptography < (3, 4):
        pytest.skip("this cryptography comes with an OpenSSL before 3.4, which has no PBMAC1")
    data = pfx(name)
    assert len(pkcs12.load_key_and_certificates(data, PASSWORD.encode())[2]) == 1
    with pytest.raises(ValueError, match="Invalid password"):
        pkcs12.load_key_and_certificates(data, b"another password")


@pytest.mark.parametrize("name", [mac.SHA1, mac.SHA256])
def test_openssl_opens_what_is_sealed(name: str, tmp_path: Path) -> None:
    path = tmp_path / "store.p12"
    path.write_bytes(pfx(name))
    asked = ("pkcs12", "-in", path, "-nokeys", "-info", "-passin", "env:STORE")
    said = openssl(*asked)
    assert f"MAC: {name[len('HmacPBE') :].lower()}, Iteration 1000" in said
    assert "BEGIN CERTIFICATE" in said
    assert "invalid password" in openssl(*asked, password="another", check=False)


# --- what is read ----------------------------------------------------------------------------------------------------


def sealed_and_mac(data: bytes) -> tuple[der.Element, der.Element]:
    """The authenticated safe and the MacData of a store."""
    _version, auth_safe, made = der.parts(data, "the store", 3, 3)
    wrapper = der.parts(auth_safe, "the safe", 2, 2)[1]
    return der.only(wrapper.values("the safe"), "the safe"), made


@pytest.mark.parametrize(
    ("digest", "name"),
    [
        ("sha1", "HmacPBESHA1"),
        ("sha224", "HmacPBESHA224"),
        ("sha256", "HmacPBESHA256"),
        ("sha384", "HmacPBESHA384"),
        ("sha512", "HmacPBESHA512"),
        ("sha512-224", "HmacPBESHA512/224"),
        ("sha512-256", "HmacPBESHA512/256"),
    ],
)
@pytest.mark.parametrize("iterations", [1, 100])
def test_what_openssl_seals_holds(tmp_path: Path, digest: str, name: str, iterations: int) -> None:
    certificate = tmp_path / "certificate.pem"
    certificate.write_bytes(issue("sealed").certificate.public_bytes(serialization.Encoding.PEM))
    path = tmp_path / "store.p12"
    options = ("-nokeys", "-certpbe", "NONE", "-macalg", digest, "-iter", str(iterations))
    openssl("pkcs12", "-export", "-in", certificate, "-out", path, *options, "-passout", "env:STORE")
    sealed, made = sealed_and_mac(path.read_bytes())
    assert mac.verify(made, sealed, Secret(PASSWORD)) == Algorithm(name, iterations)
    with pytest.raises(PasswordError, match=WRONG):
        mac.verify(made, sealed, Secret("another"))


def test_what_openssl_seals_with_sha3_is_refused_by_name(tmp_path: Path) -> None:
    certificate = tmp_path / "certificate.pem"
    certificate.write_bytes(issue("sealed").certificate.public_bytes(serialization.Encoding.PEM))
    path = tmp_path / "store.p12"
    openssl("pkcs12", "-export", "-in", certificate, "-out", path, "-nokeys", "-macalg", "sha3-256", "-passout", "env:STORE")
    sealed, made = sealed_and_mac(path.read_bytes())
    with pytest.raises(UnsupportedStoreError) as refused:
        mac.verify(made, sealed, Secret(PASSWORD))
    assert str(refused.value) == f"the MAC is protected with SHA3-256 ({SHA3_256}), which is not supported"


def test_an_empty_password_holds_in_one_of_its_forms() -> None:
    """To new versions of ``cryptography`` without encryption it is the NUL at its end, to old ones nothing at all."""
    issued = issue("sealed")
    data = pkcs12.serialize_key_and_certificates(b"x", issued.key, issued.certificate, None, serialization.NoEncryption())
    assert forms_that_open(*sealed_and_mac(data)) in ([0], [1])
    for form, secret in enumerate(derivation.forms("")):
        sealed = element(der.octet_string(b"sealed"))
        assert forms_that_open(sealed, element(mac.make(b"sealed", secret, Algorithm(mac.SHA256, 1)))) == [form]
        # PBKDF2 knows no NUL at the end.
        assert forms_that_open(sealed, element(mac.make(b"sealed", secret, Algorithm(mac.PBMAC1, 1)))) == [0, 1]


def forms_that_open(sealed: der.Element, made: der.Element) -> list[int]:
    """Which forms of the empty password, by their position."""
    found = []
    for position, secret in enumerate(derivation.forms("")):
        try:
            mac.verify(made, sealed, secret)
        except PasswordError as error:
            assert re.match(WRONG, str(error))
            continue
        found.append(position)
    return found


@pytest.mark.parametrize(
    ("name", "form"),
    [
        pytest.param("java-truststore.p12", 0, id="nul-at-its-end"),
        pytest.param("no-password.p12", 1, id="nothing-at-all"),
        pytest.param("cert-rc2-key-3des.p12", None, id="another-password"),
    ],
)
def test_stores_in_the_field_have_either_form_of_the_empty_password(name: str, form: int | None) -> None:
    opened = forms_that_open(*sealed_and_mac(cryptography_file(f"pkcs12/{name}")))
    assert opened == ([] if form is None else [form])


def test_the_usual_count_may_be_said_or_left_out() -> None:
    key = Secret(PASSWORD).pkcs12(derivation.SHA256, derivation.MAC, OCTETS, 1, 32, "it")
    value = hmac.new(key, b"sealed", hashlib.sha256).digest()
    for count in ((), (der.integer(1),)):
        assert holds(mac_data(algorithm(SHA256), value, *count)) == Algorithm("HmacPBESHA256", 1)
    with pytest.raises(PasswordError, match=WRONG):
        holds(mac_data(algorithm(SHA256), value, der.integer(2)))


# --- PBMAC1 ----------------------------------------------------------------------------------------------------------


def pbmac1(
    *length: bytes,
    salt: bytes = SALT,
    iterations: bytes = der.integer(3),
    prf: str = HMAC_SHA256,
    scheme: str = HMAC_SHA256,
    derived_by: str = PBKDF2,
) -> bytes:
    """An AlgorithmIdentifier, of which each part may be another."""
    function = algorithm(derived_by, der.sequence(salt, iterations, *length, algorithm(prf, der.null())))
    return algorithm(PBMAC1, der.sequence(function, algorithm(scheme, der.null())))


def value_of(length: int, prf: str = "sha256", digest: str = "sha256") -> bytes:
    """The MAC over b"sealed", as hashlib makes it of three iterations."""
    return hmac.new(hashlib.pbkdf2_hmac(prf, PASSWORD.encode(), OCTETS, 3, length), b"sealed", digest).digest()


@pytest.mark.parametrize("length", [20, 32, 64])
@pytest.mark.parametrize("outer", [(), (der.integer(derivation.MAX_ITERATIONS + 1),), (der.null(),)], ids=["none", "too-many", "null"])
def test_pbmac1_holds_whatever_stands_beside_it(length: int, outer: tuple[bytes, ...]) -> None:
    """RFC 9879 section 4: the outer salt and count say nothing."""
    made = mac_data(pbmac1(der.integer(length)), value_of(length), *outer, salt=der.octet_string(b""))
    assert holds(made) == Algorithm("PBEWithHmacSHA256", 3)
    with pytest.raises(PasswordError, match=WRONG):
        holds(made, password="another")


@pytest.mark.parametrize("digest", derivation.DIGESTS, ids=[each.in_hashlib for each in derivation.DIGESTS])
def test_pbmac1_is_named_by_its_hmac(digest: derivation.Digest) -> None:
    value = value_of(32, "sha1", digest.in_hashlib)
    made = mac_data(pbmac1(der.integer(32), prf=HMAC_SHA1, scheme=digest.hmac_oid), value)
    assert holds(made) == Algorithm(f"PBEWithHmac{digest.name}", 3)
    with pytest.raises(PasswordError, match=WRONG):
        holds(made, b"Sealed")


@pytest.mark.parametrize(
    ("scheme", "message"),
    [
        pytest.param(
            pbmac1(),
            "the MAC is a PBMAC1 with a key whose length is not said; 20 to 64 bytes are accepted (RFC 9879)",
            id="no-length",
        ),
        pytest.param(
            pbmac1(der.integer(19)), "the MAC is a PBMAC1 with a key of 19 bytes; 20 to 64 bytes are accepted (RFC 9879)", id="short"
        ),
        pytest.param(
            pbmac1(der.integer(0)), "the MAC is a PBMAC1 with a key of 0 bytes; 20 to 64 bytes are accepted (RFC 9879)", id="nothing"
        ),
        pytest.param(
            pbmac1(der.integer(-32)), "the MAC is a PBMAC1 with a key of -32 bytes; 20 to 64 bytes are accepted (RFC 9879)", id="negative"
        ),
        pytest.param(
            pbmac1(der.integer(65)), "the MAC is a PBMAC1 with a key of 65 bytes; 20 to 64 bytes are accepted (RFC 9879)", id="long"
        ),
        pytest.param(
            pbmac1(der.integer(32), iterations=der.integer(5_000_001)),
            "the MAC asks for 5000001 iterations; 1 to 5000000 are accepted",
            id="too-many-iterations",
        ),
        pytest.param(
            pbmac1(der.integer(32), derived_by="1.3.6.1.4.1.11591.4.11"),
            "the MAC is protected with scrypt (1.3.6.1.4.1.11591.4.11), which is not supported",
            id="scrypt",
        ),
        pytest.param(
            pbmac1(der.integer(32), scheme="2.16.840.1.101.3.4.2.14"),
            "the MAC is protected with HMAC-SHA3-256 (2.16.840.1.101.3.4.2.14), which is not supported",
            id="sha3",
        ),
        pytest.param(algorithm(PBMAC1), "an algorithm of the MAC lacks its parameters", id="no-parameters"),
        pytest.param(algorithm(PBMAC1, der.sequence()), "the PBMAC1 parameters should have 2 parts and has 0", id="empty-parameters"),
    ],
)
def test_other_pbmac1s_are_refused_before_any_work(scheme: bytes, message: str) -> None:
    secret = Secret(PASSWORD)
    with pytest.raises(StoreError) as refused:
        mac.verify(mac_data(scheme, bytes(32)), b"sealed", secret)
    assert str(refused.value) == message
    assert secret.derivations == 0


# --- what is malformed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "message"),
    [
        pytest.param(
            mac_data(algorithm(SHA3_256), bytes(32)), f"the MAC is protected with SHA3-256 ({SHA3_256}), which is not supported", id="sha3"
        ),
        pytest.param(mac_data(algorithm("1.2.3"), bytes(32)), "the MAC is protected with 1.2.3, which is not supported", id="unknown"),
        pytest.param(
            mac_data(algorithm(SHA256), bytes(32), der.integer(5_000_001)),
            "the MAC asks for 5000001 iterations; 1 to 5000000 are accepted",
            id="too-many-iterations",
        ),
        pytest.param(
            mac_data(algorithm(SHA256), bytes(32), der.integer(0)),
            "the MAC asks for 0 iterations; 1 to 5000000 are accepted",
            id="no-iterations",
        ),
        pytest.param(mac_data(algorithm(SHA256), b""), "the MAC has 0 bytes, and should have 32", id="nothing"),
        pytest.param(mac_data(algorithm(SHA256), bytes(31)), "the MAC has 31 bytes, and should have 32", id="cut-short"),
        pytest.param(mac_data(algorithm(SHA256), bytes(33)), "the MAC has 33 bytes, and should have 32", id="too-long"),
        pytest.param(mac_data(pbmac1(der.integer(32)), bytes(20)), "the MAC has 20 bytes, and should have 32", id="pbmac1-cut-short"),
        pytest.param(
            mac_data(algorithm(SHA256), bytes(32), salt=der.null()),
            "the salt of the MAC should be a OCTET STRING and is a NULL",
            id="no-salt",
        ),
        pytest.param(
            element(der.sequence(der.sequence(algorithm(SHA256), der.octet_string(b"")))),
            "the MAC should have 2 to 3 parts and has 1",
            id="one-part",
        ),
        pytest.param(element(der.sequence(der.sequence(algorithm(SHA256)), SALT)), "the MAC should have 2 parts and has 1", id="no-value"),
        pytest.param(element(der.sequence(der.null(), SALT)), "the MAC should be a SEQUENCE and is a NULL", id="null-inside"),
        pytest.param(element(der.null()), "the MAC should be a SEQUENCE and is a NULL", id="null"),
    ],
)
def test_other_macs_are_refused_before_any_work(made: der.Element, message: str) -> None:
    secret = Secret(PASSWORD)
    with pytest.raises(StoreError) as refused:
        mac.verify(made, b"sealed", secret)
    assert str(refused.value) == message
    assert not isinstance(refused.value, PasswordError)
    assert secret.derivations == 0


def test_a_digest_that_the_host_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_arguments: object) -> None:
        raise ValueError("unsupported hash type")

    made = mac.make(b"sealed", Secret(PASSWORD), Algorithm(mac.PBMAC1, 1))
    monkeypatch.setattr(mac.hmac, "digest", missing)
    with pytest.raises(
        UnsupportedStoreError, match="^the MAC is protected with SHA256, which this host's cryptographic libraries do not have$"
    ):
        holds(made)


@WRITTEN
def test_a_mac_cut_short_does_not_hold(name: str) -> None:
    """A comparison of what is there would take an empty MAC for a right one."""
    digest_info, salt = der.parts(mac.make(b"sealed", Secret(PASSWORD), Algorithm(name, 1)), "the MAC", 2, 2)
    scheme, value = der.parts(digest_info, "the MAC", 2, 2)
    for length in (0, 1, len(value.content) - 1):
        with pytest.raises(StoreError, match=f"^the MAC has {length} bytes, and should have {len(value.content)}$"):
            holds(mac_data(scheme.raw, value.content[:length], salt=salt.raw))
