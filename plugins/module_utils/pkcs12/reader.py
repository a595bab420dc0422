# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PKCS#12: bytes to entries, as Java's keystore reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ansible_collections.mutual.tls.plugins.module_utils import ber, der, derivation, mac, pbe
from ansible_collections.mutual.tls.plugins.module_utils.chains import Pool
from ansible_collections.mutual.tls.plugins.module_utils.derivation import Secret
from ansible_collections.mutual.tls.plugins.module_utils.entries import (
    Algorithm,
    Contents,
    Entry,
    PrivateKeyEntry,
    Protection,
    SecretKeyEntry,
    TrustedCertEntry,
    in_order,
    shown,
    told,
)
from ansible_collections.mutual.tls.plugins.module_utils.errors import PasswordError, UnsupportedStoreError
from ansible_collections.mutual.tls.plugins.module_utils.pkcs12 import bags
from ansible_collections.mutual.tls.plugins.module_utils.pkcs12.bags import Bag

#: More bags than any store has; a file of many megabytes could hold millions of small ones.
MAX_BAGS = 100_000
MAX_ATTRIBUTES = 500_000
#: All chains together. Keys may share certificates, so a small file could have chains of many gigabytes.
MAX_CHAIN_BYTES = 64 * 1024 * 1024
#: What Java takes for the localKeyId of a store's only key, and of the certificate that begins a safe after it, if they have none.
_ONLY_KEY_ID = b"01"
#: The end of the year 9999 in milliseconds since the epoch: no date here is later.
_LAST_DATE = 253_402_300_799_999


@dataclass(frozen=True)
class _Key:
    """A key out of a bag: its PrivateKeyInfo, or else what it is locked in."""

    pkcs8: bytes | None = field(repr=False)
    locked: bytes | None = field(default=None, repr=False)
    #: What opened it, if not the store's password.
    password: str | None = field(default=None, repr=False)
    #: What it was encrypted with, if it was opened.
    algorithm: Algorithm | None = None


def is_pkcs12(data: bytes) -> bool:
    """Whether *data* begins as a PFX does: a SEQUENCE whose first value is the INTEGER 3."""
    if len(data) < 8 or data[0] != der.SEQUENCE:
        return False
    header = 2 + (data[1] & 0x7F if data[1] & 0x80 else 0)
    return data[header : header + 3] == b"\x02\x01\x03"


def read(data: bytes, password: str, key_passwords: Mapping[str, str] | None = None) -> Contents:
    """The contents of a store; *key_passwords* open keys, by alias, that the store's password does not.

    Raises PasswordError when the password does not open it, UnsupportedStoreError with the algorithm's name for what
    is not supported, StoreError for everything that is not well-formed.
    """
    *others, last = derivation.forms(password)
    for secret in others:
        try:
            return _read(data, secret, key_passwords or {})
        except PasswordError:
            pass
    return _read(data, last, key_passwords or {})


def _read(data: bytes, secret: Secret, key_passwords: Mapping[str, str]) -> Contents:
    try:
        return _Reader(secret, key_passwords, is_ber=False).read(data)
    except der.IndefiniteLengthError:  # as Firefox and older programs write it
        return _Reader(secret, key_passwords, is_ber=True).read(data)


