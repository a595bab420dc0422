# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trust model ``authority``: which CA signs for whom, what is asked of it, and which of its certificates are trusted.

Two CAs: ``system`` for the platform and what runs for it, ``clients`` for people and their desktops. What the module authority said,
in check mode when facts were collected and for good when it signed, is all that is known of them here.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.crls import Crl, read_crls
from ansible_collections.mutual.tls.plugins.module_utils.errors import TrustError
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import EntryFacts, IdentityWish, reasons_to_renew
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import Member, System

SYSTEM, CLIENTS = "system", "clients"
#: So many certificates of a chain are looked at.
_LONGEST = 8


@dataclass(frozen=True)
class Ca:
    """One CA of one generation."""

    name: str
    generation: int
    #: Its certificate, DER.
    certificate: bytes
    sha256: str
    #: Its revocation list; somebody else's CA that signs through others has one of each of those too.
    crls: tuple[Crl, ...] = ()

    @property
    def alias(self) -> str:
        """Where stores have it."""
        return f"{self.name}-ca-{self.generation}"


@dataclass(frozen=True)
class AuthorityFacts:
    """What is known of the authority."""

    #: Every CA, the oldest generation of each first.
    cas: tuple[Ca, ...] = ()
    #: What the module authority changes in this run: the entry, the action and the reason of each.
    changes: tuple[Mapping[str, str], ...] = ()
    #: The fingerprints of certificates that are revoked, or will be in this run.
    revoked: frozenset[str] = frozenset()
    #: Name -> the SHA-256 of each of its public keys for which a certificate was revoked.
    revoked_keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: (CA, generation) of which a certificate is revoked that has not expired: (name of its holder).
    revoked_of: Mapping[tuple[str, int], str] = field(default_factory=dict)
    #: Member -> the chain (DER, leaf first) that was signed for it in this run.
    issued: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)
    #: Whether it is somebody else's, whom nobody here can have sign, revoke or make a list.
    external: bool = False
    #: Members whose certificate somebody else has yet to sign.
    awaited: frozenset[str] = frozenset()
    #: What is to be revoked and stands on no list: C(name), C(authority), C(generation), C(serial), C(not_after).
    unlisted: tuple[Mapping[str, Any], ...] = ()
    #: Name -> what was issued to it, the oldest first, as the module authority_info returns it; of people only.
    certificates: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    #: What a person should know.
    notes: tuple[str, ...] = ()
    #: Why nothing is known, if so.
    failure: str | None = None

    def newest(self, name: str) -> Ca | None:
        """The CA *name* of the latest generation."""
        found = [ca for ca in self.cas if ca.name == name]
        return found[-1] if found else None

    def certificates_of(self, name: str, ca: str) -> list[Mapping[str, Any]]:
        """What the CA of that name, of any generation, issued to somebody who is no member."""
        return [each for each in self.certificates.get(name, ()) if each["authority"] == ca]

    def has_revoked(self, entry: EntryFacts) -> bool:
        """Whether the certificate of a key is not to be accepted any more."""
        if entry.sha256 in self.revoked or self._has_revoked_key(entry):
            return True
        return any(self.is_listed(certificate) for certificate in entry.chain)

    def _has_revoked_key(self, entry: EntryFacts) -> bool:
        """Whether a certificate for the same key was revoked: an authority would sign no other for it."""
        keys = {key for found in self.revoked_keys.values() for key in found}
        with contextlib.suppress(TrustError):
            return bool(keys and entry.pem) and x509.sha256(x509.public_key_of(entry.chain[0])) in keys
        return False

    def is_listed(self, certificate: bytes) -> bool:
        """Whether a list of one of the CAs names the certificate (DER); one that cannot be read is on none."""
        lists = [crl for ca in self.cas for crl in ca.crls if crl.serials]
        with contextlib.suppress(TrustError):
            return bool(lists) and any(crl.names(certificate) for crl in lists)
        return False


#: For the trust models that have none.
NO_AUTHORITY = AuthorityFacts()


