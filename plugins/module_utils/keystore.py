# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A keystore as a set of entries under aliases, whatever its file format.

The kind of a file is found from its bytes, never from its name. A file that cannot be read (wrong password, damage,
an unknown kind) is an error that names the file; only a file that is not there is an absent store.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ansible_collections.mutual.tls.plugins.module_utils import files, jks, pkcs12, profiles
from ansible_collections.mutual.tls.plugins.module_utils.entries import (
    Contents,
    Entry,
    PrivateKeyEntry,
    Protection,
    SecretKeyEntry,
    SigningKey,
    TrustedCertEntry,
    in_order,
    shown,
)
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, PasswordError, StoreError, UnsupportedStoreError

#: A larger file is no keystore.
MAX_BYTES = 64 * 1024 * 1024

#: The formats that are read and written, as people write them.
FORMATS = {"pkcs12": "PKCS#12", "jks": "JKS"}

_OTHER_KINDS = (
    (b"\xce\xce\xce\xce", "JCEKS"),
    (b"\x00\x00\x00\x01\x00\x00\x00\x14", "BKS (version 1)"),
    (b"\x00\x00\x00\x02\x00\x00\x00\x14", "BKS (version 2)"),
    (b"\x00\x00\x00\x00\x00\x00\x00\x14", "UBER (version 0)"),
    (b"\x00\x00\x00\x01\x00\x00\x00\x14", "UBER (version 1)"),
    (b"-----BEGIN ", "PEM"),
)


@dataclass(frozen=True)
class Store:
    """A keystore in memory; changing it gives another one."""

    contents: Contents

    @classmethod
    def empty(cls) -> Store:
        """A store without entries."""
        return cls(Contents(entries=(), protection=Protection()))

    @property
    def format(self) -> str:
        """``pkcs12`` or ``jks``."""
        return self.contents.format

    @property
    def entries(self) -> list[Entry]:
        """The entries: private keys first, trusted certificates last."""
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
        chains = (chain_of(entry) for entry in self.contents.entries)
        return [chain[0] for chain in chains if chain]

    def put(self, entry: Entry) -> Store:
        """The store with *entry*, in the place of one of the same alias if there is one; keys stay before certificates."""
        entries = [entry if old.alias == entry.alias else old for old in self.contents.entries]
        if entry not in entries:
            entries.append(entry)
        return Store(replace(self.contents, entries=in_order(entries)))

    def remove(self, alias: str) -> Store:
        """The store without the entry under *alias*."""
        return Store(replace(self.contents, entries=tuple(entry for entry in self.contents.entries if entry.alias != alias.lower())))


def chain_of(entry: Entry) -> tuple[bytes, ...]:
    """The certificates of an entry, leaf first."""
    if isinstance(entry, TrustedCertEntry):
        return (entry.certificate,)
    return entry.chain if isinstance(entry, PrivateKeyEntry) else ()


def check_password(password: str, store_format: str = "pkcs12", option: str = "password") -> None:
    """Refuse a password that Java's tools refuse: keytool wants six characters, and PKCS#12 in Java before 25 printable ASCII."""
    if len(password) < 6:
        raise InputError(f"'{option}' must have at least 6 characters: Java's keytool makes no store with a shorter one.")
    if store_format == "pkcs12" and not all(" " <= character <= "~" for character in password):
        raise InputError(f"'{option}' must be of printable ASCII characters: Java before 25 opens no PKCS#12 store with another.")


def check_unmasked(secret: str | None, option: str, *public: str | None) -> None:
    """Refuse a password that is part of a public word: Ansible masks it wherever it occurs in a result, also in paths and names."""
    if secret and any(secret in word for word in public if word):
        raise InputError(f"'{option}' is a part of a path, a name or an alias: choose one that is no such word.")


def kind(data: bytes) -> str:
    """The name of the format that *data* is in, found from its first bytes; ``pkcs12`` and ``jks`` are read."""
    if pkcs12.is_pkcs12(data):
        return "pkcs12"
    if jks.is_jks(data):
        return "jks"
    return next((name for magic, name in _OTHER_KINDS if data.startswith(magic)), "unknown")


