# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that an authority does in one run: make or renew its CAs, sign every request, revoke, and keep its revocation lists fresh.

First everything is judged, then everything is signed in memory, then the ledger is written, and only then anything is answered.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.authority.certificates import (
    Issuer,
    Revoked,
    issue,
    make_authority,
    make_crl,
)
from ansible_collections.mutual.tls.plugins.module_utils.authority.directory import Authority, Directory, check_passphrase
from ansible_collections.mutual.tls.plugins.module_utils.authority.ledger import Line
from ansible_collections.mutual.tls.plugins.module_utils.authority.requests import proven_keys
from ansible_collections.mutual.tls.plugins.module_utils.authority.wishes import AuthorityWish, Change, Task
from ansible_collections.mutual.tls.plugins.module_utils.crls import Crl
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError


@dataclass
class Outcome:
    """What a run did, or in check mode would do."""

    changes: list[Change] = field(default_factory=list)
    #: Name -> the chain (DER, leaf first) that was signed for it.
    issued: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    #: The certificates that are revoked, or in check mode would be.
    revoked: list[Line] = field(default_factory=list)
    #: What a person should know, and that stops nothing.
    notes: list[str] = field(default_factory=list)


def carry_out(directory: Directory, task: Task, passphrase: str, now: datetime.datetime, *, check: bool = False) -> Outcome:
    """Do what *task* asks for, while nobody else changes the directory; with *check* only judge it.

    Raises InputError, TrustError (naming every request that is refused), PasswordError or StoreError, after which nothing was signed.
    """
    now = now.astimezone(datetime.timezone.utc).replace(microsecond=0)
    check_passphrase(passphrase)
    keys = proven_keys(directory.ledger, task)
    run = _Run(directory, task, passphrase, now, check)
    for wish in task.authorities:
        found = directory.newest(wish.name)
        if check and found is not None and found.generation >= wish.generation:
            directory.issuer(found, passphrase)  # better said now than when it must sign
        run.bring_up(wish)
    run.sign(keys)
    run.confirm()
    run.revoke()
    for wish in task.authorities:
        run.refresh_lists(wish)
    return run.outcome


