# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates and keys of browsers on Linux: the databases of NSS, by its own programs certutil and pk12util.

Chromium and Chrome read one database of their user's, Firefox one in each profile. A database knows a certificate by a nickname, which all
certificates of one subject share; so what is replaced is told by fingerprints. What nobody must see is handed over in memory.
"""

from __future__ import annotations

import configparser
import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ansible_collections.mutual.tls.plugins.module_utils import keystore, programs, x509
from ansible_collections.mutual.tls.plugins.module_utils.crypto import NameOID, ec, rsa, serialization
from ansible_collections.mutual.tls.plugins.module_utils.crypto import x509 as crypto_x509
from ansible_collections.mutual.tls.plugins.module_utils.entries import PrivateKeyEntry
from ansible_collections.mutual.tls.plugins.module_utils.errors import DependencyError, InputError, PeerError, TrustError
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import without_generation

#: Chromium's and Chrome's, below the user's home; the first is made where there is none.
CHROMIUM = (".pki/nssdb", ".local/share/pki/nssdb", "snap/chromium/current/.pki/nssdb")
#: Where Firefox has its list of profiles: of the distribution, of the same from release 147 on (XDG), of snap and of Flatpak.
FIREFOX = (
    ".mozilla/firefox",
    ".config/mozilla/firefox",
    "snap/firefox/common/.mozilla/firefox",
    ".var/app/org.mozilla.firefox/.mozilla/firefox",
)
#: A line of `certutil -L`; the heading says SSL,S/MIME,JAR/XPI there.
_LISTED = re.compile(r"^(?P<nickname>\S.*?)\s+(?P<trust>[a-zA-Z]*,[a-zA-Z]*,[a-zA-Z]*)\s*$")
_KEY = re.compile(r"^<\s*\d+>\s+\S+\s+(?P<id>[0-9a-f]{40})\b")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True)
class Held:
    """A certificate (DER) in a database."""

    nickname: str
    certificate: bytes
    #: As certutil shows it, such as ``C,,`` or ``u,u,u``; of several certificates with one nickname, that of the first.
    trust: str


@dataclass(frozen=True)
class Wanted:
    """What a browser is to have."""

    identity: PrivateKeyEntry
    #: What people see in their browser.
    nickname: str
    #: Certificates (DER) of those to trust, by a name.
    trusted: tuple[tuple[str, bytes], ...] = ()

    @property
    def prefix(self) -> str:
        """What the nicknames of trusted certificates begin with that are ours to remove. Another system's have another one."""
        return f"({self.nickname}) "


