# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A key that waits for an authority: beside the keystore, until its chain is there. The module keystore is run, and openssl looks."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from cryptography import x509 as crypto_x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs12

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.authority import directory as directory_file
from ansible_collections.mutual.tls.plugins.modules import keystore

from .authority.scenery import SYSTEM, run
from .authority.scenery import request as asked
from .factory import DAY

PASSWORD = "pass word"
IDENTITY = {"alias": "ec1", "subject": "CN=ec1", "key_type": "EC", "signer": "authority", "csr": True}
NEXT = {**IDENTITY, "generation": 2}


class Member:
    """A host with a keystore, for which an authority signs."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.capsys = root, capsys

    def __call__(self, identity: dict[str, Any], *, check: bool = False, **more: Any) -> dict[str, Any]:
        arguments = {"path": str(self.path), "password": PASSWORD, "identity": identity, **more, "_ansible_check_mode": check}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            keystore.main()
        result: dict[str, Any] = json.loads(self.capsys.readouterr().out)
        return result

    @property
    def path(self) -> Path:
        return self.root / "keys"

    @property
    def waiting(self) -> Path:
        return self.root / "keys.next"

    def sign(self, csr: str, subject: str = "CN=ec1") -> str:
        """The chain (PEM) that the authority signs for a request."""
        made = run(self.root / "ca", asked("ec1", csr=csr, subject=subject, valid_for=100 * DAY), wishes=[SYSTEM])
        return "".join(map(x509.der_to_pem, made.issued["ec1"]))

    def install(self, chain: str) -> dict[str, Any]:
        return self({**IDENTITY, "certificate_content": chain, "regenerate": "never"})


@pytest.fixture()
def member(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Member:
    """One whose certificate the authority signed."""
    monkeypatch.setattr(directory_file, "ENCRYPTION", directory_file.ENCRYPTION._replace(iterations=1))
    made = Member(tmp_path, capsys)
    made.install(made.sign(made(IDENTITY)["identity"]["csr"]))
    return made


def key_of(csr: str) -> bytes:
    """The public key that a request is for."""
    return crypto_x509.load_pem_x509_csr(csr.encode()).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_in(path: Path) -> bytes:
    """The public half of the key in a keystore, as the cryptography package reads it."""
    key = pkcs12.load_pkcs12(path.read_bytes(), PASSWORD.encode()).key
    assert key is not None
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_the_keystore_stays_what_it_is_while_the_next_key_waits(member: Member) -> None:
    before = member.path.read_bytes()
    done = member(NEXT)
    assert (done["changed"], [change["action"] for change in done["changes"]]) == (True, ["replace"])
    assert member.path.read_bytes() == before
    assert member.waiting.stat().st_mode & 0o777 == 0o600
    assert key_of(done["identity"]["csr"]) == key_in(member.waiting) != key_in(member.path)


def test_check_mode_makes_no_key(member: Member) -> None:
    assert member(NEXT, check=True)["changed"]
    assert not member.waiting.exists()


def test_asked_again_it_is_the_same_key_and_no_change(member: Member) -> None:
    first = member(NEXT)["identity"]["csr"]
    again = member(NEXT)
    assert (again["changed"], key_of(again["identity"]["csr"])) == (False, key_of(first))


@pytest.mark.parametrize("other", [{"generation": 3}, {"key_type": "RSA"}, {"regenerate": "always"}, {"curve": "secp384r1"}])
def test_for_another_wish_it_is_another_key(member: Member, other: dict[str, Any]) -> None:
    first = member(NEXT)["identity"]["csr"]
    assert key_of(member({**NEXT, **other})["identity"]["csr"]) != key_of(first)


def test_the_chain_puts_it_in_its_place(member: Member) -> None:
    csr = member(NEXT)["identity"]["csr"]
    subject = "CN=ec1,OU=generation 2"
    done = member.install(member.sign(csr, subject))
    assert [change["action"] for change in done["changes"]] == ["install"]
    assert key_in(member.path) == key_of(csr)
    assert not member.waiting.exists()
    shown = subprocess.run(
        ["openssl", "pkcs12", "-in", member.path, "-passin", f"pass:{PASSWORD}", "-nokeys", "-clcerts"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "generation 2" in shown.stdout
    assert member(NEXT)["changed"] is False


def test_a_chain_for_the_present_key_leaves_it_waiting(member: Member) -> None:
    """Its request may be on somebody's desk."""
    present = member(IDENTITY)["identity"]["csr"]
    waits = member(NEXT)["identity"]["csr"]
    assert member.install(member.sign(present))["changed"]
    assert key_of(present) == key_in(member.path)
    assert key_of(waits) == key_in(member.waiting)


def test_one_that_no_password_opens_any_more_stops_nothing(member: Member) -> None:
    present = member(IDENTITY)["identity"]["csr"]
    member.waiting.write_bytes(b"damaged")
    assert "failed" not in member.install(member.sign(present))
    member.waiting.write_bytes(b"damaged")
    assert key_of(member(NEXT)["identity"]["csr"]) == key_in(member.waiting)


def test_it_outlives_a_change_of_the_password(member: Member) -> None:
    """Its request may be on somebody's desk for days."""
    waits = member(NEXT)["identity"]["csr"]
    after = member(NEXT, password="another", old_password=PASSWORD)
    assert key_of(after["identity"]["csr"]) == key_of(waits)
    lost = member(NEXT, password="a third one", old_password="another")
    assert key_of(lost["identity"]["csr"]) != key_of(waits), "the failing twin: neither opens it"


def test_a_revoked_key_is_replaced_once_and_never_waits_again(member: Member) -> None:
    revoked = hashlib.sha256(key_in(member.path)).hexdigest()
    first = member({**IDENTITY, "revoked_keys": [revoked.upper()]})
    assert first["reasons"] == ["ec1: its key is revoked"]
    again = member({**IDENTITY, "revoked_keys": [revoked]})
    assert key_of(again["identity"]["csr"]) == key_of(first["identity"]["csr"]) != key_in(member.path)
    waiting = hashlib.sha256(key_in(member.waiting)).hexdigest()
    other = member({**IDENTITY, "revoked_keys": [revoked, waiting]})
    assert key_of(other["identity"]["csr"]) != key_of(first["identity"]["csr"])
    refused = member({**IDENTITY, "revoked_keys": ["ab:cd"]})
    assert "a key is named by the SHA-256 of its public key, 64 hexadecimal digits" in refused["msg"]


def test_with_the_keystore_it_goes(member: Member) -> None:
    member(NEXT)
    assert member(IDENTITY, state="absent")["changed"]
    assert not member.path.exists() and not member.waiting.exists()


def test_a_first_key_waits_for_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    member = Member(tmp_path, capsys)
    assert member(IDENTITY)["changed"]
    assert member.path.exists() and not member.waiting.exists()
