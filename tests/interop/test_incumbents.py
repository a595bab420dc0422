# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Situations in which other modules for keystores and certificates are wrong without a word, each reproduced on them.

The table is reference/keystores.md, section 8; each docstring says what the incumbent does.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mutual.tls.plugins.module_utils import keystore as core
from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.entries import PrivateKeyEntry, TrustedCertEntry
from ansible_collections.mutual.tls.plugins.module_utils.x509 import parse_timestamp
from ansible_collections.mutual.tls.plugins.modules import keystore_info

from ..unit.factory import DAY, NOW, PASSWORD, Issued, Keytool, issue, openssl, pem
from .rhythm import Call, actions, rhythm

PLATFORM, DESKTOP = issue("platform"), issue("desktop")
TRUST = [{"alias": "platform", "cert_content": PLATFORM.pem}]
IDENTITY = {"alias": "ec1", "key_type": "EC", "subject": "CN=ec1"}
WRONG = "the wrong password"
ROOT = issue("root", ca=True, usages=None, key_ids=True)


def signed(path: Path, by: Issued) -> Issued:
    """A certificate for the identity in the store."""
    return issue("ec1", by=by, key=core.open_store(str(path), PASSWORD).key_entry("ec1").private_key(), key_ids=True)


def middle() -> Issued:
    """An intermediate CA; each has the same name and key, and is another certificate."""
    return issue("middle", by=ROOT, key=_MIDDLE_KEY, ca=True, usages=None, key_ids=True)


_MIDDLE_KEY = issue("middle").key


@pytest.mark.parametrize("check", [True, False])
def test_1_two_certificates_under_one_alias_are_refused(call: Call, path: Path, check: bool) -> None:
    """community.general.java_cert trusts the first of a bundle and says that all went well."""
    both = [{"alias": "cas", "cert_content": pem(PLATFORM.der, DESKTOP.der)}]
    refused = call(fails=True, check=check, trusted=both)
    assert refused["msg"] == (
        "'cert_content' of the alias 'cas' holds 2 certificates, and one is trusted under one alias: "
        "give each an alias of its own in 'trusted'."
    )
    assert not path.exists()


def test_1_each_under_an_alias_of_its_own_is_trusted(call: Call, java: Keytool, path: Path) -> None:
    """The way out of the refusal."""
    each = [*TRUST, {"alias": "desktop", "cert_content": DESKTOP.pem}]
    rhythm(call, [("platform", "trust"), ("desktop", "trust")], trusted=each)
    assert {alias: entry.sha256 for alias, entry in java.list(path).items()} == {
        "platform": (PLATFORM.sha256,),
        "desktop": (DESKTOP.sha256,),
    }


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    "wishes",
    [
        pytest.param({"state": "absent"}, id="2-the-store-is-to-be-absent"),
        pytest.param({"trusted": [{"alias": "platform", "state": "absent"}]}, id="2-an-entry-is-to-be-absent"),
        pytest.param({"trusted": TRUST}, id="3-an-entry-is-to-be-present"),
        pytest.param({"identity": IDENTITY}, id="3-an-identity-is-to-be-present"),
    ],
)
def test_a_wrong_password_is_an_error_whatever_is_wished(
    call: Call, java: Keytool, path: Path, wishes: dict[str, Any], check: bool
) -> None:
    """java_cert takes it for a store without the entry: absent is 'ok', and a check promises a change that then fails."""
    call(trusted=TRUST)
    refused = call(fails=True, check=check, password=WRONG, **wishes)
    assert refused["msg"] == (
        f"The keystore {path} cannot be read: the password is wrong, or the store was damaged: its MAC does not hold. It was left as it is."
    )


def test_4_a_new_intermediate_under_the_same_leaf_is_a_change(call: Call, java: Keytool, path: Path) -> None:
    """community.general.java_keystore compares leaves alone: the chain of the store stays the old one."""
    call(identity=IDENTITY)
    old, new = middle(), middle()
    leaf = signed(path, old)
    for intermediate in (old, new):
        chain = pem(leaf.der, intermediate.der, ROOT.der)
        rhythm(call, [("ec1", "install")], identity={**IDENTITY, "certificate_content": chain})
        assert java.list(path)["ec1"].sha256 == (leaf.sha256, intermediate.sha256, ROOT.sha256)


