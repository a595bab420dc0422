# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords of the module keystore: rotated as a whole or not at all, those of single keys in JKS, and the lack of one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mutual.tls.plugins.module_utils import keystore as core
from ansible_collections.mutual.tls.plugins.module_utils.derivation import Secret
from ansible_collections.mutual.tls.plugins.module_utils.entries import PrivateKeyEntry, TrustedCertEntry
from ansible_collections.mutual.tls.plugins.modules import keystore_info, member_info

from ..unit.factory import CRL_BAG, PASSWORD, Keytool, bag, cert_bag, issue, key_bag, pfx
from .rhythm import DESKTOP, IDENTITY, PLATFORM, TRUST, Call, actions, quiet, refused, rhythm

NEW = "the new password"
PAIR = {"password": NEW, "old_password": PASSWORD}
ANEW = [("*", "protect_anew")]
OWN = "the own password"
LOCKED = (
    "The key under the alias 'ec1' has a password of its own, which was not given. To keep it (JKS only): key_password. To bring the key "
    "under the store's: old_key_password. If the key may be lost: regenerate 'always', once."
)
WITHOUT_MAC = (
    "The keystore {} has no MAC, so anybody could have changed it. See what it holds with mutual.tls.keystore_info; if all of it is yours, "
    "set old_password to '' once, and it gets the password. It was left as it is."
)


def usable(java: Keytool, path: Path, alias: str, store_password: str, key_password: str = "") -> bool:
    """Whether Java gets at the private key."""
    words = ("-keypass", key_password) if key_password else ()
    return java.attempt("-certreq", "-keystore", path, "-alias", alias, *words, password=store_password).returncode == 0


# --- the password of the store ---------------------------------------------------------------------------------------


def test_everything_in_the_store_is_under_the_new_password_and_nothing_is_lost(call: Call, java: Keytool, path: Path) -> None:
    """Several keys, a trusted certificate, a secret key that keytool made, and a bag of a kind that Java does not know."""
    java("-genseckey", "-keystore", path, "-storetype", "PKCS12", "-alias", "secret", "-keyalg", "AES", "-keysize", "256")
    made = core.open_store(str(path), PASSWORD)
    for name in ("one", "two"):
        issued = issue(name)
        made = made.put(PrivateKeyEntry(name, issued.pkcs8, issued.chain, 1_600_000_000_000))
    made = made.put(TrustedCertEntry("platform", PLATFORM.der))
    made = core.Store(replace(made.contents, opaque=(bag(CRL_BAG, b"\x30\x00"),)))
    path.write_bytes(core.serialize_store(made, PASSWORD))
    listed, before = java.list(path), core.open_store(str(path), PASSWORD)

    done = rhythm(call, ANEW, **PAIR)
    assert done["reasons"] == ["*: it is still under the previous password"]
    after = core.open_store(str(path), NEW)
    assert [(each.alias, each.pkcs8) for each in after.entries if not isinstance(each, TrustedCertEntry)] == [
        (each.alias, each.pkcs8) for each in before.entries if not isinstance(each, TrustedCertEntry)
    ]
    assert after.contents.opaque == before.contents.opaque == made.contents.opaque
    assert java.list(path, password=NEW) == listed
    copied = path.with_name("copied")
    words = ("-srckeystore", path, "-srcstorepass", NEW, "-destkeystore", copied, "-deststorepass", NEW, "-noprompt")
    said = java.attempt("-importkeystore", *words, password=None)
    assert "4 entries successfully imported" in said.stdout + said.stderr, said
    assert "password was incorrect" in java.attempt("-list", "-keystore", path).stdout
    assert call(fails=True)["msg"] == (
        f"The keystore {path} cannot be read: the password is wrong, or the store was damaged: its MAC does not hold. It was left as it is."
    )


