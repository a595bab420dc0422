# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seals: they hold for what they were made of, and for nothing else. Encrypting programs: what they may answer."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mutual.tls.plugins.module_utils import seals
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, PeerError

SECRETS = {"store.password": "first secret", "key.password": "second secret"}
STORED = {"store.password": "DR-4-AA", "key.password": "DR-4-BB", "unrelated": "x"}
SALT = bytes(range(16))
SEAL = seals.make(SECRETS, STORED, salt=SALT, iterations=10)


def test_the_seal_is_what_its_description_says() -> None:
    """Judged by the cryptography package, from the description in the module's docstring."""

    def prefixed(text: str) -> bytes:
        return len(text).to_bytes(8, "big") + text.encode()

    plaintexts = prefixed("second secret") + prefixed("first secret")  # in the order of the names
    key = PBKDF2HMAC(hashes.SHA256(), 32, SALT, 10).derive(plaintexts)
    mac = hmac.HMAC(key, hashes.SHA256())
    for text in ("key.password", "DR-4-BB", "store.password", "DR-4-AA"):
        mac.update(prefixed(text))
    assert SEAL.split("$") == ["pbkdf2-sha256", "10", base64.b64encode(SALT).decode(), base64.b64encode(mac.finalize()).decode()]


def test_a_seal_holds_for_what_it_was_made_of() -> None:
    seal = seals.make(SECRETS, STORED)
    assert seals.holds(seal, SECRETS, STORED)
    assert seal.startswith(f"pbkdf2-sha256${seals.ITERATIONS}$")
    assert seal != seals.make(SECRETS, STORED), "each seal has a salt of its own"
    assert seals.holds(seal, SECRETS, {**STORED, "unrelated": "changed"})


@pytest.mark.parametrize(
    ("secrets", "stored"),
    [
        pytest.param({**SECRETS, "key.password": "another"}, STORED, id="another-secret"),
        pytest.param({"store.password": SECRETS["key.password"], "key.password": SECRETS["store.password"]}, STORED, id="swapped"),
        pytest.param({"store.password": "first secret"}, STORED, id="one-secret-fewer"),
        pytest.param({**SECRETS, "third": "x"}, {**STORED, "third": "x"}, id="one-secret-more"),
        pytest.param({}, STORED, id="no-secrets"),
        pytest.param(SECRETS, {**STORED, "key.password": "DR-4-CC"}, id="another-stored-text"),
        pytest.param(SECRETS, {"store.password": "DR-4-AA"}, id="a-stored-text-is-gone"),
        pytest.param({"store.password": "first secrets", "key.password": "econd secret"}, STORED, id="shifted-boundary"),
    ],
)
def test_it_does_not_hold_for_anything_else(secrets: dict[str, str], stored: dict[str, str]) -> None:
    assert seals.holds(SEAL, SECRETS, STORED)
    assert not seals.holds(SEAL, secrets, stored)


@pytest.mark.parametrize(
    "seal",
    [
        None,
        "",
        "$$$",
        SEAL + "$",
        SEAL[:-4],
        SEAL.replace("sha256", "sha1"),
        SEAL.replace("$10$", "$010000000$"),
        SEAL.replace("$10$", "$0$"),
        SEAL.replace("$10$", "$-10$"),
        SEAL.replace("$10$", "$\u0661\u0660$"),  # digits to Python's int(), and not ASCII
        SEAL.replace("$10$", "$11$"),
        "pbkdf2-sha256$10$!!!$" + SEAL.rsplit("$", 1)[1],
        "pbkdf2-sha256$10$$" + SEAL.rsplit("$", 1)[1],
        "pbkdf2-sha256$10$AAAA$AAAA",
    ],
)
def test_a_damaged_seal_does_not_hold(seal: str | None) -> None:
    assert not seals.holds(seal, SECRETS, STORED)


@given(st.text() | st.builds(lambda parts: "$".join(["pbkdf2-sha256", *parts]), st.lists(st.text(max_size=8), max_size=4)))
def test_no_text_makes_a_seal_that_holds_or_an_error(seal: str) -> None:
    assert not seals.holds(seal, SECRETS, STORED)


def test_a_costly_seal_is_refused_at_once() -> None:
    began = time.monotonic()
    assert not seals.holds(SEAL.replace("$10$", f"${seals.MAX_ITERATIONS + 1}$"), SECRETS, STORED)
    assert not seals.holds(SEAL.replace("$10$", f"${'9' * 5000}$"), SECRETS, STORED)
    assert time.monotonic() - began < 0.5


def test_a_seal_of_nothing_or_of_what_is_not_stored_is_not_made() -> None:
    with pytest.raises(InputError, match="nothing to seal"):
        seals.make({}, STORED)
    with pytest.raises(InputError, match=r"these have none: key\.password"):
        seals.make(SECRETS, {"store.password": "DR-4-AA"})


class Program:
    """Answers as told, and remembers how it was called."""

    def __init__(self, rc: int = 0, out: str = "ENCRYPTED\n", err: str = "") -> None:
        self.answer = (rc, out, err)
        self.argv: list[str] = []
        self.stdin: str | None = None

    def __call__(self, argv: Sequence[str], stdin: str | None, _timeout: float) -> tuple[int, str, str]:
        self.argv, self.stdin = list(argv), stdin
        return self.answer


def test_the_secret_goes_over_standard_input() -> None:
    program = Program()
    assert seals.encrypt(program, ["enc", "-q"], "-se cret") == "ENCRYPTED"
    assert (program.argv, program.stdin) == (["enc", "-q"], "-se cret\n")


def test_the_secret_is_an_argument_only_when_asked_for() -> None:
    program = Program()
    assert seals.encrypt(program, ["enc"], "secret", "argument") == "ENCRYPTED"
    assert (program.argv, program.stdin) == (["enc", "secret"], None)


@pytest.mark.parametrize(
    ("secret", "handover", "message"),
    [
        ("two\nlines", "stdin", "line end"),
        ("two\rlines", "stdin", "line end"),
        ("nul\0", "argument", "NUL"),
        ("-option", "argument", "begins with '-'"),
        ("", "stdin", "empty secret"),
        ("secret", "mail", "not by 'mail'"),
    ],
)
def test_a_secret_that_cannot_be_handed_over_is_refused(secret: str, handover: str, message: str) -> None:
    program = Program()
    with pytest.raises(InputError, match=message):
        seals.encrypt(program, ["enc"], secret, handover)
    assert program.argv == []


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (Program(rc=1, err="bad password: hunter2hunter2\n"), r"exit code 1\): bad password: \(hidden\)"),
        (Program(rc=3, out="", err=""), "it said nothing"),
        (Program(out=""), "it printed 0 lines"),
        (Program(out="one\ntwo\n"), "it printed 2 lines"),
        (Program(out="hunter2hunter2\n"), "printed the secret itself"),
        (Program(out="Encrypted: hunter2hunter2\n"), "printed the secret itself"),
    ],
)
def test_what_is_no_encrypted_text_is_refused_without_the_secret(program: Program, message: str) -> None:
    with pytest.raises(PeerError, match=message) as caught:
        seals.encrypt(program, ["enc"], "hunter2hunter2", "argument")
    assert "hunter2" not in str(caught.value) + repr(caught.value.details)
