# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody else's certificate authority: requests are left for it in a directory, and what it signed is taken from there.

The directory's ``NAME-GENERATION.crt.pem`` (the root) and ``NAME-GENERATION.crl.pem`` (its revocation list, and those of CAs below it)
are put there by people, and so is ``certificates/MEMBER.pem`` for ``requests/MEMBER.csr.pem``. Nothing in it is secret.
"""

from __future__ import annotations

import collections
import contextlib
import datetime
import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import files, x509
from ansible_collections.mutual.tls.plugins.module_utils.authority.directory import Authority, Directory
from ansible_collections.mutual.tls.plugins.module_utils.authority.ledger import Line
from ansible_collections.mutual.tls.plugins.module_utils.authority.requests import check_names, is_same_request, proven_keys, requested_keys
from ansible_collections.mutual.tls.plugins.module_utils.authority.wishes import AuthorityWish, Change, Request, Task
from ansible_collections.mutual.tls.plugins.module_utils.crypto import rsa
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, TrustError
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import EntryFacts
from ansible_collections.mutual.tls.plugins.module_utils.plan.verification import Anchors, refusal

#: A CA's certificate that ends sooner is told of: making and spreading another takes somebody else's time.
SOON = datetime.timedelta(days=90)
#: Extended key usages (RFC 5280 section 4.2.1.12), by the word for them, as OpenSSL calls them.
_PURPOSES = {"server": "serverAuth", "client": "clientAuth"}


@dataclass(frozen=True)
class Awaited:
    """A certificate that somebody else has yet to sign."""

    name: str
    authority: str
    #: Where the request is, and where the certificate is to be put.
    request: str
    certificate: str
    #: What it is to be.
    subject: str
    subject_alt_name: Sequence[str]
    usages: Sequence[str]
    days: int
    #: Why what is there was not taken; None where nothing is.
    refused: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """It as the module returns it."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


@dataclass
class OutcomeElsewhere:
    """What came of a run, or in check mode would."""

    changes: list[Change] = field(default_factory=list)
    #: Name -> the chain (DER, leaf first, root last) that was signed for it.
    issued: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    awaited: list[Awaited] = field(default_factory=list)
    #: The certificates that are revoked, or in check mode would be.
    revoked: list[Line] = field(default_factory=list)
    #: Those among all revoked ones that no revocation list names.
    unlisted: list[Line] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def carry_out(directory: Directory, task: Task, now: datetime.datetime, *, check: bool = False) -> OutcomeElsewhere:
    """Leave the requests of *task*, and take what was signed; with *check* only look.

    Raises InputError where a CA is missing, and TrustError, naming every request that proves nothing; nothing was left or taken then.
    """
    outcome = OutcomeElsewhere()
    cas = _cas(directory, task.authorities)
    keys = proven_keys(directory.ledger, task)
    for request in task.requests:
        _check_file_name(request.name)
        check_names(request)
    lines: list[Line] = []
    for request in task.requests:
        lines.extend(_ask(directory, request, cas[request.authority], keys[request.name], outcome, now, check))
    _revoke(directory, task, outcome, lines, now)
    if not check:
        directory.ledger.append(lines)
        for name in (*outcome.issued, *(each.name for each in task.revocations if _is_file_name(each.name))):
            for path in (_request_path(directory, name), _extensions_path(directory, name)):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
    for name, ca in cas.items():
        end = x509.not_after(x509.load_certificate(ca.certificate))
        if end - now < SOON:
            outcome.notes.append(f"the certificate of the authority '{name}' ends on {x509.timestamp(end)}: have its owner make another")
    return outcome


def check_directory(path: str) -> None:
    """Refuse a directory in which others could put a CA of their own, or change a request. Raises InputError."""
    own = [path, os.path.join(path, "requests"), *glob.glob(os.path.join(glob.escape(path), "*.pem"))]
    for each in own:
        with contextlib.suppress(FileNotFoundError):
            mode = os.stat(each).st_mode & 0o777
            if mode & 0o022:
                raise InputError(
                    f"{each} has the mode {mode:04o}: whoever may write there can have all members trust another CA, or have another "
                    "key signed. Let its owner alone write to it; only 'certificates' may be for others too."
                )


