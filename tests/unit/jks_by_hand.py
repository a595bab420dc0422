# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JKS files made by hand, entry by entry: each may be wrong in just one place."""

from __future__ import annotations

import hashlib
import os

from ansible_collections.mutual.tls.plugins.module_utils import der

from .factory import PASSWORD, issue

#: The date of every entry, in milliseconds since the epoch.
THEN = 1_580_702_706_789
#: Sun's KeyProtector.
PROTECTOR = "1.3.6.1.4.1.42.2.17.1.1"
PLATFORM = issue("platform")


def u32(number: int) -> bytes:
    return number.to_bytes(4, "big")


def utf(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return len(data).to_bytes(2, "big") + data


def certificate(data: bytes, *, kind: str | None = "X.509") -> bytes:
    """One certificate; None for version 1, which has no types."""
    return (b"" if kind is None else utf(kind)) + u32(len(data)) + data


def trusted(alias: str | bytes, data: bytes = PLATFORM.der, *, date: int = THEN, kind: str | None = "X.509") -> bytes:
    return u32(2) + utf(alias) + date.to_bytes(8, "big", signed=True) + certificate(data, kind=kind)


def protected(key: bytes, password: str = PASSWORD, scheme: str = PROTECTOR) -> bytes:
    """EncryptedPrivateKeyInfo as Sun's KeyProtector makes it, byte after byte as its source has it."""
    secret, salt = password.encode("utf-16-be"), os.urandom(20)
    stream, block = b"", salt
    while len(stream) < len(key):
        block = hashlib.sha1(secret + block).digest()
        stream += block
    blob = salt + bytes(a ^ b for a, b in zip(key, stream)) + hashlib.sha1(secret + key).digest()
    return der.sequence(der.sequence(der.oid(scheme), der.null()), der.octet_string(blob))


def key(alias: str | bytes, blob: bytes, *chain: bytes, kind: str | None = "X.509") -> bytes:
    certificates = b"".join(certificate(each, kind=kind) for each in chain)
    return u32(1) + utf(alias) + THEN.to_bytes(8, "big") + u32(len(blob)) + blob + u32(len(chain)) + certificates


def sealed(body: bytes, password: str = PASSWORD) -> bytes:
    return body + hashlib.sha1(password.encode("utf-16-be") + b"Mighty Aphrodite" + body).digest()


def made(*entries: bytes, version: int = 2, count: int | None = None, password: str = PASSWORD) -> bytes:
    return sealed(b"\xfe\xed\xfe\xed" + u32(version) + u32(len(entries) if count is None else count) + b"".join(entries), password)
