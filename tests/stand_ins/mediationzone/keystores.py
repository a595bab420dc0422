# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a Java keystore as the product would see it: through keytool where there is one, else through `cryptography`."""

from __future__ import annotations

import os
import re
import secrets
import ssl
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
# Less time for a JVM that lives a moment; English, because its output is parsed.
JVM = ("-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC", "-J-Duser.language=en", "-J-Duser.country=US")


class StoreError(Exception):
    """A keystore cannot be used; the text says which and why."""


@dataclass(frozen=True)
class Store:
    """What Java sees in a keystore. Aliases are lower-case; certificates are PEM; a chain begins with the key's own certificate."""

    path: str
    password: str
    keys: dict[str, tuple[str, ...]]
    trusted: dict[str, str]

    def anchors(self) -> list[str]:
        """What Java's TrustManagerFactory trusts: trusted entries, and the leaf of each key entry."""
        return list(dict.fromkeys([*self.trusted.values(), *(chain[0] for chain in self.keys.values())]))

    def choose(self, alias: str | None) -> str:
        """The alias of the key to present. Raises StoreError when it is missing or not decided."""
        if not self.keys:
            raise StoreError(f"{self.path} holds no private key")
        if alias:
            if alias.lower() not in self.keys:
                raise StoreError(f"{self.path} has no private key under the alias '{alias}'; it has: {', '.join(sorted(self.keys))}")
            return alias.lower()
        if len(self.keys) > 1:
            raise StoreError(f"{self.path} has {len(self.keys)} private keys and no alias is set, so which one is used is undefined")
        return next(iter(self.keys))


def keytool() -> str | None:
    """The keytool of MZ_KEYTOOL or JAVA_HOME."""
    named = os.environ.get("MZ_KEYTOOL")
    if named:
        return named
    found = Path(os.environ.get("JAVA_HOME") or "/nonexistent") / "bin" / "keytool"
    return str(found) if os.access(found, os.X_OK) else None


def read_store(path: str, password: str) -> Store:
    """Raises StoreError when the file is missing, damaged or has another password."""
    try:
        Path(path).read_bytes()
    except OSError as error:
        raise StoreError(f"cannot read the keystore {path}: {error.strerror}") from error
    tool = keytool()
    return _read_with_keytool(tool, path, password) if tool else _read_with_cryptography(path, password)