def _cas(directory: Directory, wishes: Sequence[AuthorityWish]) -> dict[str, Authority]:
    """The newest CA of each name. Raises InputError that tells all that is wrong."""
    found, faults = {}, []
    for wish in wishes:
        try:
            found[wish.name] = _ca(directory, wish)
        except InputError as error:
            faults.append(str(error))
    if faults:
        raise InputError(" ".join(faults))
    return found


def _ca(directory: Directory, wish: AuthorityWish) -> Authority:
    """The newest CA of that name. Raises InputError for one that is not there, or that is no root."""
    found = directory.newest(wish.name)
    if found is None or found.generation < wish.generation:
        have = "no CA" if found is None else f"only generation {found.generation} of the CA"
        path = os.path.join(directory.path, f"{wish.name}-{wish.generation}.crt.pem")
        raise InputError(
            f"The directory {directory.path} has {have} '{wish.name}', and generation {wish.generation} is wished: put the root that is to "
            f"be trusted into {path} (PEM), and its revocation lists, if servers read such, into {path.replace('.crt.', '.crl.')}."
        )
    path = os.path.join(directory.path, f"{found.name}-{found.generation}.crt.pem")
    if not x509.is_signed_by(found.certificate, found.certificate):
        raise InputError(
            f"{path} is no root: {x509.describe(found.certificate)['issuer']} signed it. Put the root there; the CAs between "
            "come with each certificate that they sign."
        )
    if x509.what_makes_a_ca(found.certificate) is None:
        raise InputError(f"{path} is not the certificate of a CA (CA:TRUE), so nothing that it signs is accepted.")
    for other in directory.authorities.values():
        if other.name == found.name and other.generation < found.generation and _is_alike(other.certificate, found.certificate):
            raise InputError(
                f"{path} has the name or the key of generation {other.generation}: another generation is another CA. A root that was only "
                "renewed takes the place of the one that it renews, in the same file."
            )
    for crl in found.crls:
        if crl.issuer == x509.subject_of(found.certificate) and not crl.is_by(found.certificate):
            raise InputError(f"The revocation list of '{crl.issuer_name}' in {directory.path} is not signed by the key of {path}.")
    return found


def _is_alike(first: bytes, second: bytes) -> bool:
    """Whether verifiers could take two CAs for each other."""
    return x509.subject_of(first) == x509.subject_of(second) or x509.public_key_of(first) == x509.public_key_of(second)


def _ask(
    directory: Directory, request: Request, ca: Authority, key: Any, outcome: OutcomeElsewhere, now: datetime.datetime, check: bool
) -> Iterator[Line]:
    """Take what was signed for the request, or leave the request; the lines for the ledger."""
    answer = _answer_path(directory, request.name)
    content, refused = files.read_if_present(answer), None
    if content is not None:
        try:
            chain = _judged(request, ca, key, x509.readable_certificates(content.decode("ascii", "replace"), answer), now)
        except (InputError, TrustError) as error:
            refused = None if _is_former(directory, request.name, content) else str(error)
        else:
            outcome.issued[request.name] = chain
            outcome.changes.append(Change(request.name, "take", f"{answer} is what '{request.name}' asked for"))
            line = _line(chain, request.name, ca, now)
            known = directory.ledger.certificates.get(line.certificate)
            yield from () if known is not None and known.state == "issued" else directory.ledger.hand_out(line)
            return
    given = answer, request.subject, request.subject_alt_name, request.usages, request.valid_for.days, refused
    outcome.awaited.append(Awaited(request.name, request.authority, _request_path(directory, request.name), *given))
    extensions = _extensions(request, key)
    if not _is_left(directory, request, extensions):
        outcome.changes.append(
            Change(request.name, "request", f"'{request.name}' needs a certificate of the authority '{request.authority}'")
        )
        if not check:
            for folder in ("requests", "certificates"):
                os.makedirs(os.path.join(directory.path, folder), mode=0o755, exist_ok=True)
            files.write_atomically(_extensions_path(directory, request.name), extensions.encode("ascii"), mode=0o644)
            files.write_atomically(_request_path(directory, request.name), request.csr.encode("ascii"), mode=0o644)


def _line(chain: Sequence[bytes], name: str, ca: Authority, now: datetime.datetime) -> Line:
    """The ledger's line for what was signed."""
    issuer = x509.describe(chain[0])["issuer"] if len(chain) > 2 else None
    return Line.issued(chain[0], name, ca.name, ca.generation, now, issuer=issuer)