class _Run:
    """One execution: what it has made so far."""

    def __init__(self, directory: Directory, task: Task, passphrase: str, now: datetime.datetime, check: bool) -> None:
        self.directory, self.task, self.passphrase, self.now, self.check = directory, task, passphrase, now, check
        self.outcome = Outcome()
        self._issuers: dict[tuple[str, int], Issuer] = {}

    # --- the CAs themselves -------------------------------------------------------------------------------------------

    def bring_up(self, wish: AuthorityWish) -> None:
        """Have a CA of at least the wished generation that lasts long enough."""
        found = self.directory.newest(wish.name)
        if found is None:
            self._make(wish, wish.generation, "create", "there is none")
        elif found.generation < wish.generation:
            self._make(wish, wish.generation, "replace", f"its generation {found.generation} is older than {wish.generation}")
        else:
            end = x509.not_after(x509.load_certificate(found.certificate))
            if end - self.now < wish.renew_before:
                least = x509.format_duration(wish.renew_before)
                why = (
                    f"it expired on {x509.timestamp(end)}"
                    if end <= self.now
                    else f"it ends on {x509.timestamp(end)}, sooner than renew_before ({least})"
                )
                self._renew(wish, found, why)

    def _make(self, wish: AuthorityWish, generation: int, action: str, reason: str) -> None:
        self._note(wish.name, action, reason)
        if self.check:
            return
        key = x509.generate_key(wish.key_type, key_size=wish.key_size, curve=wish.curve)
        self.directory.write_key(wish.name, generation, key, self.passphrase)
        self._certify(wish, generation, key, x509.parse_name(_subject(wish, generation, key)), ())

    def _renew(self, wish: AuthorityWish, found: Authority, reason: str) -> None:
        """Another certificate for the same key and name: what it has signed stays good."""
        self._note(wish.name, "renew", reason)
        if not self.check:
            issuer = self._issuer(found)
            self._certify(wish, found.generation, issuer.key, issuer.certificate.subject, found.crls)

    def _certify(self, wish: AuthorityWish, generation: int, key: Any, subject: Any, crls: tuple[Crl, ...]) -> None:
        permitted = x509.parse_subtrees(wish.permitted_names)
        certificate = make_authority(key, subject, permitted, now=self.now, valid_for=wish.valid_for)
        self.directory.ledger.append([Line.issued(certificate, f"{wish.name} CA", wish.name, generation, self.now)])
        self.directory.write_certificate(Authority(wish.name, generation, certificate, crls))
        self._issuers[wish.name, generation] = Issuer(key, x509.load_certificate(certificate))

    # --- what they sign -----------------------------------------------------------------------------------------------

    def sign(self, keys: Mapping[str, Any]) -> None:
        """Sign every request; the ledger has them before anybody gets them."""
        lines: list[Line] = []
        for request in self.task.requests:
            self._note(request.name, "issue", f"'{request.name}' asks the authority '{request.authority}'")
            authority = self.directory.newest(request.authority)
            if authority is None:
                continue  # in check mode, where it is only promised
            issuer = self._issuer(authority)
            if self.check:
                continue
            certificate = issue(
                issuer,
                keys[request.name],
                x509.parse_name(request.subject),
                x509.parse_alternative_names(request.subject_alt_name),
                request.usages,
                now=self.now,
                valid_for=request.valid_for,
            )
            line = Line.issued(certificate, request.name, request.authority, authority.generation, self.now)
            lines.extend([line.become("pending", line.time)] if request.pending else self.directory.ledger.hand_out(line))
            self.outcome.issued[request.name] = (certificate, authority.certificate)
        self.directory.ledger.append(lines)

    def confirm(self) -> None:
        """Count what was pending as issued, and what its holder had before as over."""
        lines: list[Line] = []
        time = x509.timestamp(self.now)
        for each in self.task.confirmations:
            line = next((line for line in self.directory.ledger.of(each.name) if line.sha256 == each.sha256), None)
            if line is None or line.state not in ("pending", "issued"):
                found = "is not in the ledger" if line is None else f"is {line.state}"
                raise InputError(f"The certificate of '{each.name}' (sha256 {each.sha256}) cannot be confirmed: it {found}.")
            if line.state == "pending":
                self._note(each.name, "confirm", f"'{each.name}' has what opens its bundle")
                lines.extend(self.directory.ledger.confirm(line, time, revoke=each.revoke_former))
        if not self.check:
            self.directory.ledger.append(lines)
            self.outcome.revoked.extend(line for line in lines if line.state == "revoked")

    # --- what they revoke ---------------------------------------------------------------------------------------------

    def revoke(self) -> None:
        """Revoke every certificate that is left of those who are to have none."""
        lines: list[Line] = []
        for revocation in self.task.revocations:
            found = self.directory.ledger.of(revocation.name)
            left = [line for line in found if line.state != "revoked" and not line.is_over(self.now)]
            if not found:
                self.outcome.notes.append(f"'{revocation.name}' is to be revoked, and this authority never issued a certificate to it")
            elif left:
                self._note(revocation.name, "revoke", f"'{revocation.name}' is to be revoked ({revocation.reason})")
                lines.extend(line.become("revoked", x509.timestamp(self.now), revocation.reason) for line in left)
        if not self.check:
            self.directory.ledger.append(lines)
        self.outcome.revoked.extend(lines)

    def refresh_lists(self, wish: AuthorityWish) -> None:
        """Have a revocation list of each generation of the CA that names what is revoked, and does not end soon."""
        for (name, generation), authority in sorted(self.directory.authorities.items()):
            if name != wish.name or x509.not_after(x509.load_certificate(authority.certificate)) <= self.now:
                continue
            revoked = list(self._revoked(name, generation))
            reason = self._reason_to_list(wish, authority, {_listed(line).serial for line in revoked if not line.is_probe})
            if reason is not None and not self.directory.has_key(authority) and not self._is_ours(authority):
                self.outcome.notes.append(
                    f"{reason}, of '{name}', generation {generation}, whose key is not here: its owner has to make one"
                )
            elif reason is not None:
                self._note(f"{name} {generation}", "list", reason)
                if not self.check:
                    number = (authority.crl.number or 0) + 1 if authority.crl is not None else 1
                    crl = make_crl(self._issuer(authority), map(_listed, revoked), number, now=self.now, valid_for=wish.crl_valid_for)
                    self.directory.write_crl(authority, crl)

    def _is_ours(self, authority: Authority) -> bool:
        """Whether the CA was made here, so that its key should be here, too."""
        return any(line.generation == authority.generation for line in self.directory.ledger.of(f"{authority.name} CA"))

    def _revoked(self, name: str, generation: int) -> Iterator[Line]:
        """What is revoked and would not have expired by itself."""
        for line in {**self.directory.ledger.certificates, **{each.certificate: each for each in self.outcome.revoked}}.values():
            if line.state == "revoked" and (line.authority, line.generation) == (name, generation) and not line.is_over(self.now):
                yield line

    def _reason_to_list(self, wish: AuthorityWish, authority: Authority, revoked: Collection[int]) -> str | None:
        crl = authority.crl
        if crl is None:
            return "there is no revocation list yet"
        if not crl.serials.issuperset(revoked):
            return "the revocation list does not name everybody who is revoked"
        if crl.next_update - self.now < wish.crl_renew_before:
            least = x509.format_duration(wish.crl_renew_before)
            return f"the revocation list ends on {x509.timestamp(crl.next_update)}, sooner than crl_renew_before ({least})"
        return None

    # ------------------------------------------------------------------------------------------------------------------

    def _issuer(self, authority: Authority) -> Issuer:
        """The CA with its key, which is opened once."""
        place = authority.name, authority.generation
        if place not in self._issuers:
            self._issuers[place] = self.directory.issuer(authority, self.passphrase)
        return self._issuers[place]

    def _note(self, subject: str, action: str, reason: str) -> None:
        self.outcome.changes.append(Change(subject, action, reason))


def _subject(wish: AuthorityWish, generation: int, key: Any) -> str:
    """A name that no other CA has, also not one from a directory that was lost: two with one name and different keys confuse verifiers."""
    unique = f"{wish.subject},SERIALNUMBER={x509.key_sha256(key.public_key())[:16]}"
    return unique if generation == 1 else f"{unique},OU=generation {generation}"


def _listed(line: Line) -> Revoked:
    """A revoked certificate as a list names it."""
    return Revoked(int(line.serial, 16), x509.parse_timestamp(line.time), line.reason or "unspecified")
