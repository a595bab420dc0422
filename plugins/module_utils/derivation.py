# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys from a store's password: PBKDF2 (RFC 8018 section 5.2), the way of PKCS#12 (RFC 7292 appendix B), and their bounds.

The price of opening a store is written in the store, by whoever made it. So each count is bounded, and so is what all
derivations of one store take together: nothing is derived before it was counted.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from ansible_collections.mutual.tls.plugins.module_utils import der
from ansible_collections.mutual.tls.plugins.module_utils.crypto import PBKDF2HMAC, UnsupportedAlgorithm, hashes
from ansible_collections.mutual.tls.plugins.module_utils.errors import UnsupportedStoreError

#: What Java itself refuses to exceed (sun.security.pkcs12.PKCS12KeyStore, MAX_ITERATION_COUNT).
MAX_ITERATIONS = 5_000_000
#: For all derivations of one store together: some seconds, in plain Python.
MAX_TOTAL_ITERATIONS = 10_000_000
#: A derivation costs more than its iterations: this is a store of 10,000 keys, each with two of them.
MAX_DERIVATIONS = 25_000
#: Writers take 8 to 64 bytes.
MAX_SALT_LENGTH = 1024
#: What Java takes, in bytes.
SALT_LENGTH = 20

# What a derived key is for (RFC 7292 appendix B.3).
KEY, IV, MAC = 1, 2, 3

_PBKDF2 = "1.2.840.113549.1.5.12"
#: Algorithms that are known and not supported, so that a refusal can name them.
_KNOWN = {
    "1.2.840.113549.1.12.1.1": "pbeWithSHAAnd128BitRC4",
    "1.2.840.113549.1.12.1.2": "pbeWithSHAAnd40BitRC4",
    "1.2.840.113549.1.12.1.4": "pbeWithSHAAnd2-KeyTripleDES-CBC",
    "1.2.840.113549.1.5.3": "pbeWithMD5AndDES-CBC",
    "1.2.840.113549.1.5.10": "pbeWithSHA1AndDES-CBC",
    "1.2.840.113549.1.5.11": "pbeWithSHA1AndRC2-CBC",
    "1.3.6.1.4.1.11591.4.11": "scrypt",
    "2.16.840.1.101.3.4.1.22": "AES-192-CBC",
    "2.16.840.1.101.3.4.1.6": "AES-128-GCM",
    "2.16.840.1.101.3.4.1.26": "AES-192-GCM",
    "2.16.840.1.101.3.4.1.46": "AES-256-GCM",
    "1.2.840.113549.3.2": "RC2-CBC",
    "1.2.840.113549.3.7": "DES-EDE3-CBC",
    "1.2.392.200011.61.1.1.1.2": "CAMELLIA-128-CBC",
    "1.2.392.200011.61.1.1.1.3": "CAMELLIA-192-CBC",
    "1.2.392.200011.61.1.1.1.4": "CAMELLIA-256-CBC",
    "1.2.840.113549.2.5": "MD5",
    "2.16.840.1.101.3.4.2.7": "SHA3-224",
    "2.16.840.1.101.3.4.2.8": "SHA3-256",
    "2.16.840.1.101.3.4.2.9": "SHA3-384",
    "2.16.840.1.101.3.4.2.10": "SHA3-512",
    "2.16.840.1.101.3.4.2.13": "HMAC-SHA3-224",
    "2.16.840.1.101.3.4.2.14": "HMAC-SHA3-256",
    "2.16.840.1.101.3.4.2.15": "HMAC-SHA3-384",
    "2.16.840.1.101.3.4.2.16": "HMAC-SHA3-512",
}


class Digest(NamedTuple):
    """A hash function, and the HMAC made of it."""

    #: In Java's words.
    name: str
    oid: str
    hmac_oid: str
    algorithm: hashes.HashAlgorithm

    @property
    def in_hashlib(self) -> str:
        """Its name in Python's hashlib."""
        return self.name.replace("/", "_").lower()

    @property
    def size(self) -> int:
        """The length of its values in bytes."""
        return self.algorithm.digest_size


