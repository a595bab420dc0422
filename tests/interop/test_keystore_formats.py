# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Formats and profiles of the module keystore: a file becomes another one, its entries do not. keytool is told the type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mutual.tls.plugins.module_utils import keystore as core
from ansible_collections.mutual.tls.plugins.module_utils.profiles import PROFILES
from ansible_collections.mutual.tls.plugins.modules import keystore_info

from ..unit.factory import CRL_BAG, PASSWORD, Keytool, bag, cert_bag, chain_of, pfx
from .rhythm import DESKTOP, IDENTITY, PLATFORM, TRUST, Call, quiet, refused, rhythm

TYPES = {"pkcs12": "PKCS12", "jks": "JKS"}
NAMES = {"pkcs12": "PKCS#12", "jks": "JKS"}
SPEC = ("-keyalg", "EC", "-groupname", "secp256r1", "-validity", "365")


def filled(java: Keytool, path: Path, store_type: str, *options: str) -> None:
    """A key and its certificate, and a trusted one, by keytool."""
    java("-genkeypair", "-keystore", path, "-storetype", store_type, "-alias", "leaf", "-dname", "CN=leaf", *SPEC, *options)
    given = path.with_name("given.pem")
    given.write_text(PLATFORM.pem)
    java("-importcert", "-noprompt", "-keystore", path, "-storetype", store_type, "-alias", "platform", "-file", given, *options)


def dates(path: Path) -> dict[str, int | None]:
    """When keys were made, in milliseconds. A trusted certificate has no date in PKCS#12."""
    store = core.open_store(str(path), PASSWORD)
    return {entry.alias: entry.created for entry in store.entries if isinstance(entry, core.PrivateKeyEntry)}


# --- formats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "target"), [("jks", "pkcs12"), ("pkcs12", "jks")])
def test_a_store_is_converted_with_all_that_is_in_it(call: Call, java: Keytool, path: Path, source: str, target: str) -> None:
    filled(java, path, TYPES[source])
    listed, made = java.list(path, "-storetype", TYPES[source]), dates(path)
    before = core.open_store(str(path), PASSWORD)
    quiet(call, format=source)
    done = rhythm(
        call, [("*", "convert"), ("desktop", "trust")], format=target, trusted=[{"alias": "desktop", "cert_content": DESKTOP.pem}]
    )
    reason = f"it is a {NAMES[source]} file where {NAMES[target]} is wished"
    assert done["reasons"] == [f"*: {reason}", "desktop: it is not in the store"]
    assert done["diff"]["after"].startswith(f"*: the whole store (convert: {reason})\n")
    assert done["store"]["format"] == target
    # Unasked, it stays what it has become.
    quiet(call)
    again = java.list(path, "-storetype", TYPES[target])
    assert {alias: each._replace(created="") for alias, each in again.items() if alias != "desktop"} == {
        alias: each._replace(created="") for alias, each in listed.items()
    }
    assert dates(path) == made
    assert core.open_store(str(path), PASSWORD).key_entry("leaf").pkcs8 == before.key_entry("leaf").pkcs8
    assert java.attempt("-certreq", "-keystore", path, "-storetype", TYPES[target], "-alias", "leaf").returncode == 0
    # keytool reads either format under either name of a type, so that it cannot tell them apart.
    assert path.read_bytes().startswith(b"\xfe\xed\xfe\xed") == (target == "jks")


def test_a_chain_is_converted_as_a_chain(call: Call, java: Keytool, path: Path) -> None:
    chain = chain_of("root", "middle", "leaf")
    store = core.Store.empty().put(core.PrivateKeyEntry("leaf", chain.pkcs8, chain.chain, 1_600_000_000_000))
    path.write_bytes(core.serialize_store(store, PASSWORD))
    listed = java.list(path)
    for target in ("jks", "pkcs12"):
        rhythm(call, [("*", "convert")], format=target)
        assert java.list(path, "-storetype", TYPES[target]) == listed
        assert dates(path) == {"leaf": 1_600_000_000_000}


@pytest.mark.parametrize(("name", "store_format"), [("keys.jks", "pkcs12"), ("keys.p12", "jks")])
def test_the_name_of_a_file_does_not_matter(call: Call, java: Keytool, tmp_path: Path, name: str, store_format: str) -> None:
    path = tmp_path / name
    rhythm(call, [("ec1", "create")], path=str(path), identity=IDENTITY, format=store_format)
    quiet(call, path=str(path), identity=IDENTITY)
    assert list(java.list(path, "-storetype", TYPES[store_format])) == ["ec1"]
    assert call(keystore_info, path=str(path))["format"] == store_format


def test_what_jks_cannot_hold_is_refused_in_check_mode_too(call: Call, java: Keytool, path: Path) -> None:
    java("-genseckey", "-keystore", path, "-storetype", "PKCS12", "-alias", "secret", "-keyalg", "AES", "-keysize", "256")
    assert refused(call, format="jks", trusted=TRUST) == (
        f"The keystore {path} cannot be written: the entry under the alias 'secret' is a secret key, which JKS cannot hold: "
        "keep the store PKCS#12, or remove the entry. It was left as it is."
    )
    path.write_bytes(pfx(cert_bag(PLATFORM.der, "platform", trusted=True), bag(CRL_BAG, b"\x30\x00")))
    assert refused(call, format="jks") == (
        f"The keystore {path} cannot be written: 1 of the store's parts are neither private keys nor trusted certificates, and JKS has no "
        "place for them: keep the store PKCS#12, or remove them. It was left as it is."
    )