class _Reader:
    """Collects bags, then makes entries of them."""

    def __init__(self, secret: Secret, key_passwords: Mapping[str, str], *, is_ber: bool) -> None:
        self.secret = secret
        self.key_passwords = {alias.lower(): password for alias, password in key_passwords.items()}
        self.is_ber = is_ber
        self.bag_count = 0
        self.attributes = 0
        self.values = ber.budget()
        self.keys = 0
        self.certificates: list[tuple[Bag, bytes]] = []
        self.leaves: dict[tuple[bytes | None, str | None], bytes] = {}
        self.labels: dict[bytes, tuple[bytes, ...]] = {}
        self.found: list[tuple[Bag, _Key | bytes]] = []  # keys and trusted certificates, in the file's order
        self.opaque: list[bytes] = []
        self.shadowed: list[tuple[str, bytes]] = []
        self.remarks: list[str] = []
        self.unnamed = 0
        self.key_algorithms: list[Algorithm] = []
        self.certificate_algorithms: list[Algorithm] = []
        #: Why the last key that the password does not open stayed locked, and whether the password opened anything.
        self.locked: PasswordError | None = None
        self.proven = False

    def read(self, data: bytes) -> Contents:
        whole = der.first(der.elements(ber.to_der(data, values=self.values) if self.is_ber else data, "the store"), "the store")
        version, auth_safe, *mac_data = der.parts(whole, "the store", 2, 3)
        if not self.is_ber and whole.end < len(data):
            self.remarks.append(f"after its end the file has more ({len(data) - whole.end} bytes), which Java ignores")
        if der.integer_value(version, "the store's version") != 3:
            raise UnsupportedStoreError("the store is not of PKCS#12 version 3")
        sealed = _data_content(auth_safe, "the authenticated safe")
        seal = mac.verify(mac_data[0], sealed, self.secret) if mac_data else None
        for content_info in (
            der.only(self._values(sealed, "the authenticated safe"), "the authenticated safe")
            .expect(der.SEQUENCE, "the authenticated safe")
            .values("the authenticated safe")
        ):
            self._read_content_info(content_info, is_sealed=seal is not None)
        if self.locked is not None and not (seal or self.proven):
            raise self.locked  # nothing shows that the password is the store's
        entries = self.entries()
        return Contents(
            entries=entries,
            protection=Protection(seal, _together(self.key_algorithms), _together(self.certificate_algorithms)),
            opaque=tuple(self.opaque),
            shadowed=tuple(self.shadowed),
            labels=self.labels,
            remarks=told(self.remarks),
        )

    def _values(self, wrapper: der.Element, what: str) -> Iterator[der.Element]:
        """The values that a string wraps."""
        return der.elements(ber.to_der(wrapper.content, values=self.values), what) if self.is_ber else wrapper.values(what)

    def _read_content_info(self, content_info: der.Element, *, is_sealed: bool) -> None:
        kind, content = bags.parse_content_info(content_info, "a part of the authenticated safe")
        if kind == bags.DATA:
            safe = der.only(self._values(content.expect(der.OCTET_STRING, "a safe"), "a safe"), "a safe").expect(der.SEQUENCE, "a safe")
        elif kind == bags.ENCRYPTED_DATA:
            safe = self._decrypt_safe(content, is_sealed=is_sealed)
        else:
            raise UnsupportedStoreError(f"a part of the store has the content type {kind}, which is not supported")
        for position, element in enumerate(safe.values("a safe")):
            self.bag_count += 1
            if self.bag_count > MAX_BAGS:
                raise UnsupportedStoreError(f"the store has more than {MAX_BAGS} bags")
            bag = bags.parse(element)
            self.attributes += bag.width
            if self.attributes > MAX_ATTRIBUTES:
                raise UnsupportedStoreError(f"the store has more than {MAX_ATTRIBUTES} attributes")
            self._read_bag(bag, first=position == 0)

    def _decrypt_safe(self, content: der.Element, *, is_sealed: bool) -> der.Element:
        """The safe in EncryptedData (RFC 5652 section 8)."""
        _version, info = der.parts(content, "the encrypted data", 2, 2)
        kind, algorithm, ciphertext = der.parts(info, "the encrypted content", 3, 3)
        if der.oid_value(kind, "the encrypted content's type") != bags.DATA or ciphertext.tag not in (0x80, der.CONTEXT_0):
            raise UnsupportedStoreError("the encrypted data is of a kind that is not supported")
        octets = ciphertext.content
        if ciphertext.tag == der.CONTEXT_0:  # in pieces, as BER has it
            pieces = ciphertext.values("the encrypted content")
            octets = b"".join(piece.expect(der.OCTET_STRING, "a piece of the encrypted content").content for piece in pieces)
        plain, used = pbe.decrypt(algorithm, octets, self.secret, "the encrypted safe")
        try:
            safe = der.single(ber.to_der(plain, values=self.values) if self.is_ber else plain, der.SEQUENCE, "a safe")
        except der.DerError as error:
            if is_sealed or (isinstance(error, der.IndefiniteLengthError) and not self.is_ber):
                raise
            # Of 256 wrong passwords one leaves a padding that looks right.
            raise PasswordError("the password does not decrypt the encrypted safe") from error
        self.certificate_algorithms.append(used)
        self.proven = True
        return safe

    def _read_bag(self, bag: Bag, first: bool) -> None:
        if bag.kind == bags.SHROUDED_KEY_BAG:
            self.keys += 1
            if bag.local_key_id is None and self.keys > 1:
                self._keep_unseen(bag, "has no localKeyId, as only a store's first key may", ": it keeps the password that it has")
                return
            if bag.local_key_id is None:
                bag.local_key_id = _ONLY_KEY_ID
            self._name(bag)
            self.found.append((bag, self._key(bag)))
        elif bag.kind == bags.CERT_BAG and (certificate := bags.x509_certificate(bag)) is not None:
            if bag.local_key_id is None and first and self.keys == 1:
                bag.local_key_id = _ONLY_KEY_ID
            self.certificates.append((bag, certificate))
            if not bag.trusted:
                self._label(bag, certificate)
            else:
                self._name(bag)
                self.found.append((bag, certificate))
        elif bag.kind == bags.SECRET_BAG and (wrapped := bags.secret_key(bag)) is not None:
            self._name(bag)
            self.found.append((bag, self._secret(wrapped)))
        elif bag.kind == bags.KEY_BAG:
            self._keep_unseen(bag, "is not encrypted")
        else:
            self.opaque.append(bag.whole.raw)

    def _keep_unseen(self, key: Bag, why: str, consequence: str = "") -> None:
        """Keep a key that Java leaves out, and leave it out too: given a localKeyId, say, it would be there all at once."""
        self.opaque.append(key.whole.raw)
        name = f" under the alias {shown(key.friendly_name)}" if key.friendly_name else ""
        self.remarks.append(f"the private key{name} {why}, and Java does not see it{consequence}")

    def _name(self, bag: Bag) -> None:
        """Give the entry its alias."""
        self.unnamed += bag.friendly_name is None
        bag.alias = (bag.friendly_name if bag.friendly_name is not None else str(self.unnamed)).lower()
        if bag.friendly_name is not None and bag.friendly_name != bag.alias:
            self.remarks.append(f"the alias {shown(bag.friendly_name)} is not in lower case: Java finds the entry as {shown(bag.alias)}")

    def _label(self, bag: Bag, certificate: bytes) -> None:
        """Note what a key could find its certificate by. Of several the first counts that has both, else the last."""
        alias = bag.friendly_name.lower() if bag.friendly_name is not None else None
        if bag.local_key_id is not None:
            self.leaves[bag.local_key_id, None] = certificate
            if alias is not None:
                self.leaves.setdefault((bag.local_key_id, alias), certificate)
        if alias is not None:
            self.leaves[None, alias] = certificate

    def _key(self, bag: Bag) -> _Key:
        """The key in a bag; one that has a password of its own stays as it is."""
        algorithm, ciphertext = der.parts(bag.value, "an encrypted key", 2, 2)
        octets = ciphertext.expect(der.OCTET_STRING, "an encrypted key").content
        name = f"the key under the alias {shown(bag.alias)}" if bag.friendly_name is not None else "a key without alias"
        try:
            key = self._opened(algorithm, octets, self.secret, name)
        except PasswordError as error:
            self.locked = error
        else:
            self.proven = True
            return key
        if bag.alias in self.key_passwords:
            password = self.key_passwords[bag.alias]
            try:
                return replace(self._opened(algorithm, octets, Secret(password), name), password=password)
            except PasswordError:
                pass
        return _Key(None, bag.value.raw)

    def _opened(self, algorithm: der.Element, ciphertext: bytes, secret: Secret, name: str) -> _Key:
        plain, used = pbe.decrypt(algorithm, ciphertext, secret, name)
        _check_key(plain, name)
        return _Key(plain, algorithm=used)

    def _secret(self, wrapped: der.Element) -> _Key:
        """The symmetric key in a bag, if the store's password opens it."""
        algorithm, ciphertext = der.parts(wrapped, "a secret key", 2, 2)
        try:
            return self._opened(algorithm, ciphertext.content, self.secret, "a secret key")
        except (PasswordError, UnsupportedStoreError, der.DerError):
            return _Key(None)

    def entries(self) -> tuple[Entry, ...]:
        """The entries, each kind in the file's order; later ones of the same alias win, as in Java."""
        pool = Pool(certificate for _bag, certificate in self.certificates) if self.keys else Pool(())
        found: list[Entry] = []
        used: set[bytes] = set()
        length = 0
        for bag, content in self._seen():
            if isinstance(content, bytes):
                found.append(TrustedCertEntry(bag.alias, content, None, tuple(bag.attributes)))
                continue
            created = _created(bag.local_key_id)
            if content.algorithm is not None:
                self.key_algorithms.append(content.algorithm)
            if bag.kind == bags.SECRET_BAG:
                found.append(SecretKeyEntry(bag.alias, bag.whole.raw, created, content.pkcs8))
                if content.pkcs8 is None:
                    self.remarks.append(
                        f"the secret key under the alias {shown(bag.alias)} is not opened by the store's password: "
                        "it keeps the password that it has"
                    )
                continue
            chain = pool.chain(self._leaf(bag))
            used.update(chain)
            length += sum(map(len, chain))
            if length > MAX_CHAIN_BYTES:
                raise UnsupportedStoreError(f"the chains of all keys have more than {MAX_CHAIN_BYTES} bytes together")
            key_id = bag.local_key_id if created is None and bag.local_key_id != _ONLY_KEY_ID else None
            found.append(
                PrivateKeyEntry(bag.alias, content.pkcs8, chain, created, tuple(bag.attributes), content.locked, content.password, key_id)
            )
        for bag, certificate in self.certificates:
            if not bag.trusted and certificate not in used:
                self.opaque.append(bag.whole.raw)
            elif not bag.trusted:
                names = [] if bag.friendly_name is None else [bags.encode_attribute(bags.FRIENDLY_NAME, der.bmp_string(bag.friendly_name))]
                self.labels.setdefault(certificate, (*names, *bag.attributes))
        return in_order(found)

    def _seen(self) -> Iterable[tuple[Bag, _Key | bytes]]:
        """Of each alias the last entry. A key before it is put aside: it may be the only copy of it that there is."""
        last: dict[str, tuple[Bag, _Key | bytes]] = {}
        for bag, content in self.found:
            if bag.alias in last:
                before, shadowed = last[bag.alias]
                self.remarks.append(
                    f"the alias {shown(bag.alias)} is there more than once, and Java sees the last entry: of those before it, keys are "
                    "kept under the password that they have, certificates are lost at the next change"
                )
                if not isinstance(shadowed, bytes):
                    self.shadowed.append((before.alias, bags.named(before)))
            last[bag.alias] = bag, content
        return last.values()

    def _leaf(self, key: Bag) -> bytes | None:
        """The certificate with the key's localKeyId, rather one that has its alias too; else the one with its alias."""
        for label in ((key.local_key_id, key.alias), (key.local_key_id, None), (None, key.alias)):
            if label in self.leaves:
                return self.leaves[label]
        return None