def test_5_a_full_chain_is_stored_whole(call: Call, java: Keytool, path: Path) -> None:
    """java_keystore with its backend cryptography stores the leaf alone."""
    call(identity=IDENTITY)
    leaf = signed(path, middle())
    call(identity={**IDENTITY, "certificate_content": pem(*leaf.chain)})
    assert java.list(path)["ec1"].sha256 == tuple(map(x509.sha256, leaf.chain))
    assert len(leaf.chain) == 3
    # A chain that lacks its intermediate is refused instead of being stored as far as it goes.
    broken = call(fails=True, identity={**IDENTITY, "certificate_content": pem(leaf.der, ROOT.der)})
    assert broken["msg"] == "certificate_content holds certificates that are not in the chain of the alias 'ec1'."


@pytest.mark.parametrize("store_format", ["pkcs12", "jks"])
def test_6_a_new_store_is_for_its_owner_only(call: Call, path: Path, store_format: str) -> None:
    """java_keystore leaves private keys readable for everybody (0644)."""
    call(identity=IDENTITY, format=store_format)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_6_unless_another_mode_is_asked_for(call: Call, path: Path) -> None:
    """For a store of public certificates, say."""
    call(trusted=TRUST, mode="0644")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize("store_format", ["pkcs12", "jks"])
def test_7_a_store_with_an_ed25519_key_is_as_wished_the_second_time(call: Call, java: Keytool, path: Path, store_format: str) -> None:
    """community.crypto.openssl_pkcs12 makes it anew at each run."""
    made = rhythm(call, [("ec1", "create")], identity={**IDENTITY, "key_type": "Ed25519"}, format=store_format)
    assert java.list(path)["ec1"].sha256 == (made["identity"]["sha256"],)


def test_8_another_protection_is_a_change(call: Call, java: Keytool, path: Path) -> None:
    """openssl_pkcs12 says 'ok' to another encryption_level, and leaves the file as it was."""
    call(identity=IDENTITY, trusted=TRUST)
    before = java.list(path)
    for profile, iterations in (("java8", "MAC: sha1, Iteration 100000\n"), ("default", "MAC: sha256, Iteration 100000\n")):
        changed = rhythm(call, [("*", "protect_anew")], identity=IDENTITY, trusted=TRUST, profile=profile)
        assert changed["store"]["profile"] == profile
        assert iterations in openssl("pkcs12", "-in", path, "-info", "-noout", "-passin", "env:STORE")
        assert {alias: (each.type, each.sha256) for alias, each in java.list(path).items()} == {
            alias: (each.type, each.sha256) for alias, each in before.items()
        }


def test_9_the_other_entries_of_a_store_stay(call: Call, java: Keytool, path: Path) -> None:
    """openssl_pkcs12 writes its one key over a store of three entries, without a warning."""
    java("-genkeypair", "-keystore", path, "-alias", "mine", "-keyalg", "EC", "-dname", "CN=mine")
    java("-genseckey", "-keystore", path, "-alias", "secret", "-keyalg", "AES", "-keysize", "256")
    store = core.open_store(str(path), PASSWORD).put(TrustedCertEntry("platform", PLATFORM.der))
    path.write_bytes(core.serialize_store(store, PASSWORD))
    before = java.list(path)
    assert len(before) == 3
    rhythm(call, [("ec1", "create")], identity=IDENTITY)
    after = java.list(path)
    assert after.pop("ec1").type == "PrivateKeyEntry"
    assert after == before


def test_10_a_store_of_trusted_certificates_alone_is_one_for_java(call: Call, java: Keytool, path: Path) -> None:
    """openssl_pkcs12 makes one in which keytool sees no entry, as Java's mark of trust is not there."""
    rhythm(call, [("platform", "trust"), ("ca", "trust")], trusted=[*TRUST, {"alias": "ca", "cert_content": ROOT.pem}])
    assert {alias: (each.type, each.sha256) for alias, each in java.list(path).items()} == {
        "platform": ("trustedCertEntry", (PLATFORM.sha256,)),
        "ca": ("trustedCertEntry", (ROOT.sha256,)),
    }


