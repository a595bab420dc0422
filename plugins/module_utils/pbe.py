# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Password-based encryption and integrity as PKCS#12 files use them.

PBES2 with PBKDF2 is RFC 8018 section 6.2, the MAC's key derivation RFC 7292 appendix B. Java derives the keys of
PBES2 from the password's UTF-8 bytes and those of the MAC from its BMPString with a terminating NUL.
"""

from __future__ import annotations

import hashlib
import os
from typing import NamedTuple

from ansible_collections.mutual.tls.plugins.module_utils import der
from ansible_collections.mutual.tls.plugins.module_utils.crypto import (
    PBKDF2HMAC,
    Cipher,
    algorithms,
    block_padding,
    constant_time,
    hashes,
    hmac,
    modes,
)
from ansible_collections.mutual.tls.plugins.module_utils.errors import PasswordError, StoreError, UnsupportedStoreError

#: What Java itself refuses to exceed (sun.security.pkcs12.PKCS12KeyStore, MAX_ITERATION_COUNT).
MAX_ITERATIONS = 5_000_000

_PBES2 = "1.2.840.113549.1.5.13"
_PBKDF2 = "1.2.840.113549.1.5.12"
_AES_CBC = {"2.16.840.1.101.3.4.1.2": 16, "2.16.840.1.101.3.4.1.42": 32}
_AES_256_CBC = "2.16.840.1.101.3.4.1.42"
_HMAC_SHA256 = "1.2.840.113549.2.9"
_PRFS: dict[str, tuple[str, hashes.HashAlgorithm]] = {
    "1.2.840.113549.2.7": ("SHA1", hashes.SHA1()),
    "1.2.840.113549.2.8": ("SHA224", hashes.SHA224()),
    _HMAC_SHA256: ("SHA256", hashes.SHA256()),
    "1.2.840.113549.2.10": ("SHA384", hashes.SHA384()),
    "1.2.840.113549.2.11": ("SHA512", hashes.SHA512()),
}
_DIGESTS: dict[str, tuple[str, hashes.HashAlgorithm, int]] = {  # name, algorithm, block size in bytes
    "1.3.14.3.2.26": ("SHA1", hashes.SHA1(), 64),
    "2.16.840.1.101.3.4.2.4": ("SHA224", hashes.SHA224(), 64),
    "2.16.840.1.101.3.4.2.1": ("SHA256", hashes.SHA256(), 64),
    "2.16.840.1.101.3.4.2.2": ("SHA384", hashes.SHA384(), 128),
    "2.16.840.1.101.3.4.2.3": ("SHA512", hashes.SHA512(), 128),
}
_SHA256 = "2.16.840.1.101.3.4.2.1"
#: Schemes that are known and not read, so that a refusal can name them.
_KNOWN = {
    "1.2.840.113549.1.12.1.3": "pbeWithSHAAnd3-KeyTripleDES-CBC",
    "1.2.840.113549.1.12.1.5": "pbeWithSHAAnd128BitRC2-CBC",
    "1.2.840.113549.1.12.1.6": "pbeWithSHAAnd40BitRC2-CBC",
    "1.2.840.113549.1.5.14": "PBMAC1",
    "2.16.840.1.101.3.4.1.22": "AES-192-CBC",
}


class Encryption(NamedTuple):
    """The algorithm that something was encrypted with."""

    name: str
    iterations: int


class Mac(NamedTuple):
    """The algorithm that a store is sealed with."""

    name: str
    iterations: int


def decrypt(algorithm: der.Element, ciphertext: bytes, password: str, what: str) -> tuple[bytes, Encryption]:
    """The plaintext of *ciphertext*, and how it was protected. *algorithm* is the AlgorithmIdentifier before it."""
    scheme, parameters = _algorithm(algorithm, what)
    if scheme != _PBES2 or parameters is None:
        raise _unsupported(scheme, what)
    derivation, cipher = _pair(parameters, f"the PBES2 parameters of {what}")
    derivation_scheme, derivation_parameters = _algorithm(derivation, what)
    if derivation_scheme != _PBKDF2 or derivation_parameters is None:
        raise _unsupported(derivation_scheme, what)
    cipher_scheme, vector = _algorithm(cipher, what)
    if cipher_scheme not in _AES_CBC or vector is None:
        raise _unsupported(cipher_scheme, what)
    length = _AES_CBC[cipher_scheme]
    iv = vector.expect(der.OCTET_STRING, f"the initialisation vector of {what}").content
    if len(iv) != 16 or not ciphertext or len(ciphertext) % 16:
        raise StoreError(f"{what} is not a whole number of AES blocks")
    key, prf, iterations = _pbkdf2(derivation_parameters, password, length, what)
    return _unpad(_aes(key, iv, ciphertext), what), Encryption(f"PBEWithHmac{prf}AndAES_{8 * length}", iterations)


def _aes(key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    return decryptor.update(ciphertext) + decryptor.finalize()


def _unpad(padded: bytes, what: str) -> bytes:
    """The plaintext without its PKCS#7 padding; wrong padding is what a wrong password looks like here."""
    unpadder = block_padding.PKCS7(128).unpadder()
    try:
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError as error:
        raise PasswordError(f"the password does not decrypt {what}") from error