def test_a_rotation_and_other_changes_are_one_step(call: Call, path: Path) -> None:
    call(identity=IDENTITY)
    rhythm(call, [*ANEW, ("platform", "trust")], identity=IDENTITY, trusted=TRUST, **PAIR)
    quiet(call, identity=IDENTITY, trusted=TRUST, password=NEW)


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize("store_format", ["pkcs12", "jks"])
def test_a_store_that_neither_password_opens_stays_as_it_is(call: Call, path: Path, state: str, store_format: str) -> None:
    call(identity=IDENTITY, format=store_format)
    wishes = {"password": "the wrong password", "state": state, "identity": {**IDENTITY, "regenerate": "always"}}
    assert refused(call, **wishes, old_password="another wrong one") == (
        f"The keystore {path} cannot be read: neither 'password' nor 'old_password' opens it, or it was damaged. It was left as it is."
    )
    what = {"pkcs12": "MAC", "jks": "digest"}[store_format]
    assert refused(call, **wishes).startswith(
        f"The keystore {path} cannot be read: the password is wrong, or the store was damaged: its {what} does not hold. "
    )


def test_the_old_password_may_remove_the_store(call: Call, path: Path) -> None:
    call(identity=IDENTITY)
    rhythm(call, [("*", "remove")], state="absent", **PAIR)
    assert not path.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(
            {"password": "tiny!"},
            "'password' must have at least 6 characters: Java's keytool makes no store with a shorter one.",
            id="short",
        ),
        pytest.param(
            {"password": "pässword"},
            "'password' must be of printable ASCII characters: Java before 25 opens no PKCS#12 store with another.",
            id="not-ascii",
        ),
        pytest.param(
            {"format": "jks", "key_password": "tiny!"},
            "'key_password' must have at least 6 characters: Java's keytool makes no store with a shorter one.",
            id="short-for-a-key",
        ),
        pytest.param(
            {"key_password": OWN},
            "'key_password' differs from 'password': a PKCS#12 store has one password for all. If it is the key's until now, give it as "
            "'old_key_password'.",
            id="two-passwords-in-pkcs12",
        ),
        pytest.param(
            {"password": "Platform"},
            "'password' is a part of a path, a name or an alias: choose one that is no such word.",
            id="a-word-that-is-shown",
        ),
    ],
)
def test_a_password_that_would_not_do_is_refused_before_there_is_a_store(
    call: Call, path: Path, options: dict[str, str], message: str
) -> None:
    for check in (True, False):
        # The word is shown as it is masked, by whoever called; here only the sentence is of interest.
        wishes = {"identity": {**IDENTITY, "alias": "of-Platform"}, **options}
        assert call(check=check, fails=True, **wishes)["msg"] == message
    assert not path.exists()


def test_the_same_password_for_a_key_is_no_other_one(call: Call) -> None:
    call(identity=IDENTITY)
    quiet(call, identity=IDENTITY, key_password=PASSWORD)


# --- keys under a password of their own ------------------------------------------------------------------------------


def test_keys_that_keytool_left_under_the_old_password_are_brought_under_the_new_one(call: Call, java: Keytool, path: Path) -> None:
    """keytool -storepasswd changes the password of a JKS file, not those of its keys."""
    java("-genkeypair", "-storetype", "JKS", "-keystore", path, "-alias", "ec1", "-keyalg", "EC", "-dname", "CN=ec1,O=Example")
    java("-storepasswd", "-keystore", path, "-new", NEW)
    assert not usable(java, path, "ec1", NEW)
    identity = {"alias": "ec1", "key_type": "EC", "curve": "secp384r1"}
    # Without the old one nobody looks into it, and what else is wished is done beside it.
    assert refused(call, password=NEW, identity=identity) == LOCKED
    rhythm(call, [("platform", "trust")], password=NEW, trusted=TRUST)
    assert not usable(java, path, "ec1", NEW)
    listed = java.list(path, password=NEW)
    done = rhythm(call, ANEW, identity=identity, trusted=TRUST, **PAIR)
    assert done["reasons"] == ["*: it is still under the previous password"]
    assert usable(java, path, "ec1", NEW)
    assert java.list(path, password=NEW) == listed