def read_authority(collected: Mapping[str, Any] | None, signed: Mapping[str, Any] | None) -> AuthorityFacts | None:
    """The facts in what the module authority returned when facts were collected, and when it signed; None where it was never asked."""
    if not collected or collected.get("skipped"):
        return None
    if collected.get("unreachable") or collected.get("failed"):
        return AuthorityFacts(failure=str(collected.get("msg", "no answer")).strip())
    done = signed is not None and "authorities" in signed
    data = signed if signed is not None and done else collected
    cas = tuple(
        Ca(
            each["name"],
            int(each["generation"]),
            x509.pem_to_der(each["pem"], f"the certificate of the authority '{each['name']}'")[0],
            each["sha256"],
            read_crls(each["crl"]["pem"]) if each.get("crl") else (),
        )
        for each in data["authorities"]
    )
    issued = {
        name: tuple(x509.pem_to_der(each["chain_pem"], f"the certificate of '{name}'")) for name, each in (data.get("issued") or {}).items()
    }
    return AuthorityFacts(
        cas=tuple(sorted(cas, key=lambda ca: (ca.name, ca.generation))),
        changes=() if done else tuple(data.get("changes", ())),
        revoked=frozenset(each["sha256"] for each in data["revoked"]),
        revoked_keys={name: tuple(keys) for name, keys in (data.get("revoked_keys") or {}).items()},
        revoked_of={(each["authority"], int(each["generation"])): each["name"] for each in data["revoked"]},
        issued=issued,
        external="awaited" in data,
        awaited=frozenset(each["name"] for each in data.get("awaited") or ()),
        unlisted=tuple(data.get("unlisted") or ()),
        certificates={name: tuple(found) for name, found in (data.get("certificates") or collected.get("certificates") or {}).items()},
        notes=tuple(map(str, collected.get("notes") or ())),
    )


def signer_of(member: Member) -> str:
    """The name of the CA that signs for *member*."""
    return CLIENTS if member.kind == "client" else SYSTEM


def generations(system: System, authority: AuthorityFacts) -> dict[str, tuple[int, str]]:
    """CA -> the generation that it must be replaced by, and why: where a revoked certificate cannot be refused in another way.

    A product that reads no revocation lists accepts whatever a CA signed for as long as it trusts the CA.
    """
    if system.adapter.reads_crl:
        return {}
    found = {}
    for name in (SYSTEM, CLIENTS):
        ca = authority.newest(name)
        holder = authority.revoked_of.get((name, ca.generation)) if ca is not None else None
        if ca is not None and holder is not None:
            why = f"'{holder}' is revoked, and {system.adapter.name} reads no revocation lists: all others get new certificates"
            found[name] = (ca.generation + 1, why)
    return found


def is_replaced(name: str, authority: AuthorityFacts, wished: Mapping[str, tuple[int, str]]) -> bool:
    """Whether the CA that is to sign has no certificate yet: it is made, or replaced, in this run."""
    made = any(change["entry"] == name and change["action"] in ("create", "replace") for change in authority.changes)
    return authority.newest(name) is None or made or name in wished


def path_to(chain: Sequence[bytes], ca: Ca) -> list[bytes] | None:
    """The certificates of the chain up to the one that the CA signed, each signed by the next; None if it does not get there.

    A host says what it presents: what comes after that, or is no certificate, counts for nothing.
    """
    path: list[bytes] = []
    with contextlib.suppress(TrustError):
        for certificate in chain[:_LONGEST]:
            if path and (x509.what_makes_a_ca(certificate) is None or not x509.is_signed_by(path[-1], certificate)):
                return None
            path.append(certificate)
            if x509.is_signed_by(certificate, ca.certificate):
                return path
    return None


def comes_from(chain: Sequence[bytes], ca: Ca) -> bool:
    """Whether the CA signed the first certificate of the chain, or one that did so for it."""
    return path_to(chain, ca) is not None


def is_signed(entry: EntryFacts, authority: AuthorityFacts) -> bool:
    """Whether the certificate of a key comes from any CA of the authority."""
    chain = entry.chain
    return any(comes_from(chain, ca) for ca in authority.cas)


def reasons_to_sign(
    member: Member, wish: IdentityWish, entry: EntryFacts, authority: AuthorityFacts, replaced: bool, now: datetime.datetime
) -> Iterator[str]:
    """Why the member needs another certificate for the key that it has."""
    name = signer_of(member)
    ca = authority.newest(name)
    if replaced or ca is None:
        yield f"the authority '{name}' is {'made' if ca is None else 'replaced'} in this run"
    elif not comes_from(entry.chain, ca):
        yield f"it is not signed by the authority '{name}', generation {ca.generation}"
    elif _has_former(entry.chain[1:], ca):
        yield f"the certificate of the authority '{name}' was renewed"
    yield from reasons_to_renew(wish, entry, now)


def _has_former(above: Sequence[bytes], ca: Ca) -> bool:
    """Whether a chain ends in another certificate of the CA than its present one: with the same key, and so the same signatures."""
    key = x509.public_key_of(ca.certificate)
    with contextlib.suppress(TrustError):
        return any(x509.sha256(each) != ca.sha256 and x509.public_key_of(each) == key for each in above)
    return False