def test_10_and_openssl_makes_none_that_could_be_mistaken_for_one(call: Call, java: Keytool, path: Path, tmp_path: Path) -> None:
    """What the incumbent makes: we see no entry where Java sees none, and what is wished comes beside it."""
    (tmp_path / "ca.pem").write_text(ROOT.pem)
    openssl("pkcs12", "-export", "-nokeys", "-in", tmp_path / "ca.pem", "-name", "ca", "-out", path, "-passout", "env:STORE")
    assert java.list(path) == {}
    assert call(keystore_info)["entries"] == []
    call(trusted=[{"alias": "ca", "cert_content": ROOT.pem}])
    assert java.list(path)["ca"].sha256 == (ROOT.sha256,)


def stored(path: Path, issued: Issued) -> None:
    """A store with an identity of ours that has this certificate."""
    store = core.Store.empty().put(PrivateKeyEntry("ec1", issued.pkcs8, issued.chain))
    path.write_bytes(core.serialize_store(store, PASSWORD))


def test_11_an_expired_certificate_is_renewed(call: Call, java: Keytool, path: Path) -> None:
    """community.crypto.x509_certificate says 'ok' to one that expired, unless it is told when to look."""
    expired = issue("ec1", begins=NOW - 20 * DAY, ends=NOW - DAY)
    stored(path, expired)
    renewed = rhythm(call, [("ec1", "renew")], identity=IDENTITY)
    assert renewed["reasons"] == [f"ec1: it expired on {x509.timestamp(NOW - DAY)}"]
    assert parse_timestamp(renewed["identity"]["not_after"]) > NOW + 800 * DAY
    assert java.list(path)["ec1"].sha256 == (renewed["identity"]["sha256"],)


def test_11_one_that_a_ca_signed_is_said_to_be_due(call: Call, path: Path) -> None:
    """Which only the CA can renew: an error, and no 'ok'."""
    stored(path, issue("ec1", by=ROOT, begins=NOW - 20 * DAY, ends=NOW - DAY))
    refused = call(fails=True, identity=IDENTITY)
    assert refused["msg"] == (
        f"The certificate under the alias 'ec1' is due for renewal (it expired on {x509.timestamp(NOW - DAY)}), but it was "
        "signed by 'CN=root' and is not replaced by a self-signed one: hand in the new chain as certificate_content."
    )


def test_12_a_check_has_the_diff_of_the_run(call: Call, path: Path) -> None:
    """x509_certificate with --check --diff shows nothing where the run shows a dozen lines."""
    stored(path, issue("ec1", begins=NOW - 20 * DAY, ends=NOW - DAY))
    wishes = {"identity": IDENTITY, "trusted": TRUST}
    promised, done = call(check=True, **wishes), call(**wishes)
    assert actions(promised) == actions(done) == [("ec1", "renew"), ("platform", "trust")]
    # A certificate that is still to be made has no fingerprint: all the rest is the same.
    fingerprint = done["identity"]["sha256"]
    assert promised["diff"]["after"].count("ec1: a new certificate (renew: it expired on ") == 1
    assert promised["diff"] == {**done["diff"], "after": done["diff"]["after"].replace(fingerprint, "a new certificate")}
    assert call(check=True, **wishes)["diff"] == {}


def test_12_without_a_new_certificate_the_two_are_equal(call: Call) -> None:
    """To the byte, where nothing random is to come."""
    call(identity=IDENTITY, trusted=TRUST)
    wishes = {"trusted": [{"alias": "desktop", "cert_content": DESKTOP.pem}], "purge_trusted": True}
    promised, done = call(check=True, **wishes), call(**wishes)
    assert promised["diff"] == done["diff"] != {}
    assert actions(done) == [("desktop", "trust"), ("platform", "distrust")]