def test_a_rotation_that_stopped_between_a_key_and_the_file_is_finished(call: Call, java: Keytool, path: Path) -> None:
    """The other way round: keytool -keypasswd first, and the file is still under the old password."""
    call(identity=IDENTITY, format="jks", key_password=NEW)
    assert usable(java, path, "ec1", PASSWORD, NEW)
    rhythm(call, ANEW, identity=IDENTITY, **PAIR)
    assert usable(java, path, "ec1", NEW)


def test_a_key_that_the_new_password_happens_to_open_is_no_obstacle(call: Call, java: Keytool, path: Path) -> None:
    call(identity=IDENTITY, format="jks", key_password=NEW)
    rhythm(call, [*ANEW, ("platform", "trust")], trusted=TRUST, **PAIR)
    assert usable(java, path, "ec1", NEW)


def test_the_password_of_a_key_comes_changes_and_goes(call: Call, java: Keytool, path: Path) -> None:
    another = "another of its own"
    made = rhythm(call, [("ec1", "create")], identity=IDENTITY, format="jks", key_password=OWN)
    assert usable(java, path, "ec1", PASSWORD, OWN)
    assert not usable(java, path, "ec1", PASSWORD)
    # Not, or wrongly, given, it is not looked into; nor is it lost.
    assert refused(call, identity=IDENTITY) == LOCKED
    assert refused(call, identity=IDENTITY, key_password=another) == LOCKED
    assert refused(call, identity=IDENTITY, key_password=another, old_key_password="neither of them") == LOCKED
    done = rhythm(call, [("ec1", "protect_anew")], identity=IDENTITY, key_password=another, old_key_password=OWN)
    assert done["reasons"] == ["ec1: its key is under another password than the one wished for it"]
    assert done["identity"] == made["identity"]
    assert usable(java, path, "ec1", PASSWORD, another)
    # The store's own password changes beside it.
    rhythm(call, ANEW, identity=IDENTITY, key_password=another, **PAIR)
    assert usable(java, path, "ec1", NEW, another)
    rhythm(call, [("ec1", "protect_anew")], identity=IDENTITY, password=NEW, old_key_password=another)
    assert usable(java, path, "ec1", NEW)


def test_a_store_whose_keys_stayed_under_the_old_password_may_get_one_for_its_key(call: Call, java: Keytool, path: Path) -> None:
    call(identity=IDENTITY, format="jks")
    java("-storepasswd", "-keystore", path, "-new", NEW)
    rhythm(call, [*ANEW, ("ec1", "protect_anew")], identity=IDENTITY, key_password=OWN, old_key_password="none of its own", **PAIR)
    assert usable(java, path, "ec1", NEW, OWN)


def test_a_locked_key_is_kept_and_told(call: Call, java: Keytool, path: Path) -> None:
    call(identity=IDENTITY, format="jks", key_password=OWN)
    rhythm(call, [("platform", "trust")], trusted=TRUST)
    assert usable(java, path, "ec1", PASSWORD, OWN)
    [key, _trusted] = call(keystore_info)["entries"]
    assert (key["alias"], key["locked"], key["key_matches"]) == ("ec1", True, None)
    # Into PKCS#12 it cannot go, unless its password is given.
    assert refused(call, format="pkcs12") == (
        f"The keystore {path} cannot be written: keys with a password of their own cannot be brought into PKCS#12: 'ec1'. Bring each under "
        "the store's password first, in a task with it as the identity (regenerate: never) and its password as old_key_password. "
        "It was left as it is."
    )
    rhythm(call, [("*", "convert")], format="pkcs12", identity=IDENTITY, old_key_password=OWN)
    assert usable(java, path, "ec1", PASSWORD)