def parse_store(data: bytes, password: str, key_passwords: Mapping[str, str] | None = None) -> Store:
    """The store in *data*; *key_passwords*, by alias, open keys that have one of their own.

    Raises StoreError, or one of its kinds, with a sentence that does not know the file's name.
    """
    if len(data) > MAX_BYTES:
        raise UnsupportedStoreError(f"it has more than {MAX_BYTES // 1024 // 1024} MiB, so it is no keystore")
    found = kind(data)
    if found == "pkcs12":
        return Store(pkcs12.read(data, password, key_passwords))
    if found == "jks":
        return Store(jks.read(data, password, key_passwords))
    if found == "unknown":
        raise UnsupportedStoreError("it is no keystore of a known kind" if data else "it is empty, so no keystore")
    if found == "PEM":
        raise UnsupportedStoreError(
            "it is a PEM file, no keystore: hand its certificates in as trusted.cert_content, or make a keystore of a key and its "
            "certificate with 'openssl pkcs12 -export'"
        )
    raise UnsupportedStoreError(
        f"it is a {found} file and only PKCS#12 and JKS are supported; 'keytool -importkeystore -deststoretype PKCS12' converts a keystore"
    )


def open_store(path: str, password: str, old_password: str | None = None) -> Store:
    """The store in the file at *path*, which must be there, under *password* or the one before it."""
    store, _old = open_under_either(path, password, old_password)
    if store is None:
        raise StoreError(f"There is no keystore at {path}.", path=path)
    return store


def open_store_if_present(path: str, password: str, key_passwords: Mapping[str, str] | None = None) -> Store | None:
    """The store in the file at *path*, or None if and only if there is no such file."""
    data = files.read_if_present(path, most=MAX_BYTES + 1)
    if data is None:
        return None
    try:
        return parse_store(data, password, key_passwords)
    except StoreError as error:
        if isinstance(error, PasswordError) and not password:
            raise PasswordError(f"The keystore {path} has a password, and none was given: set 'password'.", path=path) from error
        raise type(error)(f"The keystore {path} cannot be read: {error}. It was left as it is.", path=path) from error


def open_under_either(
    path: str, password: str, old_password: str | None, key_passwords: Mapping[str, str] | None = None
) -> tuple[Store | None, bool]:
    """The store, or None if and only if there is no such file; and whether it, or a key in it, is under the password before.

    A change of the password that stopped halfway, or that keytool made, leaves the file of a JKS store under one of the two and
    keys under the other; such keys become keys under the store's password.
    """
    own = key_passwords or {}
    try:
        store = open_store_if_present(path, password, own)
    except PasswordError:
        if old_password is None:
            raise
    else:
        return (store, False) if old_password is None else _with_keys_under(old_password, path, password, store, own)
    try:
        store = open_store_if_present(path, old_password, own)
        return _with_keys_under(password, path, old_password, store, own)[0], True
    except PasswordError as error:
        raise PasswordError(
            f"The keystore {path} cannot be read: neither 'password' nor 'old_password' opens it, or it was damaged. It was left as it is.",
            path=path,
        ) from error


def _with_keys_under(
    other: str, path: str, password: str, store: Store | None, key_passwords: Mapping[str, str]
) -> tuple[Store | None, bool]:
    """The store, which *password* opens, with the keys that only the *other* one opens; and whether there are any."""
    locked = [entry.alias for entry in store.entries if isinstance(entry, PrivateKeyEntry) and entry.pkcs8 is None] if store else []
    if not locked:
        return store, False
    again = open_store_if_present(path, password, {**dict.fromkeys(locked, other), **key_passwords})
    found = [entry for entry in again.entries if isinstance(entry, PrivateKeyEntry) and entry.password == other] if again else []
    for entry in found:
        again = again.put(replace(entry, password=None)) if again else again
    return again, bool(found)


def check_sealed(path: str, store: Store, old_password: str | None) -> None:
    """Refuse to vouch for a store that anybody could have changed, unless it was said that it has no password until now."""
    if store.contents.protection.mac is None and old_password != "":
        raise StoreError(
            f"The keystore {path} has no MAC, so anybody could have changed it. See what it holds with mutual.tls.keystore_info; "
            "if all of it is yours, set old_password to '' once, and it gets the password. It was left as it is.",
            path=path,
        )


