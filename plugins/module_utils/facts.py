# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The public facts of a keystore: what may leave the host, and what the plan is made from."""

from __future__ import annotations

import datetime
import hashlib
import os
import stat
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import files, keystore, profiles, x509
from ansible_collections.mutual.tls.plugins.module_utils.entries import Entry, PrivateKeyEntry, Protection, SecretKeyEntry, TrustedCertEntry
from ansible_collections.mutual.tls.plugins.module_utils.errors import StoreError, TrustError

_TYPES = {PrivateKeyEntry: "private_key", SecretKeyEntry: "secret_key", TrustedCertEntry: "trusted_cert"}


def store_facts(path: str, store: keystore.Store | None) -> dict[str, Any]:
    """Everything about the store at *path* but its secrets; *store* is None when there is no such file."""
    facts: dict[str, Any] = {"path": path, "present": store is not None}
    if store is None:
        return {**facts, **dict.fromkeys(("sha256", "modified", "mode", "format", "profile", "protection")), "entries": []}
    protection, status = store.contents.protection, os.stat(path)
    return {
        **facts,
        "sha256": hashlib.sha256(files.read_if_present(path) or b"").hexdigest(),
        "modified": status.st_mtime,
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
        "format": store.format,
        "profile": profiles.profile_of(protection) if store.format == "pkcs12" else None,
        "protection": _protection(protection),
        "entries": [entry_facts(entry) for entry in store.entries],
    }


def _protection(protection: Protection) -> dict[str, Any]:
    """The algorithms by name; None for what is not protected, or not there."""
    named = {"mac": protection.mac, "key_encryption": protection.keys, "certificate_encryption": protection.certificates}
    facts: dict[str, Any] = {}
    for name, algorithm in named.items():
        facts[name] = algorithm.name if algorithm is not None else None
        facts[f"{name.replace('_encryption', '')}_iterations"] = (algorithm.iterations or None) if algorithm is not None else None
    return facts


def entry_facts(entry: Entry) -> dict[str, Any]:
    """The public facts of one entry; those of its certificate are its leaf's."""
    chain = keystore.chain_of(entry)
    facts: dict[str, Any] = {
        "alias": entry.alias,
        "type": _TYPES[type(entry)],
        "created": _moment(entry.created),
        "chain_length": len(chain),
        "chain_sha256": [x509.sha256(certificate) for certificate in chain],
    }
    if isinstance(entry, SecretKeyEntry):
        return {**facts, "sha256": None}
    if isinstance(entry, PrivateKeyEntry):
        facts["chain_pem"] = "".join(x509.der_to_pem(certificate) for certificate in chain)
        facts["locked"] = entry.pkcs8 is None
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
