# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Password-based encryption: openssl and ``cryptography`` judge it, and what is not supported is refused by its name before any work."""

from __future__ import annotations

import base64
import tracemalloc

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mutual.tls.plugins.module_utils import der, derivation, pbe
from ansible_collections.mutual.tls.plugins.module_utils.derivation import Secret
from ansible_collections.mutual.tls.plugins.module_utils.entries import Algorithm
from ansible_collections.mutual.tls.plugins.module_utils.errors import PasswordError, StoreError, UnsupportedStoreError

from .factory import PASSWORD, openssl

pytestmark = pytest.mark.codec

PBES2 = "1.2.840.113549.1.5.13"
PBKDF2 = "1.2.840.113549.1.5.12"
HMAC_SHA256 = "1.2.840.113549.2.9"
HMAC_SHA3_256 = "2.16.840.1.101.3.4.2.14"
AES_128 = "2.16.840.1.101.3.4.1.2"
AES_256 = "2.16.840.1.101.3.4.1.42"
DESEDE = "1.2.840.113549.1.12.1.3"
RC2_128 = "1.2.840.113549.1.12.1.5"
RC2_40 = "1.2.840.113549.1.12.1.6"
SALT = der.octet_string(bytes(range(20)))
KEY = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
LEGACY = ("-provider", "legacy", "-provider", "default")
WRITTEN = pytest.mark.parametrize("name", [pbe.AES_256, pbe.DESEDE])


def element(encoded: bytes) -> der.Element:
    return next(der.elements(encoded, "the test's own"))


def algorithm(scheme: str, *parameters: bytes) -> bytes:
    return der.sequence(der.oid(scheme), *parameters)


def pbes2(
    *,
    cipher: str = AES_256,
    vector: bytes = der.octet_string(bytes(16)),
    salt: bytes = SALT,
    iterations: bytes = der.integer(1),
    more: tuple[bytes, ...] = (algorithm(HMAC_SHA256, der.null()),),
    derived_by: str = PBKDF2,
) -> der.Element:
    """An AlgorithmIdentifier, of which each part may be another."""
    function = algorithm(derived_by, der.sequence(salt, iterations, *more))
    return element(algorithm(PBES2, der.sequence(function, algorithm(cipher, vector))))


def pkcs12(scheme: str, *, salt: bytes = SALT, iterations: bytes = der.integer(1)) -> der.Element:
    return element(algorithm(scheme, der.sequence(salt, iterations)))


def aes_encrypted(padded: bytes) -> bytes:
    """Whole blocks, as pbes2() says that they are encrypted."""
    key = Secret(PASSWORD).pbkdf2(derivation.SHA256, bytes(range(20)), 1, 32, "it")
    return Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor().update(padded)


# --- what is read and written ----------------------------------------------------------------------------------------


@WRITTEN
@given(plaintext=st.binary(max_size=100), password=st.text(max_size=20), iterations=st.integers(1, 5))
def test_what_is_encrypted_is_decrypted(name: str, plaintext: bytes, password: str, iterations: int) -> None:
    encryption = Algorithm(name, iterations)
    scheme, ciphertext = pbe.encrypt(plaintext, Secret(password), encryption)
    assert pbe.decrypt(element(scheme), ciphertext, Secret(password), "it") == (plaintext, encryption)


@WRITTEN
def test_each_encryption_has_a_salt_and_a_vector_of_its_own(name: str) -> None:
    made = [pbe.encrypt(b"same", Secret(PASSWORD), Algorithm(name, 1)) for _each in range(3)]
    assert len({scheme for scheme, _ciphertext in made}) == len({ciphertext for _scheme, ciphertext in made}) == 3


@WRITTEN
def test_cryptography_decrypts_what_is_encrypted(name: str) -> None:
    scheme, ciphertext = pbe.encrypt(KEY, Secret(PASSWORD), Algorithm(name, 1000))
    shrouded = der.sequence(scheme, der.octet_string(ciphertext))
    key = serialization.load_der_private_key(shrouded, PASSWORD.encode())
    assert key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()) == KEY
    with pytest.raises(ValueError):  # each version words it another way
        serialization.load_der_private_key(shrouded, b"another password")


@WRITTEN
def test_openssl_decrypts_what_is_encrypted(name: str) -> None:
    scheme, ciphertext = pbe.encrypt(KEY, Secret(PASSWORD), Algorithm(name, 1000))
    shrouded = der.sequence(scheme, der.octet_string(ciphertext))
    asked = ("pkcs8", "-inform", "DER", "-passin", "env:STORE")
    assert base64.b64decode("".join(openssl(*asked, stdin=shrouded).splitlines()[1:-1])) == KEY
    assert "BEGIN" not in openssl(*asked, stdin=shrouded, password="another", check=False)


