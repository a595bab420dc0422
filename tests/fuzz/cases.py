# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small stores of each kind, what damages them, and the rule that all keep to: a store or a clear error, soon, in little memory."""

from __future__ import annotations

import copy
import datetime
import functools
import os
import pickle
import random
import resource
import time
import warnings as python_warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ansible_collections.mutual.tls.plugins.module_utils import der, facts, jks, keystore, mac, pbe, pkcs12, rc2, warnings
from ansible_collections.mutual.tls.plugins.module_utils.derivation import IV as VECTOR
from ansible_collections.mutual.tls.plugins.module_utils.derivation import KEY, SHA1, Secret
from ansible_collections.mutual.tls.plugins.module_utils.entries import Algorithm, Contents, PrivateKeyEntry, Protection, TrustedCertEntry
from ansible_collections.mutual.tls.plugins.module_utils.errors import StoreError

from ..unit.factory import CRL_BAG, DATA, PASSWORD, SECRET_BAG, attribute, bag, cert_bag, chain_of, content, issue, key_bag, pfx, safe

CASES = int(os.environ.get("MUTUAL_TLS_FUZZ_CASES", "2000"))
SEED = os.environ.get("MUTUAL_TLS_FUZZ_SEED", "1")
SECONDS = 2.0
MEGABYTES = 200
NOW = datetime.datetime.now(datetime.timezone.utc)

LEAF, OTHER = chain_of("root", "middle", "leaf"), issue("other")
AES = Algorithm(pbe.AES_256, 1)


# --- the rule --------------------------------------------------------------------------------------------------------


class Outcome(NamedTuple):
    """What came of a file."""

    #: The kind of the error and its sentence; None of a file that was read.
    error: tuple[str, str] | None
    entries: int = 0
    remarks: int = 0
    seconds: float = 0
    megabytes: float = 0


