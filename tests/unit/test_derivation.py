# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys from passwords: openssl and hashlib say which are right, and what would take too long is refused before it is begun."""

from __future__ import annotations

import hashlib
import time

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mutual.tls.plugins.module_utils import der, derivation
from ansible_collections.mutual.tls.plugins.module_utils.derivation import Secret
from ansible_collections.mutual.tls.plugins.module_utils.errors import StoreError, UnsupportedStoreError

from .factory import PASSWORD, openssl

pytestmark = pytest.mark.codec

PBKDF2 = "1.2.840.113549.1.5.12"
HMAC_SHA1 = "1.2.840.113549.2.7"
HMAC_SHA256 = "1.2.840.113549.2.9"
SALT = bytes(range(20))
ALL_DIGESTS = pytest.mark.parametrize("digest", derivation.DIGESTS, ids=[each.in_hashlib for each in derivation.DIGESTS])


def element(encoded: bytes) -> der.Element:
    return next(der.elements(encoded, "the test's own"))


def algorithm(scheme: str, *parameters: bytes) -> bytes:
    return der.sequence(der.oid(scheme), *parameters)


# --- the two functions -----------------------------------------------------------------------------------------------


@ALL_DIGESTS
@pytest.mark.parametrize("purpose", [derivation.KEY, derivation.IV, derivation.MAC])
def test_openssl_derives_the_same_for_pkcs12(digest: derivation.Digest, purpose: int) -> None:
    """Lengths within one digest's, exactly one, and beyond two; salts and passwords beyond a block of the digest's."""
    for length, salt, password in (
        (5, SALT, PASSWORD),
        (digest.size, b"\1" * 129, "grüße " * 30),
        (2 * digest.size + 3, b"", "x"),
        (2 * digest.size, b"\xff" * 64, "\U0001f511"),
    ):
        hexpass = password.encode("utf-16-be").hex() + "0000"
        asked = [f"digest:{digest.in_hashlib.replace('_', '-')}", f"hexpass:{hexpass}", f"hexsalt:{salt.hex()}", "iter:7", f"id:{purpose}"]
        options = [word for option in asked for word in ("-kdfopt", option)]
        said = openssl("kdf", "-keylen", str(length), *options, "PKCS12KDF", check=False)
        if "Invalid command" in said:
            pytest.skip("this openssl has no command kdf, which judges here")
        assert Secret(password).pkcs12(digest, purpose, salt, 7, length, "it") == bytes.fromhex(said.replace(":", "")), said


def test_each_purpose_password_salt_and_count_gives_another_key() -> None:
    def derived(password: str = PASSWORD, purpose: int = derivation.KEY, salt: bytes = SALT, iterations: int = 2) -> bytes:
        return Secret(password).pkcs12(derivation.SHA1, purpose, salt, iterations, 24, "it")

    assert derived() == derived()
    others = [
        derived("another"),
        derived(purpose=derivation.IV),
        derived(purpose=derivation.MAC),
        derived(salt=SALT[1:]),
        derived(iterations=3),
    ]
    assert len({derived(), *others}) == 6


@ALL_DIGESTS
@given(password=st.text(max_size=200), salt=st.binary(max_size=80), length=st.integers(1, 200))
def test_hashlib_derives_the_same_by_pbkdf2(digest: derivation.Digest, password: str, salt: bytes, length: int) -> None:
    right = hashlib.pbkdf2_hmac(digest.in_hashlib, password.encode("utf-8", "surrogatepass"), salt, 3, length)
    assert Secret(password).pbkdf2(digest, salt, 3, length, "it") == right


