# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A keystore as a set of entries under aliases, whatever its file format.

The kind of a file is found from its bytes, never from its name. A file that cannot be read (wrong password, damage,
an unknown kind) is an error that names the file; only a file that is not there is an absent store.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from ansible_collections.mutual.tls.plugins.module_utils import files, pkcs12
from ansible_collections.mutual.tls.plugins.module_utils.entries import (
    Contents,
    Entry,
    PrivateKeyEntry,
    Protection,
    SigningKey,
    TrustedCertEntry,
)
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, PasswordError, StoreError, UnsupportedStoreError

#: A larger file is no keystore.
MAX_BYTES = 64 * 1024 * 1024

#: The iterations that Java 11.0.12 and newer uses for encryption and MAC.
ITERATIONS = 10_000

_OTHER_KINDS = (
    (b"\xfe\xed\xfe\xed", "JKS"),
    (b"\xce\xce\xce\xce", "JCEKS"),
    (b"\x00\x00\x00\x01\x00\x00\x00\x14", "BKS (version 1)"),
    (b"\x00\x00\x00\x02\x00\x00\x00\x14", "BKS (version 2)"),
    (b"-----BEGIN ", "PEM"),
)


@dataclass(frozen=True)
class Store:
    """A keystore in memory; changing it gives another one."""

    contents: Contents

    @classmethod
    def empty(cls) -> Store:
        """A store without entries."""
        return cls(Contents(entries=(), protection=Protection(mac=None, mac_iterations=None)))

    @property
    def entries(self) -> list[Entry]:
        """The entries: private keys first, then trusted certificates."""
        return list(self.contents.entries)

    def get(self, alias: str) -> Entry | None:
        """The entry under *alias*, which Java looks up in lower case."""
        return next((entry for entry in self.contents.entries if entry.alias == alias.lower()), None)

    def key_entry(self, alias: str | None = None) -> PrivateKeyEntry:
        """The private-key entry under *alias*, or the only one. Raises StoreError when there is none to choose."""
        keys = [entry for entry in self.contents.entries if isinstance(entry, PrivateKeyEntry)]
        if alias is not None:
            keys = [entry for entry in keys if entry.alias == alias.lower()]
        if len(keys) != 1:
            wanted = f"under the alias '{alias}'" if alias is not None else "without an alias to choose it by"
            raise StoreError(f"the store holds {len(keys)} private keys {wanted}; one is needed")
        return keys[0]

    def anchors(self) -> list[bytes]:
        """The certificates (DER) that Java trusts with this store: trusted entries, and the leaf of each key entry."""
        return [
            entry.certificate if isinstance(entry, TrustedCertEntry) else entry.chain[0]
            for entry in self.contents.entries
            if isinstance(entry, TrustedCertEntry) or entry.chain
        ]

    def put(self, entry: Entry) -> Store:
        """The store with *entry*, in the place of one of the same alias if there is one; keys stay before certificates."""
        entries = [entry if old.alias == entry.alias else old for old in self.contents.entries]
        if entry not in entries:
            entries.append(entry)
        entries.sort(key=lambda item: isinstance(item, TrustedCertEntry))
        return Store(replace(self.contents, entries=tuple(entries)))

    def remove(self, alias: str) -> Store:
        """The store without the entry under *alias*."""
        return Store(replace(self.contents, entries=tuple(entry for entry in self.contents.entries if entry.alias != alias.lower())))


def check_password(password: str, option: str = "password") -> None:
    """Refuse a password that Java's tools refuse: keytool wants six characters, and PKCS#12 in Java before 25 printable ASCII."""
    if len(password) < 6 or not all(" " <= character <= "~" for character in password):
        raise InputError(f"'{option}' must have at least 6 characters, all of them printable ASCII: Java opens no store with another.")


