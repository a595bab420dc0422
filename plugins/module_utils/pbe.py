# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Password-based encryption as PKCS#12 files use it: PBES2 (RFC 8018 section 6.2) and the older schemes of RFC 7292 appendix C.

What Java reads is read here, and nothing else. What Java has written by default since 11.0.12, and what every Java reads, is
written. Plaintexts may have many megabytes: they are kept twice at most, once as they leave the cipher and once without padding.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from ansible_collections.mutual.tls.plugins.module_utils import der, derivation, rc2
from ansible_collections.mutual.tls.plugins.module_utils.crypto import (
    Cipher,
    CipherContext,
    TripleDES,
    UnsupportedAlgorithm,
    algorithms,
    modes,
)
from ansible_collections.mutual.tls.plugins.module_utils.derivation import Secret
from ansible_collections.mutual.tls.plugins.module_utils.entries import Algorithm
from ansible_collections.mutual.tls.plugins.module_utils.errors import PasswordError, StoreError, UnsupportedStoreError

#: The encryptions that are written.
AES_256 = "PBEWithHmacSHA256AndAES_256"
DESEDE = "PBEWithSHA1AndDESede"
#: For one store together: RC2 is plain Python, a megabyte of it takes about 0.15 seconds; no Java encrypts more than certificates with it.
MAX_RC2_LENGTH = 4 * 1024 * 1024

_PBES2 = "1.2.840.113549.1.5.13"
_AES_CBC = {"2.16.840.1.101.3.4.1.2": 16, "2.16.840.1.101.3.4.1.42": 32}  # key lengths in bytes
_AES_256_CBC = "2.16.840.1.101.3.4.1.42"
_AES_BLOCK = 16
_DESEDE_CBC = "1.2.840.113549.1.12.1.3"
_DES_BLOCK = 8
_DESEDE_KEY = 24
_RC2_CBC = {"1.2.840.113549.1.12.1.5": 16, "1.2.840.113549.1.12.1.6": 5}  # key lengths in bytes


def decrypt(algorithm: der.Element, ciphertext: bytes, secret: Secret, what: str) -> tuple[bytes, Algorithm]:
    """The plaintext of *ciphertext*, and how it was protected. *algorithm* is the AlgorithmIdentifier before it.

    Raises PasswordError when the padding is wrong, which is what a wrong password looks like here, UnsupportedStoreError for
    other algorithms. *what* names the ciphertext in errors.
    """
    scheme, parameters = derivation.algorithm_identifier(algorithm, what)
    if scheme == _PBES2:
        return _decrypt_pbes2(derivation.required(parameters, what), ciphertext, secret, what)
    if scheme == _DESEDE_CBC:
        return _decrypt_desede(derivation.required(parameters, what), ciphertext, secret, what)
    if scheme in _RC2_CBC:
        return _decrypt_rc2(derivation.required(parameters, what), _RC2_CBC[scheme], ciphertext, secret, what)
    raise derivation.unsupported(scheme, what)


def _decrypt_pbes2(parameters: der.Element, ciphertext: bytes, secret: Secret, what: str) -> tuple[bytes, Algorithm]:
    """AES in CBC mode with a key from PBKDF2 (RFC 8018 appendices A.4 and B.2.5)."""
    function, cipher = der.parts(parameters, f"the PBES2 parameters of {what}", 2, 2)
    derived = derivation.pbkdf2(function, what)
    scheme, vector = derivation.algorithm_identifier(cipher, what)
    if scheme not in _AES_CBC:
        raise derivation.unsupported(scheme, what)
    length = _AES_CBC[scheme]
    if derived.key_length not in (None, length):
        raise StoreError(f"{what} has a key of {derived.key_length} bytes for a cipher that takes {length}")
    iv = derivation.required(vector, what).expect(der.OCTET_STRING, f"the initialisation vector of {what}").content
    if len(iv) != _AES_BLOCK:
        raise StoreError(f"{what} has an initialisation vector of {len(iv)} bytes, which should have {_AES_BLOCK}")
    _whole_blocks(ciphertext, _AES_BLOCK, what)
    key = secret.pbkdf2(derived.digest, derived.salt, derived.iterations, length, what)
    padded = _transform(Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor, what, ciphertext)
    return _unpad(padded, _AES_BLOCK, what), Algorithm(f"PBEWithHmac{derived.digest.name}AndAES_{8 * length}", derived.iterations)


def _decrypt_desede(parameters: der.Element, ciphertext: bytes, secret: Secret, what: str) -> tuple[bytes, Algorithm]:
    salt, iterations = _pkcs12_parameters(parameters, what)
    _whole_blocks(ciphertext, _DES_BLOCK, what)
    key, iv = _pkcs12_key(secret, salt, iterations, _DESEDE_KEY, what)
    padded = _transform(Cipher(TripleDES(key), modes.CBC(iv)).decryptor, what, ciphertext)
    return _unpad(padded, _DES_BLOCK, what), Algorithm(DESEDE, iterations)