SHA1 = Digest("SHA1", "1.3.14.3.2.26", "1.2.840.113549.2.7", hashes.SHA1())
SHA256 = Digest("SHA256", "2.16.840.1.101.3.4.2.1", "1.2.840.113549.2.9", hashes.SHA256())
DIGESTS = (
    SHA1,
    Digest("SHA224", "2.16.840.1.101.3.4.2.4", "1.2.840.113549.2.8", hashes.SHA224()),
    SHA256,
    Digest("SHA384", "2.16.840.1.101.3.4.2.2", "1.2.840.113549.2.10", hashes.SHA384()),
    Digest("SHA512", "2.16.840.1.101.3.4.2.3", "1.2.840.113549.2.11", hashes.SHA512()),
    Digest("SHA512/224", "2.16.840.1.101.3.4.2.5", "1.2.840.113549.2.12", hashes.SHA512_224()),
    Digest("SHA512/256", "2.16.840.1.101.3.4.2.6", "1.2.840.113549.2.13", hashes.SHA512_256()),
)
_BY_OID = {digest.oid: digest for digest in DIGESTS}
_BY_HMAC_OID = {digest.hmac_oid: digest for digest in DIGESTS}


class Spent:
    """What opening or writing one store took so far."""

    __slots__ = ("derivations", "iterations", "rc2_bytes")

    def __init__(self) -> None:
        #: Keys derived so far.
        self.derivations = 0
        #: Iterations that they took. A key longer than the digest takes its count for each digest's length.
        self.iterations = 0
        #: Bytes decrypted with RC2, which is slow.
        self.rc2_bytes = 0