@pytest.mark.parametrize("options", [{"format": "jks"}, {}])
@pytest.mark.parametrize("profile", ["java8", "modern"])
def test_jks_has_no_profiles(call: Call, options: dict[str, str], profile: str) -> None:
    if not options:
        call(identity=IDENTITY, format="jks")
    assert refused(call, identity=IDENTITY, profile=profile, **options) == (
        f"'profile' is '{profile}', and a JKS store has no profiles: leave it out, or set format to 'pkcs12'."
    )


# --- profiles --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("old", PROFILES)
@pytest.mark.parametrize("new", PROFILES)
def test_a_store_is_brought_from_each_profile_into_each(call: Call, path: Path, old: str, new: str) -> None:
    call(identity=IDENTITY, trusted=TRUST, profile=old)
    before = core.open_store(str(path), PASSWORD)
    assert call(keystore_info)["profile"] == old
    if new == old:
        quiet(call, profile=new)
        return
    done = rhythm(call, [("*", "protect_anew")], profile=new)
    was, will = (PROFILES[each].protection.mac.name for each in (old, new))
    assert f"its MAC is {was} where the profile '{new}' has {will}" in done["reasons"][0]
    assert call(keystore_info)["profile"] == new
    assert core.open_store(str(path), PASSWORD).entries == before.entries


def test_java_opens_what_the_profiles_for_it_make(call: Call, java: Keytool, path: Path) -> None:
    made = call(identity=IDENTITY, trusted=TRUST, profile="java8")
    for profile in ("java8", "default"):
        call(profile=profile)
        listed = java.list(path)
        assert (listed["ec1"].sha256, listed["platform"].sha256) == ((made["identity"]["sha256"],), (PLATFORM.sha256,))


def test_more_iterations_than_the_profile_has_are_kept(call: Call, java: Keytool, path: Path) -> None:
    def iterations(what: str, count: int) -> str:
        return f"-J-Dkeystore.pkcs12.{what}IterationCount={count}"

    filled(java, path, "PKCS12", iterations("keyPbe", 20_000), iterations("certPbe", 30_000), iterations("mac", 40_000))
    kept = ("key_iterations", 20_000), ("certificate_iterations", 30_000), ("mac_iterations", 40_000)
    quiet(call)
    for wishes in ({"identity": IDENTITY}, {"password": "the new password", "old_password": PASSWORD}):
        said = call(**wishes)["store"]["protection"]
        assert [(name, said[name]) for name, _count in kept] == list(kept)


def test_fewer_iterations_than_the_profile_has_are_a_reason(call: Call, java: Keytool, path: Path) -> None:
    filled(java, path, "PKCS12", "-J-Dkeystore.pkcs12.macIterationCount=9999")
    done = rhythm(call, [("*", "protect_anew")])
    assert done["reasons"] == ["*: its MAC is HmacPBESHA256 with 9999 iterations where the profile 'default' has 10000"]
    assert done["store"]["protection"]["mac_iterations"] == 10_000


def test_what_an_old_java_wrote_is_protected_anew_and_nothing_is_lost(call: Call, java: Keytool, path: Path) -> None:
    """RC2 with 40 bits, 3DES and a MAC with SHA-1, and with a secret key."""
    legacy = "-J-Dkeystore.pkcs12.legacy"
    filled(java, path, "PKCS12", legacy)
    java("-genseckey", "-keystore", path, "-alias", "secret", "-keyalg", "AES", "-keysize", "256", legacy)
    listed = java.list(path)
    done = rhythm(call, [("*", "protect_anew")])
    [reason] = done["reasons"]
    for algorithm in ("HmacPBESHA1", "PBEWithSHA1AndDESede", "PBEWithSHA1AndRC2_40"):
        assert algorithm in reason
    assert java.list(path) == listed
    assert (done["store"]["profile"], call(keystore_info)["profile"]) == ("default", "default")


def test_what_an_old_java_can_read_stays_as_it_is_where_that_is_wished(call: Call, java: Keytool, path: Path) -> None:
    count = 100_000
    iterations = [f"-J-Dkeystore.pkcs12.{what}IterationCount={count}" for what in ("mac", "keyPbe", "certPbe")]
    algorithms = [f"-J-Dkeystore.pkcs12.{what}Algorithm=PBEWithSHA1AndDESede" for what in ("keyProtection", "certProtection")]
    filled(java, path, "PKCS12", *iterations, *algorithms, "-J-Dkeystore.pkcs12.macAlgorithm=HmacPBESHA1")
    quiet(call, profile="java8")
    rhythm(call, [("*", "protect_anew")], profile="default")


def test_certificates_in_the_clear_are_no_reason(call: Call, java: Keytool, path: Path) -> None:
    filled(java, path, "PKCS12", "-J-Dkeystore.pkcs12.certProtectionAlgorithm=NONE")
    quiet(call)


def test_the_profile_of_a_file_that_is_nobodys_is_other(call: Call, path: Path) -> None:
    path.write_bytes(pfx(cert_bag(PLATFORM.der, "platform", trusted=True)))
    said: dict[str, Any] = call(keystore_info)
    assert (said["profile"], said["protection"]["mac"], said["protection"]["mac_iterations"]) == ("other", "HmacPBESHA256", 1)