def _is_former(directory: Directory, name: str, content: bytes) -> bool:
    """Whether a file has what was taken from it some time ago: it is no wrong answer, but none yet."""
    found = {x509.sha256(each) for each in x509.pem_blocks(content.decode("ascii", "replace"), "CERTIFICATE")}
    return any(line.sha256 in found for line in directory.ledger.of(name))


def _is_left(directory: Directory, request: Request, extensions: str) -> bool:
    """Whether the request is there already, for the same key, names and extensions."""
    left, beside = (files.read_if_present(path(directory, request.name)) for path in (_request_path, _extensions_path))
    if left is None or beside is None:
        return False
    return beside.decode("ascii", "replace") == extensions and is_same_request(left.decode("ascii", "replace"), request.csr)


def _judged(request: Request, ca: Authority, key: Any, found: Sequence[bytes], now: datetime.datetime) -> tuple[bytes, ...]:
    """The chain for the key of the request. Raises TrustError that says what is wrong with what was put there."""
    wished = x509.key_sha256(key)
    for_key = [certificate for certificate in found if x509.sha256(x509.public_key_of(certificate)) == wished]
    if not for_key:
        raise TrustError("it is for another key than the request's")
    leaf = max(for_key, key=lambda certificate: x509.not_before(x509.load_certificate(certificate)))
    others = [certificate for certificate in found if certificate not in for_key and certificate != ca.certificate]
    chain = _chain([leaf], others, ca.certificate)
    if chain is None:
        raise TrustError(
            f"it is signed by '{x509.describe(leaf)['issuer']}', and what comes with it does not lead to the authority '{ca.name}' of "
            f"generation {ca.generation} ('{x509.describe(ca.certificate)['subject']}')"
        )
    if any(crl.names(certificate) for crl in ca.crls for certificate in chain):
        raise TrustError("it, or a CA above it, is on a revocation list")
    for reason in (*_wrong_usages(request, leaf), *_wrong_names(request, leaf), *_wrong_dates(request, leaf, now)):
        raise TrustError(reason)
    for usage in request.usages:
        # The last word is the proof's: what would not pass there must not take the place of what works.
        why = refusal(chain, Anchors([ca.certificate]), usage, now)
        if why is not None:
            raise TrustError(f"it {why.sentence}")
    return tuple(chain)


def _chain(path: list[bytes], others: Sequence[bytes], root: bytes) -> list[bytes] | None:
    """*path* and the certificates above it up to the root; None if no way gets there. Of all ways to a certificate one is tried."""
    ways, seen = collections.deque([path]), set(path)
    while ways:
        way = ways.popleft()
        if x509.is_signed_by(way[-1], root):
            return [*way, root]
        above = [each for each in others if each not in seen and x509.is_signed_by(way[-1], each)]
        seen.update(above)
        ways.extend([*way, each] for each in above)
    return None


def _wrong_dates(request: Request, leaf: bytes, now: datetime.datetime) -> Iterator[str]:
    certificate = x509.load_certificate(leaf)
    begin, end = x509.not_before(certificate), x509.not_after(certificate)
    if begin > now:
        yield f"it is valid from {x509.timestamp(begin)} on only"
    if end <= now:
        yield f"it expired on {x509.timestamp(end)}"
    elif end - now < request.renew_before:
        yield f"it ends on {x509.timestamp(end)}, sooner than renew_before ({x509.format_duration(request.renew_before)})"


def _wrong_names(request: Request, leaf: bytes) -> Iterator[str]:
    described = x509.describe(leaf)
    subject = x509.format_name(x509.parse_name(request.subject))
    if not request.any_subject and described["subject"] != subject:
        yield f"its subject is '{described['subject']}' where '{subject}' is wished"
    found = EntryFacts("", "private_key", None, subject=described["subject"]).generation
    if found < request.generation:
        yield f"its subject '{described['subject']}' does not name the generation (OU=generation {request.generation})"
    names = sorted(x509.format_alternative_name(name) for name in x509.parse_alternative_names(request.subject_alt_name))
    if names and described["subject_alt_name"] != names:
        yield f"its alternative names are {', '.join(described['subject_alt_name']) or 'none'} where {', '.join(names)} are wished"


