# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RC2 for reading: openssl's legacy provider encrypts what is decrypted here, and says what is right."""

from __future__ import annotations

import base64
import os

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mutual.tls.plugins.module_utils import rc2

from .factory import openssl
from .vectors import cryptography_file

pytestmark = pytest.mark.codec

PROVIDERS = ("-provider", "legacy", "-provider", "default")
#: openssl's name and the key's length in bytes, all of whose bits are effective.
CIPHERS = [pytest.param("rc2-40-cbc", 5, id="40"), pytest.param("rc2-64-cbc", 8, id="64"), pytest.param("rc2-cbc", 16, id="128")]


def encrypted(cipher: str, key: bytes, iv: bytes, plaintext: bytes) -> bytes:
    """What openssl makes of whole blocks."""
    if "OpenSSL Legacy Provider" not in openssl("list", "-providers", *PROVIDERS, check=False):
        pytest.skip("openssl's legacy provider is not installed, which judges RC2 here")
    asked = ("enc", f"-{cipher}", *PROVIDERS, "-K", key.hex(), "-iv", iv.hex(), "-nopad", "-a", "-A")
    return base64.b64decode(openssl(*asked, stdin=plaintext), validate=True)


@pytest.mark.parametrize(("cipher", "length"), CIPHERS)
@pytest.mark.parametrize("blocks", [1, 2, rc2._AT_ONCE, rc2._AT_ONCE + 1, 3 * rc2._AT_ONCE - 1])
def test_what_openssl_encrypts_is_decrypted(cipher: str, length: int, blocks: int) -> None:
    key, iv, plaintext = os.urandom(length), os.urandom(8), os.urandom(8 * blocks)
    assert rc2.decrypt_cbc(key, 8 * length, iv, encrypted(cipher, key, iv, plaintext)) == plaintext


def test_what_cryptography_tests_itself_with_is_decrypted() -> None:
    """Its one file for RC2, with 128 bits."""
    lines = cryptography_file("ciphers/RC2/rc2-cbc.txt").decode().splitlines()
    said = dict(line.strip().lower().split(" = ") for line in lines if " = " in line)
    assert said["count"] == "0"
    key, iv, plaintext, ciphertext = (bytes.fromhex(said[name]) for name in ("key", "iv", "plaintext", "ciphertext"))
    assert rc2.decrypt_cbc(key, 128, iv, ciphertext) == plaintext
    assert rc2.decrypt_cbc(key, 64, iv, ciphertext) != plaintext


@pytest.mark.parametrize(("cipher", "length"), CIPHERS)
@pytest.mark.parametrize("octet", [b"\0", b"\xff"])
def test_no_word_borrows_of_its_neighbours(cipher: str, length: int, octet: bytes) -> None:
    """Blocks lie side by side in one number: all ones and all zeros would run over first."""
    for ciphertext in (b"\0" * 24 + b"\xff" * 24, (b"\xff\xff\0\0" * 2 + b"\0\0\xff\xff" * 2) * 3):
        key, iv = octet * length, octet * 8
        plaintext = rc2.decrypt_cbc(key, 8 * length, iv, ciphertext)
        assert encrypted(cipher, key, iv, plaintext) == ciphertext


def test_another_key_vector_or_strength_gives_another_plaintext() -> None:
    key, iv, plaintext = bytes(range(16)), bytes(8), b"sixteen letters."
    ciphertext = encrypted("rc2-cbc", key, iv, plaintext)
    assert rc2.decrypt_cbc(key, 128, iv, ciphertext) == plaintext
    assert rc2.decrypt_cbc(key[::-1], 128, iv, ciphertext)[8:] != plaintext[8:]
    assert rc2.decrypt_cbc(key, 40, iv, ciphertext)[8:] != plaintext[8:]
    # The vector changes the first block only.
    assert rc2.decrypt_cbc(key, 128, b"\1" * 8, ciphertext) == bytes(each ^ 1 for each in plaintext[:8]) + plaintext[8:]


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8), st.binary(max_size=200))
def test_cryptography_decrypts_the_same(key: bytes, iv: bytes, octets: bytes) -> None:
    """New versions have RC2 too, with 128 bits."""
    decrepit = pytest.importorskip(
        "cryptography.hazmat.decrepit.ciphers.algorithms", reason="this cryptography has no RC2, which judges here"
    )
    ciphertext = octets[: len(octets) // 8 * 8]
    decryptor = Cipher(decrepit.RC2(key), modes.CBC(iv)).decryptor()
    assert rc2.decrypt_cbc(key, 128, iv, ciphertext) == decryptor.update(ciphertext) + decryptor.finalize()


@pytest.mark.parametrize(("iv", "ciphertext"), [(bytes(7), bytes(8)), (bytes(16), bytes(8)), (bytes(8), bytes(7))])
def test_only_whole_blocks_are_decrypted(iv: bytes, ciphertext: bytes) -> None:
    with pytest.raises(ValueError, match="^an RC2 ciphertext consists of whole blocks, and its initialisation vector is one$"):
        rc2.decrypt_cbc(bytes(16), 128, iv, ciphertext)
