# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The chain of a key's certificate as Java rebuilds it (sun.security.pkcs12.PKCS12KeyStore): from all certificates of a store.

The order in the file means nothing. A certificate's issuer is found by name, and by key identifier where both have one.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

from ansible_collections.mutual.tls.plugins.module_utils import der
from ansible_collections.mutual.tls.plugins.module_utils.errors import UnsupportedStoreError

#: A longer chain is none: each of its certificates would have to be looked at again for each key.
MAX_LENGTH = 100

_SUBJECT_KEY_IDENTIFIER = "2.5.29.14"
_AUTHORITY_KEY_IDENTIFIER = "2.5.29.35"
#: The tag of a certificate's extensions.
_EXTENSIONS = 0xA3


class Pool:
    """All certificates of a store, found by the name that they certify."""

    def __init__(self, certificates: Iterable[bytes]) -> None:
        self._certificates = certificates
        self._by_identifier: dict[bytes, dict[bytes | None, bytes]] = {}
        self._above: dict[bytes, bytes | None] = {}

    @functools.cached_property
    def _by_subject(self) -> dict[bytes, list[bytes]]:
        """Made when the first issuer is looked for, which those that are their own issuers do not need."""
        by_subject: dict[bytes, list[bytes]] = {}
        for certificate in self._certificates:
            found = names(certificate)
            if found is not None:
                by_subject.setdefault(found[1], []).append(certificate)
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
        if found is None or found[0] == found[1]:
            return None
        return self._issuer(found[0], _key_identifier(certificate, _AUTHORITY_KEY_IDENTIFIER))

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


def _key_identifier(certificate: bytes, kind: str) -> bytes | None:
    """What one of the two key identifier extensions says (RFC 5280 sections 4.2.1.1 and 4.2.1.2); None without it."""
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
                    found = next(value.values("a key identifier"))
                    if kind == _SUBJECT_KEY_IDENTIFIER:
                        return found.content
                    return next((part.content for part in found.values("a key identifier") if part.tag == 0x80), None)
    except (der.DerError, StopIteration):
        pass  # a certificate that is strange in this place certifies as if it had no identifier
    return None