def _pbkdf2(parameters: der.Element, password: str, length: int, what: str) -> tuple[bytes, str, int]:
    """The key, the name of the PRF's digest and the iterations (RFC 8018 appendix A.2; keyLength and prf are optional)."""
    salt, count, *optional = der.parts(parameters.raw, f"the PBKDF2 parameters of {what}", 2, 4)
    iterations = bounded_iterations(count, what)
    prf_scheme = "1.2.840.113549.2.7"
    for element in optional:
        if element.tag == der.SEQUENCE:
            prf_scheme, _ignored = _algorithm(element, what)
    if prf_scheme not in _PRFS:
        raise _unsupported(prf_scheme, what)
    name, algorithm = _PRFS[prf_scheme]
    octets = salt.expect(der.OCTET_STRING, f"the salt of {what}").content
    derivation = PBKDF2HMAC(algorithm=algorithm, length=length, salt=octets, iterations=iterations)
    return derivation.derive(_octets(password, "utf-8")), name, iterations


def bounded_iterations(element: der.Element, what: str) -> int:
    """An iteration count that a keystore may have."""
    iterations = der.integer_value(element, f"the iteration count of {what}")
    if not 1 <= iterations <= MAX_ITERATIONS:
        raise UnsupportedStoreError(f"{what} asks for {iterations} iterations; 1 to {MAX_ITERATIONS} are accepted")
    return iterations


def encrypt(plaintext: bytes, password: str, iterations: int) -> tuple[bytes, bytes]:
    """The AlgorithmIdentifier, DER, and the ciphertext: PBES2, AES-256-CBC, PBKDF2 with HMAC-SHA256 and a salt of 20 bytes."""
    salt, iv = os.urandom(20), os.urandom(16)
    key = PBKDF2HMAC(algorithm=hashes.SHA256(), length=32, salt=salt, iterations=iterations).derive(_octets(password, "utf-8"))
    padder = block_padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    ciphertext = encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()
    derivation = der.sequence(
        der.octet_string(salt), der.integer(iterations), der.integer(32), der.sequence(der.oid(_HMAC_SHA256), der.null())
    )
    scheme = der.sequence(
        der.sequence(der.oid(_PBKDF2), derivation),
        der.sequence(der.oid(_AES_256_CBC), der.octet_string(iv)),
    )
    return der.sequence(der.oid(_PBES2), scheme), ciphertext


def verify_mac(mac_data: der.Element, sealed: bytes, password: str) -> Mac:
    """Check the MAC over *sealed* (RFC 7292 section 4); PasswordError when it does not hold."""
    what = "the MAC"
    digest_info, salt, *count = der.parts(mac_data.raw, what, 2, 3)
    algorithm, value = _pair(digest_info, what)
    scheme, _parameters = _algorithm(algorithm, what)
    if scheme not in _DIGESTS:
        raise _unsupported(scheme, what)
    iterations = bounded_iterations(count[0], what) if count else 1
    octets = salt.expect(der.OCTET_STRING, "the salt of the MAC").content
    expected = value.expect(der.OCTET_STRING, what).content
    if not constant_time.bytes_eq(_mac(scheme, sealed, password, octets, iterations), expected):
        raise PasswordError("the password is wrong, or the store was damaged: its MAC does not hold")
    return Mac(f"HmacPBE{_DIGESTS[scheme][0]}", iterations)


def make_mac(sealed: bytes, password: str, iterations: int) -> bytes:
    """MacData, DER, over *sealed*: HMAC-SHA256 with a salt of 20 bytes."""
    salt = os.urandom(20)
    value = _mac(_SHA256, sealed, password, salt, iterations)
    digest_info = der.sequence(der.sequence(der.oid(_SHA256), der.null()), der.octet_string(value))
    count = [der.integer(iterations)] if iterations != 1 else []  # 1 is the DEFAULT, which DER leaves out
    return der.sequence(digest_info, der.octet_string(salt), *count)


def _mac(scheme: str, sealed: bytes, password: str, salt: bytes, iterations: int) -> bytes:
    name, algorithm, block = _DIGESTS[scheme]
    key = _derive(name, block, password, salt, iterations)
    authenticator = hmac.HMAC(key, algorithm)
    authenticator.update(sealed)
    return authenticator.finalize()


def _derive(digest: str, block: int, password: str, salt: bytes, iterations: int) -> bytes:
    """A MAC key of the digest's own length (RFC 7292 appendix B.2, purpose 3; one round is enough for that length)."""
    secret = _octets(password, "utf-16-be") + b"\0\0"
    state = bytes([3]) * block + _fill(salt, block) + _fill(secret, block)
    fresh = hashlib.new(digest)
    for _round in range(iterations):
        hashing = fresh.copy()  # twice as fast as a new one, and this is what opening a store takes its time for
        hashing.update(state)
        state = hashing.digest()
    return state


def _octets(password: str, encoding: str) -> bytes:
    """The password's bytes. One that is no text (half a pair of surrogates) opens nothing, and is no reason to stop here."""
    return password.encode(encoding, "surrogatepass")


def _fill(octets: bytes, block: int) -> bytes:
    """*octets* repeated to the next whole number of blocks."""
    length = -(-len(octets) // block) * block
    return (octets * (length // len(octets) + 1))[:length] if octets else b""


def _algorithm(element: der.Element, what: str) -> tuple[str, der.Element | None]:
    """The object identifier and the parameters of an AlgorithmIdentifier (RFC 5280 section 4.1.1.2)."""
    parts = der.parts(element.raw, f"an algorithm of {what}", 1, 2)
    return der.oid_value(parts[0], f"an algorithm of {what}"), parts[1] if len(parts) == 2 else None


def _pair(element: der.Element, what: str) -> tuple[der.Element, der.Element]:
    first, second = der.parts(element.raw, what, 2, 2)
    return first, second


def _unsupported(scheme: str, what: str) -> UnsupportedStoreError:
    name = f"{_KNOWN[scheme]} ({scheme})" if scheme in _KNOWN else scheme
    return UnsupportedStoreError(f"{what} is protected with {name}, which is not supported")