def check_unmasked(secret: str | None, option: str, *public: str | None) -> None:
    """Refuse a password that is part of a public word: Ansible masks it wherever it occurs in a result, also in paths and names."""
    if secret and any(secret in word for word in public if word):
        raise InputError(f"'{option}' is a part of the keystore's path, or of a name or alias: choose a password that is no such word.")


def kind(data: bytes) -> str:
    """The name of the format that *data* is in, found from its first bytes."""
    if pkcs12.is_pkcs12(data):
        return "PKCS12"
    return next((name for magic, name in _OTHER_KINDS if data.startswith(magic)), "unknown")


def parse_store(data: bytes, password: str) -> Store:
    """The store in *data*. Raises StoreError, or one of its kinds, with a sentence that does not know the file's name."""
    if len(data) > MAX_BYTES:
        raise UnsupportedStoreError(f"it has more than {MAX_BYTES} bytes, so it is no keystore")
    found = kind(data)
    if found == "unknown":
        raise UnsupportedStoreError("it is no keystore of a known kind" if data else "it is empty, so no keystore")
    if found != "PKCS12":
        raise UnsupportedStoreError(
            f"it is a {found} file and only PKCS#12 is supported; 'keytool -importkeystore -deststoretype PKCS12' converts a keystore"
        )
    return Store(pkcs12.read(data, password))


def open_store(path: str, password: str, old_password: str | None = None) -> Store:
    """The store in the file at *path*, which must be there, under *password* or the one before it."""
    store, _old = open_under_either(path, password, old_password)
    if store is None:
        raise StoreError(f"There is no keystore at {path}.", path=path)
    return store


def open_store_if_present(path: str, password: str) -> Store | None:
    """The store in the file at *path*, or None if and only if there is no such file."""
    data = files.read_if_present(path, most=MAX_BYTES + 1)
    if data is None:
        return None
    try:
        return parse_store(data, password)
    except StoreError as error:
        raise type(error)(f"The keystore {path} cannot be read: {error}. It was left as it is.", path=path) from error


def open_under_either(path: str, password: str, old_password: str | None) -> tuple[Store | None, bool]:
    """The store, or None if and only if there is no such file; and whether only the password before the present one opens it."""
    try:
        return open_store_if_present(path, password), False
    except PasswordError:
        if old_password is None:
            raise
    try:
        return open_store_if_present(path, old_password), True
    except PasswordError as error:
        raise PasswordError(
            f"The keystore {path} cannot be read: neither 'password' nor 'old_password' opens it, or it was damaged. It was left as it is.",
            path=path,
        ) from error


def profile(store: Store) -> str:
    """``default`` when the store is protected as Java 11.0.12 and newer does, else ``other``."""
    protection = store.contents.protection
    encryptions = {protection.key_encryption, protection.certificate_encryption} - {None}
    counts = {protection.mac_iterations, protection.key_iterations, protection.certificate_iterations} - {None}
    default = protection.mac == "HmacPBESHA256" and encryptions <= {"PBEWithHmacSHA256AndAES_256"} and counts == {ITERATIONS}
    return "default" if default else "other"


def serialize_store(store: Store, password: str, *, now: float | None = None) -> bytes:
    """The bytes of *store* under *password*; *now* (seconds since the epoch) dates new entries."""
    milliseconds = int((time.time() if now is None else now) * 1000)
    return pkcs12.write(store.contents, password, iterations=ITERATIONS, now=milliseconds)


def write_store(path: str, data: bytes, password: str, *, mode: int = 0o600) -> None:
    """Put the store *data* at *path* in one step, after showing that *password* opens it."""
    parse_store(data, password)
    files.write_atomically(path, data, mode=mode)


__all__ = [
    "Entry",
    "PrivateKeyEntry",
    "SigningKey",
    "Store",
    "TrustedCertEntry",
    "check_password",
    "check_unmasked",
    "kind",
    "open_store",
    "open_store_if_present",
    "open_under_either",
    "parse_store",
    "profile",
    "serialize_store",
    "write_store",
]
