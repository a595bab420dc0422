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

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

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
_SUBJECT_KEY_IDENTIFIER = "2.5.29.14"
_AUTHORITY_KEY_IDENTIFIER = "2.5.29.35"
#: The tag of a certificate's extensions.
_EXTENSIONS = 0xA3
#: What Java takes for the localKeyId of a store's only key, and of the certificate that begins a safe after it, if they have none.
_ONLY_KEY_ID = b"01"
#: The end of the year 9999 in milliseconds since the epoch: no date here is later.
_LAST_DATE = 253_402_300_799_999


@dataclass
class _Bag:
    """One SafeBag: what it holds, and its attributes sorted into those that mean something and the rest."""

    kind: str
    value: der.Element
    raw: bytes
    friendly_name: str | None = None
    local_key_id: bytes | None = None
    alias: str = ""
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
    version, auth_safe, *mac_data = der.parts(data, "the store", 2, 3)
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
        self.found: list[tuple[_Bag, bytes]] = []  # keys and trusted certificates, in the file's order
        self.opaque: list[bytes] = []
        self.unnamed = 0
        self.key_encryption: pbe.Encryption | None = None
        self.certificate_encryption: pbe.Encryption | None = None

    def read_content_info(self, content_info: der.Element) -> None:
        kind, content = _content_info(content_info, "a part of the authenticated safe")
        if kind == _DATA:
            safe = content.expect(der.OCTET_STRING, "a safe").content
        elif kind == _ENCRYPTED_DATA:
            safe = self._decrypt_safe(content)
        else:
            raise UnsupportedStoreError(f"a part of the store has the content type {kind}, which is not supported")
        for position, bag in enumerate(der.children(safe, der.SEQUENCE, "a safe")):
            self._read_bag(_bag(bag), first=position == 0)

    def _decrypt_safe(self, content: der.Element) -> bytes:
        """The plaintext of EncryptedData (RFC 5652 section 8)."""
        _version, info = der.parts(content.raw, "the encrypted data", 2, 2)
        kind, algorithm, ciphertext = der.parts(info.raw, "the encrypted content", 3, 3)
        if der.oid_value(kind, "the encrypted content's type") != _DATA or ciphertext.tag != 0x80:
            raise UnsupportedStoreError("the encrypted data is not in one piece, or not data")
        safe, self.certificate_encryption = pbe.decrypt(algorithm, ciphertext.content, self.password, "the encrypted safe")
        return safe

    def _read_bag(self, bag: _Bag, first: bool) -> None:
        if bag.kind == _SHROUDED_KEY_BAG:
            algorithm, ciphertext = der.parts(bag.value.raw, "an encrypted key", 2, 2)
            octets = ciphertext.expect(der.OCTET_STRING, "an encrypted key").content
            name = f"the key under the alias '{bag.friendly_name}'" if bag.friendly_name else "a key without alias"
            key, self.key_encryption = pbe.decrypt(algorithm, octets, self.password, name)
            if bag.local_key_id is None and not self.keys:
                bag.local_key_id = _ONLY_KEY_ID
            self.keys.append((bag, key))
            self._name(bag, key)
            return
        certificate = _x509_certificate(bag) if bag.kind == _CERT_BAG else None
        if certificate is None:
            self.opaque.append(bag.raw)
            return
        if bag.local_key_id is None and first and len(self.keys) == 1:
            bag.local_key_id = _ONLY_KEY_ID
        self.certificates.append((bag, certificate))
        if bag.trusted:
            self._name(bag, certificate)

    def _name(self, bag: _Bag, content: bytes) -> None:
        """Give the entry its alias."""
        self.unnamed += bag.friendly_name is None
        bag.alias = (bag.friendly_name if bag.friendly_name is not None else str(self.unnamed)).lower()
        self.found.append((bag, content))

    def entries(self) -> tuple[Entry, ...]:
        """Private-key entries, then trusted entries, each in the file's order; later ones of the same alias win, as in Java."""
        pool = _Pool(certificate for _bag, certificate in self.certificates)
        found: dict[str, Entry] = {}
        used: set[bytes] = set()
        for bag, content in self.found:
            if bag.kind == _CERT_BAG:
                found[bag.alias] = TrustedCertEntry(bag.alias, content, None, tuple(bag.attributes))
                continue
            chain = pool.chain(self._leaf(bag))
            used.update(chain)
            found[bag.alias] = PrivateKeyEntry(bag.alias, content, chain, _created(bag.local_key_id), tuple(bag.attributes))
        self.opaque.extend(bag.raw for bag, certificate in self.certificates if not bag.trusted and certificate not in used)
        return tuple(sorted(found.values(), key=lambda entry: isinstance(entry, TrustedCertEntry)))

    def _leaf(self, key: _Bag) -> bytes | None:
        """The certificate with the key's localKeyId, rather one that has its alias too; else the one with its alias."""
        by_id = by_alias = None
        for bag, certificate in self.certificates:
            if bag.trusted:
                continue
            same_alias = bag.friendly_name is not None and bag.friendly_name.lower() == key.alias
            if bag.local_key_id is not None and bag.local_key_id == key.local_key_id:
                if same_alias:
                    return certificate
                by_id = certificate
            elif same_alias:
                by_alias = certificate
        return by_id if by_id is not None else by_alias