def misfits(store: Store, store_format: str | None, profile: str) -> list[str]:
    """Why the store must be written anew though its entries are as wished; *store_format* None leaves it in its own."""
    if store_format is not None and store.format != store_format:
        # What Java could not find until now it finds then, so it is told by name.
        return [f"it is a {FORMATS[store.format]} file where {FORMATS[store_format]} is wished", *store.contents.repairs]
    if store.format == "jks":
        return list(store.contents.repairs)
    found = list(profiles.misfits(profile, store.contents.protection))
    for entry in store.contents.entries:
        if isinstance(entry, PrivateKeyEntry) and entry.password is not None:
            found.append(f"the key under the alias {shown(entry.alias)} has a password of its own, which Java knows in JKS only")
    return found


def serialize_store(
    store: Store, password: str, *, store_format: str | None = None, profile: str = "default", now: float | None = None
) -> bytes:
    """The bytes of *store* under *password*; *now* (seconds since the epoch) dates new entries."""
    milliseconds = int((time.time() if now is None else now) * 1000)
    wished = store_format or store.format
    locked = [shown(entry.alias) for entry in store.entries if isinstance(entry, PrivateKeyEntry) and entry.pkcs8 is None]
    if locked and wished != store.format:
        raise StoreError(
            f"keys with a password of their own cannot be brought into {FORMATS[wished]}: {', '.join(locked)}. Bring each under the "
            "store's password first, in a task with it as the identity (regenerate: never) and its password as old_key_password"
        )
    if wished == "jks":
        return jks.write(store.contents, password, now=milliseconds)
    return pkcs12.write(store.contents, password, profiles.to_write(profile, store.contents.protection), now=milliseconds)


def write_store(path: str, store: Store, data: bytes, password: str, *, mode: int = 0o600) -> Store:
    """Put *data* at *path* in one step, after showing that *password* opens it and that it holds all of *store*.

    Returns the store as it is read from the new file.
    """
    written = verified(store, data, password)
    files.write_atomically(path, data, mode=mode)
    return written


def verified(store: Store, data: bytes, password: str) -> Store:
    """The store as it is read from *data*. Raises StoreError if *password* does not open it, or if it does not hold all of *store*."""
    key_passwords = {
        entry.alias: entry.password for entry in store.entries if isinstance(entry, PrivateKeyEntry) and entry.password is not None
    }
    written = parse_store(data, password, key_passwords)
    _check_same(store, written)
    return written


def _check_same(meant: Store, written: Store) -> None:
    """Whatever is in the way of reading the same back must stop the write, not be found out by the product."""
    by_alias = {entry.alias: entry for entry in written.entries}
    for entry in meant.entries:
        found = by_alias.get(entry.alias)
        if found is None or _essence(found) != _essence(entry):
            raise StoreError(f"the entry under the alias '{entry.alias}' would not be read back as it is, so nothing was written")
        chain = chain_of(entry)
        if chain_of(found)[: len(chain)] != chain:  # Java may lengthen it by issuers that are in the store for other reasons
            raise StoreError(
                f"the certificate chain under the alias '{entry.alias}' would not be read back as it is: PKCS#12 finds issuers by name and "
                "key identifier alone, which lead to other certificates of this store, so nothing was written"
            )
    if len(written.entries) != len(meant.entries):
        raise StoreError("other entries than these would be read back, so nothing was written")
    if written.format == meant.format and not _same_opaque(meant, written):
        raise StoreError("parts of the store that are no entries would not be read back as they are, so nothing was written")


def _essence(entry: Entry) -> tuple[object, ...]:
    """What must come back, beside the issuers in its chain."""
    keys = () if isinstance(entry, TrustedCertEntry) else (entry.pkcs8,)
    locked = (entry.locked,) if isinstance(entry, PrivateKeyEntry) else ()
    return (type(entry), chain_of(entry)[:1], *keys, *locked)


def _same_opaque(meant: Store, written: Store) -> bool:
    """Whether every opaque part is there, but for certificates that now lengthen a chain. More are no loss: keys that Java does not
    see may come back as such."""
    lost = set(meant.contents.opaque).difference(written.contents.opaque)
    issuers = {certificate for entry in written.entries for certificate in chain_of(entry)[1:]} if lost else set()
    return all(any(certificate in part for certificate in issuers) for part in lost)


__all__ = [
    "Entry",
    "PrivateKeyEntry",
    "SecretKeyEntry",
    "SigningKey",
    "Store",
    "TrustedCertEntry",
    "chain_of",
    "check_password",
    "check_sealed",
    "check_unmasked",
    "kind",
    "misfits",
    "open_store",
    "open_store_if_present",
    "open_under_either",
    "parse_store",
    "serialize_store",
    "verified",
    "write_store",
]
