# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that a product keeps encrypted: encrypting them, and knowing later what was encrypted.

A product's encryption gives another text each time, so comparing stored texts says nothing, and decrypting them is not ours to do.
Instead a *seal* lies beside them, as one more value of the same registry or file: a salted verifier that says "these stored texts
were made of these plaintexts":

    pbkdf2-sha256$<iterations>$<salt, base64>$<mac, base64>

    key = PBKDF2-HMAC-SHA256(the plaintexts, each after its length, in the order of their names; salt; iterations)    RFC 8018, 5.2
    mac = HMAC-SHA256(key; each name and its stored text, each after its length, in the order of the names)           RFC 2104

Why beside them and not in a flag file: state is measured where the values lie. A store that was put back from a backup, edited by
hand or given another password does not match its seal, and a run that was killed between encrypting and storing leaves no seal that
holds: in every case the next run encrypts again. A seal is one for all secrets of its store, so they are renewed together.

What it exposes: who can read the seal can try passwords against it, offline. The keystore that the password opens lies on the same
host and its own MAC permits the same guesses (PKCS#12: RFC 7292, appendix B), mostly at fewer iterations than here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence

from ansible_collections.mutual.tls.plugins.module_utils import programs
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, PeerError

DEFAULT_SEAL_NAME = "mutual.tls.seal"
SCHEME = "pbkdf2-sha256"
ITERATIONS = 100_000
# A seal is read from a place that others may write to: what it may cost is bounded (5,000,000 iterations take about two seconds).
MAX_ITERATIONS = 5_000_000
SALT_LENGTH = 16
MAX_SALT_LENGTH = 64


def make(secrets: Mapping[str, str], stored: Mapping[str, str], salt: bytes | None = None, iterations: int = ITERATIONS) -> str:
    """The seal that says: *stored* (name -> text as it is stored) was made of *secrets* (name -> plaintext).

    *stored* may have more names than *secrets*; they are left out. *salt* is for tests; without it 16 random bytes are taken.
    """
    if not secrets:
        raise InputError("There is nothing to seal: no secret was given.")
    missing = sorted(set(secrets) - set(stored))
    if missing:
        raise InputError(f"A seal needs the stored text of every secret; these have none: {', '.join(missing)}.", names=missing)
    salt = os.urandom(SALT_LENGTH) if salt is None else salt
    mac = _mac(secrets, stored, salt, iterations)
    return "$".join((SCHEME, str(iterations), base64.b64encode(salt).decode("ascii"), base64.b64encode(mac).decode("ascii")))


def holds(seal: str | None, secrets: Mapping[str, str], stored: Mapping[str, str]) -> bool:
    """Whether *seal* says that *stored* was made of *secrets*. A seal that is absent, damaged or too costly does not hold."""
    if not seal or not secrets or not set(secrets) <= set(stored):
        return False
    parsed = _parse(seal)
    if parsed is None:
        return False
    iterations, salt, mac = parsed
    return hmac.compare_digest(mac, _mac(secrets, stored, salt, iterations))


def encrypt(run: programs.Run, argv: Sequence[str], secret: str, handover: str = "stdin", timeout: float = 120) -> str:
    """Have the program *argv* encrypt *secret*: the one line that it prints.

    *handover* is how the program gets it: ``stdin`` (one line; on no command line) or ``argument`` (the last one: every user of the
    host can read it while the program runs). Raises InputError for a secret that cannot be handed over so, PeerError when the
    program does not give one line that differs from the secret. No error repeats the secret.
    """
    program = " ".join(argv)
    if not secret:
        raise InputError("An empty secret cannot be encrypted.")
    if "\0" in secret or (handover == "stdin" and ("\n" in secret or "\r" in secret)):
        raise InputError(f"A secret with a line end or a NUL in it cannot be handed to '{program}'; choose another one.")
    if handover == "argument" and secret.startswith("-"):
        raise InputError(f"A secret that begins with '-' would be an option on the command line of '{program}'; hand it over on stdin.")
    if handover == "stdin":
        rc, out, err = programs.started(run, argv, secret + "\n", timeout)
    elif handover == "argument":
        rc, out, err = programs.started(run, [*argv, secret], None, timeout)
    else:
        raise InputError(f"A secret is handed over on 'stdin' or as an 'argument', not by '{handover}'.")
    if rc != 0:
        raise PeerError(
            f"'{program}' did not encrypt the secret (exit code {rc}): {programs.scrubbed(programs.words(err, out), secret)}", rc=rc
        )
    lines = [line.strip() for line in out.splitlines() if line.strip()]
    if len(lines) != 1:
        raise PeerError(f"'{program}' was to print the encrypted secret as its only line; it printed {len(lines)} lines.", rc=rc)
    if secret in lines[0]:
        raise PeerError(f"'{program}' printed the secret itself instead of its encrypted form.", rc=rc)
    return lines[0]


def _mac(secrets: Mapping[str, str], stored: Mapping[str, str], salt: bytes, iterations: int) -> bytes:
    names = sorted(secrets)
    plaintexts = b"".join(_prefixed(secrets[name]) for name in names)
    key = hashlib.pbkdf2_hmac("sha256", plaintexts, salt, iterations)
    message = b"".join(_prefixed(name) + _prefixed(stored[name]) for name in names)
    return hmac.new(key, message, hashlib.sha256).digest()


def _prefixed(text: str) -> bytes:
    """The text after its length, so that ("ab", "c") and ("a", "bc") differ."""
    encoded = text.encode("utf-8", "surrogatepass")
    return len(encoded).to_bytes(8, "big") + encoded


def _parse(seal: str) -> tuple[int, bytes, bytes] | None:
    parts = seal.split("$")
    if len(parts) != 4 or parts[0] != SCHEME:
        return None
    _scheme, count, salt_text, mac_text = parts
    if not (count.isascii() and count.isdigit() and len(count) <= len(str(MAX_ITERATIONS)) and 0 < int(count) <= MAX_ITERATIONS):
        return None
    try:
        salt, mac = base64.b64decode(salt_text, validate=True), base64.b64decode(mac_text, validate=True)
    except (binascii.Error, ValueError):
        return None
    if not 0 < len(salt) <= MAX_SALT_LENGTH or len(mac) != hashlib.sha256().digest_size:
        return None
    return int(count), salt, mac