@dataclass
class Database:
    """One database of NSS, such as Chromium's or that of one profile of Firefox."""

    #: Its directory.
    path: str
    #: What opens its keys; empty where nothing is asked for.
    password: str = field(default="", repr=False)
    run: programs.Run = programs.run_program

    def exists(self) -> bool:
        """Whether there is one."""
        return os.path.exists(os.path.join(self.path, "cert9.db"))

    def create(self) -> None:
        """Make an empty one that asks for no password."""
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        self._certutil("-N", "--empty-password")

    def certificates(self) -> list[Held]:
        """All certificates in it, but for those that NSS brings itself."""
        listed = [match for match in map(_LISTED.match, self._certutil("-L").splitlines()) if match]
        found: dict[bytes, Held] = {}
        for nickname, trust in {match["nickname"]: match["trust"] for match in reversed(listed)}.items():
            for pem in _PEM.findall(self._certutil("-L", "-a", "-n", nickname)):
                with contextlib.suppress(TrustError):
                    certificate = x509.pem_to_der(pem, nickname)[0]
                    found.setdefault(certificate, Held(nickname, certificate, trust))
        return list(found.values())

    def keys(self) -> set[str]:
        """The identifiers of its keys, see ``key_id``."""
        code, out, err = self._run("certutil", "-K", "-f", self._secret)
        if code != 0 and "no keys found" not in out + err:
            raise self._failure("certutil -K", out, err)
        return {match["id"] for match in map(_KEY.match, out.splitlines()) if match}

    def install(self, wanted: Wanted) -> None:
        """Take in an identity."""
        password = secrets.token_hex(16)
        store = keystore.Store.empty().put(PrivateKeyEntry(wanted.nickname.lower(), wanted.identity.pkcs8, wanted.identity.chain))
        bundle = keystore.serialize_store(store, password, store_format="pkcs12", profile="default")
        self._check(self._run("pk12util", "-i", bundle, "-w", password.encode("ascii"), "-k", self._secret), "pk12util -i")

    def remove(self, gone: Sequence[Held], *, with_keys: bool) -> None:
        """Take out certificates, with their keys."""
        # Several certificates may be of one key, and one may have lost its own when a run died.
        for key in {key_id(held.certificate) for held in gone} & self.keys() if with_keys else ():
            self._check(self._run("certutil", "-F", "-k", str(key), "-f", self._secret), "certutil -F")
        certificates = {held.certificate for held in gone}
        for nickname in {held.nickname for held in gone}:
            # Others may have it, too: then what is left of these stays, without its key, and is presented to nobody.
            while left := [each for each in self.certificates() if each.nickname == nickname]:
                if not certificates.issuperset(each.certificate for each in left):
                    break
                self._certutil("-D", "-n", nickname, "-f", self._secret)

    def trust(self, nickname: str, certificate: bytes) -> None:
        """Trust a CA for servers; or a server's own certificate."""
        self._certutil("-A", "-n", nickname, "-t", flags(certificate), "-a", "-f", self._secret, stdin=x509.der_to_pem(certificate))

    @property
    def _secret(self) -> bytes:
        return self.password.encode("utf-8") + b"\n"

    def _certutil(self, verb: str, *arguments: str | bytes, stdin: str | None = None) -> str:
        done = self._run("certutil", verb, *arguments, stdin=stdin)
        self._check(done, f"certutil {verb}")
        return done[1]

    def _run(self, program: str, *arguments: str | bytes, stdin: str | None = None) -> tuple[int, str, str]:
        try:
            return programs.started(self.run, [program, "-d", f"sql:{self.path}", *arguments], stdin, 60)
        except DependencyError as error:
            raise DependencyError(f"{error} It comes with the package libnss3-tools (Debian) or nss-tools (Fedora).") from None

    def _check(self, done: tuple[int, str, str], what: str) -> None:
        if done[0] != 0:
            raise self._failure(what, *done[1:])

    def _failure(self, what: str, out: str, err: str) -> PeerError:
        said = programs.words(err, out)
        remedy = "give its password (database_password)" if "BAD_PASSWORD" in said else "see whether its user may write it"
        return PeerError(f"The database {self.path} is not as it should be: '{what}' failed, {remedy}. It said: {said}", path=self.path)


def converge(database: Database, wanted: Wanted, *, check: bool = False) -> list[tuple[str, str, str]]:
    """Bring a database to what is *wanted*; what changed: entry, action, reason."""
    there = database.exists()
    changes = [] if there else [(database.path, "create", "there is none")]
    if not there and not check:
        database.create()
    # Before anything is changed: a password that is wrong shows here.
    keys = database.keys() if there else set()
    held = database.certificates() if there else []
    changes.extend(_converge_trust(database, held, wanted.prefix, wanted.trusted, check))
    changes.extend(_converge_identity(database, held, keys, wanted, check))
    return changes


def forget(database: Database, wanted: Wanted, *, check: bool = False) -> list[tuple[str, str, str]]:
    """Take out an identity, all that it took the place of, and the trusted certificates that are ours."""
    if not database.exists():
        return []
    keys, held = database.keys(), database.certificates()
    own = [each for each in held if _is_of(each.certificate, wanted.identity.chain[0]) and _counts(each, held, keys)]
    changes = [(each.nickname, "remove", f"sha256 {x509.sha256(each.certificate)} is to be there no more") for each in own]
    if own and not check:
        database.remove(own, with_keys=True)
    return [*changes, *_converge_trust(database, held, wanted.prefix, (), check)]


def _converge_identity(
    database: Database, held: Sequence[Held], keys: set[str], wanted: Wanted, check: bool
) -> Iterator[tuple[str, str, str]]:
    leaf = wanted.identity.chain[0]
    own = [each for each in held if _is_of(each.certificate, leaf) and _counts(each, held, keys)]
    former = [each for each in own if each.certificate != leaf]
    for each in former:
        yield each.nickname, "remove", f"sha256 {x509.sha256(each.certificate)} is another one than the keystore's"
    # All that share a nickname: there is no other way to tell one of them to certutil.
    if former and not check:
        database.remove(own, with_keys=True)
    if former or not own or key_id(leaf) not in keys:
        yield wanted.nickname, "install", f"sha256 {x509.sha256(leaf)} {'takes its place' if former else 'is not there with its key'}"
        if not check:
            database.install(wanted)