def peak() -> float:
    """The most memory that the process ever had, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def look_at_all_of(store: keystore.Store) -> int:
    """Whatever the modules ask of a store that they have read; the number of remarks and warnings."""
    contents = store.contents
    found = {
        "path": "/store",
        "present": True,
        "mode": "0600",
        "format": store.format,
        "protection": facts._protection(contents.protection),
        "entries": [facts.entry_facts(entry) for entry in store.entries],
    }
    return len(warnings.warnings(found, NOW, remarks=(*contents.remarks, *contents.repairs)))


def check_sentence(error: StoreError, password: str = PASSWORD) -> None:
    """One line that a person can read."""
    said = str(error)
    assert said
    assert said.isprintable(), said
    assert len(said) < 400, said
    assert password not in said


def opened(data: bytes, password: str = PASSWORD) -> keystore.Store | None:
    """The rule: a store that can be looked at, or None after a clear error; within `SECONDS`."""
    begun = time.process_time()
    try:
        store = keystore.parse_store(data, password)
    except StoreError as error:
        check_sentence(error)
        store = None
    else:
        look_at_all_of(store)
    assert time.process_time() - begun < SECONDS
    return store


def measured(data: bytes, password: str = PASSWORD) -> Outcome:
    """The same in a process of its own, whose time and memory are told and not judged."""
    reader, writer = os.pipe()
    with python_warnings.catch_warnings():
        python_warnings.simplefilter("ignore", DeprecationWarning)  # the worker has threads; the child does not use them
        child = os.fork()
    if child == 0:
        os.close(reader)
        resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))  # a failure must not take the machine with it
        with os.fdopen(writer, "wb") as pipe:
            pickle.dump(_measured(data, password), pipe)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    assert answer, "the process died"
    return pickle.loads(answer)


def _measured(data: bytes, password: str) -> Outcome:
    begun, before = time.process_time(), peak()
    try:
        store = keystore.parse_store(data, password)
        found = Outcome(None, len(store.entries), look_at_all_of(store))
    except StoreError as error:
        check_sentence(error)
        found = Outcome((type(error).__name__, str(error)))
    except Exception as error:  # noqa: BLE001  (whatever it is, the test that asked says that it is wrong)
        found = Outcome((type(error).__name__, repr(error)[:1000]))
    return found._replace(seconds=time.process_time() - begun, megabytes=peak() - before)


# --- small stores of each kind ---------------------------------------------------------------------------------------


def stored(protection: Protection) -> bytes:
    entries = (
        PrivateKeyEntry("leaf", LEAF.pkcs8, LEAF.chain, 1_600_000_000_000, (attribute("1.2.3.4", der.bmp_string("kept")),)),
        TrustedCertEntry("other", OTHER.der),
    )
    return pkcs12.write(Contents(entries, Protection()), PASSWORD, protection, now=0)


def in_rc2(*bags: bytes) -> bytes:
    """A safe under RC2 with 40 bits, as old Java wrote it: only here anything is encrypted so."""
    salt = bytes(range(8))
    secret = Secret(PASSWORD)
    key = secret.pkcs12(SHA1, KEY, salt, 1, 5, "it")
    iv = secret.pkcs12(SHA1, VECTOR, salt, 1, 8, "it")
    plain = der.sequence(*bags)
    padding = 8 - len(plain) % 8
    algorithm = der.sequence(der.oid("1.2.840.113549.1.12.1.6"), der.sequence(der.octet_string(salt), der.integer(1)))
    ciphertext = rc2_encrypted(key, iv, plain + bytes([padding]) * padding)
    info = der.sequence(der.oid(DATA), algorithm, der.encode(0x80, ciphertext))
    return content("1.2.840.113549.1.7.6", der.sequence(der.integer(0), info))


def rc2_encrypted(key: bytes, iv: bytes, plaintext: bytes) -> bytes:
    """RFC 2268, section 3, block after block."""
    words = rc2._expand(key, 8 * len(key))
    done = bytearray()
    for start in range(0, len(plaintext), 8):
        block = bytes(a ^ b for a, b in zip(plaintext[start : start + 8], iv))
        r = [int.from_bytes(block[each : each + 2], "little") for each in range(0, 8, 2)]
        for number in range(16):
            for i, shift in enumerate((1, 2, 3, 5)):
                word = r[i] + words[4 * number + i] + (r[i - 1] & r[i - 2]) + (~r[i - 1] & r[i - 3]) & 0xFFFF
                r[i] = (word << shift | word >> 16 - shift) & 0xFFFF
            if number in (4, 10):
                for i in range(4):
                    r[i] = r[i] + words[r[i - 1] & 63] & 0xFFFF
        iv = b"".join(word.to_bytes(2, "little") for word in r)
        done += iv
    return bytes(done)


def bags() -> list[bytes]:
    """A bag of each kind."""
    wrapped = der.sequence(*(each for each in shrouded(LEAF.pkcs8)))
    secret = der.sequence(der.oid("1.2.840.113549.1.12.10.1.2"), der.explicit(0, der.octet_string(wrapped)))
    return [
        key_bag(LEAF.pkcs8, "leaf", b"Time 1"),
        cert_bag(LEAF.der, "leaf", b"Time 1"),
        *map(cert_bag, LEAF.above),
        cert_bag(OTHER.der, "other", trusted=True, attributes=[attribute("1.2.3.4", der.bmp_string("kept"))]),
        bag(SECRET_BAG, secret, "secret", b"Time 2"),
        bag(CRL_BAG, der.sequence(der.oid("1.2.840.113549.1.9.23.1"), der.explicit(0, der.octet_string(b"crl")))),
    ]


def shrouded(pkcs8: bytes) -> tuple[bytes, bytes]:
    algorithm, ciphertext = pbe.encrypt(pkcs8, Secret(PASSWORD), AES)
    return algorithm, der.octet_string(ciphertext)


def as_ber(data: bytes) -> bytes:
    """The same store with lengths that only its end tells, and its content in pieces."""
    parts = der.parts(data, "the store", 2, 3)
    kind, wrapped = der.parts(parts[1], "the content", 2, 2)
    octets = der.only(wrapped.values("it"), "it").content
    pieces = b"".join(der.octet_string(octets[start : start + 100]) for start in range(0, len(octets), 100))
    middle = b"\x30\x80" + kind.raw + b"\xa0\x80\x24\x80" + pieces + b"\0\0" * 3
    return b"\x30\x80" + parts[0].raw + middle + b"".join(each.raw for each in parts[2:]) + b"\0\0"


@functools.cache
def small_stores() -> dict[str, bytes]:
    desede = Algorithm(pbe.DESEDE, 1)
    jks_entries = (PrivateKeyEntry("leaf", LEAF.pkcs8, LEAF.chain[:1], 1), TrustedCertEntry("other", OTHER.der, 2))
    return {
        "default": stored(Protection(Algorithm(mac.SHA256, 1), AES, AES)),
        "java8": stored(Protection(Algorithm(mac.SHA1, 1), desede, desede)),
        "modern": stored(Protection(Algorithm(mac.PBMAC1, 1), AES, AES)),
        "rc2": pfx(safes=[safe(key_bag(LEAF.pkcs8, "leaf", b"1")), in_rc2(cert_bag(LEAF.der, "leaf", b"1"))]),
        "rc2-without-mac": pfx(safes=[safe(key_bag(LEAF.pkcs8, "leaf", b"1")), in_rc2(cert_bag(LEAF.der, "leaf", b"1"))], password=None),
        "all-bags": pfx(*bags()),
        "all-bags-without-mac": pfx(*bags(), password=None),
        "ber": as_ber(pfx(*bags())),
        "ber-without-mac": as_ber(pfx(*bags(), password=None)),
        "jks": jks.write(Contents(jks_entries, Protection()), PASSWORD, now=0),
    }


# --- what damages ----------------------------------------------------------------------------------------------------


def chance(name: str, number: int) -> random.Random:
    """The same damage for the same seed, test and case."""
    return random.Random(f"{SEED} {name} {number}")


def _slice(dice: random.Random, data: bytes) -> tuple[int, int]:
    start = dice.randrange(len(data))
    return start, min(len(data), start + dice.choice((1, 2, 4, 20, 200)))


def _flip(dice: random.Random, data: bytes) -> bytes:
    at = dice.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]


def _set(dice: random.Random, data: bytes) -> bytes:
    at = dice.randrange(len(data))
    return data[:at] + dice.choice((b"\0", b"\x7f", b"\x80", b"\x84", b"\xff", b"\x30", b"\x24", b"\x1f")) + data[at + 1 :]


def _delete(dice: random.Random, data: bytes) -> bytes:
    start, end = _slice(dice, data)
    return data[:start] + data[end:]


def _duplicate(dice: random.Random, data: bytes) -> bytes:
    start, end = _slice(dice, data)
    return data[:end] + data[start:]


def _swap(dice: random.Random, data: bytes) -> bytes:
    start, end = _slice(dice, data)
    again, last = _slice(dice, data)
    if end > again:
        return data[:start] + data[again:]
    return data[:start] + data[again:last] + data[end:again] + data[start:end] + data[last:]


def _length(dice: random.Random, data: bytes) -> bytes:
    """Somewhere a length that says another thing."""
    at = dice.randrange(len(data))
    said = dice.choice(
        (b"\x80", b"\x81\x05", b"\x82\xff\xff", b"\x83\xff\xff\xff", b"\x84\xff\xff\xff\xff", b"\x84\x7f\xff\xff\xff", b"\x88")
    )
    return data[:at] + said + data[at + 1 :]


def _cut(dice: random.Random, data: bytes) -> bytes:
    return data[: dice.randrange(len(data))]


DAMAGES: Sequence[Callable[[random.Random, bytes], bytes]] = (_flip, _flip, _set, _delete, _duplicate, _swap, _length, _cut)


def damaged(dice: random.Random, data: bytes) -> bytes:
    for _time in range(dice.choice((1, 1, 1, 2, 5))):
        data = dice.choice(DAMAGES)(dice, data) if data else b"\x30"
    return data


class Node:
    """A value of a DER tree: one that holds others, or bytes. A string that wraps a value holds it."""

    def __init__(self, tag: int, content: bytes, depth: int = 0) -> None:
        self.tag = tag
        self.content = content
        self.inside: list[Node] = []
        if depth < 24 and (tag & 0x20 or tag in (der.OCTET_STRING, 0x03)) and content:
            start = 1 if tag == 0x03 else 0
            try:
                self.inside = [Node(each.tag, each.content, depth + 1) for each in der.elements(content[start:], "it")]
                self.content = content[:start]
            except StoreError:
                self.inside, self.content = [], content

    def encode(self) -> bytes:
        return der.encode(self.tag, self.content, *(each.encode() for each in self.inside))

    def walk(self) -> list[Node]:
        return [self, *(below for each in self.inside for below in each.walk())]


#: Integers that are too large, too small, negative or no number; and texts of no alphabet.
EXTREMES = (
    b"",
    b"\0",
    b"\x80",
    b"\x7f" + b"\xff" * 3,
    b"\x7f" + b"\xff" * 7,
    b"\xff" * 20,
    b"\x4c\x4b\x41",
    b"\xd8\x00",
    b"\x00" * 65,
    b"\xff" * 3000,
)


def restructured(dice: random.Random, data: bytes) -> bytes:
    """*data* with values gone, doubled, exchanged, of another kind, or extreme; all lengths are right again."""
    whole = next(der.elements(data, "it"))
    root = Node(whole.tag, whole.content)
    for _time in range(dice.choice((1, 1, 2, 4))):
        nodes = root.walk()
        node = dice.choice(nodes)
        deed = dice.randrange(8)
        if node.inside and deed < 4:
            at = dice.randrange(len(node.inside))
            if deed == 0:
                del node.inside[at]
            elif deed == 1:
                node.inside[at:at] = [copy.deepcopy(node.inside[at]) for _each in range(dice.choice((1, 2, 40)))]
            elif deed == 2:
                node.inside[at] = copy.deepcopy(dice.choice(nodes))
            else:
                dice.shuffle(node.inside)
        elif deed < 5:
            node.tag = dice.choice((0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0C, 0x1E, 0x17, 0x18, 0x24, 0x30, 0x31, 0x80, 0xA0, 0xA3))
        elif deed < 7:
            node.inside, node.content = [], dice.choice(EXTREMES)
        elif node.content:
            node.content = damaged(dice, node.content)
    return root.encode()


def sealed_again(dice: random.Random, safe_contents: bytes) -> bytes:
    """A store around the content of a safe, in the clear or encrypted, with a MAC that holds."""
    way = dice.randrange(3)
    if way == 0:
        part = content(DATA, der.octet_string(safe_contents))
    else:
        algorithm, ciphertext = pbe.encrypt(safe_contents, Secret(PASSWORD), Algorithm((pbe.AES_256, pbe.DESEDE)[way - 1], 1))
        info = der.sequence(der.oid(DATA), algorithm, der.encode(0x80, ciphertext))
        part = content("1.2.840.113549.1.7.6", der.sequence(der.integer(0), info))
    return pfx(safes=[part])


def whole(store: keystore.Store) -> Any:
    """What must be the same of a store that was opened in spite of damage."""
    return store.contents.entries, store.contents.opaque
