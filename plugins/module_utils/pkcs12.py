# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PKCS#12 (RFC 7292) as Java's keystore reads and writes it: bytes to entries and back.

What Java adds to the RFC, each judged by keytool in the interop tests:

* an alias is the friendlyName in lower case; a key without one is called by its number;
* a key and its leaf share a localKeyId, ``Time <milliseconds>``, from which the entry's date comes;
* a certificate is a trusted entry if and only if it carries the trusted-key-usage attribute;
* a key's chain is rebuilt from all certificates in the file, whatever their order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Iterable, Optional, Sequence

from ansible_collections.mutual.tls.plugins.module_utils import der, pbe
from ansible_collections.mutual.tls.plugins.module_utils.entries import (
    Contents,
    Entry,
    PrivateKeyEntry,
    Protection,
    TrustedCertEntry,
)
from ansible_collections.mutual.tls.plugins.module_utils.errors import StoreError, UnsupportedStoreError

_DATA = "1.2.840.113549.1.7.1"
_ENCRYPTED_DATA = "1.2.840.113549.1.7.6"
_SHROUDED_KEY_BAG = "1.2.840.113549.1.12.10.1.2"
_CERT_BAG = "1.2.840.113549.1.12.10.1.3"
_X509_CERTIFICATE = "1.2.840.113549.1.9.22.1"
_FRIENDLY_NAME = "1.2.840.113549.1.9.20"
_LOCAL_KEY_ID = "1.2.840.113549.1.9.21"
#: Oracle's trusted-key-usage (sun.security.pkcs12.PKCS12KeyStore): a SET OF extended key usages.
_TRUSTED_KEY_USAGE = "2.16.840.1.113894.746875.1.1"
_ANY_EXTENDED_KEY_USAGE = "2.5.29.37.0"


@dataclass
class _Bag:
    """One SafeBag: what it holds, and its attributes sorted into those that mean something and the rest."""

    kind: str
    value: der.Element
    raw: bytes
    friendly_name: Optional[str] = None
    local_key_id: Optional[bytes] = None
    trusted: bool = False
    attributes: list[bytes] = field(default_factory=list)


def is_pkcs12(data: bytes) -> bool:
    """Whether *data* begins as a PFX does: a SEQUENCE whose first value is the INTEGER 3."""
    if len(data) < 8 or data[0] != der.SEQUENCE:
        return False
    header = 2 + (data[1] & 0x7F if data[1] & 0x80 else 0)
    return data[header : header + 3] == b"\x02\x01\x03"


def read(data: bytes, password: str) -> Contents:
    """The contents of a store.

    Raises PasswordError when the password does not open it, UnsupportedStoreError with the algorithm's name for what
    is not supported, StoreError for everything that is not well-formed.
    """
    version, auth_safe, *mac_data = der.children(data, der.SEQUENCE, "the store")
    if der.integer_value(version, "the store's version") != 3:
        raise UnsupportedStoreError("the store is not of PKCS#12 version 3")
    sealed = _data_content(auth_safe, "the authenticated safe")
    mac = pbe.verify_mac(mac_data[0], sealed, password) if mac_data else None
    reader = _Reader(password)
    for content_info in der.children(sealed, der.SEQUENCE, "the authenticated safe"):
        reader.read_content_info(content_info)
    return Contents(
        entries=reader.entries(),
        protection=Protection(
            mac=mac.name if mac else None,
            mac_iterations=mac.iterations if mac else None,
            key_encryption=reader.key_encryption.name if reader.key_encryption else None,
            key_iterations=reader.key_encryption.iterations if reader.key_encryption else None,
            certificate_encryption=reader.certificate_encryption.name if reader.certificate_encryption else None,
            certificate_iterations=reader.certificate_encryption.iterations if reader.certificate_encryption else None,
        ),
        opaque=tuple(reader.opaque),
    )


