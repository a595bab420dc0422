# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a keystore holds, whatever its file format: the vocabulary that codecs read into and write from.

Certificates are kept as the DER bytes that were read, never encoded anew: real stores hold certificates that a
strict parser refuses, and a store must survive being rewritten.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Union

from ansible_collections.mutual.tls.plugins.module_utils.crypto import UnsupportedAlgorithm, ec, ed25519, rsa, serialization
from ansible_collections.mutual.tls.plugins.module_utils.errors import PasswordError, StoreError, UnsupportedStoreError

SigningKey = Union[rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey]


def _load(pkcs8: bytes) -> object:
    """The key in *pkcs8*. Its arithmetic is not checked anew: that takes a third of a second for RSA, and the store's MAC held."""
    try:
        return serialization.load_der_private_key(pkcs8, password=None, unsafe_skip_rsa_key_validation=True)
    except TypeError:  # cryptography before 39 has no such option
        return serialization.load_der_private_key(pkcs8, password=None)


@dataclass(frozen=True)
class PrivateKeyEntry:
    """A private key and its certificate chain under an alias."""

    alias: str
    #: PrivateKeyInfo, DER (RFC 5958); None when the key is locked. Left out of the repr, so that no log line ever holds a key.
    pkcs8: bytes | None = field(repr=False)
    #: Certificates, DER, leaf first, as Java rebuilds the chain. Empty when the store has none for the key.
    chain: tuple[bytes, ...]
    #: Milliseconds since the epoch, where the format records it.
    created: int | None = None
    #: Bag attributes that have no meaning here, DER, kept as they are.
    attributes: tuple[bytes, ...] = ()
    #: A key with a password of its own that nobody gave: EncryptedPrivateKeyInfo, DER (RFC 5958), kept as it is.
    locked: bytes | None = field(default=None, repr=False)
    #: What protects the key where that is not the store's password. Java knows such keys in JKS only.
    password: str | None = field(default=None, repr=False)
    #: The localKeyId of a PKCS#12 file where it tells no date, as other programs than Java write it: kept as it is.
    key_id: bytes | None = field(default=None, compare=False)

    def private_key(self) -> SigningKey:
        """The key as an object of the ``cryptography`` package. Raises StoreError when it is none, or not of a kind for TLS."""
        if self.pkcs8 is None:
            raise PasswordError(f"the key under the alias {shown(self.alias)} has a password of its own, which was not given")
        try:
            key = _load(self.pkcs8)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise StoreError(f"the key under the alias {shown(self.alias)} cannot be read: {error}") from error
        if not isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)):
            raise UnsupportedStoreError(f"the key under the alias {shown(self.alias)} is neither RSA nor EC nor Ed25519")
        return key


@dataclass(frozen=True)
class TrustedCertEntry:
    """A certificate that the store's owner trusts, under an alias."""

    alias: str
    #: Certificate, DER.
    certificate: bytes
    created: int | None = None
    attributes: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class SecretKeyEntry:
    """A symmetric key, as ``keytool -genseckey`` makes it. It has no part in TLS: it is kept, and its alias is taken."""

    alias: str
    #: The SafeBag, DER, as it was read.
    bag: bytes = field(repr=False)
    created: int | None = None
    #: PrivateKeyInfo, DER; None when the store's password does not open it.
    pkcs8: bytes | None = field(default=None, repr=False)


#: A larger certificate is none: describing it would take time and memory that nobody meant to spend.
MAX_CERTIFICATE_BYTES = 1024 * 1024
#: So many remarks of a file are told, so many characters of an alias are shown.
_MOST_REMARKS = 20
_SHOWN = 64


def shown(alias: str) -> str:
    """*alias* in quotes, as a sentence has it: its beginning, on one line. A file's own author chose it."""
    text = "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in alias[: _SHOWN + 1])
    return f"'{text}'" if len(text) <= _SHOWN else f"'{text[:_SHOWN]}...'"


def told(remarks: Iterable[str]) -> tuple[str, ...]:
    """Each of *remarks* once, the first of them if there are too many to read."""
    found = tuple(dict.fromkeys(remarks))
    if len(found) <= _MOST_REMARKS:
        return found
    return (*found[:_MOST_REMARKS], f"{len(found) - _MOST_REMARKS} more things like these are not told one by one")


Entry = Union[PrivateKeyEntry, SecretKeyEntry, TrustedCertEntry]

_ORDER = (PrivateKeyEntry, SecretKeyEntry, TrustedCertEntry)


def in_order(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Private keys first, as servers want it that take a store's first entry; trusted certificates last. Else the order stays."""
    return tuple(sorted(entries, key=lambda entry: _ORDER.index(type(entry))))


class Algorithm(NamedTuple):
    """What something is encrypted or sealed with, in the words that Java uses."""

    name: str
    #: 0 where the algorithm knows none.
    iterations: int
    #: Where a file has several counts for one thing, the largest; else 0. What is written has that many, lest any of it become weaker.
    most: int = 0


@dataclass(frozen=True)
class Protection:
    """How a store is sealed and encrypted; None for what is not, or is not there.

    Where a file has several algorithms for one thing, the name has them all and the iterations are the fewest.
    """

    mac: Algorithm | None = None
    keys: Algorithm | None = None
    certificates: Algorithm | None = None


@dataclass(frozen=True)
class Contents:
    """Everything that was read of one store."""

    entries: tuple[Entry, ...]
    protection: Protection
    #: ``pkcs12`` or ``jks``.
    format: str = "pkcs12"
    #: Bags with other contents (revocation lists, unencrypted keys, certificates of nobody), DER, kept byte for byte.
    opaque: tuple[bytes, ...] = field(default=(), repr=False)
    #: Bags, DER, of keys whose alias a later entry has: Java does not see them. They go when the alias does.
    shadowed: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    #: Attributes, DER, that chain certificates (DER) have in a PKCS#12 file; kept, without a meaning here.
    labels: Mapping[bytes, tuple[bytes, ...]] = field(default_factory=dict)
    #: What a person should know of the file and entries do not tell, a sentence each.
    remarks: tuple[str, ...] = ()
    #: What is wrong with the file and gone when it is written anew, a part of a sentence each.
    repairs: tuple[str, ...] = ()
