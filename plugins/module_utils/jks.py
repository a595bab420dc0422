# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JKS as Java reads and writes it (sun.security.provider.JavaKeyStore and KeyProtector): bytes to entries and back.

What is its own, each judged by keytool in the interop tests:

* each key is encrypted by itself, perhaps under a password of its own; certificates and aliases are in the clear;
* Java looks for an alias in lower case but loads the one that is written, so one with capitals is never found;
* of two entries with one alias the later counts, and what follows the digest is ignored.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ansible_collections.mutual.tls.plugins.module_utils import der
from ansible_collections.mutual.tls.plugins.module_utils.crypto import constant_time
from ansible_collections.mutual.tls.plugins.module_utils.entries import (
    MAX_CERTIFICATE_BYTES,
    Algorithm,
    Contents,
    Entry,
    PrivateKeyEntry,
    Protection,
    TrustedCertEntry,
    in_order,
    shown,
    told,
)
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, PasswordError, StoreError, UnsupportedStoreError

_MAGIC = b"\xfe\xed\xfe\xed"
FORMAT = "jks"

_KEY, _TRUSTED = 1, 2
_DIGEST_BYTES = 20
_SALT_BYTES = 20
#: What Sun put into the digest, lest it be that of the password and the file alone.
_WHITENER = b"Mighty Aphrodite"
#: JAVASOFT_JDKKeyProtector: how Java encrypts a key for JKS.
_PROTECTOR = "1.3.6.1.4.1.42.2.17.1.1"
_CERTIFICATE_TYPE = b"X.509"
_SEQUENCE = bytes((der.SEQUENCE,))
#: Every 20 bytes of a key cost a digest for each password; the largest RSA key that Java makes has 10 KiB.
_MAX_KEY_BYTES = 64 * 1024
#: A file is walked before its password is known to be right, so the time for that must have a bound. No store comes near.
_MAX_PARTS = 200_000
#: The end of the year 9999 in milliseconds since the epoch: no date here is later.
_LAST_DATE = 253_402_300_799_999
_MAX_ALIAS_BYTES = 0xFFFF


class _Record(NamedTuple):
    """One entry as it is in the file: nothing is decoded."""

    alias: bytes
    date: int
    #: The encrypted key; None for a trusted certificate.
    key: bytes | None
    #: Type and certificate; version 1 has no types.
    certificates: list[tuple[bytes, bytes]]


def is_jks(data: bytes) -> bool:
    """Whether *data* begins as a JKS file does."""
    return data.startswith(_MAGIC)


def read(data: bytes, password: str, key_passwords: Mapping[str, str] | None = None) -> Contents:
    """The contents of a store of version 1 or 2. *key_passwords* are those of keys (by alias) that *password* does not open.

    A key that no password opens is locked: it is kept as it is. Raises PasswordError when *password* is not the store's,
    UnsupportedStoreError for what no store of today has, StoreError for everything that is not well-formed.
    """
    records, end = _walk(data)
    digest = _digest(memoryview(data)[:end], password)
    if not constant_time.bytes_eq(digest, data[end : end + _DIGEST_BYTES]):
        raise PasswordError("the password is wrong, or the store was damaged: its digest does not hold")
    passwords = {alias.lower(): own for alias, own in (key_passwords or {}).items()}
    found: dict[str, Entry] = {}
    written: dict[str, str] = {}  # the alias as the file has it
    remarks: list[str] = []
    for number, record in enumerate(records, start=1):
        stored = _text(record.alias, f"the alias of entry {number}")
        alias = stored.lower()
        entry = _entry(alias, record, password, passwords.get(alias), remarks)
        if alias in found:
            remarks.append(f"the alias {shown(alias)} is there more than once: only the entry that Java finds was read")
            if written[alias] == alias != stored:
                continue  # Java finds the one in lower case, wherever it is
        found[alias], written[alias] = entry, stored
    repairs = [
        f"the alias {shown(stored)} is not in lower case, so Java cannot find it" for alias, stored in written.items() if alias != stored
    ]
    if rest := len(data) - end - _DIGEST_BYTES:
        remarks.append(f"after its end the file has more ({rest} bytes), which Java ignores")
    has_keys = any(isinstance(entry, PrivateKeyEntry) for entry in found.values())
    return Contents(
        entries=in_order(found.values()),
        protection=Protection(mac=Algorithm("SHA1", 0), keys=Algorithm("JKS", 0) if has_keys else None),
        format=FORMAT,
        remarks=told(remarks),
        repairs=told(repairs),
    )