class Secret:
    """A store's password while the store is read or written, and what was spent on deriving keys from it."""

    __slots__ = ("_bmp", "_utf8", "spent")

    def __init__(self, password: str, *, terminated: bool = True, spent: Spent | None = None) -> None:
        # A password that is no text (half a pair of surrogates) opens nothing, and is no reason to stop here.
        self._utf8 = password.encode("utf-8", "surrogatepass")
        self._bmp = password.encode("utf-16-be", "surrogatepass") + (b"\0\0" if terminated else b"")
        self.spent = Spent() if spent is None else spent

    @property
    def derivations(self) -> int:
        """Keys derived so far, also with another form of the password."""
        return self.spent.derivations

    @property
    def iterations(self) -> int:
        """Iterations that they took."""
        return self.spent.iterations

    def pbkdf2(self, digest: Digest, salt: bytes, iterations: int, length: int, what: str) -> bytes:
        """A key of *length* bytes by PBKDF2 with the digest's HMAC (RFC 8018 section 5.2), the password in UTF-8."""
        self._spend(iterations, -(-length // digest.size), salt, what)
        try:
            function = PBKDF2HMAC(algorithm=digest.algorithm, length=length, salt=salt, iterations=iterations)
        except UnsupportedAlgorithm as error:
            raise absent(digest, what) from error
        return function.derive(self._utf8)

    def pkcs12(self, digest: Digest, purpose: int, salt: bytes, iterations: int, length: int, what: str) -> bytes:
        """*length* bytes for *purpose* (RFC 7292 appendix B.2), the password as a BMPString with a NUL at its end."""
        blocks = -(-length // digest.size)
        self._spend(iterations, blocks, salt, what)
        try:
            fresh = hashlib.new(digest.in_hashlib)
        except ValueError as error:
            raise absent(digest, what) from error
        width = fresh.block_size
        diversifier = bytes([purpose]) * width
        filled = _fill(salt, width) + _fill(self._bmp, width)
        derived = b""
        for _block in range(blocks):
            state = diversifier + filled
            for _iteration in range(iterations):
                hashing = fresh.copy()  # faster than a new one, and this is what opening a store takes its time for
                hashing.update(state)
                state = hashing.digest()
            derived += state
            filled = _add(filled, _fill(state, width)[:width])
        return derived[:length]

    def _spend(self, iterations: int, blocks: int, salt: bytes, what: str) -> None:
        """Count what is about to be derived, or refuse it."""
        _bounded(iterations, what)
        if len(salt) > MAX_SALT_LENGTH:
            raise UnsupportedStoreError(f"{what} has a salt of {len(salt)} bytes; up to {MAX_SALT_LENGTH} are accepted")
        total = self.spent.iterations + iterations * blocks
        if total > MAX_TOTAL_ITERATIONS:
            raise UnsupportedStoreError(
                f"{what} would make the store take {total} iterations in all; up to {MAX_TOTAL_ITERATIONS} are accepted"
            )
        if self.spent.derivations == MAX_DERIVATIONS:
            raise UnsupportedStoreError(f"the store asks for more than {MAX_DERIVATIONS} derivations from its password")
        self.spent.iterations = total
        self.spent.derivations += 1


def forms(password: str) -> tuple[Secret, ...]:
    """A Secret for each way in which writers encode *password*, the usual one first; both spend from one budget.

    Only of an empty password there are two: to some it is the NUL at its end (Java; new versions of ``cryptography`` without
    encryption), to others nothing at all (old versions of it; openssl without a password; Java for a single NUL).
    """
    usual = Secret(password)
    return (usual,) if password else (usual, Secret(password, terminated=False, spent=usual.spent))


class Pbkdf2(NamedTuple):
    """PBKDF2 with its parameters (RFC 8018 appendix A.2)."""

    salt: bytes
    iterations: int
    key_length: int | None
    digest: Digest

    def encode(self) -> bytes:
        """AlgorithmIdentifier, DER."""
        length = () if self.key_length is None else (der.integer(self.key_length),)
        function = der.sequence(der.oid(self.digest.hmac_oid), der.null())
        return der.sequence(der.oid(_PBKDF2), der.sequence(der.octet_string(self.salt), der.integer(self.iterations), *length, function))


def pbkdf2(element: der.Element, what: str) -> Pbkdf2:
    """What an AlgorithmIdentifier says, which must be PBKDF2's. The length is optional, the HMAC is SHA-1's by default."""
    name = f"the PBKDF2 parameters of {what}"
    scheme, parameters = algorithm_identifier(element, what)
    if scheme != _PBKDF2:
        raise unsupported(scheme, what)
    salt, count, *optional = der.parts(required(parameters, what), name, 2, 4)
    length = der.integer_value(optional.pop(0), f"the key length of {what}") if optional and optional[0].tag == der.INTEGER else None
    digest = hmac_digest(optional.pop(0), what) if optional else SHA1
    if optional:
        raise der.DerError(f"{name} have parts that do not belong there")
    return Pbkdf2(salt.expect(der.OCTET_STRING, f"the salt of {what}").content, iterations(count, what), length, digest)


def iterations(element: der.Element, what: str) -> int:
    """An iteration count that a keystore may have."""
    return _bounded(der.integer_value(element, f"the iteration count of {what}"), what)


def _bounded(count: int, what: str) -> int:
    if not 1 <= count <= MAX_ITERATIONS:
        raise UnsupportedStoreError(f"{what} asks for {count} iterations; 1 to {MAX_ITERATIONS} are accepted")
    return count


def algorithm_identifier(element: der.Element, what: str) -> tuple[str, der.Element | None]:
    """The object identifier and the parameters of an AlgorithmIdentifier (RFC 5280 section 4.1.1.2)."""
    parts = der.parts(element, f"an algorithm of {what}", 1, 2)
    return der.oid_value(parts[0], f"an algorithm of {what}"), parts[1] if len(parts) == 2 else None


def required(parameters: der.Element | None, what: str) -> der.Element:
    """The parameters of an algorithm that needs some."""
    if parameters is None:
        raise der.DerError(f"an algorithm of {what} lacks its parameters")
    return parameters


def digest(element: der.Element, what: str) -> Digest:
    """The hash function that an AlgorithmIdentifier names."""
    return _named(element, _BY_OID, what)


def hmac_digest(element: der.Element, what: str) -> Digest:
    """The hash function of the HMAC that an AlgorithmIdentifier names (RFC 8018 appendix B.1)."""
    return _named(element, _BY_HMAC_OID, what)


def _named(element: der.Element, known: dict[str, Digest], what: str) -> Digest:
    scheme, _parameters = algorithm_identifier(element, what)
    if scheme not in known:
        raise unsupported(scheme, what)
    return known[scheme]


def unsupported(scheme: str, what: str) -> UnsupportedStoreError:
    """The refusal of an algorithm by its object identifier, and by its name where that is known."""
    name = f"{_KNOWN[scheme]} ({scheme})" if scheme in _KNOWN else scheme
    return UnsupportedStoreError(f"{what} is protected with {name}, which is not supported")


def absent(digest: Digest, what: str) -> UnsupportedStoreError:
    """The refusal of a digest that is supported, but not by this host."""
    return UnsupportedStoreError(f"{what} is protected with {digest.name}, which this host's cryptographic libraries do not have")


def _fill(octets: bytes, width: int) -> bytes:
    """*octets* repeated to the next whole number of blocks; nothing of nothing (RFC 7292 appendix B.2, steps 2 and 3)."""
    length = -(-len(octets) // width) * width
    return (octets * (length // len(octets) + 1))[:length] if octets else b""


def _add(filled: bytes, block: bytes) -> bytes:
    """Each block of *filled* plus *block* plus one, modulo its size (step 6 C)."""
    width = len(block)
    more = int.from_bytes(block, "big") + 1
    largest = (1 << 8 * width) - 1
    return b"".join(
        (int.from_bytes(filled[start : start + width], "big") + more & largest).to_bytes(width, "big")
        for start in range(0, len(filled), width)
    )