@pytest.mark.parametrize("regenerate", ["never", "fail", "partial_idempotence", "full_idempotence"])
def test_a_locked_key_is_replaced_only_when_that_is_said(call: Call, regenerate: str) -> None:
    call(identity=IDENTITY, format="jks", key_password=OWN)
    assert refused(call, identity={**IDENTITY, "regenerate": regenerate}) == LOCKED


def test_a_locked_key_is_lost_where_that_is_said(call: Call, java: Keytool, path: Path) -> None:
    call(identity=IDENTITY, format="jks", key_password=OWN)
    wishes = {"identity": {**IDENTITY, "regenerate": "always", "csr": True}, "member": "ec1"}
    for check in (True, False):
        assert actions(call(check=check, **wishes)) == [("ec1", "replace")]
    assert usable(java, path, "ec1", PASSWORD)


def test_a_key_of_its_own_password_in_pkcs12_is_opened_and_brought_under_that_of_the_store(call: Call, java: Keytool, path: Path) -> None:
    """As only Java's KeyStore API makes one."""
    other = issue("other")
    bags = key_bag(PLATFORM.pkcs8, "ec1", b"Time 1", password=OWN), cert_bag(PLATFORM.der, "ec1", b"Time 1")
    more = key_bag(other.pkcs8, "other", b"Time 2"), cert_bag(other.der, "other", b"Time 2")
    path.write_bytes(pfx(*bags, *more))
    identity = {"alias": "ec1", "key_type": "EC"}
    assert refused(call, identity=identity) == LOCKED
    call()  # protects the rest anew
    assert not usable(java, path, "ec1", PASSWORD)
    done = rhythm(call, ANEW, identity=identity, old_key_password=OWN)
    [reason] = done["reasons"]
    assert reason.endswith("; the key under the alias 'ec1' has a password of its own, which Java knows in JKS only")
    assert usable(java, path, "ec1", PASSWORD)


# --- no password -----------------------------------------------------------------------------------------------------


def without_mac(path: Path) -> None:
    """A truststore as cacerts of newer Javas is: neither sealed nor encrypted."""
    path.write_bytes(pfx(cert_bag(PLATFORM.der, "platform", trusted=True), password=None))


def facts_for_the_plan(call: Call, path: Path, **more: Any) -> dict[str, Any]:
    """What member_info says of the same wish."""
    store = {"path": str(path), "password": PASSWORD, **more}
    wishes = {"name": "ec1", "key_alias": "ec1", "keystore": {name: value for name, value in store.items() if name != "fails"}}
    return call(member_info, fails=more.get("fails", False), **wishes)


def test_a_store_that_anybody_could_have_changed_is_not_vouched_for_unasked(call: Call, java: Keytool, path: Path) -> None:
    without_mac(path)
    for wishes in ({}, {"old_password": NEW}, {"trusted": TRUST}):
        assert refused(call, **wishes) == WITHOUT_MAC.format(path)
    assert refused(call, copy_content="") == WITHOUT_MAC.format(path)
    done = rhythm(call, [*ANEW, ("desktop", "trust")], old_password="", trusted=[{"alias": "desktop", "cert_content": DESKTOP.pem}])
    assert done["reasons"][0] == "*: it has no MAC, so nobody would notice if it were changed"
    assert java.list(path)["platform"].sha256 == (PLATFORM.sha256,)
    assert "password was incorrect" in java.attempt("-list", "-keystore", path, password="another password").stdout


def test_the_info_module_reads_it_without_a_password_and_says_so(call: Call, path: Path) -> None:
    without_mac(path)
    [entry] = call(keystore_info, password="")["entries"]
    assert (entry["alias"], entry["sha256"]) == ("platform", PLATFORM.sha256)
    call(old_password="")
    assert "has a password, and none was given: set 'password'." in call(keystore_info, password="", fails=True)["msg"]


