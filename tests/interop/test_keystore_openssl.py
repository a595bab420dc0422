# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""openssl opens what we wrote, and we open what openssl wrote, or say by which algorithm it is closed to us."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.mutual.tls.plugins.module_utils import keystore
from ansible_collections.mutual.tls.plugins.module_utils.entries import PrivateKeyEntry, TrustedCertEntry
from ansible_collections.mutual.tls.plugins.module_utils.errors import PasswordError, UnsupportedStoreError

from ..unit.factory import PASSWORD, chain_of, issue, openssl, pem, shared_key

pytestmark = pytest.mark.codec

LEAF = chain_of("root", "middle", "leaf")
SECOND = issue("second", key=shared_key("Ed25519"))
PLATFORM = issue("platform")
STORE = (
    keystore.Store.empty()
    .put(TrustedCertEntry("platform", PLATFORM.der))
    .put(PrivateKeyEntry("leaf", LEAF.pkcs8, LEAF.chain, 1_600_000_000_000))
    .put(PrivateKeyEntry("zweiter schlüssel", SECOND.pkcs8, SECOND.chain, 1_600_000_000_000))
)
OPEN = ("-passin", "env:STORE", "-passout", "env:STORE")


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ours") / "store.p12"
    keystore.write_store(str(path), STORE, keystore.serialize_store(STORE, PASSWORD), PASSWORD)
    return path


def test_openssl_takes_the_keys_out(ours: Path) -> None:
    said = openssl("pkcs12", "-in", ours, "-nocerts", "-nodes", *OPEN[:2])
    keys = re.findall(r"-----BEGIN PRIVATE KEY-----.*?-----END PRIVATE KEY-----\n", said, re.DOTALL)
    assert keys == [LEAF.key_pem.decode(), SECOND.key_pem.decode()]
    assert "friendlyName: leaf" in said
    said = openssl("pkcs12", "-in", ours, "-nokeys", *OPEN[:2])
    found = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", said, re.DOTALL)
    assert sorted(found) == sorted(pem(each) for each in (*LEAF.chain, SECOND.der, PLATFORM.der))


def test_the_keys_come_first_and_all_is_protected_as_java_does(ours: Path) -> None:
    said = openssl("pkcs12", "-in", ours, "-info", "-noout", *OPEN[:2])
    parts = re.findall(r"^(MAC: .*|PKCS7 .*|Shrouded Keybag: .*|Certificate bag|Key bag)$", said, re.MULTILINE)
    pbes2 = "PBES2, PBKDF2, AES-256-CBC, Iteration 10000, PRF hmacWithSHA256"
    assert [part.split(", ")[0] if part.startswith("MAC") else part for part in parts] == [
        "MAC: sha256",
        "PKCS7 Data",
        *[f"Shrouded Keybag: {pbes2}"] * 2,
        f"PKCS7 Encrypted data: {pbes2}",
        *["Certificate bag"] * 5,
    ]
    assert "Iteration 10000" in parts[0]


def test_openssl_refuses_a_wrong_password_as_we_do(ours: Path) -> None:
    said = openssl("pkcs12", "-in", ours, "-noout", *OPEN[:2], password="another password", check=False)
    assert "Mac verify error" in said
    with pytest.raises(PasswordError):
        keystore.open_store(str(ours), "another password")


def exported(folder: Path, *options: str) -> Path:
    """LEAF, in a store that openssl makes."""
    (folder / "key.pem").write_bytes(LEAF.key_pem)
    (folder / "chain.pem").write_text(pem(*LEAF.chain))
    path = folder / "store.p12"
    source = ("-inkey", folder / "key.pem", "-in", folder / "chain.pem", "-name", "Leaf")
    said = openssl("pkcs12", "-export", *source, "-out", path, *OPEN[2:], *options, check=False)
    if "legacy" in said or "unsupported" in said or not path.exists():
        pytest.skip(f"this openssl does not write such a store: {said.strip().splitlines()[-1]}")
    return path