class _Reader:
    """Collects bags, then makes entries of them."""

    def __init__(self, password: str) -> None:
        self.password = password
        self.keys: list[tuple[_Bag, bytes]] = []
        self.certificates: list[tuple[_Bag, bytes]] = []
        self.opaque: list[bytes] = []
        self.key_encryption: Optional[pbe.Encryption] = None
        self.certificate_encryption: Optional[pbe.Encryption] = None

    def read_content_info(self, content_info: der.Element) -> None:
        kind, content = _content_info(content_info, "a part of the authenticated safe")
        if kind == _DATA:
            safe = content.expect(der.OCTET_STRING, "a safe").content
        elif kind == _ENCRYPTED_DATA:
            safe = self._decrypt_safe(content)
        else:
            raise UnsupportedStoreError(f"a part of the store has the content type {kind}, which is not supported")
        for bag in der.children(safe, der.SEQUENCE, "a safe"):
            self._read_bag(_bag(bag))

    def _decrypt_safe(self, content: der.Element) -> bytes:
        """The plaintext of EncryptedData (RFC 5652 section 8)."""
        _version, info = _exactly(content, 2, "the encrypted data")
        kind, algorithm, ciphertext = _exactly(info, 3, "the encrypted content")
        if der.oid_value(kind, "the encrypted content's type") != _DATA or ciphertext.tag != 0x80:
            raise UnsupportedStoreError("the encrypted data is not in one piece, or not data")
        safe, self.certificate_encryption = pbe.decrypt(algorithm, ciphertext.content, self.password, "the encrypted safe")
        return safe

    def _read_bag(self, bag: _Bag) -> None:
        if bag.kind == _SHROUDED_KEY_BAG:
            algorithm, ciphertext = _exactly(bag.value, 2, "an encrypted key")
            octets = ciphertext.expect(der.OCTET_STRING, "an encrypted key").content
            name = f"the key under the alias '{bag.friendly_name}'" if bag.friendly_name else "a key without alias"
            key, self.key_encryption = pbe.decrypt(algorithm, octets, self.password, name)
            self.keys.append((bag, key))
            return
        certificate = _x509_certificate(bag) if bag.kind == _CERT_BAG else None
        if certificate is None:
            self.opaque.append(bag.raw)
        else:
            self.certificates.append((bag, certificate))

    def entries(self) -> tuple[Entry, ...]:
        """Private-key entries, then trusted entries, each in the file's order; later ones of the same alias win, as in Java."""
        pool = _Pool(certificate for _bag, certificate in self.certificates)
        found: dict[str, Entry] = {}
        used: set[bytes] = set()
        for number, (bag, key) in enumerate(self.keys, start=1):
            alias = (bag.friendly_name if bag.friendly_name is not None else str(number)).lower()
            chain = pool.chain(self._leaf(bag))
            used.update(chain)
            created = _created(bag.local_key_id)
            found[alias] = PrivateKeyEntry(alias, key, chain, created, tuple(bag.attributes))
        unnamed = len(self.keys)
        for bag, certificate in self.certificates:
            if bag.trusted:
                unnamed += bag.friendly_name is None
                alias = (bag.friendly_name if bag.friendly_name is not None else str(unnamed)).lower()
                found[alias] = TrustedCertEntry(alias, certificate, None, tuple(bag.attributes))
            elif certificate not in used:
                self.opaque.append(bag.raw)
        return tuple(found.values())

    def _leaf(self, key: _Bag) -> Optional[bytes]:
        """The certificate that shares the key's localKeyId; of several, the one with the key's name."""
        matches = [
            (bag, certificate)
            for bag, certificate in self.certificates
            if bag.local_key_id is not None and bag.local_key_id == key.local_key_id
        ]
        matches.sort(key=lambda match: match[0].friendly_name != key.friendly_name)
        return matches[0][1] if matches else None