@ALL_DIGESTS
def test_digests_are_those_that_their_identifiers_name(digest: derivation.Digest) -> None:
    """openssl knows the object identifiers."""
    assert hashlib.new(digest.in_hashlib).digest_size == digest.size
    for scheme, named in ((digest.oid, digest.in_hashlib), (digest.hmac_oid, f"hmacwith{digest.in_hashlib}")):
        said = openssl("asn1parse", "-inform", "DER", stdin=algorithm(scheme)).strip().splitlines()[-1].rpartition(":")[2]
        assert said.lower().replace("-", "_") == named
    assert derivation.digest(element(algorithm(digest.oid, der.null())), "it") is digest
    assert derivation.hmac_digest(element(algorithm(digest.hmac_oid)), "it") is digest


@pytest.mark.parametrize(
    ("scheme", "message"),
    [
        ("2.16.840.1.101.3.4.2.8", "it is protected with SHA3-256 (2.16.840.1.101.3.4.2.8), which is not supported"),
        (HMAC_SHA1, f"it is protected with {HMAC_SHA1}, which is not supported"),
        ("1.2.3.4", "it is protected with 1.2.3.4, which is not supported"),
    ],
)
def test_other_digests_are_refused(scheme: str, message: str) -> None:
    with pytest.raises(UnsupportedStoreError) as refused:
        derivation.digest(element(algorithm(scheme)), "it")
    assert str(refused.value) == message


def test_a_digest_that_the_host_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_arguments: object, **_options: object) -> None:
        raise ValueError("unsupported hash type")

    def refused(*_arguments: object, **_options: object) -> None:
        raise UnsupportedAlgorithm("not with this OpenSSL")

    digest = derivation.DIGESTS[-1]
    monkeypatch.setattr(derivation.hashlib, "new", missing)
    monkeypatch.setattr(derivation, "PBKDF2HMAC", refused)
    message = "^it is protected with SHA512/256, which this host's cryptographic libraries do not have$"
    with pytest.raises(UnsupportedStoreError, match=message):
        Secret(PASSWORD).pkcs12(digest, derivation.MAC, SALT, 1, 32, "it")
    with pytest.raises(UnsupportedStoreError, match=message):
        Secret(PASSWORD).pbkdf2(digest, SALT, 1, 32, "it")


# --- the password ----------------------------------------------------------------------------------------------------


def test_a_password_is_in_no_representation() -> None:
    secret = Secret(PASSWORD)
    assert PASSWORD not in f"{secret!r} {secret} {derivation.forms(PASSWORD)}"
    assert not hasattr(secret, "__dict__")


def test_a_password_has_one_form_and_the_empty_one_two() -> None:
    def derived(secret: Secret) -> bytes:
        return secret.pkcs12(derivation.SHA1, derivation.KEY, SALT, 1, 20, "it")

    assert len(derivation.forms(PASSWORD)) == len(derivation.forms("\0")) == 1
    usual, bare = derivation.forms("")
    assert derived(usual) == derived(Secret(""))
    assert derived(bare) != derived(usual)
    options = [f"hexsalt:{SALT.hex()}", "hexpass:", "digest:SHA1", "iter:1", "id:1"]
    said = openssl("kdf", "-keylen", "20", *(word for each in options for word in ("-kdfopt", each)), "PKCS12KDF", check=False)
    if "Invalid command" in said:
        pytest.skip("this openssl has no command kdf, which judges here")
    assert derived(bare) == bytes.fromhex(said.replace(":", ""))


def test_forms_share_one_budget() -> None:
    usual, bare = derivation.forms("")
    assert usual.pbkdf2(derivation.SHA1, SALT, 5, 20, "it") == bare.pbkdf2(derivation.SHA1, SALT, 5, 20, "it")
    bare.pkcs12(derivation.SHA1, derivation.MAC, SALT, 2, 20, "it")
    assert (usual.derivations, usual.iterations) == (bare.derivations, bare.iterations) == (3, 12)


def test_a_password_that_is_no_text_derives_keys_like_any_other() -> None:
    secret = Secret("\ud800 half a pair of surrogates")
    assert len(secret.pbkdf2(derivation.SHA1, SALT, 1, 24, "it")) == len(secret.pkcs12(derivation.SHA1, 1, SALT, 1, 24, "it")) == 24