def write(contents: Contents, password: str, *, now: int) -> bytes:
    """A store of version 2 with *contents*: private keys first, each under its own password if it has one.

    *now* is the date, in milliseconds since the epoch, of entries that have none. Attributes and labels of a PKCS#12 file are not
    kept: JKS has no place for them, and Java drops them too. Raises UnsupportedStoreError for whole parts that would be lost.
    """
    if homeless := len(contents.opaque) + len(contents.shadowed):
        raise UnsupportedStoreError(
            f"{homeless} of the store's parts are neither private keys nor trusted certificates, and JKS has no place for "
            "them: keep the store PKCS#12, or remove them"
        )
    body = [_MAGIC, struct.pack(">II", 2, len(contents.entries))]
    for entry in in_order(contents.entries):
        head = _utf(entry.alias.lower()), struct.pack(">q", now if entry.created is None else entry.created)
        if isinstance(entry, PrivateKeyEntry):
            blob = _protect(entry, password)
            body += [_u32(_KEY), *head, _u32(len(blob)), blob, _u32(len(entry.chain)), *map(_certificate, entry.chain)]
        elif isinstance(entry, TrustedCertEntry):
            body += [_u32(_TRUSTED), *head, _certificate(entry.certificate)]
        else:
            raise UnsupportedStoreError(
                f"the entry under the alias {shown(entry.alias)} is a secret key, which JKS cannot hold: "
                "keep the store PKCS#12, or remove the entry"
            )
    store = b"".join(body)
    return store + _digest(store, password)


# --- the file --------------------------------------------------------------------------------------------------------


