# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A key that is to take another's place, until an authority has signed for it.

It waits in a keystore of its own beside the member's, ``PATH.next``. Whoever reads the member's keystore meanwhile, or starts anew, goes on
with the key and the certificate that everybody accepts. The two change places in one step: when the chain is installed.
"""

from __future__ import annotations

import contextlib
import datetime
import os

from ansible_collections.mutual.tls.plugins.module_utils import keystore, store_changes, x509
from ansible_collections.mutual.tls.plugins.module_utils.entries import PrivateKeyEntry
from ansible_collections.mutual.tls.plugins.module_utils.errors import StoreError
from ansible_collections.mutual.tls.plugins.module_utils.keystore import Store
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import IdentityWish, StoreChange, StoreWish


def pending_path(path: str) -> str:
    """Where the key waits that is to go into the keystore at *path*."""
    return f"{path}.next"


def has_to_wait(wish: IdentityWish | None, change: StoreChange, store: Store) -> bool:
    """Whether the change makes a key for which an authority is to sign, while the present one still does its work."""
    if wish is None or wish.signer != "authority" or (change.alias, change.action) != (wish.alias, "replace"):
        return False
    present = store.get(wish.alias)
    return isinstance(present, PrivateKeyEntry) and present.pkcs8 is not None and bool(present.chain)


def find(path: str, password: str, wish: IdentityWish, old_password: str | None = None) -> PrivateKeyEntry | None:
    """The key that waits already, made for this wish: it may have been asked for, and stays. Under the password before it is, too."""
    waiting = _waiting(path, password, wish, old_password)
    meets = waiting is not None and wish.regenerate != "always" and _is_the_same(wish, waiting)
    return waiting if meets else None


def make(path: str, password: str, wish: IdentityWish, change: StoreChange, now: datetime.datetime) -> PrivateKeyEntry:
    """Make the key, in its own file, whatever waited there."""
    store, _done = store_changes.carry_out(StoreWish(wish), [change], Store.empty(), now)
    written = keystore.write_store(pending_path(path), store, keystore.serialize_store(store, password), password)
    return written.key_entry(wish.alias)


def with_pending(path: str, password: str, wish: IdentityWish | None, store: Store, old_password: str | None = None) -> Store:
    """*store* with the key that waits, if the chain that is handed in is for that; the store itself if it is not."""
    if wish is None or not wish.chain:
        return store
    entry = _waiting(path, password, wish, old_password)
    if entry is None:
        return store
    key = entry.private_key()
    return store.put(entry) if any(x509.certifies(certificate, key) for certificate in wish.chain) else store


def _waiting(path: str, password: str, wish: IdentityWish, old_password: str | None = None) -> PrivateKeyEntry | None:
    """The key that waits; None without one, or where neither password opens it."""
    try:
        store, _old = keystore.open_under_either(pending_path(path), password, old_password)
    except StoreError:
        return None
    entry = store.get(wish.alias) if store is not None else None
    return entry if isinstance(entry, PrivateKeyEntry) and entry.pkcs8 is not None and entry.chain else None


def _is_the_same(wish: IdentityWish, entry: PrivateKeyEntry) -> bool:
    """Whether the key was made for this generation, and is of the kind that is wished."""
    described = x509.describe(entry.chain[0])
    named = described["subject"] == x509.format_name(x509.parse_name(wish.distinguished_name))
    key_type, key_size, curve = wish.new_key
    sized = described["key_size"] == key_size if key_type == "RSA" else described["curve"] == curve if key_type == "EC" else True
    revoked = x509.sha256(x509.public_key_of(entry.chain[0])) in wish.revoked_keys
    return bool(named and described["key_type"] == key_type and sized and not revoked)


def forget_if_taken(path: str, password: str, wish: IdentityWish | None, store: Store, old_password: str | None = None) -> None:
    """Remove the file of the key that waited once *store* has that key."""
    entry = _waiting(path, password, wish, old_password) if wish is not None and wish.chain else None
    taken = store.get(entry.alias) if entry is not None else None
    if entry is not None and isinstance(taken, PrivateKeyEntry) and taken.chain and x509.certifies(taken.chain[0], entry.private_key()):
        forget(path)


def forget(path: str) -> None:
    """Remove the file of the key that waited."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(pending_path(path))
