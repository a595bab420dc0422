# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PKCS#12 (RFC 7292) as Java's keystore reads and writes it: bytes to entries and back.

What Java adds to the RFC, each judged by keytool in the interop tests:

* an alias is the friendlyName in lower case; entries without one are numbered; of two with one alias the later is the entry;
* a key and its leaf share a localKeyId, ``Time <milliseconds>``, from which the entry's date comes; else they share the alias;
* a certificate is a trusted entry if and only if it carries the trusted-key-usage attribute;
* a key's chain is rebuilt from all certificates in the file, whatever their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from ansible_collections.mutual.tls.plugins.module_utils import ber, der, derivation, mac, pbe
from ansible_collections.mutual.tls.plugins.module_utils.chains import Pool
from ansible_collections.mutual.tls.plugins.module_utils.derivation import Secret
from ansible_collections.mutual.tls.plugins.module_utils.entries import (
    MAX_CERTIFICATE_BYTES,
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

#: More bags than any store has; a file of many megabytes could hold millions of small ones.
MAX_BAGS = 100_000
#: Java and Windows write up to five for a bag, none of them long.
MAX_ATTRIBUTES_OF_BAG = 100
MAX_ATTRIBUTES = 500_000
MAX_NAME_BYTES = 0xFFFF
#: All chains together. Keys may share certificates, so a small file could have chains of many gigabytes.
MAX_CHAIN_BYTES = 64 * 1024 * 1024

_DATA = "1.2.840.113549.1.7.1"
_ENCRYPTED_DATA = "1.2.840.113549.1.7.6"
_KEY_BAG = "1.2.840.113549.1.12.10.1.1"
_SHROUDED_KEY_BAG = "1.2.840.113549.1.12.10.1.2"
_CERT_BAG = "1.2.840.113549.1.12.10.1.3"
_SECRET_BAG = "1.2.840.113549.1.12.10.1.5"  # noqa: S105  (no password, a type of bag)
_X509_CERTIFICATE = "1.2.840.113549.1.9.22.1"
_FRIENDLY_NAME = "1.2.840.113549.1.9.20"
_LOCAL_KEY_ID = "1.2.840.113549.1.9.21"
#: Oracle's trusted-key-usage (sun.security.pkcs12.PKCS12KeyStore): a SET OF extended key usages.
_TRUSTED_KEY_USAGE = "2.16.840.1.113894.746875.1.1"
_ANY_EXTENDED_KEY_USAGE = "2.5.29.37.0"
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


@dataclass
class _Bag:
    """One SafeBag: what it holds, and its attributes sorted into those that mean something and the rest."""

    kind: str
    value: der.Element
    whole: der.Element
    friendly_name: str | None = None
    local_key_id: bytes | None = None
    alias: str = ""
    trusted: bool = False
    attributes: list[bytes] = field(default_factory=list)
    #: How many attributes it has, with a meaning or without.
    width: int = 0


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
        self.bags = 0
        self.attributes = 0
        self.values = ber.budget()
        self.keys = 0
        self.certificates: list[tuple[_Bag, bytes]] = []
        self.leaves: dict[tuple[bytes | None, str | None], bytes] = {}
        self.labels: dict[bytes, tuple[bytes, ...]] = {}
        self.found: list[tuple[_Bag, _Key | bytes]] = []  # keys and trusted certificates, in the file's order
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
        kind, content = _content_info(content_info, "a part of the authenticated safe")
        if kind == _DATA:
            safe = der.only(self._values(content.expect(der.OCTET_STRING, "a safe"), "a safe"), "a safe").expect(der.SEQUENCE, "a safe")
        elif kind == _ENCRYPTED_DATA:
            safe = self._decrypt_safe(content, is_sealed=is_sealed)
        else:
            raise UnsupportedStoreError(f"a part of the store has the content type {kind}, which is not supported")
        for position, element in enumerate(safe.values("a safe")):
            self.bags += 1
            if self.bags > MAX_BAGS:
                raise UnsupportedStoreError(f"the store has more than {MAX_BAGS} bags")
            bag = _bag(element)
            self.attributes += bag.width
            if self.attributes > MAX_ATTRIBUTES:
                raise UnsupportedStoreError(f"the store has more than {MAX_ATTRIBUTES} attributes")
            self._read_bag(bag, first=position == 0)

    def _decrypt_safe(self, content: der.Element, *, is_sealed: bool) -> der.Element:
        """The safe in EncryptedData (RFC 5652 section 8)."""
        _version, info = der.parts(content, "the encrypted data", 2, 2)
        kind, algorithm, ciphertext = der.parts(info, "the encrypted content", 3, 3)
        if der.oid_value(kind, "the encrypted content's type") != _DATA or ciphertext.tag not in (0x80, der.CONTEXT_0):
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

    def _read_bag(self, bag: _Bag, first: bool) -> None:
        if bag.kind == _SHROUDED_KEY_BAG:
            self.keys += 1
            if bag.local_key_id is None and self.keys > 1:
                self._keep_unseen(bag, "has no localKeyId, as only a store's first key may", ": it keeps the password that it has")
                return
            if bag.local_key_id is None:
                bag.local_key_id = _ONLY_KEY_ID
            self._name(bag)
            self.found.append((bag, self._key(bag)))
        elif bag.kind == _CERT_BAG and (certificate := _x509_certificate(bag)) is not None:
            if bag.local_key_id is None and first and self.keys == 1:
                bag.local_key_id = _ONLY_KEY_ID
            self.certificates.append((bag, certificate))
            if not bag.trusted:
                self._label(bag, certificate)
            else:
                self._name(bag)
                self.found.append((bag, certificate))
        elif bag.kind == _SECRET_BAG and (wrapped := _secret_key(bag)) is not None:
            self._name(bag)
            self.found.append((bag, self._secret(wrapped)))
        elif bag.kind == _KEY_BAG:
            self._keep_unseen(bag, "is not encrypted")
        else:
            self.opaque.append(bag.whole.raw)

    def _keep_unseen(self, key: _Bag, why: str, consequence: str = "") -> None:
        """Keep a key that Java leaves out, and leave it out too: given a localKeyId, say, it would be there all at once."""
        self.opaque.append(key.whole.raw)
        name = f" under the alias {shown(key.friendly_name)}" if key.friendly_name else ""
        self.remarks.append(f"the private key{name} {why}, and Java does not see it{consequence}")

    def _name(self, bag: _Bag) -> None:
        """Give the entry its alias."""
        self.unnamed += bag.friendly_name is None
        bag.alias = (bag.friendly_name if bag.friendly_name is not None else str(self.unnamed)).lower()
        if bag.friendly_name is not None and bag.friendly_name != bag.alias:
            self.remarks.append(f"the alias {shown(bag.friendly_name)} is not in lower case: Java finds the entry as {shown(bag.alias)}")

    def _label(self, bag: _Bag, certificate: bytes) -> None:
        """Note what a key could find its certificate by. Of several the first counts that has both, else the last."""
        alias = bag.friendly_name.lower() if bag.friendly_name is not None else None
        if bag.local_key_id is not None:
            self.leaves[bag.local_key_id, None] = certificate
            if alias is not None:
                self.leaves.setdefault((bag.local_key_id, alias), certificate)
        if alias is not None:
            self.leaves[None, alias] = certificate

    def _key(self, bag: _Bag) -> _Key:
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
            if bag.kind == _SECRET_BAG:
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
                names = [] if bag.friendly_name is None else [_attribute(_FRIENDLY_NAME, der.bmp_string(bag.friendly_name))]
                self.labels.setdefault(certificate, (*names, *bag.attributes))
        return in_order(found)

    def _seen(self) -> Iterable[tuple[_Bag, _Key | bytes]]:
        """Of each alias the last entry. A key before it is put aside: it may be the only copy of it that there is."""
        last: dict[str, tuple[_Bag, _Key | bytes]] = {}
        for bag, content in self.found:
            if bag.alias in last:
                before, shadowed = last[bag.alias]
                self.remarks.append(
                    f"the alias {shown(bag.alias)} is there more than once, and Java sees the last entry: of those before it, keys are "
                    "kept under the password that they have, certificates are lost at the next change"
                )
                if not isinstance(shadowed, bytes):
                    self.shadowed.append((before.alias, _named(before)))
            last[bag.alias] = bag, content
        return last.values()

    def _leaf(self, key: _Bag) -> bytes | None:
        """The certificate with the key's localKeyId, rather one that has its alias too; else the one with its alias."""
        for label in ((key.local_key_id, key.alias), (key.local_key_id, None), (None, key.alias)):
            if label in self.leaves:
                return self.leaves[label]
        return None


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
        parts = [_content(_DATA, der.octet_string(der.sequence(*keys)))] if keys else []
        if others:
            parts.append(self._encrypted(der.sequence(*others)))
        sealed = der.sequence(*parts)
        return der.sequence(der.integer(3), _content(_DATA, der.octet_string(sealed)), mac.make(sealed, self.secret, self.mac))

    def _labels(self, entry: PrivateKeyEntry, now: int) -> list[bytes]:
        """What a key and its certificate are found by."""
        created = entry.created if entry.created is not None else now
        key_id = _time(created) if entry.key_id is None or entry.key_id in self.key_ids else entry.key_id
        while key_id in self.key_ids:  # two keys of one millisecond would share a localKeyId, and so each other's certificate
            created += 1
            key_id = _time(created)
        self.key_ids.add(key_id)
        return [_attribute(_FRIENDLY_NAME, der.bmp_string(entry.alias)), _attribute(_LOCAL_KEY_ID, der.octet_string(key_id))]

    def _key_bag(self, entry: PrivateKeyEntry, labels: list[bytes]) -> bytes:
        shrouded = entry.locked if entry.pkcs8 is None else self._shrouded(entry.pkcs8)
        if shrouded is None:
            raise ValueError(f"the entry {shown(entry.alias)} has no key")
        return _encode_bag(_SHROUDED_KEY_BAG, shrouded, [*labels, *entry.attributes])

    def _chain_bags(self, entry: PrivateKeyEntry, labels: list[bytes]) -> Iterator[bytes]:
        for position, certificate in enumerate(entry.chain):
            kept = self.contents.labels.get(certificate, ())
            if position == 0:
                yield _certificate_bag(certificate, [*labels, *(each for each in kept if not _is(each, _FRIENDLY_NAME))])
            elif certificate not in self.written:
                yield _certificate_bag(certificate, kept)
            self.written.add(certificate)

    def _secret_bag(self, entry: SecretKeyEntry) -> bytes:
        """The bag as it was, unless its key is under another password or algorithm, or its alias is only its number."""
        bag = _bag(der.single(entry.bag, der.SEQUENCE, "a bag"))
        wrapped = _secret_key(bag)
        bag.alias = entry.alias
        if entry.pkcs8 is None or wrapped is None:
            return _named(bag)
        algorithm, ciphertext = der.parts(wrapped, "a secret key", 2, 2)
        try:
            plain, used = pbe.decrypt(algorithm, ciphertext.content, self.secret, "a secret key")
        except PasswordError:
            plain, used = b"", self.key_algorithm
        if plain == entry.pkcs8 and used == self.key_algorithm:
            return _named(bag)
        kind = der.parts(bag.value, "a secret bag", 2, 2)[0].raw
        return _named(bag, der.sequence(kind, der.explicit(0, der.octet_string(self._shrouded(entry.pkcs8)))))

    def _shrouded(self, pkcs8: bytes) -> bytes:
        """EncryptedPrivateKeyInfo (RFC 5958 section 3)."""
        algorithm, ciphertext = pbe.encrypt(pkcs8, self.secret, self.key_algorithm)
        return der.sequence(algorithm, der.octet_string(ciphertext))

    def _encrypted(self, safe: bytes) -> bytes:
        algorithm, ciphertext = pbe.encrypt(safe, self.secret, self.certificate_algorithm)
        info = der.sequence(der.oid(_DATA), algorithm, der.encode(0x80, ciphertext))
        return _content(_ENCRYPTED_DATA, der.sequence(der.integer(0), info))


def _trusted_bag(entry: TrustedCertEntry) -> bytes:
    name = _attribute(_FRIENDLY_NAME, der.bmp_string(entry.alias))
    usage = [] if any(_is(each, _TRUSTED_KEY_USAGE) for each in entry.attributes) else [_TRUSTED_FOR_ALL]
    return _certificate_bag(entry.certificate, [name, *usage, *entry.attributes])


def _named(bag: _Bag, value: bytes | None = None) -> bytes:
    """The bag as it was read, with another value if there is one, and with its alias: a number changes with what is before it."""
    if value is None and bag.friendly_name is not None:
        return bag.whole.raw
    kind, wrapper, *rest = der.parts(bag.whole, "a bag", 2, 3)
    attributes = [each.raw for whole in rest for each in whole.values("a bag's attributes")]
    if bag.friendly_name is None:
        attributes.append(_attribute(_FRIENDLY_NAME, der.bmp_string(bag.alias)))
    return der.sequence(kind.raw, wrapper.raw if value is None else der.explicit(0, value), der.set_of(*attributes))


def _certificate_of(opaque: bytes) -> bytes | None:
    """The X.509 certificate in a bag, if it holds one."""
    bag = _bag(der.single(opaque, der.SEQUENCE, "a bag"))
    return _x509_certificate(bag) if bag.kind == _CERT_BAG else None


def _content(kind: str, content: bytes) -> bytes:
    return der.sequence(der.oid(kind), der.explicit(0, content))


def _attribute(kind: str, value: bytes) -> bytes:
    return der.sequence(der.oid(kind), der.set_of(value))


_TRUSTED_FOR_ALL = _attribute(_TRUSTED_KEY_USAGE, der.oid(_ANY_EXTENDED_KEY_USAGE))


def _is(attribute: bytes, kind: str) -> bool:
    return der.parts(attribute, "an attribute", 2, 2)[0].raw == der.oid(kind)


def _certificate_bag(certificate: bytes, attributes: Sequence[bytes]) -> bytes:
    value = der.sequence(der.oid(_X509_CERTIFICATE), der.explicit(0, der.octet_string(certificate)))
    return _encode_bag(_CERT_BAG, value, attributes)


def _encode_bag(kind: str, value: bytes, attributes: Sequence[bytes]) -> bytes:
    parts = [der.oid(kind), der.explicit(0, value)]
    if attributes:
        parts.append(der.set_of(*attributes))
    return der.sequence(*parts)


def _content_info(element: der.Element, what: str) -> tuple[str, der.Element]:
    kind, wrapper = der.parts(element, what, 2, 2)
    return der.oid_value(kind, what), _unwrap(wrapper, what)


def _unwrap(wrapper: der.Element, what: str) -> der.Element:
    """The value inside [0] EXPLICIT."""
    return der.only(wrapper.expect(der.CONTEXT_0, what).values(what), what)


def _data_content(element: der.Element, what: str) -> der.Element:
    kind, content = _content_info(element, what)
    if kind != _DATA:
        raise UnsupportedStoreError(f"{what} has the content type {kind}: only stores sealed with a password are supported")
    return content.expect(der.OCTET_STRING, what)


def _bag(element: der.Element) -> _Bag:
    """A SafeBag (RFC 7292 section 4.2) with its attributes."""
    kind, value, *attributes = der.parts(element, "a bag", 2, 3)
    bag = _Bag(der.oid_value(kind, "a bag's type"), _unwrap(value, "a bag"), element)
    listed = attributes[0].expect(der.SET, "a bag's attributes").values("a bag's attributes") if attributes else iter(())
    for attribute in islice(listed, MAX_ATTRIBUTES_OF_BAG):
        bag.width += 1
        name, values = der.parts(attribute, "an attribute", 2, 2)
        attribute_kind = der.oid_value(name, "an attribute")
        first = next(values.expect(der.SET, "an attribute").values("an attribute"), None)
        if attribute_kind == _FRIENDLY_NAME and first is not None:
            bag.friendly_name = der.bmp_value(first, "a friendlyName")
            if 2 * len(bag.friendly_name) > MAX_NAME_BYTES:
                raise UnsupportedStoreError(f"a friendlyName has {2 * len(bag.friendly_name)} bytes; up to {MAX_NAME_BYTES} are accepted")
        elif attribute_kind == _LOCAL_KEY_ID and first is not None:
            bag.local_key_id = first.expect(der.OCTET_STRING, "a localKeyId").content
        else:
            if attribute_kind == _TRUSTED_KEY_USAGE and bag.kind == _CERT_BAG:
                bag.trusted = True
                if attribute.raw == _TRUSTED_FOR_ALL:  # which write() adds by itself
                    continue
            bag.attributes.append(attribute.raw)
    if next(listed, None) is not None:
        raise UnsupportedStoreError(f"a bag has more than {MAX_ATTRIBUTES_OF_BAG} attributes")
    return bag


def _x509_certificate(bag: _Bag) -> bytes | None:
    """The DER of a CertBag's X.509 certificate; None for a certificate of another kind (SDSI)."""
    kind, wrapper = der.parts(bag.value, "a certificate bag", 2, 2)
    if der.oid_value(kind, "a certificate bag") != _X509_CERTIFICATE:
        return None
    certificate = _unwrap(wrapper, "a certificate bag").expect(der.OCTET_STRING, "a certificate").content
    if len(certificate) > MAX_CERTIFICATE_BYTES:
        raise UnsupportedStoreError(f"a certificate has {len(certificate)} bytes; up to {MAX_CERTIFICATE_BYTES} are accepted")
    return certificate


def _secret_key(bag: _Bag) -> der.Element | None:
    """The EncryptedPrivateKeyInfo in a SecretBag, where Java puts symmetric keys; None for secrets of another kind."""
    try:
        _kind, wrapper = der.parts(bag.value, "a secret bag", 2, 2)
        secret = der.only(_unwrap(wrapper, "a secret").expect(der.OCTET_STRING, "a secret").values("a secret"), "a secret")
        algorithm, ciphertext = der.parts(secret, "a secret key", 2, 2)
        derivation.algorithm_identifier(algorithm, "a secret key")
        ciphertext.expect(der.OCTET_STRING, "a secret key")
    except der.DerError:
        return None
    return secret


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


def _time(created: int) -> bytes:
    """Java's localKeyId, which holds a date."""
    return f"Time {created}".encode("ascii")


def _created(local_key_id: bytes | None) -> int | None:
    """The date inside Java's localKeyId; None for any other."""
    if local_key_id is None or not local_key_id.startswith(b"Time "):
        return None
    digits = local_key_id[5:]
    return int(digits) if digits.isdigit() and len(digits) < 16 and int(digits) <= _LAST_DATE else None