def _wrong_usages(request: Request, leaf: bytes) -> Iterator[str]:
    ca = x509.what_makes_a_ca(leaf)
    if ca is not None:
        yield f"it is a CA's ({ca}), with which '{request.name}' could make identities for all others"


def _revoke(directory: Directory, task: Task, outcome: OutcomeElsewhere, lines: list[Line], now: datetime.datetime) -> None:
    """Note who is revoked, and which of their certificates no list names."""
    for revocation in task.revocations:
        lines_found = {line.sha256: line for line in (*directory.ledger.of(revocation.name), *_not_taken(directory, revocation.name, now))}
        found = [line for line in lines_found.values() if not line.is_over(now)]
        new = [line.become("revoked", x509.timestamp(now), revocation.reason) for line in found if line.state != "revoked"]
        if not found:
            outcome.notes.append(f"'{revocation.name}' is to be revoked, and no certificate for it was taken here")
        elif new:
            outcome.changes.append(Change(revocation.name, "revoke", f"'{revocation.name}' is to be revoked ({revocation.reason})"))
            outcome.revoked.extend(new)
        if _is_file_name(revocation.name) and os.path.exists(_request_path(directory, revocation.name)):
            outcome.changes.append(Change(revocation.name, "withdraw", f"nobody is to sign for '{revocation.name}', who is to be revoked"))
        for line in found:
            authority = directory.authorities.get((line.authority, line.generation))
            if authority is not None and not _is_listed(line, authority):
                outcome.unlisted.append(line)
    lines.extend(outcome.revoked)


def _is_listed(line: Line, authority: Authority) -> bool:
    """Whether a list of whoever signed the certificate names it: serial numbers are an issuer's own."""
    issuer = line.issuer or x509.describe(authority.certificate)["subject"]
    return any(crl.issuer_name == issuer and int(line.serial, 16) in crl.serials for crl in authority.crls)


def _not_taken(directory: Directory, name: str, now: datetime.datetime) -> Iterator[Line]:
    """Certificates that were signed for somebody's own request, and that no run has taken yet."""
    content = files.read_if_present(_answer_path(directory, name)) if _is_file_name(name) else None
    certificates = x509.pem_blocks((content or b"").decode("ascii", "replace"), "CERTIFICATE")
    known = {line.sha256 for line in directory.ledger.of(name)}
    left = files.read_if_present(_request_path(directory, name)) if certificates else None
    # What else somebody put there is another's, who must not be revoked for it.
    own = {line.key_sha256 for line in directory.ledger.of(name)} | requested_keys((left or b"").decode("ascii", "replace"))
    for certificate in certificates:
        with contextlib.suppress(TrustError):
            for ca in directory.authorities.values() if x509.what_makes_a_ca(certificate) is None else ():
                chain = _chain([certificate], [each for each in certificates if each != certificate], ca.certificate)
                is_own = x509.sha256(x509.public_key_of(certificate)) in own
                if chain is not None and is_own and x509.sha256(certificate) not in known:
                    yield _line(chain, name, ca, now)


def _check_file_name(name: str) -> None:
    if not _is_file_name(name):
        raise InputError(f"'{name}' cannot be the name of a file, and its request is one: rename the member in the inventory.")


def _is_file_name(name: str) -> bool:
    return not name.startswith(".") and "/" not in name


def _extensions(request: Request, key: Any) -> str:
    """The extensions that the certificate is to have, as ``openssl x509 -req -extfile`` reads them."""
    encipherment = ", keyEncipherment" if isinstance(key, rsa.RSAPublicKey) else ""
    lines = [
        "basicConstraints = critical, CA:FALSE",
        f"keyUsage = critical, digitalSignature{encipherment}",
        f"extendedKeyUsage = {', '.join(_PURPOSES[usage] for usage in request.usages)}",
    ]
    if request.subject_alt_name:
        lines.append(f"subjectAltName = {', '.join(request.subject_alt_name)}")
    return "".join(f"{line}\n" for line in lines)


def _request_path(directory: Directory, name: str) -> str:
    return os.path.join(directory.path, "requests", f"{name}.csr.pem")


def _extensions_path(directory: Directory, name: str) -> str:
    return os.path.join(directory.path, "requests", f"{name}.ext")


def _answer_path(directory: Directory, name: str) -> str:
    return os.path.join(directory.path, "certificates", f"{name}.pem")