class _Pool:
    """All certificates of a store, found by the name that they certify."""

    def __init__(self, certificates: Iterable[bytes]) -> None:
        self._by_subject: dict[bytes, list[bytes]] = {}
        self._by_identifier: dict[bytes, dict[bytes | None, bytes]] = {}
        for certificate in certificates:
            self._by_subject.setdefault(_names(certificate)[1], []).append(certificate)

    def chain(self, leaf: bytes | None) -> tuple[bytes, ...]:
        """*leaf* and the certificates above it, up to a self-issued one or as far as the store reaches."""
        chain: dict[bytes, None] = {}
        certificate = leaf
        while certificate is not None and certificate not in chain:
            chain[certificate] = None
            issuer, subject = _names(certificate)
            certificate = None if issuer == subject else self._issuer(issuer, _key_identifier(certificate, _AUTHORITY_KEY_IDENTIFIER))
        return tuple(chain)

    def _issuer(self, name: bytes, key_identifier: bytes | None) -> bytes | None:
        """The certificate of *name* whose subject key identifier is *key_identifier*; else one of which that cannot be said."""
        if name not in self._by_identifier:
            self._by_identifier[name] = {
                _key_identifier(certificate, _SUBJECT_KEY_IDENTIFIER): certificate for certificate in self._by_subject.get(name, ())
            }
        known = self._by_identifier[name]
        if key_identifier is None and None not in known:
            return next(iter(known.values()), None)
        return known.get(key_identifier, known.get(None))


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
            name = _attribute(_FRIENDLY_NAME, der.bmp_string(entry.alias))
            usage = [] if any(map(_is_trusted_key_usage, entry.attributes)) else [_TRUSTED_FOR_ALL]
            certificate_bags.append(_encode_certificate(entry.certificate, [name, *usage, *entry.attributes]))
    parts = []
    if key_bags:
        parts.append(_content(_DATA, der.octet_string(der.sequence(*key_bags))))
    others = [*certificate_bags, *contents.opaque]
    if others:
        parts.append(_encrypted_content(der.sequence(*others), password, iterations))
    sealed = der.sequence(*parts)
    return der.sequence(der.integer(3), _content(_DATA, der.octet_string(sealed)), pbe.make_mac(sealed, password, iterations))


def _encrypted_content(safe: bytes, password: str, iterations: int) -> bytes:
    algorithm, ciphertext = pbe.encrypt(safe, password, iterations)
    info = der.sequence(der.oid(_DATA), algorithm, der.encode(0x80, ciphertext))
    return _content(_ENCRYPTED_DATA, der.sequence(der.integer(0), info))


def _content(kind: str, content: bytes) -> bytes:
    return der.sequence(der.oid(kind), der.explicit(0, content))


def _attribute(kind: str, value: bytes) -> bytes:
    return der.sequence(der.oid(kind), der.set_of(value))


_TRUSTED_FOR_ALL = _attribute(_TRUSTED_KEY_USAGE, der.oid(_ANY_EXTENDED_KEY_USAGE))


def _is_trusted_key_usage(attribute: bytes) -> bool:
    return der.parts(attribute, "an attribute", 2, 2)[0].raw == der.oid(_TRUSTED_KEY_USAGE)


def _encode_certificate(certificate: bytes, attributes: Sequence[bytes]) -> bytes:
    value = der.sequence(der.oid(_X509_CERTIFICATE), der.explicit(0, der.octet_string(certificate)))
    return _encode_bag(_CERT_BAG, value, attributes)


def _encode_bag(kind: str, value: bytes, attributes: Sequence[bytes]) -> bytes:
    parts = [der.oid(kind), der.explicit(0, value)]
    if attributes:
        parts.append(der.set_of(*attributes))
    return der.sequence(*parts)


