# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must change in one keystore, and why: the wish against the public facts of the store.

The same functions decide on the host, in the keystore module, and on the controller, in the plan: so a plan cannot
promise anything else than what the module does.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError

#: How far the module may go to give a key the wished type and size, in community.crypto's words. None of them replaces a store,
#: or a key, that a password does not open.
REGENERATE = ("never", "fail", "partial_idempotence", "full_idempotence", "always")

#: Who signs an identity's certificate: its own key, or an authority, which is asked for it. With ``any`` it is its own key, unless
#: somebody else's certificate is there.
SIGNERS = ("any", "key", "authority")

_KINDS = {"private_key": "a private key", "secret_key": "a secret key", "trusted_cert": "a trusted certificate"}

_GENERATION = re.compile(r"(?:^|,)OU=generation ([0-9]{1,9})(?:,|$)")


@dataclass(frozen=True)
class IdentityWish:
    """The key and certificate that a store should hold for its owner."""

    alias: str
    subject: str | None = None
    subject_alt_name: tuple[str, ...] | None = None
    #: What is None is of no interest: any will do in an existing key.
    key_type: str | None = None
    key_size: int | None = None
    curve: str | None = None
    valid_for: datetime.timedelta = datetime.timedelta(days=825)
    renew_before: datetime.timedelta = datetime.timedelta(days=30)
    generation: int = 1
    regenerate: str = "partial_idempotence"
    #: Who signs: one of SIGNERS.
    signer: str = "any"
    #: A chain signed elsewhere for the key in the store: certificates, DER, in any order.
    chain: tuple[bytes, ...] = ()
    #: SHA-256 of public keys (SubjectPublicKeyInfo, hex) that must not be used again.
    revoked_keys: tuple[str, ...] = ()

    @classmethod
    def from_options(cls, options: dict[str, Any]) -> IdentityWish:
        """The wish in a module's options; raises InputError for a time, name or alternative name that cannot be read."""
        names = options.get("subject_alt_name")
        wish = cls(
            alias=options["alias"].lower(),
            subject=options.get("subject"),
            subject_alt_name=tuple(names) if names is not None else None,
            key_type=options.get("key_type") or None,
            key_size=options.get("key_size") or None,
            curve=options.get("curve") or None,
            valid_for=x509.parse_duration(options["valid_for"], "valid_for"),
            renew_before=x509.parse_duration(options["renew_before"], "renew_before"),
            generation=_generation(options["generation"]),
            regenerate=options["regenerate"],
            signer=options.get("signer") or "any",
            chain=tuple(x509.readable_certificates(options["certificate_content"], "'certificate_content'"))
            if options.get("certificate_content") is not None
            else (),
            revoked_keys=tuple(str(key).lower() for key in options.get("revoked_keys") or ()),
        )
        for key in wish.revoked_keys:
            if not re.fullmatch("[0-9a-f]{64}", key):
                raise InputError(f"'revoked_keys' has {key!r}; a key is named by the SHA-256 of its public key, 64 hexadecimal digits.")
        if wish.renew_before >= wish.valid_for:
            raise InputError(
                f"'renew_before' ({options['renew_before']}) is not shorter than 'valid_for' ({options['valid_for']}): "
                "every run would make a new certificate."
            )
        if wish.generation < 1:
            raise InputError(f"'generation' is {wish.generation}; the first one is 1.")
        check_alias(wish.alias, "identity.alias")
        wish.check_key()
        x509.parse_name(wish.distinguished_name)
        x509.parse_alternative_names(wish.subject_alt_name or ())
        return wish

    def check_key(self) -> None:
        """Refuse a kind of key that is not made, or that contradicts itself."""
        for option, owner in (("key_size", "RSA"), ("curve", "EC")):
            if getattr(self, option) is not None and self.kind_of_key != owner and self.key_type is None:
                raise InputError("'key_size' is for RSA keys and 'curve' for EC keys: say with 'key_type' which one it is to be.")
        key_type, key_size, curve = self.new_key
        x509.check_key(key_type, key_size=key_size, curve=curve)

    @property
    def kind_of_key(self) -> str | None:
        """The wished type, which a size or a curve alone says too; None when any will do."""
        return self.key_type or ("RSA" if self.key_size else "EC" if self.curve else None)

    @property
    def new_key(self) -> tuple[str, int, str]:
        """Type, size and curve of a key that is to be made."""
        return self.kind_of_key or x509.KEY_TYPE, self.key_size or x509.KEY_SIZE, self.curve or x509.CURVE

    @property
    def distinguished_name(self) -> str:
        """The subject of a new certificate. The generation is part of it from the second on: a new generation has a new name."""
        subject = self.subject or f"CN={x509.escaped(self.alias)}"
        return subject if self.generation == 1 else f"{subject},OU=generation {self.generation}"