def _decrypt_rc2(parameters: der.Element, length: int, ciphertext: bytes, secret: Secret, what: str) -> tuple[bytes, Algorithm]:
    salt, iterations = _pkcs12_parameters(parameters, what)
    _whole_blocks(ciphertext, rc2.BLOCK, what)
    if len(ciphertext) > MAX_RC2_LENGTH:
        raise UnsupportedStoreError(f"{what} has {len(ciphertext)} bytes encrypted with RC2; up to {MAX_RC2_LENGTH} are read")
    secret.spent.rc2_bytes += len(ciphertext)
    if secret.spent.rc2_bytes > MAX_RC2_LENGTH:
        raise UnsupportedStoreError(f"the store has more than {MAX_RC2_LENGTH} bytes encrypted with RC2 in all")
    key, iv = _pkcs12_key(secret, salt, iterations, length, what)
    padded = rc2.decrypt_cbc(key, 8 * length, iv, ciphertext)
    return _unpad(memoryview(padded), rc2.BLOCK, what), Algorithm(f"PBEWithSHA1AndRC2_{8 * length}", iterations)


def encrypt(plaintext: bytes, secret: Secret, encryption: Algorithm) -> tuple[bytes, bytes]:
    """The AlgorithmIdentifier, DER, and the ciphertext, with a new salt. UnsupportedStoreError for what is only read."""
    name, iterations = encryption.name, encryption.iterations
    what = "what is to be encrypted"
    salt = os.urandom(derivation.SALT_LENGTH)
    if name == AES_256:
        iv = os.urandom(_AES_BLOCK)
        key = secret.pbkdf2(derivation.SHA256, salt, iterations, 32, what)
        function = derivation.Pbkdf2(salt, iterations, 32, derivation.SHA256).encode()
        scheme = der.sequence(der.oid(_AES_256_CBC), der.octet_string(iv))
        algorithm = der.sequence(der.oid(_PBES2), der.sequence(function, scheme))
        encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor
        return algorithm, bytes(_transform(encryptor, what, plaintext, _padding(plaintext, _AES_BLOCK)))
    if name == DESEDE:
        key, iv = _pkcs12_key(secret, salt, iterations, _DESEDE_KEY, what)
        algorithm = der.sequence(der.oid(_DESEDE_CBC), der.sequence(der.octet_string(salt), der.integer(iterations)))
        encryptor = Cipher(TripleDES(key), modes.CBC(iv)).encryptor
        return algorithm, bytes(_transform(encryptor, what, plaintext, _padding(plaintext, _DES_BLOCK)))
    raise UnsupportedStoreError(f"nothing is encrypted with {name} here, only with {AES_256} or {DESEDE}")


def _pkcs12_parameters(parameters: der.Element, what: str) -> tuple[bytes, int]:
    """Salt and iterations (RFC 7292 appendix C, pkcs-12PbeParams)."""
    salt, count = der.parts(parameters, f"the PBE parameters of {what}", 2, 2)
    return salt.expect(der.OCTET_STRING, f"the salt of {what}").content, derivation.iterations(count, what)


def _pkcs12_key(secret: Secret, salt: bytes, iterations: int, length: int, what: str) -> tuple[bytes, bytes]:
    """Key and initialisation vector of a cipher with blocks of 8 bytes (RFC 7292 appendix C)."""
    key = secret.pkcs12(derivation.SHA1, derivation.KEY, salt, iterations, length, what)
    return key, secret.pkcs12(derivation.SHA1, derivation.IV, salt, iterations, 8, what)


def _whole_blocks(ciphertext: bytes, block: int, what: str) -> None:
    """Refuse what no padding can have filled up."""
    if not ciphertext or len(ciphertext) % block:
        raise StoreError(f"{what} has {len(ciphertext)} encrypted bytes, which is no whole number of blocks of {block}")


def _transform(start: Callable[[], CipherContext], what: str, *pieces: bytes) -> memoryview:
    """What the encryptor or decryptor that *start* begins makes of *pieces*, which are whole blocks together."""
    try:
        context = start()
    except UnsupportedAlgorithm as error:  # old ciphers, on hosts that are strict
        raise UnsupportedStoreError(f"{what} is protected with a cipher that this host's OpenSSL refuses: {error}") from error
    room = memoryview(bytearray(sum(map(len, pieces)) + _AES_BLOCK))  # update_into() wants a block more than it fills
    position = 0
    for piece in pieces:
        position += context.update_into(piece, room[position:])
    context.finalize()
    return room[:position]


def _padding(plaintext: bytes, block: int) -> bytes:
    """What fills up the last block (PKCS#7: RFC 5652 section 6.3)."""
    length = block - len(plaintext) % block
    return bytes([length]) * length


def _unpad(padded: memoryview, block: int, what: str) -> bytes:
    """The plaintext without its padding, every byte of which counts."""
    padding = padded[-1]
    if not 1 <= padding <= block or padded[-padding:] != bytes([padding]) * padding:
        raise PasswordError(f"the password does not decrypt {what}")
    return bytes(padded[:-padding])
