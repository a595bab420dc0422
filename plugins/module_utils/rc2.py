# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RC2 decryption (RFC 2268) in CBC mode: old Java and old openssl encrypt all certificates of a store with it.

The ``cryptography`` package has RC2 only in new versions, and only where OpenSSL's legacy provider is installed; nothing
should be encrypted with it anew. So it is here in plain Python, for reading.

Decrypting a block in CBC mode needs no other plaintext, so many are decrypted at once: a word of each block lies in a lane
of 32 bits of one large integer, whose arithmetic Python does in C. That is twenty times as fast as block after block.
"""

from __future__ import annotations

from collections.abc import Sequence

BLOCK = 8

_LANE = 4
#: Blocks decrypted at once: enough to make the interpreter's own time small, few enough for the processor's caches.
_AT_ONCE = 2048

#: A permutation of the bytes, made from the digits of pi (RFC 2268 section 2).
_PITABLE = bytes.fromhex(
    "d978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2"
    "179a59f587b34f1361456d8d09817d32bd8f40eb86b77b0bf09521225c6b4e82"
    "54d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb626"
    "6fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed7"
    "08e8eade8052eef784aa72ac354d6a2a961ad2715a1549744b9fd05e0418a4ec"
    "c2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731"
    "2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a9"
    "0d38341bab33ffb0bb480c5fb9b1cd2ec5f3db47e5a59c770aa62068fe7fc1ad"
)


def decrypt_cbc(key: bytes, effective_bits: int, iv: bytes, ciphertext: bytes) -> bytes:
    """The plaintext of whole blocks, padding and all. *key* has 1 to 128 bytes, of which *effective_bits* count."""
    if len(iv) != BLOCK or len(ciphertext) % BLOCK:
        raise ValueError("an RC2 ciphertext consists of whole blocks, and its initialisation vector is one")
    words = _expand(key, effective_bits)
    plaintext = bytearray(len(ciphertext))
    size = _AT_ONCE * BLOCK
    previous = iv
    for start in range(0, len(ciphertext), size):
        blocks = ciphertext[start : start + size]
        before = previous + blocks[:-BLOCK]
        mixed = int.from_bytes(_decrypt_blocks(words, blocks), "little") ^ int.from_bytes(before, "little")
        plaintext[start : start + len(blocks)] = mixed.to_bytes(len(blocks), "little")
        previous = blocks[-BLOCK:]
    return bytes(plaintext)


def _expand(key: bytes, effective_bits: int) -> list[int]:
    """The 64 words of the expanded key (section 2)."""
    octets = bytearray(key)
    for position in range(len(key), 128):
        octets.append(_PITABLE[octets[position - 1] + octets[position - len(key)] & 0xFF])
    effective = (effective_bits + 7) // 8
    octets[128 - effective] = _PITABLE[octets[128 - effective] & 0xFF >> 8 * effective - effective_bits]
    for position in range(127 - effective, -1, -1):
        octets[position] = _PITABLE[octets[position + 1] ^ octets[position + effective]]
    return [octets[position] | octets[position + 1] << 8 for position in range(0, 128, 2)]


def _decrypt_blocks(words: Sequence[int], blocks: bytes) -> bytearray:
    """Each block decrypted by itself (section 4): five mixing rounds, a mashing one, six, a mashing one, five."""
    count = len(blocks) // BLOCK
    ones = int.from_bytes(b"\1\0\0\0" * count, "little")
    full = 0xFFFF * ones
    r = [_gather(blocks, position, count) for position in range(4)]
    table = _lookup_table(words)
    for number in range(15, -1, -1):
        for i, shift in ((3, 5), (2, 3), (1, 2), (0, 1)):
            word = r[i]
            rotated = (word | word << 16) >> shift & full
            above, other, third = r[i - 1], r[i - 2], r[i - 3]
            chosen = third ^ above & (other ^ third)  # the bits of *other* where *above* has ones, else of *third*
            # What is added, 2 to the 17th less the key word, keeps a lane from borrowing of the next one.
            r[i] = rotated + (0x20000 - words[4 * number + i]) * ones - chosen & full
        if number in (11, 5):
            for i in (3, 2, 1, 0):
                found = _look_up(table, r[i - 1], ones, count)
                r[i] = r[i] + (ones << 16) - found & full
    return _scatter(r, count)


def _gather(blocks: bytes, position: int, count: int) -> int:
    """One word of each block, little-endian, each in its lane."""
    lanes = bytearray(_LANE * count)
    lanes[0::_LANE] = blocks[2 * position :: BLOCK]
    lanes[1::_LANE] = blocks[2 * position + 1 :: BLOCK]
    return int.from_bytes(lanes, "little")


def _scatter(r: Sequence[int], count: int) -> bytearray:
    """The blocks whose words lie in the lanes."""
    blocks = bytearray(BLOCK * count)
    for position, word in enumerate(r):
        lanes = word.to_bytes(_LANE * count, "little")
        blocks[2 * position :: BLOCK] = lanes[0::_LANE]
        blocks[2 * position + 1 :: BLOCK] = lanes[1::_LANE]
    return blocks


def _lookup_table(words: Sequence[int]) -> bytes:
    """For bytes.translate(): from n to the low byte of key word n, from 64 + n to its high byte, else to 0."""
    return bytes(word & 0xFF for word in words) + bytes(word >> 8 for word in words) + bytes(128)


def _look_up(table: bytes, index: int, ones: int, count: int) -> int:
    """In each lane the key word that the low six bits of *index* number."""
    marked = (index & 0x3F * ones) * 0x101 | 0x80804000 * ones
    return int.from_bytes(marked.to_bytes(_LANE * count, "little").translate(table), "little")