class _Pool:
    """All certificates of a store, found by the name that they certify."""

    def __init__(self, certificates: Iterable[bytes]) -> None:
        self._by_subject: dict[bytes, bytes] = {}
        for certificate in certificates:
            self._by_subject.setdefault(_names(certificate)[1], certificate)

    def chain(self, leaf: Optional[bytes]) -> tuple[bytes, ...]:
        """*leaf* and the certificates above it, up to a self-issued one or as far as the store reaches."""
        chain: list[bytes] = []
        certificate = leaf
        while certificate is not None and certificate not in chain:
            chain.append(certificate)
            issuer, subject = _names(certificate)
            certificate = None if issuer == subject else self._by_subject.get(issuer)
        return tuple(chain)


def write(contents: Contents, password: str, *, iterations: int, now: int) -> bytes:
    """A store with *contents*, as Java 11.0.12 and newer writes it by default.

    PBES2 with AES-256 and HMAC-SHA256 for keys and certificates, a MAC with HMAC-SHA256, all with *iterations*. Keys come
    first. *now* is the date, in milliseconds since the epoch, of entries that have none.
    """
    key_bags: list[bytes] = []
    certificate_bags: list[bytes] = []
    written: set[bytes] = set()
    times: set[int] = set()
    for entry in contents.entries:
        if not isinstance(entry, PrivateKeyEntry):
            continue
        created = entry.created if entry.created is not None else now
        while created in times:  # two keys of one millisecond would share a localKeyId, and so each other's certificate
            created += 1
        times.add(created)
        key_id = f"Time {created}".encode("ascii")
        attributes = [_attribute(_FRIENDLY_NAME, der.bmp_string(entry.alias)), _attribute(_LOCAL_KEY_ID, der.octet_string(key_id))]
        algorithm, ciphertext = pbe.encrypt(entry.pkcs8, password, iterations)
        shrouded = der.sequence(algorithm, der.octet_string(ciphertext))
        key_bags.append(_encode_bag(_SHROUDED_KEY_BAG, shrouded, [*attributes, *entry.attributes]))
        for position, certificate in enumerate(entry.chain):
            if position == 0:
                certificate_bags.append(_encode_certificate(certificate, attributes))
            elif certificate not in written:
                certificate_bags.append(_encode_certificate(certificate, []))
            written.add(certificate)
    for entry in contents.entries:
        if isinstance(entry, TrustedCertEntry):
            usage = _attribute(_TRUSTED_KEY_USAGE, der.oid(_ANY_EXTENDED_KEY_USAGE))
            name = _attribute(_FRIENDLY_NAME, der.bmp_string(entry.alias))
            certificate_bags.append(_encode_certificate(entry.certificate, [name, usage, *entry.attributes]))
    parts = []
    if key_bags:
        parts.append(_content(_DATA, der.octet_string(der.sequence(*key_bags))))
    others = [*certificate_bags, *contents.opaque]
    if others:
        parts.append(_encrypted_content(der.sequence(*others), password, iterations))
    sealed = der.sequence(*parts)
    return der.sequence(
        der.integer(3), _content(_DATA, der.octet_string(sealed)), pbe.make_mac(sealed, password, iterations)
    )


def _encrypted_content(safe: bytes, password: str, iterations: int) -> bytes:
    algorithm, ciphertext = pbe.encrypt(safe, password, iterations)
    info = der.sequence(der.oid(_DATA), algorithm, der.encode(0x80, ciphertext))
    return _content(_ENCRYPTED_DATA, der.sequence(der.integer(0), info))


def _content(kind: str, content: bytes) -> bytes:
    return der.sequence(der.oid(kind), der.explicit(0, content))


def _attribute(kind: str, value: bytes) -> bytes:
    return der.sequence(der.oid(kind), der.set_of(value))


def _encode_certificate(certificate: bytes, attributes: Sequence[bytes]) -> bytes:
    value = der.sequence(der.oid(_X509_CERTIFICATE), der.explicit(0, der.octet_string(certificate)))
    return _encode_bag(_CERT_BAG, value, attributes)


