# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Password-based encryption: what is refused is refused by its algorithm's name, and before any work is done."""

from __future__ import annotations

import base64
import time

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mutual.tls.plugins.module_utils import der, pbe
from ansible_collections.mutual.tls.plugins.module_utils.errors import PasswordError, StoreError, UnsupportedStoreError

from .factory import PASSWORD, openssl

pytestmark = pytest.mark.codec

PBES2 = "1.2.840.113549.1.5.13"
PBKDF2 = "1.2.840.113549.1.5.12"
HMAC_SHA1 = "1.2.840.113549.2.7"
HMAC_SHA256 = "1.2.840.113549.2.9"
HMAC_SHA512_256 = "1.2.840.113549.2.13"
AES_128 = "2.16.840.1.101.3.4.1.2"
AES_192 = "2.16.840.1.101.3.4.1.22"
AES_256 = "2.16.840.1.101.3.4.1.42"
DES_EDE3 = "1.2.840.113549.3.7"
SHA256 = "2.16.840.1.101.3.4.2.1"
SHA3_256 = "2.16.840.1.101.3.4.2.8"
SALT = der.octet_string(bytes(range(20)))


def element(encoded: bytes) -> der.Element:
    return next(der.elements(encoded, "the test's own"))


def algorithm(scheme: str, *parameters: bytes) -> bytes:
    return der.sequence(der.oid(scheme), *parameters)


def pbes2(
    *,
    cipher: str = AES_256,
    iv: bytes = bytes(16),
    salt: bytes = SALT,
    iterations: bytes = der.integer(1),
    more: tuple[bytes, ...] = (algorithm(HMAC_SHA256, der.null()),),
    derivation: str = PBKDF2,
) -> der.Element:
    """An AlgorithmIdentifier, of which each part may be another."""
    function = algorithm(derivation, der.sequence(salt, iterations, *more))
    return element(algorithm(PBES2, der.sequence(function, algorithm(cipher, der.octet_string(iv)))))


@given(st.binary(max_size=100), st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=6, max_size=20))
def test_what_is_encrypted_is_decrypted(plaintext: bytes, password: str) -> None:
    scheme, ciphertext = pbe.encrypt(plaintext, password, 3)
    assert pbe.decrypt(element(scheme), ciphertext, password, "it") == (plaintext, pbe.Encryption("PBEWithHmacSHA256AndAES_256", 3))


def test_each_encryption_has_a_salt_and_a_vector_of_its_own() -> None:
    assert len({pbe.encrypt(b"same", PASSWORD, 1) for _each in range(3)}) == 3


def test_openssl_decrypts_the_same() -> None:
    """A PKCS#8 file that openssl opens: the judge of PBES2 without a store around it."""
    bare = openssl("genpkey", "-algorithm", "ED25519")
    pkcs8 = base64.b64decode("".join(bare.splitlines()[1:-1]))
    scheme, ciphertext = pbe.encrypt(pkcs8, PASSWORD, 1000)
    shrouded = der.sequence(scheme, der.octet_string(ciphertext))
    asked = ("pkcs8", "-inform", "DER", "-passin", "env:STORE")
    assert openssl(*asked, stdin=shrouded) == bare
    assert "bad decrypt" in openssl(*asked, stdin=shrouded, password="another", check=False)