def _run_keytool(arguments: list[str], path: str, passwords: dict[str, str]) -> str:
    """Passwords travel in the environment: a command line can be read by everybody."""
    command = [*arguments, *JVM]
    done = subprocess.run(command, env={**os.environ, **passwords}, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        reason = (done.stdout + done.stderr).strip().splitlines() or ["no message"]
        raise StoreError(f"cannot read the keystore {path}: {reason[-1]}")
    return done.stdout


def _read_with_keytool(tool: str, path: str, password: str) -> Store:
    listing = _run_keytool([tool, "-list", "-rfc", "-keystore", path, "-storepass:env", "MZ_STORE"], path, {"MZ_STORE": password})
    keys: dict[str, tuple[str, ...]] = {}
    trusted: dict[str, str] = {}
    for entry in re.split(r"^Alias name: ", listing, flags=re.MULTILINE)[1:]:
        alias = entry.splitlines()[0].strip()
        kind = re.search(r"^Entry type: (\w+)", entry, re.MULTILINE)
        certificates = [_normal(pem) for pem in CERTIFICATE.findall(entry)]
        if kind and kind[1] == "PrivateKeyEntry" and certificates:
            keys[alias] = tuple(certificates)
        elif kind and kind[1] == "trustedCertEntry" and certificates:
            trusted[alias] = certificates[0]
    return Store(path, password, keys, trusted)


def _read_with_cryptography(path: str, password: str) -> Store:
    """Without Java's own reader: named certificates outside the key's chain count as trusted entries."""
    try:
        loaded = pkcs12.load_pkcs12(Path(path).read_bytes(), password.encode())
    except ValueError as error:
        raise StoreError(f"cannot read the keystore {path}: {error}") from error
    chain: list[x509.Certificate] = []
    others = [extra.certificate for extra in loaded.additional_certs]
    if loaded.key is not None and loaded.cert is not None:
        chain = [loaded.cert.certificate]
        while chain[-1].issuer != chain[-1].subject:
            issuers = [other for other in others if other.subject == chain[-1].issuer and other not in chain]
            if not issuers:
                break
            chain.append(issuers[0])
    trusted: dict[str, str] = {}
    for number, extra in enumerate(loaded.additional_certs):
        if extra.friendly_name and extra.certificate not in chain:
            alias = extra.friendly_name.decode("utf-8", "replace").lower()
            trusted[alias if alias not in trusted else f"{alias} {number}"] = _pem(extra.certificate)
    keys: dict[str, tuple[str, ...]] = {}
    if chain and loaded.cert is not None:
        name = loaded.cert.friendly_name or b"1"
        keys[name.decode("utf-8", "replace").lower()] = tuple(_pem(certificate) for certificate in chain)
    return Store(path, password, keys, trusted)


def private_key(store: Store, alias: str, key_password: str, passphrase: bytes) -> bytes:
    """The private key of one entry as PEM, encrypted under `passphrase`. Raises StoreError."""
    data = Path(store.path).read_bytes()
    key = _matching_key(data, store.password, store.keys[alias][0])
    if key is not None:
        if key_password != store.password:
            raise StoreError(f"{store.path}: the key password is not the store password; a PKCS#12 keystore has one password for both")
    else:
        key = _extracted_key(store, alias, key_password)
    return key.private_bytes(  # type: ignore[no-any-return]
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(passphrase)
    )


def _matching_key(data: bytes, password: str, leaf: str):  # type: ignore[no-untyped-def]
    """The key of a PKCS#12 file when it belongs to the certificate; None when it does not, or when the file is a JKS."""
    try:
        key, certificate, _others = pkcs12.load_key_and_certificates(data, password.encode())
    except ValueError:
        return None
    return key if key is not None and certificate is not None and _pem(certificate) == leaf else None


def _extracted_key(store: Store, alias: str, key_password: str):  # type: ignore[no-untyped-def]
    """One key of a JKS, or of a PKCS#12 with several: keytool copies it to a store of its own, under a random password."""
    tool = keytool()
    if tool is None:
        raise StoreError(f"{store.path}: the key '{alias}' can only be read with keytool; set JAVA_HOME")
    fresh = secrets.token_urlsafe(24)
    with tempfile.TemporaryDirectory(prefix="mz-") as folder:
        target = str(Path(folder) / "one.p12")
        options = ["-srckeystore", store.path, "-srcalias", alias, "-destkeystore", target, "-deststoretype", "PKCS12", "-noprompt"]
        secret = [
            "-srcstorepass:env",
            "MZ_STORE",
            "-srckeypass:env",
            "MZ_KEY",
            "-deststorepass:env",
            "MZ_NEW",
            "-destkeypass:env",
            "MZ_NEW",
        ]
        passwords = {"MZ_STORE": store.password, "MZ_KEY": key_password, "MZ_NEW": fresh}
        _run_keytool([tool, "-importkeystore", *options, *secret], store.path, passwords)
        key = _matching_key(Path(target).read_bytes(), fresh, store.keys[alias][0])
    if key is None:
        raise StoreError(f"{store.path}: the private key '{alias}' does not belong to its certificate")
    return key


def _pem(certificate: x509.Certificate) -> str:
    return ssl.DER_cert_to_PEM_cert(certificate.public_bytes(serialization.Encoding.DER))


def _normal(pem: str) -> str:
    """One spelling of a PEM block, so that blocks can be compared."""
    return ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(pem))
