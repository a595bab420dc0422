# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person should know about a keystore, a sentence each, made from its public facts."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.entries import shown
from ansible_collections.mutual.tls.plugins.module_utils.profiles import PROFILES

_SOON = datetime.timedelta(days=30)
_LEAST_RSA_BITS = 2048
_LEAST_EC_BITS = 224
_WEAK_DIGESTS = ("MD2", "MD4", "MD5", "SHA1")
#: So many entries with the same fault are named one by one.
_ONE_BY_ONE = 3
_LEAST_ITERATIONS = 10_000


def warnings(facts: dict[str, Any], now: datetime.datetime, *, ca_expected: bool = False, remarks: Sequence[str] = ()) -> list[str]:
    """All warnings about a store; with *ca_expected* a trusted CA is none."""
    by_fault: dict[str, list[tuple[str, str]]] = {}
    for entry in facts["entries"]:
        for fault, sentence in _of_entry(entry, now, ca_expected):
            by_fault.setdefault(fault, []).append((entry["alias"], sentence))
    found: list[str] = []
    for fault, items in by_fault.items():
        if len(items) <= _ONE_BY_ONE:
            found.extend(sentence for _alias, sentence in items)
        else:
            first = ", ".join(shown(alias) for alias, _sentence in items[:_ONE_BY_ONE])
            found.append(f"{len(items)} entries {fault}: {first} and {len(items) - _ONE_BY_ONE} more")
    return [*found, *(_of_file(facts) if facts["present"] else ()), *remarks]


def _of_entry(entry: dict[str, Any], now: datetime.datetime, ca_expected: bool) -> Iterator[tuple[str, str]]:
    """The faults of one entry: in words for many entries, and in a sentence for this one."""
    alias = f"under the alias {shown(entry['alias'])}"
    name = f"the certificate {alias}"
    if entry["type"] == "secret_key":
        return
    if entry.get("locked"):
        yield (
            "have a password of their own",
            (
                f"the key {alias} has a password of its own: it is kept as it is, and not looked into (mutual.tls.keystore opens it with "
                "key_password or old_key_password)"
            ),
        )
    elif entry.get("unreadable"):
        yield "cannot be read", f"the entry {alias} cannot be read, and is kept as it is: {entry['unreadable']}"
    if entry.get("unreadable"):
        return
    if entry["sha256"] is None:
        yield (
            "are keys without a certificate",
            f"the key {alias} has no certificate, so it cannot be used for TLS: give it one, or remove it",
        )
        return
    own = entry["type"] == "private_key"
    remedy = "renew it" if own else "trust its owner's new one, or remove it"
    end = x509.parse_timestamp(entry["not_after"])
    if end <= now:
        yield "have expired", f"{name} expired on {entry['not_after']}: {remedy}"
    elif end - now < _SOON:
        yield f"end within {_SOON.days} days", f"{name} ends on {entry['not_after']}, in {(end - now).days} days: {remedy}"
    if x509.parse_timestamp(entry["not_before"]) > now:
        yield "are not valid yet", f"{name} is not valid before {entry['not_before']}: wait, or set the clock right"
    if own and not entry["locked"]:
        if entry["key_matches"] is False:
            yield (
                "have the certificate of another key",
                f"{name} does not belong to the key beside it, so no handshake succeeds with them: replace one of the two",
            )
        elif entry["key_matches"] is None:
            yield "are keys of other kinds", f"the key {alias} is kept and not used: it is neither RSA nor EC nor Ed25519"
    if entry["type"] == "trusted_cert" and entry["is_ca"] and not ca_expected:
        yield (
            "are trusted CAs",
            (f"{name} is a CA: whoever holds its key can make identities that this store trusts; if that is meant, set ca_expected"),
        )
    least = {"RSA": _LEAST_RSA_BITS, "EC": _LEAST_EC_BITS}.get(entry["key_type"], 0)
    if entry["key_size"] is not None and entry["key_size"] < least:
        yield (
            "have weak keys",
            (f"{name} has an {entry['key_type']} key of {entry['key_size']} bits, fewer than {least}: have one made with a longer key"),
        )
    nobody_checks_it = entry["type"] == "trusted_cert" and entry["subject"] == entry["issuer"]
    if entry["signature_digest"] in _WEAK_DIGESTS and not nobody_checks_it:
        yield (
            "are signed with a weak digest",
            (f"{name} is signed with {entry['signature_digest']}, for which signatures can be forged: have it signed anew with SHA-256"),
        )


def _of_file(facts: dict[str, Any]) -> Iterator[str]:
    """The faults of the file as a whole."""
    name, protection = facts["path"].lower(), facts["protection"]
    holds_keys = any(entry["type"] != "trusted_cert" for entry in facts["entries"])
    if holds_keys and int(facts["mode"], 8) & 0o004:
        yield f"it holds keys, and everybody on the host may read it (mode {facts['mode']}): set mode to '0600'"
    if facts["format"] == "pkcs12" and name.endswith((".jks", ".jceks")):
        yield f"it is a PKCS#12 file under the name of another format{_NAME}"
    if facts["format"] == "jks":
        if name.endswith((".p12", ".pfx", ".pkcs12")):
            yield f"it is a JKS file under the name of another format{_NAME}"
        if holds_keys:
            yield (
                "JKS protects keys by a scheme of its own that is weak (one round of SHA-1), and no reader but Java knows it; "
                "mutual.tls.keystore converts it (format: pkcs12)"
            )
        return
    if protection["mac"] is None:
        yield "it has no MAC: nobody would notice if it were changed; mutual.tls.keystore gives it one (old_password: '')"
    elif protection["mac"] == "HmacPBESHA1":
        yield f"its MAC is made with SHA-1{_REMEDY}"
    for what in ("key", "certificate"):
        algorithms = protection[f"{what}_encryption"] or ""
        if "RC2" in algorithms or "DESede" in algorithms:
            yield f"its {what}s are encrypted with {algorithms}, which is weak{_REMEDY}"
    for what, plural in (("mac", "its MAC is"), ("key", "its keys are"), ("certificate", "its certificates are")):
        iterations = protection[f"{what}_iterations"]
        if iterations is not None and iterations < _LEAST_ITERATIONS:
            yield f"{plural} protected with {iterations} iterations, fewer than {_LEAST_ITERATIONS}{_REMEDY}"


_NAME = ": programs that go by the name may not open it; rename it, or convert it (format)"
_REMEDY = f"; mutual.tls.keystore protects it anew (profile: {next(iter(PROFILES))})"