@pytest.mark.parametrize(
    ("scheme", "message"),
    [
        pytest.param(
            element(algorithm("1.2.840.113549.1.12.1.3", der.sequence(SALT, der.integer(1)))),
            "it is protected with pbeWithSHAAnd3-KeyTripleDES-CBC (1.2.840.113549.1.12.1.3), which is not supported",
            id="3des",
        ),
        pytest.param(
            element(algorithm("1.2.840.113549.1.12.1.5", der.sequence(SALT, der.integer(1)))),
            "it is protected with pbeWithSHAAnd128BitRC2-CBC (1.2.840.113549.1.12.1.5), which is not supported",
            id="rc2-128",
        ),
        pytest.param(
            element(algorithm("1.2.840.113549.1.12.1.6", der.sequence(SALT, der.integer(1)))),
            "it is protected with pbeWithSHAAnd40BitRC2-CBC (1.2.840.113549.1.12.1.6), which is not supported",
            id="rc2-40",
        ),
        pytest.param(pbes2(cipher=AES_192), f"it is protected with AES-192-CBC ({AES_192}), which is not supported", id="aes-192"),
        pytest.param(pbes2(cipher=DES_EDE3), f"it is protected with {DES_EDE3}, which is not supported", id="3des-in-pbes2"),
        pytest.param(
            pbes2(derivation="1.3.6.1.4.1.11591.4.11"), "it is protected with 1.3.6.1.4.1.11591.4.11, which is not supported", id="scrypt"
        ),
        pytest.param(
            pbes2(more=(algorithm(HMAC_SHA512_256, der.null()),)),
            f"it is protected with {HMAC_SHA512_256}, which is not supported",
            id="another-prf",
        ),
        pytest.param(
            pbes2(iterations=der.integer(5_000_001)), "it asks for 5000001 iterations; 1 to 5000000 are accepted", id="too-many-iterations"
        ),
        pytest.param(pbes2(iterations=der.integer(0)), "it asks for 0 iterations; 1 to 5000000 are accepted", id="no-iterations"),
        pytest.param(pbes2(iterations=der.integer(-1)), "it asks for -1 iterations; 1 to 5000000 are accepted", id="negative-iterations"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(scheme: der.Element, message: str) -> None:
    with pytest.raises(UnsupportedStoreError) as refused:
        pbe.decrypt(scheme, bytes(32), PASSWORD, "it")
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("scheme", "ciphertext", "message"),
    [
        pytest.param(pbes2(iv=bytes(8)), bytes(32), "it is not a whole number of AES blocks", id="short-vector"),
        pytest.param(pbes2(), b"", "it is not a whole number of AES blocks", id="nothing-encrypted"),
        pytest.param(pbes2(), bytes(31), "it is not a whole number of AES blocks", id="half-a-block"),
        pytest.param(
            element(algorithm(PBES2, der.sequence(algorithm(PBKDF2, der.sequence(SALT)), algorithm(AES_256, der.octet_string(bytes(16)))))),
            bytes(32),
            "the PBKDF2 parameters of it should have 2 to 4 parts and has 1",
            id="no-iteration-count",
        ),
        pytest.param(
            element(algorithm(PBES2, der.sequence(algorithm(PBKDF2, der.sequence(SALT, der.integer(1)))))),
            bytes(32),
            "the PBES2 parameters of it should have 2 parts and has 1",
            id="no-cipher",
        ),
        pytest.param(pbes2(salt=der.null()), bytes(32), "the salt of it should be a OCTET STRING and is a NULL", id="salt-of-another-kind"),
        pytest.param(
            pbes2(iterations=der.encode(der.INTEGER, b"\x01" * 2000)),
            bytes(32),
            "the iteration count of it is an INTEGER of 2000 bytes, which is too large",
            id="iterations-with-more-digits-than-python-prints",
        ),
        pytest.param(element(der.sequence()), bytes(32), "an algorithm of it should have 1 to 2 parts and has 0", id="empty-algorithm"),
        pytest.param(
            element(der.sequence(der.oid(PBES2), der.null(), der.null())),
            bytes(32),
            "an algorithm of it should have 1 to 2 parts and has more",
            id="algorithm-with-too-much",
        ),
    ],
)
def test_what_is_malformed_is_refused(scheme: der.Element, ciphertext: bytes, message: str) -> None:
    with pytest.raises(StoreError) as refused:
        pbe.decrypt(scheme, ciphertext, PASSWORD, "it")
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("more", "name"),
    [
        pytest.param((), "PBEWithHmacSHA1AndAES_256", id="prf-left-out"),
        pytest.param((der.integer(32),), "PBEWithHmacSHA1AndAES_256", id="key-length-only"),
        pytest.param((algorithm(HMAC_SHA1),), "PBEWithHmacSHA1AndAES_256", id="prf-without-parameters"),
        pytest.param((der.integer(32), algorithm(HMAC_SHA256, der.null())), "PBEWithHmacSHA256AndAES_256", id="both"),
    ],
)
def test_optional_parameters_may_be_left_out(more: tuple[bytes, ...], name: str) -> None:
    """RFC 8018 appendix A.2: the PRF is HMAC-SHA1 when none is named. The padding tells whether the key was the right one."""
    digest = hashes.SHA256() if "SHA256" in name else hashes.SHA1()
    key = PBKDF2HMAC(algorithm=digest, length=32, salt=bytes(range(20)), iterations=1).derive(PASSWORD.encode())
    encryptor = Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor()
    ciphertext = encryptor.update(b"fifteen letters" + b"\x01")
    assert pbe.decrypt(pbes2(more=more), ciphertext, PASSWORD, "it") == (b"fifteen letters", pbe.Encryption(name, 1))


@pytest.mark.parametrize("count", [1, 10_000, pbe.MAX_ITERATIONS])
def test_iterations_up_to_what_java_takes(count: int) -> None:
    assert pbe.bounded_iterations(element(der.integer(count)), "it") == count


@pytest.mark.parametrize("count", [pbe.MAX_ITERATIONS + 1, 2**31, 2**300])
def test_more_iterations_are_refused_at_once(count: int) -> None:
    mac = der.sequence(der.sequence(algorithm(SHA256, der.null()), der.octet_string(bytes(32))), SALT, der.integer(count))
    begun = time.monotonic()
    for attempt in (
        lambda: pbe.verify_mac(element(mac), b"sealed", PASSWORD),
        lambda: pbe.decrypt(pbes2(iterations=der.integer(count)), bytes(32), PASSWORD, "the MAC"),
    ):
        with pytest.raises(UnsupportedStoreError, match=rf"^the MAC asks for {count} iterations; 1 to 5000000 are accepted$"):
            attempt()
    assert time.monotonic() - begun < 0.5


def mac_of(sealed: bytes, scheme: str = SHA256, *, password: str = PASSWORD) -> bytes:
    """MacData with one iteration, which DER leaves out."""
    value = pbe._mac(scheme, sealed, password, bytes(range(20)), 1) if scheme in pbe._DIGESTS else bytes(32)
    return der.sequence(der.sequence(algorithm(scheme, der.null()), der.octet_string(value)), SALT)


def test_a_mac_holds_for_what_it_was_made_of() -> None:
    assert pbe.verify_mac(element(pbe.make_mac(b"sealed", PASSWORD, 5)), b"sealed", PASSWORD) == pbe.Mac("HmacPBESHA256", 5)
    assert pbe.verify_mac(element(mac_of(b"sealed")), b"sealed", PASSWORD) == pbe.Mac("HmacPBESHA256", 1)


@pytest.mark.parametrize(
    ("sealed", "password"),
    [
        pytest.param(b"Sealed", PASSWORD, id="other-content"),
        pytest.param(b"sealed", "another password", id="other-password"),
        pytest.param(b"sealed", "", id="empty-password"),
        pytest.param(b"sealed", "\ud800 half a pair of surrogates", id="password-that-is-no-text"),
    ],
)
def test_a_mac_holds_for_nothing_else(sealed: bytes, password: str) -> None:
    with pytest.raises(PasswordError, match="^the password is wrong, or the store was damaged: its MAC does not hold$"):
        pbe.verify_mac(element(pbe.make_mac(b"sealed", PASSWORD, 1)), sealed, password)


@pytest.mark.parametrize(
    ("mac", "message"),
    [
        (mac_of(b"", SHA3_256), f"the MAC is protected with {SHA3_256}, which is not supported"),
        (mac_of(b"", "1.2.840.113549.1.5.14"), "the MAC is protected with PBMAC1 (1.2.840.113549.1.5.14), which is not supported"),
        (der.sequence(der.sequence(algorithm(SHA256), der.octet_string(b""))), "the MAC should have 2 to 3 parts and has 1"),
        (der.sequence(der.sequence(algorithm(SHA256)), SALT), "the MAC should have 2 parts and has 1"),
        (der.sequence(der.null(), SALT), "the MAC should be a SEQUENCE and is a NULL"),
        (der.null(), "the MAC should be a SEQUENCE and is a NULL"),
    ],
)
def test_other_macs_are_refused(mac: bytes, message: str) -> None:
    with pytest.raises(StoreError) as refused:
        pbe.verify_mac(element(mac), b"", PASSWORD)
    assert str(refused.value) == message


def test_a_mac_cut_short_does_not_hold() -> None:
    """A comparison of what is there would take an empty MAC for a right one."""
    for length in (0, 1, 31):
        value = pbe._mac(SHA256, b"sealed", PASSWORD, bytes(range(20)), 1)[:length]
        mac = der.sequence(der.sequence(algorithm(SHA256, der.null()), der.octet_string(value)), SALT)
        with pytest.raises(PasswordError):
            pbe.verify_mac(element(mac), b"sealed", PASSWORD)