def _data_content(element: der.Element, what: str) -> der.Element:
    kind, content = bags.parse_content_info(element, what)
    if kind != bags.DATA:
        raise UnsupportedStoreError(f"{what} has the content type {kind}: only stores sealed with a password are supported")
    return content.expect(der.OCTET_STRING, what)


def _check_key(plain: bytes, what: str) -> None:
    """A wrong password can leave a padding that looks right, with nonsense before it; a key is one SEQUENCE."""
    try:
        der.single(plain, der.SEQUENCE, what)
    except der.DerError as error:
        raise PasswordError(f"the password does not decrypt {what}") from error


def _together(found: Sequence[Algorithm]) -> Algorithm | None:
    """What several things are protected with, in one: all names, the fewest iterations, and the most."""
    if not found:
        return None
    names = dict.fromkeys(each.name for each in found)
    counts = [each.iterations for each in found]
    return Algorithm(", ".join(names), min(counts), max(counts) if max(counts) > min(counts) else 0)


def _created(local_key_id: bytes | None) -> int | None:
    """The date inside Java's localKeyId; None for any other."""
    if local_key_id is None or not local_key_id.startswith(b"Time "):
        return None
    digits = local_key_id[5:]
    return int(digits) if digits.isdigit() and len(digits) < 16 and int(digits) <= _LAST_DATE else None