def _generation(value: Any) -> int:
    """A generation; one that was given on the command line is a text."""
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"'generation' is {value!r}; it is a number, and the first one is 1.") from error


@dataclass(frozen=True)
class TrustWish:
    """A certificate that a store should, or should not, hold as trusted."""

    alias: str
    #: Certificate, DER; None when nothing is to be trusted under the alias.
    certificate: bytes | None = None
    reason: str = ""

    @property
    def present(self) -> bool:
        """Whether the certificate is to be trusted; else whatever is under the alias is not."""
        return self.certificate is not None


@dataclass(frozen=True)
class StoreWish:
    """What one keystore should hold."""

    identity: IdentityWish | None = None
    trusted: tuple[TrustWish, ...] = ()
    #: Whether trusted certificates that nobody named are removed.
    purge_trusted: bool = False
    #: Private keys that the store should not hold: alias -> why.
    absent_keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EntryFacts:
    """The public facts of one entry."""

    alias: str
    type: str
    sha256: str | None
    subject: str | None = None
    issuer: str | None = None
    subject_alt_name: tuple[str, ...] = ()
    not_before: str | None = None
    not_after: str | None = None
    key_type: str | None = None
    key_size: int | None = None
    curve: str | None = None
    is_ca: bool = False
    chain_sha256: tuple[str, ...] = ()
    pem: str | None = None
    #: The whole chain of a key, the leaf first.
    chain_pem: str | None = None
    #: Why nothing can be said of the entry, if so.
    unreadable: str | None = None
    #: Whether the key has a password of its own that was not given.
    locked: bool = False
    #: Whether the certificate is for the key; None when that cannot be told.
    key_matches: bool | None = True

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> EntryFacts:
        """The facts as keystore_info returns them for one entry."""
        known: dict[str, Any] = {name: facts.get(name) for name in cls.__dataclass_fields__ if name in facts}
        for name in ("subject_alt_name", "chain_sha256"):
            known[name] = tuple(known.get(name) or ())
        return cls(**known)

    @property
    def generation(self) -> int:
        """The generation that the certificate's subject names; 1 when it names none."""
        match = _GENERATION.search(self.subject or "")
        return int(match.group(1)) if match else 1

    @property
    def fault(self) -> str | None:
        """Why the entry, or its key, cannot be used; None when it can, or is of a kind that is not used here."""
        damaged = self.key_matches is None and self.key_type in ("RSA", "EC", "Ed25519")
        return self.unreadable or ("its key is damaged" if damaged and not self.locked else None)

    @property
    def chain(self) -> list[bytes]:
        """The certificates (DER) that a key presents, its own first; none where it has none."""
        text = self.chain_pem or self.pem
        return x509.pem_to_der(text, self.alias) if text else []

    @property
    def self_issued(self) -> bool:
        """Whether the certificate names itself as its issuer."""
        return self.subject == self.issuer


@dataclass(frozen=True)
class StoreChange:
    """One change of one entry, with its reason."""

    alias: str
    #: ``create`` or ``replace`` a key, ``renew`` or ``install`` its certificate, ``trust``, ``replace_trusted`` or ``distrust``,
    #: ``remove_key`` of somebody else.
    action: str
    reason: str
    before: str | None = None
    after: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The change as modules return it."""
        return {"entry": self.alias, "action": self.action, "reason": self.reason, "before": self.before, "after": self.after}


def without_generation(subject: str) -> str:
    """A certificate's subject as it is in every generation."""
    return _GENERATION.sub(",", subject).strip(",")


