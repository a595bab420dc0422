# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying out what the plan of one store says: keys are made here, on the host that uses them."""

from __future__ import annotations

import datetime
from dataclasses import replace

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.chains import Pool
from ansible_collections.mutual.tls.plugins.module_utils.entries import Entry, PrivateKeyEntry, SigningKey, TrustedCertEntry, in_order
from ansible_collections.mutual.tls.plugins.module_utils.errors import TrustError
from ansible_collections.mutual.tls.plugins.module_utils.facts import entry_facts
from ansible_collections.mutual.tls.plugins.module_utils.keystore import Store, misfits
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import (
    EntryFacts,
    IdentityWish,
    StoreChange,
    StoreWish,
    identity_change,
    trust_changes,
)


def reasons_to_protect_anew(store: Store, store_format: str | None, profile: str, *, under_old_password: bool) -> list[str]:
    """Why the whole file must be written anew, whatever its entries."""
    return (["it is still under the previous password"] if under_old_password else []) + misfits(store, store_format, profile)


def plan_changes(wish: StoreWish, store: Store, now: datetime.datetime) -> list[StoreChange]:
    """What *wish* changes in *store*: the identity first."""
    facts = [EntryFacts.from_dict(entry_facts(entry)) for entry in store.entries]
    changes = []
    if wish.identity is not None:
        alias = wish.identity.alias
        change = identity_change(wish.identity, next((entry for entry in facts if entry.alias == alias), None), now)
        if change is not None:
            if change.action == "install":  # what cannot be installed must not be promised either
                _installed(wish.identity, store)
            changes.append(change)
    return changes + trust_changes(wish, facts)


def key_password_changes(wish: StoreWish, store: Store, changes: list[StoreChange], key_password: str | None) -> list[StoreChange]:
    """Whether the identity's key, if it stays as it is, gets another password of its own; None is the store's."""
    entry = store.get(wish.identity.alias) if wish.identity is not None else None
    if not isinstance(entry, PrivateKeyEntry) or entry.password == key_password or any(change.alias == entry.alias for change in changes):
        return []
    return [StoreChange(entry.alias, "protect_anew", "its key is under another password than the one wished for it")]


def carry_out(
    wish: StoreWish, changes: list[StoreChange], store: Store, now: datetime.datetime, key_password: str | None = None
) -> tuple[Store, list[StoreChange]]:
    """The store after *changes*, and the changes with the fingerprints that came of them; *key_password* is the identity's own."""
    certificates = {trusted.alias: trusted.certificate for trusted in wish.trusted if trusted.certificate is not None}
    entries: dict[str, Entry] = {entry.alias: entry for entry in store.entries}  # not put one by one: there may be thousands
    done = []
    for change in changes:
        if change.alias == "*":
            pass  # the whole file is written anew, with the entries that it has
        elif wish.identity is not None and change.alias == wish.identity.alias:
            entry = replace(_identity(wish.identity, change.action, store, now), password=key_password)
            entries[entry.alias] = entry
            change = replace(change, after=x509.sha256(entry.chain[0]))
        elif change.action in ("distrust", "remove_key"):
            entries.pop(change.alias, None)
        else:
            entries[change.alias] = TrustedCertEntry(change.alias, certificates[change.alias])
        done.append(change)
    return Store(replace(store.contents, entries=in_order(entries.values()))), done


def _identity(wish: IdentityWish, action: str, store: Store, now: datetime.datetime) -> PrivateKeyEntry:
    """The identity's entry after *action*; its date is that of the key."""
    if action == "install":
        return _installed(wish, store)
    if action == "protect_anew":
        return store.key_entry(wish.alias)
    old = store.get(wish.alias)
    if isinstance(old, PrivateKeyEntry) and action == "renew":
        entry, key = old, old.private_key()
    else:
        key_type, key_size, curve = wish.new_key
        key = x509.generate_key(key_type, key_size=key_size, curve=curve)
        entry = PrivateKeyEntry(wish.alias, x509.to_pkcs8(key), (), int(now.timestamp() * 1000))
    subject = x509.parse_name(wish.distinguished_name)
    names = x509.parse_alternative_names(wish.subject_alt_name or ())
    if entry is old and old.chain:  # what nobody wished otherwise stays as it is
        leaf = x509.load_certificate(old.chain[0])
        subject = leaf.subject if wish.subject is None else subject
        names = x509.alternative_names(leaf) if wish.subject_alt_name is None else names
    return replace(entry, chain=(x509.self_signed(key, subject, names, now=now, valid_for=wish.valid_for),))


def _installed(wish: IdentityWish, store: Store) -> PrivateKeyEntry:
    """The identity's entry with the chain handed in. Raises TrustError when that chain is not for its key."""
    old = store.key_entry(wish.alias)
    return replace(old, chain=_ordered_chain(wish, old.private_key()))


def _ordered_chain(wish: IdentityWish, key: SigningKey) -> tuple[bytes, ...]:
    """The chain handed in, leaf first; refused when no certificate of it is for the key in the store."""
    leaf = next((certificate for certificate in wish.chain if x509.certifies(certificate, key)), None)
    if leaf is None:
        raise TrustError(
            f"No certificate in certificate_content is for the key under the alias '{wish.alias}': have a new request (csr: true) signed."
        )
    chain = Pool(wish.chain).chain(leaf)  # as it will be read from the store
    if len(chain) != len(set(wish.chain)):
        raise TrustError(f"certificate_content holds certificates that are not in the chain of the alias '{wish.alias}'.")
    return chain
