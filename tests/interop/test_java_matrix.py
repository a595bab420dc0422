# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every Java, every format and profile, every type of key: each opens what we wrote, and we read whole what each made.

A store holds all types of keys, so that a cell is one start of keytool; the starts of one Java share two threads.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.backends.openssl import backend
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.hazmat.primitives.serialization import pkcs12 as other_codec

from ansible_collections.mutual.tls.plugins.module_utils import keystore, profiles, x509
from ansible_collections.mutual.tls.plugins.module_utils.entries import (
    Algorithm,
    Contents,
    PrivateKeyEntry,
    Protection,
    SecretKeyEntry,
    TrustedCertEntry,
)
from ansible_collections.mutual.tls.plugins.module_utils.errors import PasswordError, StoreError
from ansible_collections.mutual.tls.plugins.module_utils.facts import entry_facts

from ..conftest import Java
from ..unit.factory import PASSWORD, Issued, Keytool, Listed, chain_of, issue, new_key

KEY, TRUSTED, SECRET = "PrivateKeyEntry", "trustedCertEntry", "SecretKeyEntry"
NEW, OWN = "a newer password", "a key's own"
#: 2020-02-03 04:05:06.789 UTC in milliseconds; each key is a day younger than the one before.
THEN, DAY = 1_580_702_706_789, 86_400_000

STORES = {"default": ("pkcs12", "default"), "java8": ("pkcs12", "java8"), "jks": ("jks", "default"), "modern": ("pkcs12", "modern")}
#: What every Java of the matrix opens.
OPENED = pytest.mark.parametrize("name", ["default", "java8", "jks"])
#: The first that knows Ed25519, and the first that knows PBMAC1.
WITH_ED25519, WITH_PBMAC1 = 15, 26
#: The algorithm of a key, and what Java 11 makes of it.
ED25519 = bytes.fromhex("300506032b6570"), bytes.fromhex("300706032b65700500")


def serialized(store: keystore.Store, name: str) -> bytes:
    store_format, profile = STORES[name]
    return keystore.serialize_store(store, PASSWORD, store_format=store_format, profile=profile)


def ours(store: keystore.Store) -> dict[str, tuple[str, tuple[str, ...]]]:
    """What we see in a store, in keytool's words."""
    kinds = {PrivateKeyEntry: KEY, TrustedCertEntry: TRUSTED, SecretKeyEntry: SECRET}
    return {entry.alias: (kinds[type(entry)], tuple(map(x509.sha256, keystore.chain_of(entry)))) for entry in store.entries}


def javas(listed: dict[str, Listed]) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {alias: (each.type, each.sha256) for alias, each in listed.items()}


def importing(source: Path, destination: Path, *options: str) -> tuple[str | Path, ...]:
    """What Java copies a store with: it decrypts each key and encrypts it anew."""
    passwords = ("-srcstorepass:env", "STORE", "-deststorepass:env", "STORE")
    return ("-importkeystore", "-srckeystore", source, "-destkeystore", destination, *passwords, "-noprompt", *options)


@pytest.fixture(scope="module")
def major(every_java: Java) -> int:
    """The major version of this Java."""
    return every_java.major or Keytool(every_java.found().keytool).major


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool
        pool.shutdown(cancel_futures=True)


# --- what we wrote ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def identities() -> dict[str, Issued]:
    root = issue("root", ca=True, usages=None)
    middle = issue("middle", by=root, ca=True, usages=None)
    return {
        "rsa-2048": issue("rsa-2048", key=new_key("RSA")),
        "rsa-3072": issue("rsa-3072", key=rsa.generate_private_key(public_exponent=65537, key_size=3072), by=middle),
        "p-256": issue("p-256", by=root),
        "p-384": issue("p-384", key=ec.generate_private_key(ec.SECP384R1()), by=middle),
        "p-521": issue("p-521", key=ec.generate_private_key(ec.SECP521R1())),
        "ed25519": issue("ed25519", key=new_key("Ed25519")),
    }


@pytest.fixture(scope="module")
def whole(identities: dict[str, Issued]) -> keystore.Store:
    """A key of each type; of each length of chain; and trusted certificates, one of them under Ed25519."""
    keys = [PrivateKeyEntry(alias, each.pkcs8, each.chain, THEN + day * DAY) for day, (alias, each) in enumerate(identities.items())]
    platform, signed_by_ed25519 = issue("platform"), issue("desktop", by=identities["ed25519"])
    trusted = [TrustedCertEntry("platform", platform.der, THEN), TrustedCertEntry("desktop", signed_by_ed25519.der, THEN + DAY)]
    return keystore.Store(Contents((*keys, *trusted), Protection()))


