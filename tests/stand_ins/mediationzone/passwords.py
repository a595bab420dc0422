# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`mzsh encryptpassword` and its inverse: opaque text, different each time, under the installation's built-in default key."""

from __future__ import annotations

import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PREFIX = "DR-4-"
NONCE_LENGTH = 12
# The product has a built-in default key too. This one protects nothing: it only makes encrypted and plain values different things.
DEFAULT_KEY = hashlib.sha256(b"mediationzone stand-in: the default key").digest()


class PasswordError(Exception):
    """A property does not hold an encrypted password."""


def encrypt(password: str) -> str:
    nonce = os.urandom(NONCE_LENGTH)
    return PREFIX + (nonce + AESGCM(DEFAULT_KEY).encrypt(nonce, password.encode(), None)).hex().upper()


def decrypt(value: str, name: str) -> str:
    """The password in a property value. Raises PasswordError with the property's name, never with its value."""
    if not value.startswith(PREFIX):
        raise PasswordError(f"{name} is not encrypted; make its value with 'mzsh encryptpassword'")
    try:
        sealed = bytes.fromhex(value[len(PREFIX) :])
        return AESGCM(DEFAULT_KEY).decrypt(sealed[:NONCE_LENGTH], sealed[NONCE_LENGTH:], None).decode()
    except (ValueError, InvalidTag) as error:
        raise PasswordError(f"{name} cannot be decrypted") from error
