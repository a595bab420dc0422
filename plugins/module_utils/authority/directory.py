# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of an authority: for each CA and generation a key (encrypted), a certificate and a revocation list; and the ledger.

A CA exists when its certificate does, which is written last: a key without one was made by a process that died, and signed nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import der, files, pbe, x509
from ansible_collections.mutual.tls.plugins.module_utils.authority.certificates import Issuer
from ansible_collections.mutual.tls.plugins.module_utils.authority.ledger import Ledger, Line
from ansible_collections.mutual.tls.plugins.module_utils.crls import Crl, read_crls
from ansible_collections.mutual.tls.plugins.module_utils.crypto import UnsupportedAlgorithm, serialization
from ansible_collections.mutual.tls.plugins.module_utils.derivation import Secret
from ansible_collections.mutual.tls.plugins.module_utils.entries import Algorithm, SigningKey
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, PasswordError, StoreError, TrustError

#: What a CA's key is encrypted with (PBES2). The passphrase comes from a vault, and may be a person's all the same.
ENCRYPTION = Algorithm(pbe.AES_256, 200_000)
SHORTEST_PASSPHRASE = 12

_CERTIFICATE = re.compile(r"([a-z][a-z0-9_]{0,31})-([1-9][0-9]{0,8})\.crt\.pem")


@dataclass(frozen=True)
class Authority:
    """One CA of one generation, without its key."""

    name: str
    generation: int
    #: Its certificate, DER.
    certificate: bytes
    #: Its revocation list; somebody else's CA that signs through others has one of each of those too.
    crls: tuple[Crl, ...] = ()

    @property
    def crl(self) -> Crl | None:
        """The first of its revocation lists."""
        return self.crls[0] if self.crls else None


class Directory:
    """The directory at *path*, as it is."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.ledger = Ledger(os.path.join(path, "ledger.jsonl"))
        self.authorities = {(each.name, each.generation): each for each in self._found()}

    def newest(self, name: str) -> Authority | None:
        """The CA *name* of the latest generation."""
        generations = [generation for found, generation in self.authorities if found == name]
        return self.authorities[name, max(generations)] if generations else None

    def write_key(self, name: str, generation: int, key: SigningKey, passphrase: str) -> None:
        """Keep the key of a CA that is being made."""
        files.write_atomically(self._file(name, generation, "key"), encrypted(key, passphrase).encode("ascii"), mode=0o600)

    def write_certificate(self, authority: Authority) -> None:
        """Keep the certificate: from now on the CA exists."""
        path = self._file(authority.name, authority.generation, "crt")
        files.write_atomically(path, x509.der_to_pem(authority.certificate).encode("ascii"), mode=0o644)
        self.authorities[authority.name, authority.generation] = authority

    def write_crl(self, authority: Authority, crl: bytes) -> Authority:
        """Keep a revocation list (DER) of the CA."""
        pem = x509.to_pem(crl, "X509 CRL")
        files.write_atomically(self._file(authority.name, authority.generation, "crl"), pem.encode("ascii"), mode=0o644)
        written = Authority(authority.name, authority.generation, authority.certificate, read_crls(pem))
        self.authorities[authority.name, authority.generation] = written
        return written

    def has_key(self, authority: Authority) -> bool:
        """Whether the CA's key is here: that of somebody else's is not."""
        return os.path.exists(self._file(authority.name, authority.generation, "key"))

    def issuer(self, authority: Authority, passphrase: str) -> Issuer:
        """The CA with its key. Raises PasswordError for another passphrase than its own."""
        path = self._file(authority.name, authority.generation, "key")
        content = files.read_if_present(path)
        if content is None:
            raise StoreError(
                f"The key {path} is gone, though its certificate is there: put it back from a backup, or raise the generation.", path=path
            )
        try:
            key: Any = serialization.load_pem_private_key(content, passphrase.encode("utf-8"), None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise PasswordError(
                f"The key {path} is not opened by the passphrase, or is damaged ({error}). Nothing was signed.", path=path
            ) from error
        if not x509.certifies(authority.certificate, key):
            raise StoreError(f"The key {path} is not the one of the certificate beside it: put both back from one backup.", path=path)
        return Issuer(key, x509.load_certificate(authority.certificate))

    def _found(self) -> Iterator[Authority]:
        try:
            names = sorted(os.listdir(self.path))
        except FileNotFoundError:
            return
        for file_name in names:
            match = _CERTIFICATE.fullmatch(file_name)
            if match is not None:
                yield self._read(match.group(1), int(match.group(2)))

    def _read(self, name: str, generation: int) -> Authority:
        path = self._file(name, generation, "crt")
        crl_path = self._file(name, generation, "crl")
        lists = files.read_if_present(crl_path)
        try:
            certificate = x509.pem_to_der((files.read_if_present(path) or b"").decode("ascii", "replace"), path)[0]
            x509.describe(certificate)
            crls = read_crls((lists or b"").decode("ascii", "replace"))
            if lists is not None and not crls:
                raise TrustError(f"{crl_path} holds no revocation list (-----BEGIN X509 CRL-----)")
            return Authority(name, generation, certificate, crls)
        except (InputError, TrustError) as error:
            raise StoreError(
                f"The authority in {self.path} cannot be read: {error}. Put its files back from a backup.", path=path
            ) from error

    def _file(self, name: str, generation: int, kind: str) -> str:
        return os.path.join(self.path, f"{name}-{generation}.{kind}.pem")


def encrypted(key: SigningKey, passphrase: str) -> str:
    """EncryptedPrivateKeyInfo (RFC 5958 section 3), PEM."""
    algorithm, ciphertext = pbe.encrypt(x509.to_pkcs8(key), Secret(passphrase), ENCRYPTION)
    return x509.to_pem(der.sequence(algorithm, der.octet_string(ciphertext)), "ENCRYPTED PRIVATE KEY")


def check_passphrase(passphrase: str) -> None:
    """Refuse what anybody could guess who gets a copy of the directory."""
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise InputError(
            f"The passphrase of the authority's keys has fewer than {SHORTEST_PASSPHRASE} characters; have a vault make a longer one."
        )


def directory_facts(directory: Directory, revoking: Sequence[Line] = ()) -> dict[str, Any]:
    """What a plan needs to know of an authority, and nothing secret: its CAs of each generation, and whom it revoked or is *revoking*.

    What was made for a look only is left out: it is over before anybody could act upon it.
    """
    now = x509.timestamp(x509.now())
    lines = {**directory.ledger.certificates, **{line.certificate: line for line in revoking}}
    return {
        "authorities": [_authority_facts(authority) for _place, authority in sorted(directory.authorities.items())],
        "revoked": [
            {name: getattr(line, name) for name in ("name", "authority", "generation", "sha256", "serial", "time", "reason", "not_after")}
            for line in lines.values()
            if line.state == "revoked" and line.not_after > now and not line.is_probe
        ],
        "revoked_keys": _revoked_keys(lines.values()),
    }


#: What is told of a certificate that was issued.
_TOLD = ("authority", "generation", "serial", "sha256", "subject", "not_before", "not_after", "time", "reason")


def certificates_of(directory: Directory, names: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Name -> what was issued to it, the oldest first, each in its present state."""
    now = x509.now()
    return {
        name: [{**{each: getattr(line, each) for each in _TOLD}, "state": line.state_at(now)} for line in directory.ledger.of(name)]
        for name in names
    }