@pytest.mark.parametrize(
    ("options", "mac", "encryption"),
    [
        pytest.param([], "HmacPBESHA256", "PBEWithHmacSHA256AndAES_256", id="as-it-comes"),
        pytest.param(["-macalg", "sha1"], "HmacPBESHA1", "PBEWithHmacSHA256AndAES_256", id="mac-sha1"),
        pytest.param(["-macalg", "sha384"], "HmacPBESHA384", "PBEWithHmacSHA256AndAES_256", id="mac-sha384"),
        pytest.param(["-macalg", "sha512", "-iter", "1"], "HmacPBESHA512", "PBEWithHmacSHA256AndAES_256", id="mac-sha512-once"),
        pytest.param(["-keypbe", "AES-128-CBC", "-certpbe", "AES-128-CBC"], "HmacPBESHA256", "PBEWithHmacSHA256AndAES_128", id="aes-128"),
        pytest.param(["-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES"], "HmacPBESHA256", "PBEWithSHA1AndDESede", id="3des"),
        pytest.param(["-legacy"], "HmacPBESHA1", "PBEWithSHA1AndDESede", id="legacy-with-rc2-40"),
        pytest.param(
            ["-legacy", "-certpbe", "PBE-SHA1-RC2-128", "-keypbe", "PBE-SHA1-RC2-128"], "HmacPBESHA1", "PBEWithSHA1AndRC2_128", id="rc2-128"
        ),
        pytest.param(["-certpbe", "NONE"], "HmacPBESHA256", "PBEWithHmacSHA256AndAES_256", id="certificates-in-the-clear"),
        pytest.param(["-nomac"], None, "PBEWithHmacSHA256AndAES_256", id="without-mac"),
    ],
)
def test_what_openssl_wrote_is_read_whole(tmp_path: Path, options: list[str], mac: str | None, encryption: str) -> None:
    store = keystore.open_store(str(exported(tmp_path, *options)), PASSWORD)
    assert store.entries == [PrivateKeyEntry("leaf", LEAF.pkcs8, LEAF.chain)]
    protection = store.contents.protection
    assert (protection.mac and protection.mac.name, protection.keys and protection.keys.name) == (mac, encryption)
    with pytest.raises(PasswordError):
        keystore.open_store(str(tmp_path / "store.p12"), "another password")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(
            ["-keypbe", "AES-192-CBC"],
            "the key under the alias 'leaf' is protected with AES-192-CBC (2.16.840.1.101.3.4.1.22), which is not supported",
            id="aes-192",
        ),
        pytest.param(
            ["-macalg", "sha3-256"], "the MAC is protected with SHA3-256 (2.16.840.1.101.3.4.2.8), which is not supported", id="mac-sha3"
        ),
    ],
)
def test_what_is_closed_to_us_is_refused_by_its_algorithm(tmp_path: Path, options: list[str], message: str) -> None:
    path = exported(tmp_path, *options)
    before = path.read_bytes()
    with pytest.raises(UnsupportedStoreError) as refused:
        keystore.open_store(str(path), PASSWORD)
    assert str(refused.value) == f"The keystore {path} cannot be read: {message}. It was left as it is."
    assert path.read_bytes() == before


def test_an_unencrypted_key_is_kept_and_not_used(tmp_path: Path) -> None:
    """Java does not see it either; openssl does, before and after."""
    path = exported(tmp_path, "-keypbe", "NONE")
    store = keystore.open_store(str(path), PASSWORD)
    assert store.entries == []
    rewritten = tmp_path / "rewritten.p12"
    extended = store.put(TrustedCertEntry("platform", PLATFORM.der))
    keystore.write_store(str(rewritten), extended, keystore.serialize_store(extended, PASSWORD), PASSWORD)
    assert keystore.open_store(str(rewritten), PASSWORD).contents.opaque == store.contents.opaque
    said = openssl("pkcs12", "-in", rewritten, "-nocerts", "-nodes", *OPEN[:2])
    assert LEAF.key_pem.decode() in said
