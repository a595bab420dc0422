# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a keystore holds, whatever its file format: the vocabulary that codecs read into and write from.

Certificates are kept as the DER bytes that were read, never encoded anew: real stores hold certificates that a
strict parser refuses, and a store must survive being rewritten.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Union

from ansible_collections.mutual.tls.plugins.module_utils.crypto import UnsupportedAlgorithm, ec, ed25519, rsa, serialization
from ansible_collections.mutual.tls.plugins.module_utils.errors import StoreError, UnsupportedStoreError

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
    #: PrivateKeyInfo, DER (RFC 5958). Left out of the repr, so that no log line ever holds a key.
    pkcs8: bytes = field(repr=False)
    #: Certificates, DER, leaf first, as Java rebuilds the chain. Empty when the store has none for the key.
    chain: tuple[bytes, ...]
    #: Milliseconds since the epoch, where the format records it.
    created: int | None = None
    #: Bag attributes that have no meaning here, DER, kept as they are.
    attributes: tuple[bytes, ...] = ()

    def private_key(self) -> SigningKey:
        """The key as an object of the ``cryptography`` package. Raises StoreError when it is none, or not of a kind for TLS."""
        try:
            key = _load(self.pkcs8)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise StoreError(f"the key under the alias '{self.alias}' cannot be read: {error}") from error
        if not isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)):
            raise UnsupportedStoreError(f"the key under the alias '{self.alias}' is neither RSA nor EC nor Ed25519")
        return key


@dataclass(frozen=True)
class TrustedCertEntry:
    """A certificate that the store's owner trusts, under an alias."""

    alias: str
    #: Certificate, DER.
    certificate: bytes
    created: int | None = None
    attributes: tuple[bytes, ...] = ()


Entry = Union[PrivateKeyEntry, TrustedCertEntry]


@dataclass(frozen=True)
class Protection:
    """How a store is sealed and encrypted, in the words that keytool and the RFCs use."""

    mac: str | None
    mac_iterations: int | None
    key_encryption: str | None = None
    key_iterations: int | None = None
    certificate_encryption: str | None = None
    certificate_iterations: int | None = None


@dataclass(frozen=True)
class Contents:
    """Everything that was read of one store."""

    entries: tuple[Entry, ...]
    protection: Protection
    #: Bags with other contents (secret keys, revocation lists, unencrypted keys), DER, kept byte for byte.
    opaque: tuple[bytes, ...] = ()
