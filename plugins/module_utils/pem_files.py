# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two PEM files that servers such as nginx read, made from a keystore: who one is, and whom one trusts.

Each is whole in itself: key and chain lie in one file, and so do CAs and their revocation lists. So a server that is started between
the writing of the one and of the other never finds a key beside another's certificate, or a CA without the list that it demands.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import files, x509
from ansible_collections.mutual.tls.plugins.module_utils.entries import PrivateKeyEntry, TrustedCertEntry
from ansible_collections.mutual.tls.plugins.module_utils.errors import StoreError
from ansible_collections.mutual.tls.plugins.module_utils.keystore import Store


@dataclass(frozen=True)
class Wanted:
    """What the two files should hold."""

    identity: bytes
    trust: bytes


def wanted(store: Store, alias: str, crls: Sequence[str]) -> Wanted:
    """The files for the key under *alias*, for whom *store* trusts, and with revocation lists (PEM).

    Raises StoreError when there is no such key, or it has no certificate.
    """
    entry = store.key_entry(alias)
    if not entry.chain:
        raise StoreError(f"the key under the alias '{alias}' has no certificate")
    trusted = [each.certificate for each in store.entries if isinstance(each, TrustedCertEntry)]
    trust = "".join([*map(x509.der_to_pem, trusted), *(x509.to_pem(crl, "X509 CRL") for text in crls for crl in _crls(text))])
    return Wanted(identity_pem(entry), trust.encode("ascii"))


def identity_pem(entry: PrivateKeyEntry) -> bytes:
    """Key and chain, PEM. The key is not encrypted: a server that starts by itself would have its password beside it."""
    key = x509.to_pem(x509.to_pkcs8(entry.private_key()), "PRIVATE KEY")
    return (key + "".join(map(x509.der_to_pem, entry.chain))).encode("ascii")


def pem_facts(identity_path: str, trust_path: str, store: Store | None, alias: str) -> dict[str, Any]:
    """What the files at the two paths are, and nothing secret."""
    trust = files.read_if_present(trust_path)
    text = (trust or b"").decode("ascii", "replace")
    return {
        "identity_path": identity_path,
        "trust_path": trust_path,
        "identity_change": identity_change(identity_path, store, alias),
        "trusted": [x509.sha256(certificate) for certificate in x509.pem_blocks(text, "CERTIFICATE")],
        "crls": [x509.sha256(crl) for crl in _crls(text)],
        "modified": max((os.stat(path).st_mtime for path in (identity_path, trust_path) if os.path.exists(path)), default=None),
    }


def identity_change(path: str, store: Store | None, alias: str) -> str | None:
    """Why the file with key and chain must be written; None when it is what the keystore says, or that has no such key yet."""
    entry = store.get(alias) if store is not None else None
    if not isinstance(entry, PrivateKeyEntry) or not entry.chain:
        return None
    found = files.read_if_present(path)
    if found is None:
        return "it is not there"
    return None if found == identity_pem(entry) else "it is not the key and the chain in the keystore"


def _crls(text: str) -> list[bytes]:
    return x509.pem_blocks(text, "X509 CRL")
