# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a PKCS#12 store may be protected: profiles, each with the readers that open it.

A profile is part of what a store should be: a file with an older cipher, fewer iterations or what a profile's readers may not
know is protected anew. More iterations than a profile has are kept, whatever the algorithm was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.mutual.tls.plugins.module_utils.entries import Algorithm, Protection


@dataclass(frozen=True)
class Profile:
    """What a store is protected with, and for whom."""

    name: str
    mac: Algorithm
    #: For keys and certificates.
    cipher: Algorithm
    #: Who opens it: for people, and for the documentation.
    readers: tuple[str, ...]
    #: When to choose it.
    purpose: str

    @property
    def protection(self) -> Protection:
        """What a store is written under."""
        return Protection(self.mac, self.cipher, self.cipher)


_AES = Algorithm("PBEWithHmacSHA256AndAES_256", 10_000)
_3DES = Algorithm("PBEWithSHA1AndDESede", 50_000)

PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            "default",
            Algorithm("HmacPBESHA256", 10_000),
            _AES,
            ("Java 8u301", "Java 11.0.12", "Java 12 and newer", "OpenSSL 1.1.1 and newer"),
            "What Java 16 and newer writes by itself (sun.security.pkcs12.PKCS12KeyStore).",
        ),
        Profile(
            "java8",
            # As -Dkeystore.pkcs12.legacy, but for certificates: Java wrote them under RC2 with 40 bits, which nobody should.
            Algorithm("HmacPBESHA1", 100_000),
            _3DES,
            ("Java 8 and newer, in every release", "OpenSSL, not in FIPS mode"),
            "For readers older than those of 'default': its ciphers are weak, its password must not be.",
        ),
        Profile(
            "modern",
            # PBMAC1 (RFC 9879), under the name that Java gives it.
            Algorithm("PBEWithHmacSHA256", 10_000),
            _AES,
            ("Java 26 and newer", "OpenSSL 3.4 and newer, also in FIPS mode"),
            "Where the old MAC's key derivation is not allowed. Java up to 25 does not open it.",
        ),
    )
}


def profile_of(found: Protection) -> str:
    """The name of the profile that a file's protection fits, or ``other``."""
    return next((name for name in PROFILES if not list(misfits(name, found))), "other")


def misfits(name: str, found: Protection) -> Iterator[str]:
    """Why a file with the protection *found* is not of the profile, each as a part of a sentence.

    Certificates that are not encrypted are none: they are public, and the MAC protects them.
    """
    if found.mac is None:
        yield "it has no MAC, so nobody would notice if it were changed"
    for what, has, should in _pairs(name, found):
        if has is not None and has.name != should.name:
            yield f"its {what} {has.name} where the profile '{name}' has {should.name}"
        elif has is not None and has.iterations < should.iterations:
            yield f"its {what} {has.name} with {has.iterations} iterations where the profile '{name}' has {should.iterations}"


def to_write(name: str, found: Protection) -> Protection:
    """What to write a store under that was read with the protection *found*: the profile, with more iterations where it had them."""
    return Protection(
        *(
            should if has is None else Algorithm(should.name, max(should.iterations, has.iterations, has.most))
            for _what, has, should in _pairs(name, found)
        )
    )


def _pairs(name: str, found: Protection) -> Iterator[tuple[str, Algorithm | None, Algorithm]]:
    """What is protected, how it is, and how the profile has it."""
    profile = PROFILES[name]
    yield "MAC is", found.mac, profile.mac
    yield "keys are under", found.keys, profile.cipher
    yield "certificates are under", found.certificates, profile.cipher
