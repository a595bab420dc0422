# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets a bundle and why, under what protection, and whether others open it."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import pkcs12

from ansible_collections.mutual.tls.plugins.module_utils import bundles, keystore, profiles, x509
from ansible_collections.mutual.tls.plugins.module_utils.bundles import Person, holds, is_revoked, notes, reason_to_issue
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError
from ansible_collections.mutual.tls.plugins.module_utils.profiles import PROFILES

from .factory import DAY, NOW, issue, new_key

UNKNOWN = "nobody knows whether the password of the one before was told"
OPTIONS = {
    "name": "alice",
    "kind": "browser",
    "state": "present",
    "subject": None,
    "subject_alt_name": [],
    "valid_for": "365d",
    "renew_before": "30d",
    "key_type": "EC",
    "readers": [],
    "formats": ["pkcs12"],
}


def person(**given: Any) -> Person:
    return Person.from_options({**OPTIONS, **given})


def held(state: str, *, generation: int = 1, ends: datetime.datetime = NOW + 300 * DAY, reason: str | None = None) -> dict[str, Any]:
    return {"state": state, "generation": generation, "not_after": x509.timestamp(ends), "reason": reason}


@pytest.mark.parametrize("name", ["../alice", "a/b", ".alice", "", "a" * 65, "alice\n", "-rf", "al ice"])
def test_a_name_that_could_be_another_files_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="in mtls_clients names files"):
        person(name=name)


@pytest.mark.parametrize("name", ["alice", "alice.b@example.test", "7of9", "a+b_c-d"])
def test_names_that_people_have_are_taken(name: str) -> None:
    assert x509.format_name(x509.parse_name(person(name=name).subject)) == x509.format_name(x509.parse_name(f"CN={x509.escaped(name)}"))


def test_what_cannot_be_carried_out_is_refused() -> None:
    with pytest.raises(InputError, match="'formats' of 'alice' is empty"):
        person(formats=[])
    with pytest.raises(InputError, match="'renew_before' of 'alice' is not shorter than its 'valid_for'"):
        person(valid_for="10d", renew_before="10d")
    with pytest.raises(InputError, match="subject_alt_name"):
        person(subject_alt_name=["mail:alice"])


@pytest.mark.parametrize(
    ("certificates", "reason"),
    [
        ([], "there is none yet"),
        ([held("issued")], None),
        ([held("superseded"), held("issued")], None),
        ([held("expired")], "it has expired"),
        ([held("pending")], UNKNOWN),
        ([held("issued"), held("pending")], UNKNOWN),
        ([held("expired"), held("superseded")], "it has expired"),
        ([held("expired"), held("revoked", reason="superseded")], "it has expired"),
        ([held("superseded")], "there is none yet"),
        ([held("expired"), held("issued")], None),
        ([held("revoked", reason="key_compromise"), held("pending")], None),
        ([held("revoked", reason="key_compromise")], None),
        ([held("revoked", reason="superseded"), held("issued")], None),
    ],
)
def test_who_gets_a_bundle(certificates: list[dict[str, Any]], reason: str | None) -> None:
    assert reason_to_issue(certificates, 1) == reason
    assert reason_to_issue(certificates, 1, again=True) == "another one is asked for"


def test_a_new_ca_signs_for_everybody_anew() -> None:
    assert reason_to_issue([held("issued", generation=1)], 2) == "an older generation of the CA than 2 signed for it"
    assert not holds([held("issued", generation=1)], 2)
    assert holds([held("issued", generation=2)], 2)
    assert reason_to_issue([held("issued", generation=2)], 2) is None


def test_who_is_revoked_is_told_of_and_who_only_got_another_one_is_not() -> None:
    assert is_revoked([held("revoked", reason="key_compromise")])
    assert is_revoked([held("revoked", reason="key_compromise"), held("pending")])
    assert not is_revoked([held("revoked", reason="superseded"), held("issued")])
    assert is_revoked([held("revoked", reason="superseded")]), "for a reason that a new certificate has, too"
    assert not is_revoked([held("expired"), held("revoked", reason="superseded")])
    assert not is_revoked([])
    assert "'alice' is revoked, and gets no new bundle by itself" in "".join(notes(person(), [held("revoked")], NOW))


def test_what_ends_soon_is_told() -> None:
    ends = NOW + 29 * DAY
    assert "the bundle of 'alice' ends on" in "".join(notes(person(), [held("issued", ends=ends)], NOW))
    assert list(notes(person(), [held("issued", ends=NOW + 31 * DAY)], NOW)) == []
    assert list(notes(person(), [held("superseded", ends=ends), held("issued")], NOW)) == []


@pytest.mark.parametrize(
    ("readers", "profile"),
    [
        ([], "java8"),
        (["windows", "firefox", "linux", "android", "java"], "default"),
        (["windows", "macos"], "java8"),
        (["windows_old"], "java8"),
    ],
)
def test_the_older_cipher_only_for_those_who_need_it(readers: list[str], profile: str) -> None:
    assert person(readers=readers).profile == profile


def test_every_reader_has_a_profile_and_says_why_it_is_the_older_one() -> None:
    for name, reader in bundles.READERS.items():
        assert reader.profile in PROFILES, name
        assert (reader.reason != "") == (reader.profile != "default"), name


@pytest.mark.parametrize("readers", [[], ["firefox"]])
def test_a_bundle_is_opened_by_its_password_and_no_other(readers: list[str]) -> None:
    key, ca = new_key(), issue("ca", ca=True)
    signed = issue("alice", by=ca, key=key)
    someone = person(readers=readers)
    data = bundles.bundle(someone, key, (signed.der, ca.der), "right-word", alias="Alice Example", store_format="pkcs12")
    # cryptography is OpenSSL's reader.
    found = pkcs12.load_pkcs12(data, b"right-word")
    assert found.cert is not None
    assert x509.to_der(found.cert.certificate) == signed.der
    assert found.cert.friendly_name == b"alice example"
    assert [x509.to_der(each.certificate) for each in found.additional_certs] == [ca.der]
    with pytest.raises(ValueError, match=r"[Ii]nvalid password"):
        pkcs12.load_pkcs12(data, b"wrong-word")
    store = keystore.parse_store(data, "right-word")
    assert profiles.profile_of(store.contents.protection) == someone.profile


def test_a_bundle_for_old_launchers_is_a_jks(tmp_path: Path) -> None:
    key, ca = new_key(), issue("ca", ca=True)
    signed = issue("desk", by=ca, key=key)
    data = bundles.bundle(person(name="desk"), key, (signed.der, ca.der), "right-word", alias="desk", store_format="jks")
    assert keystore.kind(data) == "jks"
    assert keystore.parse_store(data, "right-word").key_entry("desk").chain == (signed.der, ca.der)
