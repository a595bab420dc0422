# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles: a person's key, certificate and CA in one file, which browsers and desktop programs import.

Who needs one, under which protection the person's programs read it, and its bytes.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils import keystore, x509
from ansible_collections.mutual.tls.plugins.module_utils.entries import PrivateKeyEntry, SigningKey
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError


@dataclass(frozen=True)
class Reader:
    """A program, or the part of an operating system, that imports bundles."""

    #: As people know it.
    title: str
    #: The profile of PKCS#12 that every release of it opens.
    profile: str
    #: Why not the default one.
    reason: str = ""


_OLD_IMPORTER = "its importer knows the MAC and the ciphers of PKCS#12 from before 2016 only, and calls a right password wrong"

READERS: Mapping[str, Reader] = {
    "windows": Reader("Windows 10 (1709) and newer, Windows Server 2019 and newer", "default"),
    "windows_old": Reader("Windows before 10 (1709), Windows Server 2016 and older", "java8", _OLD_IMPORTER),
    "firefox": Reader("Firefox, on any system", "default"),
    "linux": Reader("Chrome and Chromium on Linux", "default"),
    "android": Reader("Android 14 and newer", "default"),
    "android_old": Reader("Android before 14", "java8", _OLD_IMPORTER),
    "macos": Reader("macOS, with Safari and Chrome", "java8", "releases that are still in use refuse AES and SHA-256 in PKCS#12"),
    "ios": Reader("iPhone and iPad", "java8", "releases that are still in use refuse AES and SHA-256 in PKCS#12"),
    "java": Reader("Java 8u301, 11.0.12 and newer", "default"),
    "java_old": Reader("Java 8 before 8u301", "java8", _OLD_IMPORTER),
}

#: The formats of bundles, and how their files' names end.
SUFFIXES = {"pkcs12": "p12", "jks": "jks"}
KINDS = ("browser", "desktop")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")


@dataclass(frozen=True)
class Person:
    """Somebody, or somebody's desktop program, that is to have a bundle."""

    name: str
    #: ``browser`` or ``desktop``: what imports the bundle.
    kind: str
    subject: str
    subject_alt_name: tuple[str, ...]
    valid_for: datetime.timedelta
    #: One that ends sooner is told of.
    renew_before: datetime.timedelta
    key_type: str
    #: Names in READERS; empty where any program may come.
    readers: tuple[str, ...] = ()
    #: Names in SUFFIXES.
    formats: tuple[str, ...] = ("pkcs12",)

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Person:
        """The person in an action's options; raises InputError for what cannot be carried out."""
        name = options["name"]
        if not is_name(name):
            raise InputError(
                f"'{name}' in mtls_clients names files and goes into a certificate: up to 64 letters, digits and . _ @ + -, the first a "
                "letter or a digit."
            )
        person = cls(
            name,
            options["kind"],
            options["subject"] or f"CN={x509.escaped(name)}",
            tuple(options["subject_alt_name"]),
            x509.parse_duration(options["valid_for"], f"valid_for of '{name}'"),
            x509.parse_duration(options["renew_before"], f"renew_before of '{name}'"),
            options["key_type"],
            tuple(options["readers"]),
            tuple(options["formats"]),
        )
        x509.parse_name(person.subject)
        x509.parse_alternative_names(person.subject_alt_name)
        if not person.formats:
            raise InputError(f"'formats' of '{name}' is empty: a bundle is in one of {', '.join(SUFFIXES)}, or in both.")
        if person.renew_before >= person.valid_for:
            raise InputError(
                f"'renew_before' of '{name}' is not shorter than its 'valid_for': every bundle would be told of as ending soon."
            )
        return person

    @property
    def profile(self) -> str:
        """The profile of PKCS#12 that all of the person's readers open. The password makes up for the older one's cipher."""
        readers = [READERS[name] for name in self.readers or READERS]
        return next((reader.profile for reader in readers if reader.profile != "default"), "default")

    def file_names(self) -> list[str]:
        """What the bundle's files are called."""
        return [f"{self.name}.{SUFFIXES[each]}" for each in self.formats]


def is_name(name: str) -> bool:
    """Whether somebody may be called that: the name is a part of files' names."""
    return _NAME.fullmatch(name) is not None


def reason_to_issue(certificates: Sequence[Mapping[str, Any]], generation: int, *, again: bool = False) -> str | None:
    """Why somebody who holds *certificates* (as the module authority_info returns them, the oldest first) is to get a bundle; or None.

    Whoever was revoked gets another one only when somebody asks for it (*again*).
    """
    if again:
        return "another one is asked for"
    if is_revoked(certificates):
        return None
    if any(each["state"] == "pending" for each in certificates):
        return "nobody knows whether the password of the one before was told"
    if holds(certificates, generation):
        return None
    if any(each["state"] == "issued" for each in certificates):
        return f"an older generation of the CA than {generation} signed for it"
    return "it has expired" if any(each["state"] == "expired" for each in certificates) else "there is none yet"


def holds(certificates: Sequence[Mapping[str, Any]], generation: int) -> bool:
    """Whether one of these is valid, and signed by the CA of that generation or a newer one."""
    return any(each["state"] == "issued" and int(each["generation"]) >= generation for each in certificates)


def is_revoked(certificates: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the last certificate that the holder had was revoked, and not only because another one took its place."""
    had = [each for each in certificates if each["state"] not in ("pending", "superseded")]
    # Somebody may be revoked with the reason that a new certificate has, too; then nothing of theirs is left.
    kept = [each for each in had if each["reason"] != "superseded"] or had
    return bool(kept) and kept[-1]["state"] == "revoked"


def notes(person: Person, certificates: Sequence[Mapping[str, Any]], now: datetime.datetime) -> Iterable[str]:
    """What the operator should know of somebody's bundle, a sentence each."""
    again = f"mutual.tls.issue_client -e client={person.name}"
    if is_revoked(certificates):
        yield f"'{person.name}' is revoked, and gets no new bundle by itself: {again} makes one"
    soon = x509.timestamp(now + person.renew_before)
    for each in certificates:
        if each["state"] == "issued" and each["not_after"] <= soon:
            yield f"the bundle of '{person.name}' ends on {each['not_after']}: {again} makes another"


def bundle(person: Person, key: SigningKey, chain: Sequence[bytes], password: str, *, alias: str, store_format: str) -> bytes:
    """The bytes of a bundle: *key* with its *chain* (DER, leaf first) under *alias*, which people see in their programs.

    Raises StoreError when it would not be read back as it is.
    """
    store = keystore.Store.empty().put(PrivateKeyEntry(alias.lower(), x509.to_pkcs8(key), tuple(chain)))
    data = keystore.serialize_store(store, password, store_format=store_format, profile=person.profile)
    keystore.verified(store, data, password)
    return data