# --- bounds ----------------------------------------------------------------------------------------------------------


def test_what_was_spent_is_counted() -> None:
    """By the iterations that were made: a key beyond the digest's length takes them for each part of that length."""
    secret = Secret(PASSWORD)
    secret.pkcs12(derivation.SHA1, derivation.KEY, SALT, 10, 24, "it")
    assert (secret.derivations, secret.iterations) == (1, 20)
    secret.pkcs12(derivation.SHA1, derivation.IV, SALT, 10, 8, "it")
    assert (secret.derivations, secret.iterations) == (2, 30)
    secret.pbkdf2(derivation.SHA256, SALT, 10, 32, "it")
    assert (secret.derivations, secret.iterations) == (3, 40)
    secret.pbkdf2(derivation.SHA1, SALT, 10, 32, "it")
    assert (secret.derivations, secret.iterations) == (4, 60)


def test_a_store_may_take_so_many_iterations_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derivation, "MAX_TOTAL_ITERATIONS", 100)
    secret = Secret(PASSWORD)
    secret.pkcs12(derivation.SHA1, derivation.MAC, SALT, 60, 20, "the MAC")
    for attempt in (
        lambda: secret.pkcs12(derivation.SHA1, derivation.KEY, SALT, 41, 20, "a key"),
        lambda: secret.pbkdf2(derivation.SHA256, SALT, 41, 32, "a key"),
    ):
        with pytest.raises(UnsupportedStoreError) as refused:
            attempt()
        assert str(refused.value) == "a key would make the store take 101 iterations in all; up to 100 are accepted"
    assert (secret.derivations, secret.iterations) == (1, 60)
    secret.pbkdf2(derivation.SHA256, SALT, 40, 32, "a key")
    assert (secret.derivations, secret.iterations) == (2, 100)


def test_nothing_is_begun_that_would_take_too_long() -> None:
    begun = time.monotonic()
    secret = Secret(PASSWORD)
    with pytest.raises(UnsupportedStoreError) as refused:
        secret.pkcs12(derivation.SHA1, derivation.KEY, SALT, derivation.MAX_ITERATIONS, 41, "it")
    assert str(refused.value) == "it would make the store take 15000000 iterations in all; up to 10000000 are accepted"
    for count in (derivation.MAX_ITERATIONS + 1, 2**31, 0, -1):
        message = f"^it asks for {count} iterations; 1 to 5000000 are accepted$"
        with pytest.raises(UnsupportedStoreError, match=message):
            secret.pkcs12(derivation.SHA1, derivation.KEY, SALT, count, 1, "it")
        with pytest.raises(UnsupportedStoreError, match=message):
            secret.pbkdf2(derivation.SHA1, SALT, count, 1, "it")
    assert (secret.derivations, secret.iterations) == (0, 0)
    assert time.monotonic() - begun < 0.5


def test_a_salt_is_a_salt() -> None:
    secret = Secret(PASSWORD)
    assert len(secret.pkcs12(derivation.SHA1, derivation.KEY, bytes(1024), 1, 20, "it")) == 20
    with pytest.raises(UnsupportedStoreError, match="^it has a salt of 1025 bytes; up to 1024 are accepted$"):
        secret.pkcs12(derivation.SHA1, derivation.KEY, bytes(1025), 1, 20, "it")


@pytest.mark.parametrize("count", [1, 10_000, derivation.MAX_ITERATIONS])
def test_iterations_up_to_what_java_takes(count: int) -> None:
    assert derivation.iterations(element(der.integer(count)), "it") == count


@pytest.mark.parametrize("count", [derivation.MAX_ITERATIONS + 1, 2**31, 2**300, 0, -1])
def test_other_counts_are_refused(count: int) -> None:
    with pytest.raises(UnsupportedStoreError, match=f"^it asks for {count} iterations; 1 to 5000000 are accepted$"):
        derivation.iterations(element(der.integer(count)), "it")