def _content_info(element: der.Element, what: str) -> tuple[str, der.Element]:
    kind, wrapper = der.parts(element.raw, what, 2, 2)
    return der.oid_value(kind, what), _unwrap(wrapper, what)


def _unwrap(wrapper: der.Element, what: str) -> der.Element:
    """The value inside [0] EXPLICIT."""
    values = list(islice(der.elements(wrapper.expect(der.CONTEXT_0, what).content, what), 2))
    if len(values) != 1:
        raise StoreError(f"{what} should hold one value and holds {'more' if values else 'none'}")
    return values[0]


def _data_content(element: der.Element, what: str) -> bytes:
    kind, content = _content_info(element, what)
    if kind != _DATA:
        raise UnsupportedStoreError(f"{what} has the content type {kind}: only stores sealed with a password are supported")
    return content.expect(der.OCTET_STRING, what).content


def _bag(element: der.Element) -> _Bag:
    """A SafeBag (RFC 7292 section 4.2) with its attributes."""
    kind, value, *attributes = der.parts(element.raw, "a bag", 2, 3)
    bag = _Bag(der.oid_value(kind, "a bag's type"), _unwrap(value, "a bag"), element.raw)
    for attribute in der.children(attributes[0].raw, der.SET, "a bag's attributes") if attributes else ():
        name, values = der.parts(attribute.raw, "an attribute", 2, 2)
        attribute_kind = der.oid_value(name, "an attribute")
        first = next(der.elements(values.expect(der.SET, "an attribute").content, "an attribute"), None)
        if attribute_kind == _FRIENDLY_NAME and first is not None:
            bag.friendly_name = der.bmp_value(first, "a friendlyName")
        elif attribute_kind == _LOCAL_KEY_ID and first is not None:
            bag.local_key_id = first.expect(der.OCTET_STRING, "a localKeyId").content
        else:
            if attribute_kind == _TRUSTED_KEY_USAGE and bag.kind == _CERT_BAG:
                bag.trusted = True
                if attribute.raw == _TRUSTED_FOR_ALL:  # which write() adds by itself
                    continue
            bag.attributes.append(attribute.raw)
    return bag


def _x509_certificate(bag: _Bag) -> bytes | None:
    """The DER of a CertBag's X.509 certificate; None for a certificate of another kind (SDSI)."""
    kind, wrapper = der.parts(bag.value.raw, "a certificate bag", 2, 2)
    if der.oid_value(kind, "a certificate bag") != _X509_CERTIFICATE:
        return None
    return _unwrap(wrapper, "a certificate bag").expect(der.OCTET_STRING, "a certificate").content


def _fields(certificate: bytes) -> list[der.Element]:
    """The fields of a certificate from its serial number on (RFC 5280 section 4.1); the version before it is optional."""
    to_be_signed = der.parts(certificate, "a certificate", 3, 3)[0]
    fields = der.parts(to_be_signed.raw, "a certificate", 6, 10)
    return fields[1:] if fields[0].tag == der.CONTEXT_0 else fields


def _names(certificate: bytes) -> tuple[bytes, bytes]:
    """The DER of a certificate's issuer and subject."""
    _serial, _algorithm, issuer, _validity, subject, *_others = _fields(certificate)
    return issuer.raw, subject.raw


def _key_identifier(certificate: bytes, kind: str) -> bytes | None:
    """What one of the two key identifier extensions says (RFC 5280 sections 4.2.1.1 and 4.2.1.2); None without it."""
    wanted = der.oid(kind)
    try:
        for extensions in (element for element in _fields(certificate) if element.tag == _EXTENSIONS):
            for extension in der.children(extensions.content, der.SEQUENCE, "the extensions"):
                name, *_critical, value = der.parts(extension.raw, "an extension", 2, 3)
                if name.raw == wanted:
                    found = next(der.elements(value.content, "a key identifier"))
                    if kind == _SUBJECT_KEY_IDENTIFIER:
                        return found.content
                    return next((part.content for part in der.elements(found.content, "a key identifier") if part.tag == 0x80), None)
    except (der.DerError, StopIteration):
        pass  # a certificate that is strange in this place certifies as if it had no identifier
    return None


def _created(local_key_id: bytes | None) -> int | None:
    """The date inside Java's localKeyId; None for any other."""
    if local_key_id is None or not local_key_id.startswith(b"Time "):
        return None
    digits = local_key_id[5:]
    return int(digits) if digits.isdigit() and len(digits) < 16 and int(digits) <= _LAST_DATE else None