def shrouded_by_openssl(*options: str) -> tuple[der.Element, bytes]:
    """A key's AlgorithmIdentifier and ciphertext."""
    asked = ("pkcs8", "-topk8", "-inform", "DER", "-passout", "env:STORE", "-iter", "100", *options)
    said = openssl(*asked, stdin=KEY)
    encoded = base64.b64decode("".join(said.split("-----")[2].split()))
    scheme, ciphertext = der.parts(encoded, "openssl's key", 2, 2)
    return scheme, ciphertext.content


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (["-v2", "aes-256-cbc"], "PBEWithHmacSHA256AndAES_256"),
        (["-v2", "aes-128-cbc"], "PBEWithHmacSHA256AndAES_128"),
        (["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA1"], "PBEWithHmacSHA1AndAES_256"),
        (["-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA224"], "PBEWithHmacSHA224AndAES_128"),
        (["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA384"], "PBEWithHmacSHA384AndAES_256"),
        (["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512"], "PBEWithHmacSHA512AndAES_256"),
        (["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512-224"], "PBEWithHmacSHA512/224AndAES_256"),
        (["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512-256"], "PBEWithHmacSHA512/256AndAES_256"),
        (["-v1", "PBE-SHA1-3DES"], "PBEWithSHA1AndDESede"),
        (["-v1", "PBE-SHA1-RC2-128", *LEGACY], "PBEWithSHA1AndRC2_128"),
        (["-v1", "PBE-SHA1-RC2-40", *LEGACY], "PBEWithSHA1AndRC2_40"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_openssl_encrypts_is_decrypted(options: list[str], name: str) -> None:
    if "legacy" in options and "OpenSSL Legacy Provider" not in openssl("list", "-providers", *LEGACY, check=False):
        pytest.skip("openssl's legacy provider is not installed, which encrypts with RC2 here")
    scheme, ciphertext = shrouded_by_openssl(*options)
    assert pbe.decrypt(scheme, ciphertext, Secret(PASSWORD), "it") == (KEY, Algorithm(name, 100))
    try:
        assert pbe.decrypt(scheme, ciphertext, Secret("another"), "it")[0] != KEY
    except PasswordError as error:  # all but one time in 256
        assert str(error) == "the password does not decrypt it"


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (["-v2", "aes-192-cbc"], "AES-192-CBC (2.16.840.1.101.3.4.1.22)"),
        (["-v2", "des-ede3-cbc"], "DES-EDE3-CBC (1.2.840.113549.3.7)"),
        (["-v2", "camellia-128-cbc"], "CAMELLIA-128-CBC (1.2.392.200011.61.1.1.1.2)"),
        (["-v2", "camellia-256-cbc"], "CAMELLIA-256-CBC (1.2.392.200011.61.1.1.1.4)"),
        (["-v1", "PBE-SHA1-2DES"], "pbeWithSHAAnd2-KeyTripleDES-CBC (1.2.840.113549.1.12.1.4)"),
        (["-scrypt", "-scrypt_N", "16"], "scrypt (1.3.6.1.4.1.11591.4.11)"),
        (["-v1", "PBE-SHA1-RC4-128", *LEGACY], "pbeWithSHAAnd128BitRC4 (1.2.840.113549.1.12.1.1)"),
        (["-v1", "PBE-MD5-DES", *LEGACY], "pbeWithMD5AndDES-CBC (1.2.840.113549.1.5.3)"),
        (["-v2", "rc2-cbc", *LEGACY], "RC2-CBC (1.2.840.113549.3.2)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_else_openssl_encrypts_is_refused_by_name(options: list[str], name: str) -> None:
    if "legacy" in options and "OpenSSL Legacy Provider" not in openssl("list", "-providers", *LEGACY, check=False):
        pytest.skip("openssl's legacy provider is not installed, which encrypts here")
    secret = Secret(PASSWORD)
    with pytest.raises(UnsupportedStoreError) as refused:
        pbe.decrypt(*shrouded_by_openssl(*options), secret, "it")
    assert str(refused.value) == f"it is protected with {name}, which is not supported"
    assert secret.derivations == 0


@pytest.mark.parametrize(
    ("scheme", "message"),
    [
        pytest.param(
            pbes2(cipher="2.16.840.1.101.3.4.1.46"),
            "it is protected with AES-256-GCM (2.16.840.1.101.3.4.1.46), which is not supported",
            id="gcm",
        ),
        pytest.param(pbes2(cipher="1.2.3"), "it is protected with 1.2.3, which is not supported", id="another-cipher"),
        pytest.param(element(algorithm("1.2.3")), "it is protected with 1.2.3, which is not supported", id="another-scheme"),
        pytest.param(
            pbes2(more=(algorithm(HMAC_SHA3_256),)),
            f"it is protected with HMAC-SHA3-256 ({HMAC_SHA3_256}), which is not supported",
            id="another-digest",
        ),
        pytest.param(
            pbes2(iterations=der.integer(5_000_001)), "it asks for 5000001 iterations; 1 to 5000000 are accepted", id="too-many-iterations"
        ),
        pytest.param(
            pkcs12(DESEDE, iterations=der.integer(5_000_001)),
            "it asks for 5000001 iterations; 1 to 5000000 are accepted",
            id="too-many-iterations-3des",
        ),
        pytest.param(
            pkcs12(RC2_40, iterations=der.integer(0)), "it asks for 0 iterations; 1 to 5000000 are accepted", id="no-iterations-rc2"
        ),
    ],
)
def test_what_is_not_supported_is_refused(scheme: der.Element, message: str) -> None:
    secret = Secret(PASSWORD)
    with pytest.raises(UnsupportedStoreError) as refused:
        pbe.decrypt(scheme, bytes(32), secret, "it")
    assert str(refused.value) == message
    assert secret.derivations == 0


@pytest.mark.parametrize("name", ["PBEWithSHA1AndRC2_40", "PBEWithSHA1AndRC2_128", "PBEWithHmacSHA1AndAES_256", "", "NONE"])
def test_what_is_only_read_is_not_written(name: str) -> None:
    with pytest.raises(UnsupportedStoreError) as refused:
        pbe.encrypt(KEY, Secret(PASSWORD), Algorithm(name, 1))
    assert str(refused.value) == f"nothing is encrypted with {name} here, only with PBEWithHmacSHA256AndAES_256 or PBEWithSHA1AndDESede"


@WRITTEN
def test_nothing_is_written_that_could_not_be_read(name: str) -> None:
    with pytest.raises(UnsupportedStoreError, match="^what is to be encrypted asks for 5000001 iterations; 1 to 5000000 are accepted$"):
        pbe.encrypt(KEY, Secret(PASSWORD), Algorithm(name, 5_000_001))


@WRITTEN
def test_a_cipher_that_the_host_refuses_is_said(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_arguments: object) -> None:
        raise UnsupportedAlgorithm("strict host")

    scheme, ciphertext = pbe.encrypt(KEY, Secret(PASSWORD), Algorithm(name, 1))
    monkeypatch.setattr(Cipher, "decryptor", refused)
    with pytest.raises(UnsupportedStoreError) as said:
        pbe.decrypt(element(scheme), ciphertext, Secret(PASSWORD), "it")
    assert str(said.value) == "it is protected with a cipher that this host's OpenSSL refuses: strict host"


# --- what is malformed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "ciphertext", "message"),
    [
        pytest.param(
            pbes2(vector=der.octet_string(bytes(8))),
            bytes(32),
            "it has an initialisation vector of 8 bytes, which should have 16",
            id="short-vector",
        ),
        pytest.param(
            pbes2(vector=der.null()), bytes(32), "the initialisation vector of it should be a OCTET STRING and is a NULL", id="no-vector"
        ),
        pytest.param(pbes2(), b"", "it has 0 encrypted bytes, which is no whole number of blocks of 16", id="nothing-encrypted"),
        pytest.param(pbes2(), bytes(24), "it has 24 encrypted bytes, which is no whole number of blocks of 16", id="half-a-block"),
        pytest.param(pkcs12(DESEDE), b"", "it has 0 encrypted bytes, which is no whole number of blocks of 8", id="nothing-3des"),
        pytest.param(pkcs12(DESEDE), bytes(12), "it has 12 encrypted bytes, which is no whole number of blocks of 8", id="half-3des"),
        pytest.param(pkcs12(RC2_40), b"", "it has 0 encrypted bytes, which is no whole number of blocks of 8", id="nothing-rc2"),
        pytest.param(pkcs12(RC2_128), bytes(12), "it has 12 encrypted bytes, which is no whole number of blocks of 8", id="half-rc2"),
        pytest.param(
            pbes2(more=(der.integer(16), algorithm(HMAC_SHA256))),
            bytes(32),
            "it has a key of 16 bytes for a cipher that takes 32",
            id="key-length",
        ),
        pytest.param(
            pbes2(cipher=AES_128, more=(der.integer(32),)),
            bytes(32),
            "it has a key of 32 bytes for a cipher that takes 16",
            id="key-length-128",
        ),
        pytest.param(
            element(algorithm(PBES2, der.sequence(algorithm(PBKDF2, der.sequence(SALT, der.integer(1)))))),
            bytes(32),
            "the PBES2 parameters of it should have 2 parts and has 1",
            id="no-cipher",
        ),
        pytest.param(
            element(algorithm(PBES2, der.sequence(algorithm(PBKDF2, der.sequence(SALT, der.integer(1))), algorithm(AES_256)))),
            bytes(32),
            "an algorithm of it lacks its parameters",
            id="cipher-without-vector",
        ),
        pytest.param(element(algorithm(PBES2)), bytes(32), "an algorithm of it lacks its parameters", id="pbes2-alone"),
        pytest.param(element(algorithm(DESEDE)), bytes(32), "an algorithm of it lacks its parameters", id="3des-alone"),
        pytest.param(element(algorithm(RC2_40)), bytes(32), "an algorithm of it lacks its parameters", id="rc2-alone"),
        pytest.param(pkcs12(DESEDE, salt=der.null()), bytes(32), "the salt of it should be a OCTET STRING and is a NULL", id="salt"),
        pytest.param(
            element(algorithm(RC2_40, der.sequence(SALT))),
            bytes(32),
            "the PBE parameters of it should have 2 parts and has 1",
            id="no-count",
        ),
        pytest.param(
            element(der.sequence(der.oid(PBES2), der.null(), der.null())),
            bytes(32),
            "an algorithm of it should have 1 to 2 parts and has more",
            id="algorithm-with-too-much",
        ),
    ],
)
def test_what_is_malformed_is_refused_before_any_work(scheme: der.Element, ciphertext: bytes, message: str) -> None:
    secret = Secret(PASSWORD)
    with pytest.raises(StoreError) as refused:
        pbe.decrypt(scheme, ciphertext, secret, "it")
    assert str(refused.value) == message
    assert secret.derivations == 0


def test_a_key_length_may_be_said() -> None:
    ciphertext = aes_encrypted(b"fifteen letters\x01")
    for more in ((algorithm(HMAC_SHA256),), (der.integer(32), algorithm(HMAC_SHA256, der.null()))):
        plaintext, encryption = pbe.decrypt(pbes2(more=more), ciphertext, Secret(PASSWORD), "it")
        assert (plaintext, encryption) == (b"fifteen letters", Algorithm("PBEWithHmacSHA256AndAES_256", 1))


@pytest.mark.parametrize("length", range(1, 17))
def test_every_byte_of_the_padding_counts(length: int) -> None:
    text = b"sixteen letters." + bytes(16 - length)
    padding = bytes([length]) * length
    assert pbe.decrypt(pbes2(), aes_encrypted(text + padding), Secret(PASSWORD), "it")[0] == text
    for position in range(length):
        wrong = padding[:position] + b"\xfe" + padding[position + 1 :]
        with pytest.raises(PasswordError, match="^the password does not decrypt it$"):
            pbe.decrypt(pbes2(), aes_encrypted(text + wrong), Secret(PASSWORD), "it")


@pytest.mark.parametrize("padding", [b"\x00" * 16, b"\x11" * 17 + bytes(15), b"\x11" * 32, bytes(15) + b"\xff"])
def test_no_padding_is_longer_than_a_block(padding: bytes) -> None:
    with pytest.raises(PasswordError, match="^the password does not decrypt it$"):
        pbe.decrypt(pbes2(), aes_encrypted(padding), Secret(PASSWORD), "it")


# --- large ones ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", [RC2_40, RC2_128])
def test_large_rc2_ciphertexts_are_refused(scheme: str) -> None:
    """It is plain Python, and takes its time."""
    secret = Secret(PASSWORD)
    with pytest.raises(UnsupportedStoreError) as refused:
        pbe.decrypt(pkcs12(scheme), bytes(pbe.MAX_RC2_LENGTH + 8), secret, "it")
    assert str(refused.value) == "it has 4194312 bytes encrypted with RC2; up to 4194304 are read"
    assert secret.derivations == 0


@WRITTEN
def test_large_plaintexts_are_not_copied_often(name: str) -> None:
    plaintext = bytes(8 * 1024 * 1024)
    secret = Secret(PASSWORD)
    tracemalloc.start()
    try:
        scheme, ciphertext = pbe.encrypt(plaintext, secret, Algorithm(name, 1))
        encrypting = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        assert pbe.decrypt(element(scheme), ciphertext, secret, "it")[0] == plaintext
        decrypting = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert max(encrypting, decrypting) < 2.1 * len(plaintext)