def _counts(one: Held, held: Sequence[Held], keys: set[str]) -> bool:
    """Whether a certificate can be presented, or at least be removed: not where it has no key, and somebody else's its nickname."""
    if key_id(one.certificate) in keys:
        return True
    return all(_is_of(each.certificate, one.certificate) for each in held if each.nickname == one.nickname)


def _converge_trust(
    database: Database, held: Sequence[Held], prefix: str, trusted: Sequence[tuple[str, bytes]], check: bool
) -> Iterator[tuple[str, str, str]]:
    certificates = {certificate for _name, certificate in trusted}
    gone = [each for each in held if each.nickname.startswith(prefix) and each.certificate not in certificates]
    for each in gone:
        yield each.nickname, "distrust", f"sha256 {x509.sha256(each.certificate)} is trusted no more"
    if gone and not check:
        database.remove(gone, with_keys=False)
    known = {each.certificate: each.trust for each in held}
    for name, certificate in trusted:
        if not known.get(certificate, "").startswith(flags(certificate)[:1]):
            yield f"{prefix}{name}", "trust", f"sha256 {x509.sha256(certificate)} is not trusted for servers"
            if not check:
                database.trust(f"{prefix}{name}", certificate)


def flags(certificate: bytes) -> str:
    """How NSS is to trust a certificate: as a CA for servers, or as a server's own."""
    return "C,," if x509.what_makes_a_ca(certificate) is not None else "P,,"


def key_id(certificate: bytes) -> str:
    """What NSS calls the certificate's key: the SHA-1 of the point of an EC key, or of the modulus of an RSA key, hexadecimal."""
    key = x509.load_certificate(certificate).public_key()
    if isinstance(key, rsa.RSAPublicKey):
        modulus = key.public_numbers().n
        content = modulus.to_bytes((modulus.bit_length() + 7) // 8, "big")
    elif isinstance(key, ec.EllipticCurvePublicKey):
        content = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    else:
        content = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha1(content).hexdigest()  # noqa: S324  # it names a key, and protects nothing


def _is_of(certificate: bytes, present: bytes) -> bool:
    """Whether a certificate is one that *present* took the place of, or that itself: of the same key, or of the same subject, in whatever
    generation, by a CA of the same name.

    The name, not the subject: a CA that took another's place has a subject of its own.
    """
    if certificate == present:
        return True
    try:
        one, other = x509.load_certificate(certificate), x509.load_certificate(present)
    except TrustError:
        return False
    if x509.public_key_of(certificate) == x509.public_key_of(present):
        return True
    own, others = (without_generation(x509.format_name(each.subject)) for each in (one, other))
    return own == others and _common_names(one.issuer) == _common_names(other.issuer)


def _common_names(name: crypto_x509.Name) -> list[str]:
    return [str(each.value) for each in name.get_attributes_for_oid(NameOID.COMMON_NAME)]


def databases(home: str) -> list[str]:
    """The databases of a user's browsers: Chromium's, one of which is made where there is none, and those of Firefox's profiles."""
    chromium = [os.path.join(home, each) for each in CHROMIUM if os.path.exists(os.path.join(home, each, "cert9.db"))]
    return [*(chromium or [os.path.join(home, CHROMIUM[0])]), *_profiles(home)]


def _profiles(home: str) -> Iterator[str]:
    for folder in (os.path.join(home, each) for each in FIREFOX):
        listed = configparser.RawConfigParser()
        try:
            listed.read(os.path.join(folder, "profiles.ini"), encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            raise InputError(f"{folder}/profiles.ini cannot be read: {error}. Start Firefox once, which mends it.") from error
        for name in listed.sections():
            path = listed.get(name, "Path", fallback="")
            if name.startswith("Profile") and path:
                directory = os.path.join(folder, path) if listed.get(name, "IsRelative", fallback="1") == "1" else path
                if os.path.exists(os.path.join(directory, "cert9.db")):
                    yield directory
