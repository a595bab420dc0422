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


def make(path: str, password: str, wish: IdentityWish, change: StoreChange, now: datetime.datetime) -> PrivateKeyEntry:
    """Make the key, in its own file; one that waited there, and was never signed for, is forgotten."""
    store, _done = store_changes.carry_out(StoreWish(wish), [change], Store.empty(), now)
    written = keystore.write_store(pending_path(path), store, keystore.serialize_store(store, password), password)
    return written.key_entry(wish.alias)


def with_pending(path: str, password: str, wish: IdentityWish | None, store: Store) -> Store:
    """*store* with the key that waits, if the chain that is handed in is for that; the store itself if it is not."""
    if wish is None or not wish.chain:
        return store
    waiting = keystore.open_store_if_present(pending_path(path), password)
    entry = waiting.get(wish.alias) if waiting is not None else None
    if not isinstance(entry, PrivateKeyEntry) or entry.pkcs8 is None:
        return store
    key = entry.private_key()
    return store.put(entry) if any(x509.certifies(certificate, key) for certificate in wish.chain) else store


def forget(path: str) -> None:
    """Remove the file of the key that waited."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(pending_path(path))