def identity_change(wish: IdentityWish, entry: EntryFacts | None, now: datetime.datetime) -> StoreChange | None:
    """What must become of the identity, for the gravest of the reasons; None when it is as wished."""
    if entry is None:
        if wish.chain:
            raise InputError(
                f"There is no private key under the alias '{wish.alias}' that certificate_content could belong to: "
                "have the key made first, and its request (csr: true) signed."
            )
        return StoreChange(wish.alias, "create", "there is no private key under this alias")
    if entry.type != "private_key":
        raise InputError(f"The alias '{wish.alias}' is {_KINDS[entry.type]} in this store; an identity needs an alias of its own.")
    if entry.locked and wish.regenerate != "always":
        raise InputError(
            f"The key under the alias '{wish.alias}' has a password of its own, which was not given. To keep it (JKS only): key_password. "
            "To bring the key under the store's: old_key_password. If the key may be lost: regenerate 'always', once."
        )
    if entry.fault and wish.regenerate not in ("full_idempotence", "always"):
        raise InputError(
            f"The entry under the alias '{wish.alias}' cannot be read ({entry.fault}) and is not replaced unasked: "
            "set regenerate to 'full_idempotence' if its key may be lost."
        )
    for reason in _reasons_to_replace(wish, entry):
        if wish.chain:
            raise InputError(
                f"'certificate_content' is for the present key under the alias '{wish.alias}', but that key would be replaced ({reason}): "
                "leave one of the two out."
            )
        return StoreChange(wish.alias, "replace", reason, entry.sha256)
    if wish.chain:
        wished = {x509.sha256(certificate) for certificate in wish.chain}
        # Java, and so the facts, lengthens a chain by issuers that are in the store for other reasons, such as trusted ones.
        if wished == set(entry.chain_sha256[: len(wished)]):
            return None
        return StoreChange(wish.alias, "install", "the certificate chain handed in differs from the one in the store", entry.sha256)
    for reason in reasons_to_renew(wish, entry, now) if wish.signer != "authority" else ():
        if not entry.self_issued and wish.signer == "any":
            raise InputError(
                f"The certificate under the alias '{wish.alias}' is due for renewal ({reason}), but it was signed by "
                f"'{entry.issuer}' and is not replaced by a self-signed one: hand in the new chain as certificate_content."
            )
        return StoreChange(wish.alias, "renew", reason, entry.sha256)
    return None


def _reasons_to_replace(wish: IdentityWish, entry: EntryFacts) -> Iterator[str]:
    """Why a new key is needed."""
    if wish.regenerate == "always":
        yield "regenerate is 'always'"
    if entry.fault:
        yield f"it cannot be read ({entry.fault})"
    if entry.generation < wish.generation:
        yield f"its generation {entry.generation} is older than {wish.generation}"
    if (
        entry.pem
        and not entry.fault
        and wish.revoked_keys
        and x509.sha256(x509.public_key_of(x509.pem_to_der(entry.pem, entry.alias)[0])) in wish.revoked_keys
    ):
        yield "its key is revoked"
    if wish.regenerate == "never":
        return
    wished = _key_words(wish.kind_of_key, wish.key_size, wish.curve)
    found = _key_words(entry.key_type, entry.key_size, entry.curve)
    if not _is_wished_key(wish, entry):
        if wish.regenerate == "fail":
            raise InputError(f"The key under the alias '{wish.alias}' is {found} where {wished} is wished, and regenerate is 'fail'.")
        yield f"the key is {found} where {wished} is wished"


def _is_wished_key(wish: IdentityWish, entry: EntryFacts) -> bool:
    """Whether the key is of the type and size that are wished, as far as somebody wished any."""
    kind = wish.kind_of_key
    if kind is None:
        return entry.key_type in x509.KEY_TYPES
    if entry.key_type != kind:
        return False
    if kind == "RSA":
        return wish.key_size in (None, entry.key_size)
    return kind != "EC" or wish.curve in (None, entry.curve)


def _key_words(key_type: str | None, key_size: int | None, curve: str | None) -> str:
    """A kind of key in words."""
    size = {"RSA": key_size, "EC": curve}.get(key_type or "")
    return f"{key_type or ' or '.join(x509.KEY_TYPES)}{f' {size}' if size else ''}"