def _encode_bag(kind: str, value: bytes, attributes: Sequence[bytes]) -> bytes:
    parts = [der.oid(kind), der.explicit(0, value)]
    if attributes:
        parts.append(der.set_of(*attributes))
    return der.sequence(*parts)


def _exactly(element: der.Element, count: int, what: str) -> list[der.Element]:
    parts = der.children(element.raw, der.SEQUENCE, what)
    if len(parts) != count:
        raise StoreError(f"{what} should have {count} parts and has {len(parts)}")
    return parts


def _content_info(element: der.Element, what: str) -> tuple[str, der.Element]:
    kind, wrapper = _exactly(element, 2, what)
    return der.oid_value(kind, what), _unwrap(wrapper, what)


def _unwrap(wrapper: der.Element, what: str) -> der.Element:
    """The value inside [0] EXPLICIT."""
    values = list(der.elements(wrapper.expect(der.CONTEXT_0, what).content, what))
    if len(values) != 1:
        raise StoreError(f"{what} should hold one value and holds {len(values)}")
    return values[0]


def _data_content(element: der.Element, what: str) -> bytes:
    kind, content = _content_info(element, what)
    if kind != _DATA:
        raise UnsupportedStoreError(f"{what} has the content type {kind}: only stores sealed with a password are supported")
    return content.expect(der.OCTET_STRING, what).content


def _bag(element: der.Element) -> _Bag:
    """A SafeBag (RFC 7292 section 4.2) with its attributes."""
    kind, value, *attributes = der.children(element.raw, der.SEQUENCE, "a bag")
    bag = _Bag(der.oid_value(kind, "a bag's type"), _unwrap(value, "a bag"), element.raw)
    for attribute in der.children(attributes[0].raw, der.SET, "a bag's attributes") if attributes else ():
        name, values = _exactly(attribute, 2, "an attribute")
        attribute_kind = der.oid_value(name, "an attribute")
        first = next(der.elements(values.expect(der.SET, "an attribute").content, "an attribute"), None)
        if attribute_kind == _FRIENDLY_NAME and first is not None:
            bag.friendly_name = der.bmp_value(first, "a friendlyName")
        elif attribute_kind == _LOCAL_KEY_ID and first is not None:
            bag.local_key_id = first.expect(der.OCTET_STRING, "a localKeyId").content
        elif attribute_kind == _TRUSTED_KEY_USAGE:
            bag.trusted = True
        else:
            bag.attributes.append(attribute.raw)
    return bag


def _x509_certificate(bag: _Bag) -> Optional[bytes]:
    """The DER of a CertBag's X.509 certificate; None for a certificate of another kind (SDSI)."""
    kind, wrapper = _exactly(bag.value, 2, "a certificate bag")
    if der.oid_value(kind, "a certificate bag") != _X509_CERTIFICATE:
        return None
    return _unwrap(wrapper, "a certificate bag").expect(der.OCTET_STRING, "a certificate").content


def _names(certificate: bytes) -> tuple[bytes, bytes]:
    """The DER of a certificate's issuer and subject (RFC 5280 section 4.1)."""
    to_be_signed = _exactly(der.single(certificate, der.SEQUENCE, "a certificate"), 3, "a certificate")[0]
    fields = der.children(to_be_signed.raw, der.SEQUENCE, "a certificate")
    first = 1 if fields and fields[0].tag == der.CONTEXT_0 else 0  # the version is optional
    if len(fields) < first + 6:
        raise StoreError("a certificate is cut short")
    return fields[first + 2].raw, fields[first + 4].raw


def _created(local_key_id: Optional[bytes]) -> Optional[int]:
    """The date inside Java's localKeyId; None for any other."""
    if local_key_id is None or not local_key_id.startswith(b"Time "):
        return None
    digits = local_key_id[5:]
    return int(digits) if digits.isdigit() and len(digits) < 16 else None