def strangers(directory: Directory, known: Collection[str]) -> Iterator[str]:
    """Who has a certificate that is good, of a CA that nothing has taken the place of, and is not *known*; a sentence each."""
    newest = {authority.name: authority.generation for _place, authority in sorted(directory.authorities.items())}
    known = {*known, *(f"{name} CA" for name in newest)}
    now = x509.now()
    until: dict[str, str] = {}
    for line in directory.ledger.certificates.values():
        # What another one has superseded is accepted, too.
        accepted = line.state in ("issued", "superseded") and not line.is_over(now)
        if accepted and line.name not in known and newest.get(line.authority) == line.generation:
            until[line.name] = max(line.not_after, until.get(line.name, ""))
    for name, end in sorted(until.items()):
        yield (
            f"'{name}' is not in the inventory, and has a certificate that is accepted until {end}: if it is to be so no longer, put it "
            "into mtls_revoked until then"
        )


def _revoked_keys(lines: Iterable[Line]) -> dict[str, list[str]]:
    """Name -> the SHA-256 of each of its public keys for which a certificate was revoked, however long ago."""
    found: dict[str, set[str]] = {}
    for line in lines:
        if line.state == "revoked" and not line.is_probe:
            found.setdefault(line.name, set()).add(line.key_sha256)
    return {name: sorted(keys) for name, keys in found.items()}


def _authority_facts(authority: Authority) -> dict[str, Any]:
    described = x509.describe(authority.certificate)
    return {
        "name": authority.name,
        "generation": authority.generation,
        **{name: described[name] for name in ("sha256", "subject", "not_after", "pem")},
        "crl": _crl_facts(authority.crls) if authority.crls else None,
    }


def _crl_facts(crls: Sequence[Crl]) -> dict[str, Any]:
    """The revocation lists of one CA as one: they end when the first does."""
    return {
        "number": crls[0].number,
        "next_update": x509.timestamp(min(crl.next_update for crl in crls)),
        "length": sum(len(crl.serials) for crl in crls),
        "pem": "".join(crl.pem for crl in crls),
    }