class _Cursor:
    """Reads one value after the other; no more than is there."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        #: Where entries end at the latest: the digest comes after them.
        self._end = len(data) - _DIGEST_BYTES
        self.position = 0
        self.parts = 0

    def take(self, count: int) -> bytes:
        start = self.position
        end = start + count
        if end > self._end:
            raise StoreError(f"the store is cut short: {count} bytes announced, {max(self._end - start, 0)} left")
        self.position = end
        return self._data[start:end]

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def i64(self) -> int:
        return int.from_bytes(self.take(8), "big", signed=True)

    def counted(self, size: int) -> bytes:
        """Bytes after their length, which has *size* bytes."""
        return self.take(int.from_bytes(self.take(size), "big"))

    def count(self, least: int, what: str) -> int:
        """How many values follow, each with *least* bytes or more."""
        count = self.u32()
        if count * least > self._end - self.position:
            raise StoreError(f"the store is cut short: {count} {what} announced, {self._end - self.position} bytes left")
        self.parts += count
        if self.parts > _MAX_PARTS:
            raise UnsupportedStoreError(f"the store has more than {_MAX_PARTS} entries and certificates, so it is none of Java's")
        return count


def _walk(data: bytes) -> tuple[list[_Record], int]:
    """The entries, and where the digest begins: only they tell, as Java lets anything follow it."""
    cursor = _Cursor(data)
    if cursor.take(4) != _MAGIC:
        raise StoreError("the store is no JKS file")
    version = cursor.u32()
    if version not in (1, 2):
        raise UnsupportedStoreError(f"the store is of JKS version {version}: Java knows 1 and 2")
    records = []
    for number in range(1, cursor.count(18, "entries") + 1):
        kind = cursor.u32()
        if kind not in (_KEY, _TRUSTED):
            raise StoreError(f"entry {number} is of kind {kind}: JKS has private keys (1) and trusted certificates (2)")
        alias, date = cursor.counted(2), cursor.i64()
        key = cursor.counted(4) if kind == _KEY else None
        count = cursor.count(4, "certificates") if kind == _KEY else 1
        certificates = [(cursor.counted(2) if version == 2 else _CERTIFICATE_TYPE, cursor.counted(4)) for _each in range(count)]
        records.append(_Record(alias, date, key, certificates))
    return records, cursor.position


def _entry(alias: str, record: _Record, password: str, own: str | None, remarks: list[str]) -> Entry:
    """What *record* holds; *own* is the password of the key alone, if one was given."""
    created = record.date if 0 <= record.date <= _LAST_DATE else None
    chain = tuple(_certificates(record.certificates, alias))
    if record.key is None:
        return TrustedCertEntry(alias, chain[0], created)
    if not chain:
        remarks.append(f"the key under the alias {shown(alias)} has no certificate: Java's keytool takes it for a secret key")
    scheme, blob = _protected(record.key, alias)
    if scheme != _PROTECTOR:
        remarks.append(
            f"the key under the alias {shown(alias)} is encrypted with {scheme}, which Java does not use in JKS: it is kept, unread"
        )
        return PrivateKeyEntry(alias, None, chain, created, locked=record.key)
    for candidate in (password, own):
        key = None if candidate is None else _decrypt(blob, candidate)
        if key is not None:
            der.single(key, der.SEQUENCE, f"the key under the alias {shown(alias)}")
            return PrivateKeyEntry(alias, key, chain, created, password=None if candidate == password else candidate)
    return PrivateKeyEntry(alias, None, chain, created, locked=record.key)


def _certificates(certificates: Sequence[tuple[bytes, bytes]], alias: str) -> Iterator[bytes]:
    for kind, certificate in certificates:
        if kind.upper() not in (b"X.509", b"X509"):  # keystore-go writes X509, and Java takes both in any case
            name = shown(kind[:40].decode("ascii", "backslashreplace"))
            raise UnsupportedStoreError(f"a certificate under the alias {shown(alias)} is of the type {name}: only X.509 is supported")
        if certificate[:1] != _SEQUENCE:
            raise StoreError(f"a certificate under the alias {shown(alias)} is none: it is no DER")
        if len(certificate) > MAX_CERTIFICATE_BYTES:
            raise UnsupportedStoreError(
                f"a certificate under the alias {shown(alias)} has {len(certificate)} bytes; up to {MAX_CERTIFICATE_BYTES} are accepted"
            )
        yield certificate


def _certificate(certificate: bytes) -> bytes:
    return b"".join((struct.pack(">H", len(_CERTIFICATE_TYPE)), _CERTIFICATE_TYPE, _u32(len(certificate)), certificate))


def _u32(value: int) -> bytes:
    return struct.pack(">I", value)


def _text(data: bytes, what: str) -> str:
    """The text of modified UTF-8: NUL has two bytes, and a character above U+FFFF is two surrogates (java.io.DataInput)."""
    if data.isascii():  # as most are
        return data.decode("ascii")
    try:
        if max(data) >= 0xF0:
            raise ValueError("Java knows no character of four bytes")
        units = data.replace(b"\xc0\x80", b"\0").decode("utf-8", "surrogatepass")
        return units.encode("utf-16-be", "surrogatepass").decode("utf-16-be")
    except ValueError as error:
        raise StoreError(f"{what} is not whole text in Java's modified UTF-8") from error


def _utf(alias: str) -> bytes:
    """*alias* as DataOutput.writeUTF has it: its length, then modified UTF-8."""
    try:
        units = alias.encode("utf-16-be")
    except UnicodeEncodeError as error:
        raise InputError("An alias has characters that are no text: it cannot be written.") from error
    encoded = "".join(map(chr, struct.unpack(f">{len(units) // 2}H", units))).encode("utf-8", "surrogatepass").replace(b"\0", b"\xc0\x80")
    if len(encoded) > _MAX_ALIAS_BYTES:
        raise InputError(f"The alias {shown(alias)} has {len(encoded)} bytes, and JKS has place for {_MAX_ALIAS_BYTES}: shorten it.")
    return struct.pack(">H", len(encoded)) + encoded


# --- passwords -------------------------------------------------------------------------------------------------------


def _sha1(*parts: bytes | memoryview) -> bytes:
    digest = hashlib.sha1(usedforsecurity=False)  # it is for security, and weak: but the format has no other
    for part in parts:
        digest.update(part)
    return digest.digest()


def _units(password: str) -> bytes:
    """A password as Java's char[]: halves of surrogate pairs too, as no password may crash."""
    return password.encode("utf-16-be", "surrogatepass")


