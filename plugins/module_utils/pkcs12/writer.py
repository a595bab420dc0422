# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PKCS#12: entries to bytes, as Java's keystore writes them."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.mutual.tls.plugins.module_utils import der, mac, pbe
from ansible_collections.mutual.tls.plugins.module_utils.derivation import Secret
from ansible_collections.mutual.tls.plugins.module_utils.entries import (
    Contents,
    PrivateKeyEntry,
    Protection,
    SecretKeyEntry,
    TrustedCertEntry,
    in_order,
    shown,
)
from ansible_collections.mutual.tls.plugins.module_utils.errors import PasswordError
from ansible_collections.mutual.tls.plugins.module_utils.pkcs12 import bags


def write(contents: Contents, password: str, protection: Protection, *, now: int) -> bytes:
    """A store with *contents* under *protection*, which names an algorithm for everything.

    Keys come first. *now* is the date, in milliseconds since the epoch, of keys that have none.
    """
    return _Writer(contents, Secret(password), protection).write(now)


class _Writer:
    """Makes bags of entries, then a store of the bags."""

    def __init__(self, contents: Contents, secret: Secret, protection: Protection) -> None:
        if protection.mac is None or protection.keys is None or protection.certificates is None:
            raise ValueError("a store is written with a MAC, and with keys and certificates encrypted")
        self.contents = contents
        self.secret = secret
        self.mac, self.key_algorithm, self.certificate_algorithm = protection.mac, protection.keys, protection.certificates
        self.key_ids: set[bytes] = set()
        self.shadowed: dict[str, list[bytes]] = {}
        for alias, bag in contents.shadowed:
            self.shadowed.setdefault(alias, []).append(bag)
        #: Certificates that need no other bag. What was kept as nobody's may be in a chain by now.
        self.written = {each for each in map(_certificate_of, contents.opaque) if each is not None}

    def write(self, now: int) -> bytes:
        keys: list[bytes] = []
        others: list[bytes] = []
        is_ours = True
        for entry in in_order(self.contents.entries):
            shadowed = self.shadowed.get(entry.alias, [])  # before it, as Java takes the last
            is_ours = is_ours and not shadowed and (isinstance(entry, TrustedCertEntry) or entry.pkcs8 is not None)
            if isinstance(entry, PrivateKeyEntry):
                labels = self._labels(entry, now)
                keys += [*shadowed, self._key_bag(entry, labels)]
                others.extend(self._chain_bags(entry, labels))
                continue
            keys[:0] = shadowed  # a key without a localKeyId must be the first one
            if isinstance(entry, SecretKeyEntry):
                keys.append(self._secret_bag(entry))
            else:
                others.append(_trusted_bag(entry))
        others.extend(self.contents.opaque)
        if not is_ours:  # in the clear goes only what was encrypted here; all keys or none, as their order has a meaning
            keys, others = [], keys + others
        parts = [bags.encode_content_info(bags.DATA, der.octet_string(der.sequence(*keys)))] if keys else []
        if others:
            parts.append(self._encrypted(der.sequence(*others)))
        sealed = der.sequence(*parts)
        return der.sequence(
            der.integer(3), bags.encode_content_info(bags.DATA, der.octet_string(sealed)), mac.make(sealed, self.secret, self.mac)
        )

    def _labels(self, entry: PrivateKeyEntry, now: int) -> list[bytes]:
        """What a key and its certificate are found by."""
        created = entry.created if entry.created is not None else now
        key_id = _time(created) if entry.key_id is None or entry.key_id in self.key_ids else entry.key_id
        while key_id in self.key_ids:  # two keys of one millisecond would share a localKeyId, and so each other's certificate
            created += 1
            key_id = _time(created)
        self.key_ids.add(key_id)
        return [
            bags.encode_attribute(bags.FRIENDLY_NAME, der.bmp_string(entry.alias)),
            bags.encode_attribute(bags.LOCAL_KEY_ID, der.octet_string(key_id)),
        ]

    def _key_bag(self, entry: PrivateKeyEntry, labels: list[bytes]) -> bytes:
        shrouded = entry.locked if entry.pkcs8 is None else self._shrouded(entry.pkcs8)
        if shrouded is None:
            raise ValueError(f"the entry {shown(entry.alias)} has no key")
        return bags.encode(bags.SHROUDED_KEY_BAG, shrouded, [*labels, *entry.attributes])

    def _chain_bags(self, entry: PrivateKeyEntry, labels: list[bytes]) -> Iterator[bytes]:
        for position, certificate in enumerate(entry.chain):
            kept = self.contents.labels.get(certificate, ())
            if position == 0:
                yield bags.encode_certificate(
                    certificate, [*labels, *(each for each in kept if not bags.has_kind(each, bags.FRIENDLY_NAME))]
                )
            elif certificate not in self.written:
                yield bags.encode_certificate(certificate, kept)
            self.written.add(certificate)

    def _secret_bag(self, entry: SecretKeyEntry) -> bytes:
        """The bag as it was, unless its key is under another password or algorithm, or its alias is only its number."""
        bag = bags.parse(der.single(entry.bag, der.SEQUENCE, "a bag"))
        wrapped = bags.secret_key(bag)
        bag.alias = entry.alias
        if entry.pkcs8 is None or wrapped is None:
            return bags.named(bag)
        algorithm, ciphertext = der.parts(wrapped, "a secret key", 2, 2)
        try:
            plain, used = pbe.decrypt(algorithm, ciphertext.content, self.secret, "a secret key")
        except PasswordError:
            plain, used = b"", self.key_algorithm
        if plain == entry.pkcs8 and used == self.key_algorithm:
            return bags.named(bag)
        kind = der.parts(bag.value, "a secret bag", 2, 2)[0].raw
        return bags.named(bag, der.sequence(kind, der.explicit(0, der.octet_string(self._shrouded(entry.pkcs8)))))

    def _shrouded(self, pkcs8: bytes) -> bytes:
        """EncryptedPrivateKeyInfo (RFC 5958 section 3)."""
        algorithm, ciphertext = pbe.encrypt(pkcs8, self.secret, self.key_algorithm)
        return der.sequence(algorithm, der.octet_string(ciphertext))

    def _encrypted(self, safe: bytes) -> bytes:
        algorithm, ciphertext = pbe.encrypt(safe, self.secret, self.certificate_algorithm)
        info = der.sequence(der.oid(bags.DATA), algorithm, der.encode(0x80, ciphertext))
        return bags.encode_content_info(bags.ENCRYPTED_DATA, der.sequence(der.integer(0), info))


def _trusted_bag(entry: TrustedCertEntry) -> bytes:
    name = bags.encode_attribute(bags.FRIENDLY_NAME, der.bmp_string(entry.alias))
    usage = [] if any(bags.has_kind(each, bags.TRUSTED_KEY_USAGE) for each in entry.attributes) else [bags.TRUSTED_FOR_ALL]
    return bags.encode_certificate(entry.certificate, [name, *usage, *entry.attributes])


def _certificate_of(opaque: bytes) -> bytes | None:
    """The X.509 certificate in a bag, if it holds one."""
    bag = bags.parse(der.single(opaque, der.SEQUENCE, "a bag"))
    return bags.x509_certificate(bag) if bag.kind == bags.CERT_BAG else None


def _time(created: int) -> bytes:
    """Java's localKeyId, which holds a date."""
    return f"Time {created}".encode("ascii")
