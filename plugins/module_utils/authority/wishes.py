# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a certificate authority should be, what it is asked to sign or to revoke, and what changes for that.

Names, usages and lifetimes come from here.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.authority.ledger import PROBE
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError

#: What a certificate may be used for, by the word for it.
USAGES = ("server", "client")

#: The reasons for a revocation (RFC 5280 section 5.3.1) that somebody may give here.
REASONS = ("unspecified", "key_compromise", "affiliation_changed", "superseded", "cessation_of_operation", "privilege_withdrawn")

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_PROBE_LASTS = datetime.timedelta(hours=1)


@dataclass(frozen=True)
class AuthorityWish:
    """One CA: its name is what members and files know it by, such as ``system`` or ``clients``."""

    name: str
    subject: str
    key_type: str = "EC"
    key_size: int = x509.KEY_SIZE
    curve: str = x509.CURVE
    valid_for: datetime.timedelta = datetime.timedelta(days=3650)
    renew_before: datetime.timedelta = datetime.timedelta(days=825)
    #: At least this one: a CA of an older generation is replaced by one with another key and another name.
    generation: int = 1
    #: What certificates below it may be for (name constraints, RFC 5280 section 4.2.1.10), such as ``DNS:example.test``.
    permitted_names: tuple[str, ...] = ()
    crl_valid_for: datetime.timedelta = datetime.timedelta(days=30)
    crl_renew_before: datetime.timedelta = datetime.timedelta(days=10)

    @classmethod
    def from_options(cls, options: dict[str, Any]) -> AuthorityWish:
        """The wish in a module's options; raises InputError for what cannot be carried out."""
        name = options["name"]
        spans = {
            option: x509.parse_duration(options[option], option)
            for option in ("valid_for", "renew_before", "crl_valid_for", "crl_renew_before")
        }
        wish = cls(
            name=name,
            subject=options.get("subject") or f"CN=mutual.tls {name} CA",
            key_type=options["key_type"],
            key_size=options["key_size"],
            curve=options["curve"],
            generation=options["generation"],
            permitted_names=tuple(options["permitted_names"]),
            **spans,
        )
        if not _NAME.fullmatch(name):
            raise InputError(
                f"An authority's name is {name!r}; it has up to 32 lower-case letters, digits and '_', and begins with a letter."
            )
        if wish.generation < 1:
            raise InputError(f"'generation' of the authority '{name}' is {wish.generation}; the first one is 1.")
        for sooner, span in (("renew_before", "valid_for"), ("crl_renew_before", "crl_valid_for")):
            if spans[sooner] >= spans[span]:
                raise InputError(
                    f"'{sooner}' ({options[sooner]}) of the authority '{name}' is not shorter than '{span}' ({options[span]}): every run "
                    "would make a new one."
                )
        x509.check_key(wish.key_type, key_size=wish.key_size, curve=wish.curve)
        x509.parse_name(wish.subject)
        x509.parse_subtrees(wish.permitted_names)
        return wish


@dataclass(frozen=True)
class Request:
    """A certificate that is asked for. Only the key is taken from the signing request; it also proves who holds that key."""

    #: The inventory's name of who will hold the certificate.
    name: str
    authority: str
    #: PKCS#10 (RFC 2986), PEM.
    csr: str
    subject: str
    subject_alt_name: tuple[str, ...]
    usages: tuple[str, ...]
    valid_for: datetime.timedelta
    #: Of what somebody else signs, one that ends sooner is not taken: it would be asked for anew at every run.
    renew_before: datetime.timedelta = datetime.timedelta()
    #: Nor one whose subject names an older generation,
    generation: int = 1
    #: or another subject than the one asked for, unless any will do.
    any_subject: bool = False
    #: Whether it counts for nothing until it is confirmed that its holder has it.
    pending: bool = False

    @classmethod
    def from_options(cls, options: dict[str, Any]) -> Request:
        """The request in a module's options; raises InputError for a name or a time that cannot be read."""
        request = cls(
            options["name"],
            options["authority"],
            options["csr_content"],
            options["subject"],
            tuple(options["subject_alt_name"]),
            tuple(options["usages"]),
            x509.parse_duration(options["valid_for"], f"valid_for of '{options['name']}'"),
            **{name: options[name] for name in ("generation", "any_subject", "pending") if name in options},
        )
        if "renew_before" in options:
            sooner = x509.parse_duration(options["renew_before"], f"renew_before of '{options['name']}'")
            request = replace(request, renew_before=sooner)
        x509.parse_name(request.subject)
        x509.parse_alternative_names(request.subject_alt_name)
        if request.name == PROBE and (request.valid_for > _PROBE_LASTS or not request.pending):
            # Nobody makes a list for its sake when it is revoked.
            raise InputError(f"'{PROBE}' is the name of what is pending and lasts {x509.format_duration(_PROBE_LASTS)} at most.")
        return request


@dataclass(frozen=True)
class Confirmation:
    """A pending certificate that its holder has now."""

    name: str
    sha256: str
    #: What becomes of the holder's certificates before it: revoked, or superseded only, where nobody reads revocation lists.
    revoke_former: bool = True


@dataclass(frozen=True)
class Revocation:
    """Somebody of whom no certificate is to be accepted any more."""

    name: str
    reason: str = "unspecified"


@dataclass(frozen=True)
class Task:
    """What one run asks of an authority."""

    authorities: Sequence[AuthorityWish]
    requests: Sequence[Request] = ()
    revocations: Sequence[Revocation] = ()
    confirmations: Sequence[Confirmation] = ()


@dataclass(frozen=True)
class Change:
    """One change of the directory, with its reason."""

    #: The CA, or whose certificate it is.
    subject: str
    #: ``create``, ``replace`` or ``renew`` a CA, ``issue``, ``confirm`` or ``revoke`` a certificate, ``list`` what is revoked anew;
    #: ``request`` a certificate elsewhere or ``withdraw`` that, ``take`` one that was signed there.
    action: str
    reason: str
