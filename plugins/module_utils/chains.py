# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The chain of a key's certificate as Java rebuilds it (sun.security.pkcs12.PKCS12KeyStore): from all certificates of a store.

A certificate's issuer is found by name, and by key identifier where both have one. The order in the file means nothing else
than which of several such issuers it is: a CA that was renewed with its key has two certificates that say the same.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable

from ansible_collections.mutual.tls.plugins.module_utils import der
from ansible_collections.mutual.tls.plugins.module_utils.errors import UnsupportedStoreError

#: A longer chain is none: each of its certificates would have to be looked at again for each key.
MAX_LENGTH = 100

_SUBJECT_KEY_IDENTIFIER = "2.5.29.14"
_AUTHORITY_KEY_IDENTIFIER = "2.5.29.35"
#: The tag of a certificate's extensions.
_EXTENSIONS = 0xA3
#: The tag of the key identifier in an authority key identifier.
_KEY_IDENTIFIER = 0x80
_UTF8_STRING = 0x0C
#: The types of text that Java's canonical names decode (sun.security.x509.AVA); any other is compared byte for byte.
_TEXTS = {_UTF8_STRING: "utf-8", 0x13: "iso-8859-1"}
#: And the attributes for which it does: those with a keyword in RFC 2253 (CN, C, L, ST, O, OU, STREET, DC, UID).
_NAMED = frozenset(
    map(der.oid, [*(f"2.5.4.{number}" for number in (3, 6, 7, 8, 9, 10, 11)), "0.9.2342.19200300.100.1.25", "0.9.2342.19200300.100.1.1"])
)
_SPACES = re.compile("  +")
#: What Java's String.trim() takes away.
_BLANK = "".join(map(chr, range(0x21)))


class Pool:
    """All certificates of a store, found by the name that they certify."""

    def __init__(self, certificates: Iterable[bytes]) -> None:
        self._certificates = certificates
        self._by_identifier: dict[bytes, dict[bytes | None, bytes]] = {}
        self._above: dict[bytes, bytes | None] = {}

    @functools.cached_property
    def _by_subject(self) -> dict[bytes, list[bytes]]:
        """By canonical name, in the file's order; made when the first issuer is looked for."""
        by_subject: dict[bytes, list[bytes]] = {}
        for certificate in self._certificates:
            found = names(certificate)
            if found is not None:
                by_subject.setdefault(canonical(found[1]), []).append(certificate)
        return by_subject

    def chain(self, leaf: bytes | None) -> tuple[bytes, ...]:
        """*leaf* and the certificates above it, up to a self-issued one or as far as the store reaches."""
        chain: dict[bytes, None] = {}
        certificate = leaf
        while certificate is not None and certificate not in chain:
            if len(chain) == MAX_LENGTH:
                raise UnsupportedStoreError(f"a key has a chain of more than {MAX_LENGTH} certificates")
            chain[certificate] = None
            if certificate not in self._above:  # many keys may share their issuers
                self._above[certificate] = self._next(certificate)
            certificate = self._above[certificate]
        return tuple(chain)

    def _next(self, certificate: bytes) -> bytes | None:
        """The certificate above *certificate*; None above a self-issued one, or if the store has none."""
        found = names(certificate)
        if found is None or (issuer := canonical(found[0])) == canonical(found[1]):
            return None
        return self._issuer(issuer, _authority_key(certificate))

    def _issuer(self, name: bytes, wanted: bytes | None) -> bytes | None:
        """As Java chooses (findIssuer): without a key identifier the first of that *name*; else the first that has the *wanted*
        one, or if there is none the last that has none."""
        candidates = self._by_subject.get(name, [])
        if wanted is None:
            return candidates[0] if candidates else None
        if name not in self._by_identifier:  # an index, since there may be thousands of one name
            known = self._by_identifier[name] = {}
            for certificate in candidates:
                identifier = _extension(certificate, _SUBJECT_KEY_IDENTIFIER)
                if identifier is None or identifier not in known:
                    known[identifier] = certificate
        known = self._by_identifier[name]
        return known.get(wanted, known.get(None))


def _fields(certificate: bytes) -> list[der.Element]:
    """The fields of a certificate from its serial number on (RFC 5280 section 4.1); the version before it is optional."""
    to_be_signed = der.parts(certificate, "a certificate", 3, 3)[0]
    fields = der.parts(to_be_signed, "a certificate", 6, 10)
    return fields[1:] if fields[0].tag == der.CONTEXT_0 else fields


def names(certificate: bytes) -> tuple[bytes, bytes] | None:
    """The DER of a certificate's issuer and subject; None where there are none to be found."""
    try:
        _serial, _algorithm, issuer, _validity, subject, *_others = _fields(certificate)
    except der.DerError:
        return None  # it certifies nobody, and must not hide the others
    return issuer.raw, subject.raw


@functools.lru_cache(maxsize=1 << 14)
def canonical(name: bytes) -> bytes:
    """A name (DER) such that two are equal if and only if Java says so (X500Principal.equals), whatever the types of their texts,
    upper or lower case, and how much space; as it is where it is no name."""
    try:
        parts = der.single(name, der.SEQUENCE, "a name").values("a name")
        return b"".join(_canonical_part(part.expect(der.SET, "a name").raw) for part in parts)
    except der.DerError:
        return name


@functools.lru_cache(maxsize=1 << 14)  # thousands of names may differ in one part
def _canonical_part(part: bytes) -> bytes:
    attributes = (der.parts(each, "a name", 2, 2) for each in der.single(part, der.SET, "a name").values("a name"))
    return der.set_of(*sorted(der.sequence(kind.raw, _canonical_value(kind, value)) for kind, value in attributes))


def _canonical_value(kind: der.Element, value: der.Element) -> bytes:
    if kind.raw not in _NAMED or value.tag not in _TEXTS:
        return value.raw
    try:
        text = value.content.decode(_TEXTS[value.tag])
    except UnicodeDecodeError:
        return value.raw
    folded = _SPACES.sub(" ", text).strip(_BLANK).upper().lower()
    if not folded.isascii():
        folded = unicodedata.normalize("NFKD", folded)
        if len(folded) > 4 * len(text):  # one character can become 18, and a store of them fill the memory
            return value.raw
    return der.encode(_UTF8_STRING, folded.encode())


def _authority_key(certificate: bytes) -> bytes | None:
    """The subject key identifier (DER) that a certificate's issuer should have (RFC 5280 section 4.2.1.1); None if it does not say."""
    try:
        value = _extension(certificate, _AUTHORITY_KEY_IDENTIFIER) or b""
        parts = der.single(value, der.SEQUENCE, "a key identifier").values("a key identifier")
        return next((der.octet_string(part.content) for part in parts if part.tag == _KEY_IDENTIFIER), None)
    except der.DerError:
        return None


def _extension(certificate: bytes, kind: str) -> bytes | None:
    """The value (DER) of a certificate's extension, None without it. Java does not look into that of a subject key identifier."""
    wanted = der.oid(kind)
    try:
        for extensions in (element for element in _fields(certificate) if element.tag == _EXTENSIONS):
            for extension in (
                der.only(extensions.values("the extensions"), "the extensions")
                .expect(der.SEQUENCE, "the extensions")
                .values("the extensions")
            ):
                name, *_critical, value = der.parts(extension, "an extension", 2, 3)
                if name.raw == wanted:
                    return value.expect(der.OCTET_STRING, "an extension").content
    except der.DerError:
        pass  # a certificate that is strange in this place certifies as if it had no extension
    return None