def test_a_count_with_more_digits_than_python_prints_is_refused() -> None:
    with pytest.raises(StoreError, match="^the iteration count of it is an INTEGER of 2000 bytes, which is too large$"):
        derivation.iterations(element(der.encode(der.INTEGER, b"\x01" * 2000)), "it")


# --- parameters ------------------------------------------------------------------------------------------------------


def parameters(*parts: bytes) -> der.Element:
    return element(algorithm(PBKDF2, der.sequence(*parts)))


OCTETS = der.octet_string(SALT)


@pytest.mark.parametrize(
    ("more", "length", "name"),
    [
        pytest.param((), None, "SHA1", id="both-left-out"),
        pytest.param((der.integer(32),), 32, "SHA1", id="key-length-only"),
        pytest.param((algorithm(HMAC_SHA1),), None, "SHA1", id="default-said"),
        pytest.param((algorithm(HMAC_SHA256, der.null()),), None, "SHA256", id="digest-only"),
        pytest.param((der.integer(16), algorithm(HMAC_SHA256, der.null())), 16, "SHA256", id="both"),
    ],
)
def test_length_and_digest_may_be_left_out(more: tuple[bytes, ...], length: int | None, name: str) -> None:
    """RFC 8018 appendix A.2: the function is HMAC-SHA1 when none is named."""
    read = derivation.pbkdf2(parameters(OCTETS, der.integer(7), *more), "it")
    assert (read.salt, read.iterations, read.key_length, read.digest.name) == (SALT, 7, length, name)


@ALL_DIGESTS
@given(salt=st.binary(max_size=64), iterations=st.integers(1, derivation.MAX_ITERATIONS), length=st.none() | st.integers(1, 64))
def test_parameters_are_read_as_written(digest: derivation.Digest, salt: bytes, iterations: int, length: int | None) -> None:
    written = derivation.Pbkdf2(salt, iterations, length, digest)
    assert derivation.pbkdf2(element(written.encode()), "it") == written


@pytest.mark.parametrize(
    ("function", "message"),
    [
        pytest.param(parameters(OCTETS), "the PBKDF2 parameters of it should have 2 to 4 parts and has 1", id="no-count"),
        pytest.param(parameters(der.null(), der.integer(1)), "the salt of it should be a OCTET STRING and is a NULL", id="no-salt"),
        pytest.param(
            parameters(algorithm(PBKDF2), der.integer(1)),
            "the salt of it should be a OCTET STRING and is a SEQUENCE",
            id="salt-from-elsewhere",
        ),
        pytest.param(
            parameters(OCTETS, der.integer(1), algorithm(HMAC_SHA1), der.integer(32)),
            "the PBKDF2 parameters of it have parts that do not belong there",
            id="wrong-order",
        ),
        pytest.param(
            parameters(OCTETS, der.integer(1), der.null()), "an algorithm of it should be a SEQUENCE and is a NULL", id="no-digest"
        ),
        pytest.param(
            parameters(OCTETS, der.integer(1), algorithm("1.2.3")),
            "it is protected with 1.2.3, which is not supported",
            id="another-digest",
        ),
        pytest.param(parameters(OCTETS, der.integer(0)), "it asks for 0 iterations; 1 to 5000000 are accepted", id="no-iterations"),
        pytest.param(element(algorithm(PBKDF2)), "an algorithm of it lacks its parameters", id="no-parameters"),
        pytest.param(element(der.sequence()), "an algorithm of it should have 1 to 2 parts and has 0", id="empty-algorithm"),
        pytest.param(
            element(algorithm("1.3.6.1.4.1.11591.4.11", der.sequence())),
            "it is protected with scrypt (1.3.6.1.4.1.11591.4.11), which is not supported",
            id="scrypt",
        ),
    ],
)
def test_other_parameters_are_refused(function: der.Element, message: str) -> None:
    with pytest.raises(StoreError) as refused:
        derivation.pbkdf2(function, "it")
    assert str(refused.value) == message