def _digest(store: bytes | memoryview, password: str) -> bytes:
    return _sha1(_units(password), _WHITENER, store)


def _protected(blob: bytes, alias: str) -> tuple[str, bytes]:
    """How an EncryptedPrivateKeyInfo (RFC 5958 section 3) is encrypted, and its ciphertext."""
    what = f"the key under the alias {shown(alias)}"
    if len(blob) > _MAX_KEY_BYTES:
        raise UnsupportedStoreError(f"{what} has {len(blob)} bytes: no private key is so large")
    algorithm, ciphertext = der.parts(blob, what, 2, 2)
    scheme = der.oid_value(der.parts(algorithm, what, 1, 2)[0], what)
    return scheme, ciphertext.expect(der.OCTET_STRING, what).content


def _decrypt(blob: bytes, password: str) -> bytes | None:
    """The key in *blob*, which is salt, ciphertext and digest; None if *password* does not open it."""
    salt, ciphertext, digest = blob[:_SALT_BYTES], blob[_SALT_BYTES:-_DIGEST_BYTES], blob[-_DIGEST_BYTES:]
    key = _keystream_xor(ciphertext, salt, password)
    return key if constant_time.bytes_eq(_sha1(_units(password), key), digest) else None


def _protect(entry: PrivateKeyEntry, password: str) -> bytes:
    """EncryptedPrivateKeyInfo of a key; that of a locked one is as it was."""
    if not entry.chain:  # Java's own API makes no such entry, and keytool 25 dies of it
        raise UnsupportedStoreError(
            f"the key under the alias {shown(entry.alias)} has no certificate, which a key in JKS must have: "
            "give it one, or remove the entry"
        )
    if entry.pkcs8 is None:
        if entry.locked is None or _protected(entry.locked, entry.alias)[0] != _PROTECTOR:
            raise UnsupportedStoreError(
                f"the key under the alias {shown(entry.alias)} is locked in a way that JKS does not know: "
                "give its password, or remove the entry"
            )
        return entry.locked
    own = password if entry.password is None else entry.password
    salt = os.urandom(_SALT_BYTES)
    blob = b"".join((salt, _keystream_xor(entry.pkcs8, salt, own), _sha1(_units(own), entry.pkcs8)))
    return der.sequence(der.sequence(der.oid(_PROTECTOR), der.null()), der.octet_string(blob))


def _keystream_xor(data: bytes, salt: bytes, password: str) -> bytes:
    """*data* under Sun's stream cipher, which is its own inverse: each block of the stream is the digest of the one before."""
    secret = _units(password)
    block, stream = salt, bytearray()
    while len(stream) < len(data):
        block = _sha1(secret, block)
        stream += block
    mixed = int.from_bytes(data, "big") ^ int.from_bytes(stream[: len(data)], "big")
    return mixed.to_bytes(len(data), "big")


__all__ = ["FORMAT", "is_jks", "read", "write"]