def test_a_copy_that_anybody_could_have_changed_is_refused(call: Call, path: Path) -> None:
    without_mac(path)
    content = call(keystore_info, return_content=True)["content"]
    path.unlink()
    assert refused(call, copy_content=content) == (
        "'copy_content' has no MAC, so anybody could have changed it: have mutual.tls.keystore give it one first."
    )
    assert not path.exists()


# --- how often a key is derived --------------------------------------------------------------------------------------


@pytest.fixture()
def derived(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What keys were derived for."""
    found: list[str] = []

    def spend(secret: Secret, iterations: int, blocks: int, salt: bytes, what: str) -> None:
        found.append(what)
        counted(secret, iterations, blocks, salt, what)

    counted = Secret._spend
    monkeypatch.setattr(Secret, "_spend", spend)
    return found


@pytest.mark.parametrize("more", [{}, {"old_password": NEW}, {"old_key_password": OWN}, {"trusted": TRUST}], ids="".join)
def test_a_run_without_change_derives_each_key_once(call: Call, derived: list[str], more: dict[str, Any]) -> None:
    call(identity=IDENTITY, trusted=TRUST)
    call(identity={**IDENTITY, "alias": "ec2"})
    derived.clear()
    quiet(call, identity=IDENTITY, **more)
    once = ["the MAC", "the key under the alias 'ec1'", "the key under the alias 'ec2'", "the encrypted safe"]
    assert sorted(derived) == sorted(2 * once)


def test_the_old_password_costs_one_more_try(call: Call, derived: list[str]) -> None:
    call(identity=IDENTITY)
    derived.clear()
    call(check=False, fails=True, password=NEW, old_password="another wrong one")
    assert derived == ["the MAC", "the MAC"]


# --- the same for the plan -------------------------------------------------------------------------------------------

ANEW_WISHES = [
    pytest.param({}, {}, [], id="nothing"),
    pytest.param({}, PAIR, ["it is still under the previous password"], id="password"),
    pytest.param({}, {"format": "jks"}, ["it is a PKCS#12 file where JKS is wished"], id="format"),
    pytest.param({"format": "jks"}, PAIR, ["it is still under the previous password"], id="password-of-jks"),
]


@pytest.mark.parametrize(("made", "wishes", "reasons"), ANEW_WISHES)
def test_the_plan_is_told_the_same_reasons(
    call: Call, path: Path, made: dict[str, str], wishes: dict[str, str], reasons: list[str]
) -> None:
    call(identity=IDENTITY, **made)
    assert facts_for_the_plan(call, path, **wishes)["store"]["protect_anew"] == reasons
    done = call(**wishes)
    assert [change["reason"] for change in done["changes"]] == (["; ".join(reasons)] if reasons else [])
    assert facts_for_the_plan(call, path, **wishes)["store"]["protect_anew"] == []


def test_the_plan_is_told_whose_key_is_locked(call: Call, path: Path) -> None:
    call(identity=IDENTITY, format="jks", key_password=OWN)
    assert facts_for_the_plan(call, path, fails=True)["msg"] == (
        f"The keystore {path} cannot prove whose it is: the key under the alias 'ec1' has a password of its own, which was not given."
    )
    call(identity=IDENTITY, old_key_password=OWN)
    assert facts_for_the_plan(call, path)["proof"]


def test_the_plan_is_refused_what_the_module_refuses(call: Call, path: Path) -> None:
    without_mac(path)
    assert facts_for_the_plan(call, path, fails=True)["msg"] == refused(call) == WITHOUT_MAC.format(path)
    reasons = facts_for_the_plan(call, path, old_password="")["store"]["protect_anew"]
    assert reasons == ["it has no MAC, so nobody would notice if it were changed"]
    path.write_bytes(pfx(cert_bag(PLATFORM.der, "platform", trusted=True)))
    wrong = {"password": "the wrong password", "old_password": "another wrong one"}
    assert facts_for_the_plan(call, path, fails=True, **wrong)["msg"] == refused(call, **wrong)