@pytest.fixture(scope="module")
def written(whole: keystore.Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store in each format and profile; and as NAME-older, without the key that a Java before 15 cannot decode."""
    folder = tmp_path_factory.mktemp("ours")
    for name in STORES:
        (folder / name).write_bytes(serialized(whole, name))
        (folder / f"{name}-older").write_bytes(serialized(whole.remove("ed25519"), name))
    return folder


class Judged:
    """One Java's word on each store, and what it made of it: all are begun at once, and waited for when asked for."""

    def __init__(self, java: Keytool, pool: ThreadPoolExecutor, written: Path, folder: Path, *, older: bool) -> None:
        self.folder = folder
        self.listed: dict[str, Future[dict[str, Listed]]] = {}
        self.copied: dict[str, Future[str]] = {}
        for name in ("default", "java8", "jks"):
            self.listed[name] = pool.submit(java.list, written / name)
            # Of JKS it takes a key as it is, whatever its type.
            source = written / (f"{name}-older" if older and name != "jks" else name)
            # Java's PKCS#12 takes a hundred thousand iterations to write, its JKS none.
            kind = "PKCS12" if name == "jks" else "JKS"
            self.copied[name] = pool.submit(java, *importing(source, folder / name, "-deststoretype", kind), password=None)
        self.modern: Future[subprocess.CompletedProcess[str]] = pool.submit(java.attempt, "-list", "-v", "-keystore", written / "modern")


@pytest.fixture(scope="module")
def judged(every_keytool: Path, major: int, pool: ThreadPoolExecutor, written: Path, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    folder = tmp_path_factory.mktemp("copies")
    return Judged(Keytool(every_keytool), pool, written, folder, older=major < WITH_ED25519)


@OPENED
def test_java_lists_exactly_what_we_wrote(judged: Judged, whole: keystore.Store, name: str) -> None:
    """Java 11 lists the Ed25519 key, too, which it does not know."""
    listed = judged.listed[name].result()
    assert javas(listed) == ours(whole)
    assert sorted(len(each.sha256) for each in listed.values() if each.type == KEY) == [1, 1, 1, 2, 3, 3]
    dated = [entry for entry in whole.entries if name == "jks" or not isinstance(entry, TrustedCertEntry)]  # PKCS#12 dates keys alone
    for entry in dated:
        assert entry.created is not None
        day = time.strftime("%b %d, %Y", time.gmtime(entry.created / 1000)).replace(" 0", " ")
        assert listed[entry.alias].created == day


@OPENED
def test_java_uses_every_key_that_we_wrote(judged: Judged, identities: dict[str, Issued], major: int, name: str) -> None:
    judged.copied[name].result()
    copy = keystore.open_store(str(judged.folder / name), PASSWORD)
    lost = {"ed25519"} if major < WITH_ED25519 and name != "jks" else set()
    assert {entry.alias for entry in copy.entries if isinstance(entry, PrivateKeyEntry)} == identities.keys() - lost
    for alias in identities.keys() - lost:
        entry = copy.key_entry(alias)
        assert entry.chain == identities[alias].chain
        if alias == "ed25519" and major < WITH_ED25519:
            # It adds NULL parameters, which RFC 8410 section 3 forbids and cryptography refuses: kept, and said.
            assert entry.pkcs8 == identities[alias].pkcs8.replace(*map(bytes.fromhex, ("302e", "3030")), 1).replace(*ED25519)
            with pytest.raises(StoreError, match="^the key under the alias 'ed25519' cannot be read: "):
                entry.private_key()
        else:
            assert x509.certifies(identities[alias].der, entry.private_key())


def test_a_java_before_15_does_not_use_an_ed25519_key_that_it_lists(
    every_keytool: Path, judged: Judged, major: int, written: Path, tmp_path: Path
) -> None:
    """It gives up there, and the keys before it do not come into the new store either."""
    assert "ed25519" in judged.listed["default"].result()
    if major >= WITH_ED25519:
        judged.copied["default"].result()
        assert "ed25519" in ours(keystore.open_store(str(judged.folder / "default"), PASSWORD))
        return
    refused = Keytool(every_keytool).attempt(*importing(written / "default", tmp_path / "copy"), password=None)
    assert refused.returncode == 1
    assert refused.stdout.strip() == (
        "keytool error: java.security.UnrecoverableKeyException: Get Key failed: 1.3.101.112 KeyFactory not available"
    )
    assert not (tmp_path / "copy").exists()


def test_a_java_before_26_refuses_the_profile_modern(judged: Judged, major: int, whole: keystore.Store) -> None:
    done = judged.modern.result()
    if major >= WITH_PBMAC1:
        assert f"Your keystore contains {len(whole.entries)} entries" in done.stdout
    else:
        assert done.returncode == 1
        assert "Caused by: java.security.NoSuchAlgorithmException: Algorithm HmacPBE1.2.840.113549.1.5.14 not available" in done.stdout


def test_the_profile_modern_is_opened_by_cryptography(identities: dict[str, Issued]) -> None:
    """As long as no Java judges it. A store for each key, as it reads one."""
    if tuple(int(part) for part in backend.openssl_version_text().split()[1].split(".")[:2] if part.isdigit()) < (3, 4):
        pytest.skip("this cryptography comes with an OpenSSL before 3.4, which has no PBMAC1")
    for alias, issued in identities.items():
        data = serialized(keystore.Store.empty().put(PrivateKeyEntry(alias, issued.pkcs8, issued.chain)), "modern")
        found = other_codec.load_pkcs12(data, PASSWORD.encode())
        assert Issued(found.key, b"").pkcs8 == issued.pkcs8
        assert found.cert is not None
        assert (found.cert.friendly_name, found.cert.certificate) == (alias.encode(), issued.certificate)
        assert {each.certificate for each in found.additional_certs} == {Issued(None, each).certificate for each in issued.above}
        with pytest.raises(ValueError, match="Invalid password"):
            other_codec.load_pkcs12(data, b"another password")


# --- what each Java made ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(every_keytool: Path, major: int, pool: ThreadPoolExecutor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One Java's stores: imported.p12 with a chain, imported.jks of that and a key with its own password, made.p12 under a new
    password with a secret key, legacy.p12 as older Javas wrote it."""
    java, folder = Keytool(every_keytool), tmp_path_factory.mktemp("keytool")
    chain = chain_of("outer root", "outer middle", "imported")
    imported = keystore.Store.empty().put(PrivateKeyEntry("imported", chain.pkcs8, chain.chain, THEN))
    (folder / "source.p12").write_bytes(serialized(imported, "default"))
    (folder / "platform.pem").write_text(issue("platform").pem)

    def genkeypair(name: str, alias: str, *options: str) -> None:
        java("-genkeypair", "-keystore", folder / name, "-alias", alias, "-dname", f"CN={alias}, O=Example\\, Inc.", *options)

    def make_imported() -> None:
        java(*importing(folder / "source.p12", folder / "imported.p12"), password=None)
        genkeypair("imported.p12", "RSA", "-keyalg", "RSA", "-keysize", "2048")
        genkeypair("imported.p12", "dsa", "-keyalg", "DSA")
        java(*importing(folder / "imported.p12", folder / "imported.jks", "-deststoretype", "JKS"), password=None)
        genkeypair("imported.jks", "own", "-keyalg", "EC", "-storetype", "JKS", "-keypass", OWN)

    def make_made() -> None:
        made = ("-keystore", folder / "made.p12")
        genkeypair("made.p12", "ec", "-keyalg", "EC", "-ext", "san=dns:ec.test")
        if major >= WITH_ED25519:
            genkeypair("made.p12", "ed", "-keyalg", "Ed25519")
        java("-genseckey", *made, "-alias", "secret", "-keyalg", "AES", "-keysize", "256")
        java("-importcert", *made, "-alias", "Größe", "-file", folder / "platform.pem", "-noprompt")
        java(*importing(folder / "made.p12", folder / "legacy.p12", "-J-Dkeystore.pkcs12.legacy"), password=None)
        java("-storepasswd", *made, "-new", NEW)

    for done in [pool.submit(make_imported), pool.submit(make_made)]:
        done.result()
    return folder


@pytest.fixture(scope="module")
def lists(every_keytool: Path, folder: Path, pool: ThreadPoolExecutor) -> dict[str, Future[dict[str, Listed]]]:
    java = Keytool(every_keytool)
    return {
        name: pool.submit(java.list, folder / name, password=NEW if name == "made.p12" else PASSWORD)
        for name in ("imported.p12", "imported.jks", "made.p12", "legacy.p12")
    }


def public_bytes(entry: PrivateKeyEntry) -> bytes:
    """What a certificate for the key has in it."""
    return entry.private_key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


MADE = {"ec": 1, "ed": 1, "secret": 0, "größe": 1}


@pytest.mark.parametrize(
    ("name", "password", "chains"),
    [
        ("imported.p12", PASSWORD, {"imported": 3, "rsa": 1, "dsa": 1}),
        ("imported.jks", PASSWORD, {"imported": 3, "rsa": 1, "dsa": 1, "own": 1}),
        ("made.p12", NEW, MADE),
        ("legacy.p12", PASSWORD, MADE),
    ],
)
def test_what_each_java_made_is_read_whole(
    folder: Path, lists: dict[str, Future[dict[str, Listed]]], major: int, name: str, password: str, chains: dict[str, int]
) -> None:
    data = (folder / name).read_bytes()
    store = keystore.parse_store(data, password, {"own": OWN})
    listed = lists[name].result()
    assert ours(store) == javas(listed)
    expected = {alias: length for alias, length in chains.items() if major >= WITH_ED25519 or alias != "ed"}
    assert {alias: len(each.sha256) for alias, each in listed.items()} == expected
    for entry in store.entries:
        if isinstance(entry, PrivateKeyEntry) and entry.alias != "dsa":  # which is not for TLS
            assert public_bytes(entry) in entry.chain[0]
        if not isinstance(entry, TrustedCertEntry) or store.format == "jks":
            assert entry.created is not None
            assert abs(time.time() - entry.created / 1000) < 600
        if isinstance(entry, SecretKeyEntry):
            assert entry.pkcs8 is not None
    # Under another password neither opens it: the one before keytool -storepasswd, for example.
    with pytest.raises(PasswordError, match="^the password is wrong, or the store was damaged: its (MAC|digest) does not hold$"):
        keystore.parse_store(data, PASSWORD if password == NEW else NEW)


def test_the_key_with_a_password_of_its_own_is_locked_without_it(folder: Path) -> None:
    data = (folder / "imported.jks").read_bytes()
    locked = [each.alias for each in keystore.parse_store(data, PASSWORD).entries if isinstance(each, PrivateKeyEntry) and not each.pkcs8]
    assert locked == ["own"]
    assert keystore.parse_store(data, PASSWORD, {"own": OWN}).key_entry("own").password == OWN


@pytest.mark.filterwarnings("ignore:The parsed certificate contains a NULL parameter")  # which cryptography 43 still takes
def test_an_ec_certificate_that_only_java_reads_is_said_and_hides_nothing(folder: Path, major: int) -> None:
    """Java 11 writes NULL parameters behind ecdsa-with-SHA256 where RFC 5758 section 3.2 has none; cryptography refuses that."""
    store = keystore.open_store(str(folder / "made.p12"), NEW)
    facts = entry_facts(store.key_entry("ec"))
    assert facts["sha256"] == x509.sha256(store.key_entry("ec").chain[0])
    strange = bytes.fromhex("300c06082a8648ce3d0403020500")
    assert (strange in store.key_entry("ec").chain[0]) == (major == 11)
    if "unreadable" in facts:
        assert major == 11
        assert facts["unreadable"].startswith("a certificate cannot be read: error parsing asn1 value: ")
        assert facts["key_matches"] is None
    else:
        assert facts["key_matches"] is True


def test_how_each_java_protects_is_seen(folder: Path, major: int) -> None:
    """reference/keystores.md 5c: 11.0.13 already has AES, but still a MAC with SHA-1, and so fits no profile."""
    found = keystore.open_store(str(folder / "made.p12"), NEW).contents.protection
    assert profiles.profile_of(found) == ("other" if major == 11 else "default")
    assert found.mac == Algorithm(*(("HmacPBESHA1", 100_000) if major == 11 else ("HmacPBESHA256", 10_000)))
    legacy = keystore.open_store(str(folder / "legacy.p12"), PASSWORD).contents.protection
    assert legacy == Protection(
        Algorithm("HmacPBESHA1", 100_000), Algorithm("PBEWithSHA1AndDESede", 50_000), Algorithm("PBEWithSHA1AndRC2_40", 50_000)
    )


# --- keys that take long to make -------------------------------------------------------------------------------------


@pytest.mark.skipif(not os.environ.get("MUTUAL_TLS_LONG"), reason="large RSA keys take minutes to make: MUTUAL_TLS_LONG=1 has them made")
def test_large_rsa_keys_are_written_and_read(keytool: Path, tmp_path: Path) -> None:
    java = Keytool(keytool)
    sizes: dict[str, Any] = {f"rsa-{size}": rsa.generate_private_key(public_exponent=65537, key_size=size) for size in (4096, 8192)}
    issued = {alias: issue(alias, key=key) for alias, key in sizes.items()}
    store = keystore.Store(Contents(tuple(PrivateKeyEntry(alias, each.pkcs8, each.chain) for alias, each in issued.items()), Protection()))
    for name in ("default", "java8", "jks"):
        path = tmp_path / name
        path.write_bytes(serialized(store, name))
        assert javas(java.list(path)) == ours(store)
        java(*importing(path, tmp_path / f"{name}-copy"), password=None)
        java(
            "-genkeypair", "-keystore", tmp_path / f"{name}-copy", "-alias", "javas", "-keyalg", "RSA", "-keysize", "4096", "-dname", "CN=j"
        )
        copy = keystore.open_store(str(tmp_path / f"{name}-copy"), PASSWORD)
        assert javas(java.list(tmp_path / f"{name}-copy")) == ours(copy)
        assert {entry.alias for entry in copy.entries} == {*issued, "javas"}
        for entry in copy.entries:
            assert x509.certifies(keystore.chain_of(entry)[0], copy.key_entry(entry.alias).private_key())