def reasons_to_renew(wish: IdentityWish, entry: EntryFacts, now: datetime.datetime) -> Iterator[str]:
    """Why a new certificate is needed for the same key."""
    if entry.sha256 is None or entry.not_after is None:
        yield "the key has no certificate"
        return
    if entry.key_matches is False:
        yield "its certificate is for another key"
    if wish.signer == "key" and not entry.self_issued:
        yield f"it was signed by '{entry.issuer}' where its own key is to sign it"
    end = x509.parse_timestamp(entry.not_after)
    if end <= now:
        yield f"it expired on {entry.not_after}"
    elif end - now < wish.renew_before:
        least = x509.format_duration(wish.renew_before)
        yield f"it ends on {entry.not_after}, in {(end - now).days} days, sooner than renew_before ({least})"
    if wish.subject is not None:
        wished = x509.format_name(x509.parse_name(wish.distinguished_name))
        if entry.subject != wished:
            yield f"its subject is '{entry.subject}' where '{wished}' is wished"
    if wish.subject_alt_name is not None:
        names = sorted(x509.format_alternative_name(name) for name in x509.parse_alternative_names(wish.subject_alt_name))
        if list(entry.subject_alt_name) != names:
            yield f"its alternative names are {_listed(entry.subject_alt_name)} where {_listed(names)} are wished"


def trust_changes(wish: StoreWish, entries: Sequence[EntryFacts]) -> list[StoreChange]:
    """What must become of the trusted certificates, in the wish's order; what was not named last. Keys that are to go go first."""
    changes = [
        StoreChange(entry.alias, "remove_key", wish.absent_keys[entry.alias], entry.sha256)
        for entry in entries
        if entry.type == "private_key" and entry.alias in wish.absent_keys
    ]
    gone = {change.alias for change in changes}
    found = {entry.alias: entry for entry in entries if entry.alias not in gone}
    for trusted in wish.trusted:
        entry = found.get(trusted.alias)
        if wish.identity is not None and trusted.alias == wish.identity.alias:
            raise InputError(
                f"The alias '{trusted.alias}' is wished for the identity and for a trusted certificate; each needs one of its own."
            )
        if entry is not None and entry.type != "trusted_cert" and trusted.certificate is None:
            raise InputError(
                f"The alias '{trusted.alias}' is {_KINDS[entry.type]} in this store, and 'trusted' removes trusted certificates only. "
                "The certificate may be under another alias: see mutual.tls.keystore_info."
            )
        if entry is not None and entry.type != "trusted_cert":
            raise InputError(
                f"The alias '{trusted.alias}' is {_KINDS[entry.type]} in this store; a trusted certificate cannot take its place."
            )
        change = _trust_change(trusted, entry)
        if change is not None:
            changes.append(change)
    if wish.purge_trusted:
        named = {trusted.alias for trusted in wish.trusted}
        changes.extend(
            StoreChange(entry.alias, "distrust", "nobody named it and purge_trusted is set", entry.sha256)
            for entry in entries
            if entry.type == "trusted_cert" and entry.alias not in named
        )
    return changes


def _trust_change(trusted: TrustWish, entry: EntryFacts | None) -> StoreChange | None:
    if trusted.certificate is None:
        if entry is None:
            return None
        return StoreChange(trusted.alias, "distrust", trusted.reason or "it is to be absent", entry.sha256)
    wished = x509.sha256(trusted.certificate)
    if entry is None:
        return StoreChange(trusted.alias, "trust", trusted.reason or "it is not in the store", None, wished)
    if entry.sha256 != wished:
        return StoreChange(trusted.alias, "replace_trusted", "another certificate is under this alias", entry.sha256, wished)
    return None


def trusted_after(entries: Sequence[EntryFacts], wish: StoreWish) -> frozenset[str]:
    """The fingerprints of all certificates that the store trusts once *wish* is carried out."""
    trusted = {entry.alias: entry.sha256 for entry in entries if entry.type == "trusted_cert" and not wish.purge_trusted}
    for each in wish.trusted:
        trusted.pop(each.alias, None)
        if each.certificate is not None:
            trusted[each.alias] = x509.sha256(each.certificate)
    return frozenset(sha256 for sha256 in trusted.values() if sha256 is not None)


def check_alias(alias: str, option: str) -> None:
    """Refuse an alias that no store can hold, or that nobody could name."""
    if not alias.strip() or not alias.isprintable():
        raise InputError(f"'{option}' is {alias!r}; an alias is a text of at least one printable character.")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
