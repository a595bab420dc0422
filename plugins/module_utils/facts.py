# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The public facts of a keystore: what may leave the host, and what the plan is made from."""

from __future__ import annotations

import datetime
import hashlib
import os
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import files, keystore, x509
from ansible_collections.mutual.tls.plugins.module_utils.entries import Entry, PrivateKeyEntry
from ansible_collections.mutual.tls.plugins.module_utils.errors import StoreError, TrustError
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import parse_timestamp

_SOON = datetime.timedelta(days=30)


def store_facts(path: str, store: keystore.Store | None) -> dict[str, Any]:
    """Everything about the store at *path* but its secrets; *store* is None when there is no such file."""
    if store is None:
        return {"path": path, "present": False, "sha256": None, "modified": None, "format": None, "protection": None, "entries": []}
    return {
        "path": path,
        "present": True,
        "sha256": hashlib.sha256(files.read_if_present(path) or b"").hexdigest(),
        "modified": os.stat(path).st_mtime,
        "format": "pkcs12",
        "protection": dict(vars(store.contents.protection)),
        "entries": [entry_facts(entry) for entry in store.entries],
    }


def entry_facts(entry: Entry) -> dict[str, Any]:
    """The public facts of one entry; those of its certificate are its leaf's."""
    chain = entry.chain if isinstance(entry, PrivateKeyEntry) else (entry.certificate,)
    facts: dict[str, Any] = {
        "alias": entry.alias,
        "type": "private_key" if isinstance(entry, PrivateKeyEntry) else "trusted_cert",
        "created": _moment(entry.created),
        "chain_length": len(chain),
        "chain_sha256": [x509.sha256(certificate) for certificate in chain],
    }
    if isinstance(entry, PrivateKeyEntry):
        facts["chain_pem"] = "".join(x509.der_to_pem(certificate) for certificate in chain)
        facts["key_matches"] = _matches(entry)
        if not chain:
            return {**facts, "sha256": None, **_bare_key(entry)}
    try:
        return {**facts, **x509.describe(chain[0])}
    except TrustError as error:
        # One certificate that a strict parser refuses must not hide the others.
        return {**facts, "sha256": x509.sha256(chain[0]), "pem": x509.der_to_pem(chain[0]), "unreadable": str(error)}


def _matches(entry: PrivateKeyEntry) -> bool | None:
    """Whether the key's certificate is for it; None when one of the two cannot be read, which must not hide other entries."""
    try:
        return bool(entry.chain) and x509.certifies(entry.chain[0], entry.private_key())
    except (StoreError, TrustError):
        return None


def _bare_key(entry: PrivateKeyEntry) -> dict[str, Any]:
    """What a key without certificate says of itself."""
    try:
        return x509.describe_key(entry.private_key().public_key())
    except StoreError as error:
        return {"key_type": None, "key_size": None, "curve": None, "unreadable": str(error)}


def _moment(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return x509.timestamp(datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc))


def warnings(facts: dict[str, Any], now: datetime.datetime) -> list[str]:
    """What a person should know about the store, a sentence each."""
    found = []
    for entry in facts["entries"]:
        name = f"the certificate under the alias '{entry['alias']}'"
        if entry.get("unreadable"):
            found.append(f"the entry under the alias '{entry['alias']}' cannot be read: {entry['unreadable']}")
            continue
        if entry["sha256"] is None:
            found.append(f"the key under the alias '{entry['alias']}' has no certificate, so it cannot be used for TLS")
            continue
        end = parse_timestamp(entry["not_after"])
        if end <= now:
            found.append(f"{name} expired on {entry['not_after']}")
        elif end - now < _SOON:
            found.append(f"{name} ends on {entry['not_after']}, in {(end - now).days} days")
        if entry["type"] == "private_key" and entry["key_matches"] is False:
            found.append(f"{name} does not belong to the key beside it")
        if entry["type"] == "private_key" and entry["key_matches"] is None:
            found.append(f"the key under the alias '{entry['alias']}' is kept and not used: it is neither RSA nor EC nor Ed25519")
        if entry["type"] == "trusted_cert" and entry["is_ca"]:
            found.append(f"{name} is a CA: whoever holds its key can make identities that this store trusts")
        if entry["key_type"] == "RSA" and entry["key_size"] < 2048:
            found.append(f"{name} has an RSA key of {entry['key_size']} bits, which current Javas refuse")
    protection = facts["protection"] or {}
    if facts["present"] and protection.get("mac") is None:
        found.append("the store has no MAC: nobody would notice if it were changed")
    return found
