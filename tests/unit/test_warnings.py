# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Warnings: each by its sentence, which says who, what, and what now; and beside it what is just good enough to say nothing."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mutual.tls.plugins.module_utils import facts, keystore
from ansible_collections.mutual.tls.plugins.module_utils.entries import PrivateKeyEntry, SecretKeyEntry, TrustedCertEntry
from ansible_collections.mutual.tls.plugins.module_utils.warnings import warnings

from .factory import DAY, NOW, PASSWORD, Issued, cert_bag, issue, key_bag, pfx

pytestmark = pytest.mark.codec

SECOND = datetime.timedelta(seconds=1)
EC1, PLATFORM = issue("ec1"), issue("platform")
TRUSTED = facts.entry_facts(TrustedCertEntry("a", PLATFORM.der))
KEY = facts.entry_facts(PrivateKeyEntry("a", EC1.pkcs8, EC1.chain))
PROTECTION = {
    "mac": "HmacPBESHA256",
    "mac_iterations": 10_000,
    "key_encryption": "PBEWithHmacSHA256AndAES_256",
    "key_iterations": 10_000,
    "certificate_encryption": "PBEWithHmacSHA256AndAES_256",
    "certificate_iterations": 10_000,
}
ANEW = "; mutual.tls.keystore protects it anew (profile: default)"
RENAMED = "under the name of another format: programs that go by the name may not open it; rename it, or convert it (format)"
JKS = (
    "JKS protects keys by a scheme of its own that is weak (one round of SHA-1), and no reader but Java knows it; mutual.tls.keystore "
    "converts it (format: pkcs12)"
)


def at(moment: datetime.datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def store(
    *entries: dict[str, Any], path: str = "/opt/keys", store_format: str = "pkcs12", mode: str = "0600", **protection: Any
) -> dict[str, Any]:
    seen = {"path": path, "present": True, "format": store_format, "mode": mode}
    return {**seen, "protection": {**PROTECTION, **protection}, "entries": list(entries)}


# --- entries ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "changes", "expected"),
    [
        pytest.param(KEY, {"not_after": at(NOW)}, f"the certificate under the alias 'a' expired on {at(NOW)}: renew it", id="expired-now"),
        pytest.param(
            TRUSTED,
            {"not_after": at(NOW - DAY)},
            f"the certificate under the alias 'a' expired on {at(NOW - DAY)}: trust its owner's new one, or remove it",
            id="trusted-and-expired",
        ),
        pytest.param(
            KEY,
            {"not_after": at(NOW + 30 * DAY - SECOND)},
            f"the certificate under the alias 'a' ends on {at(NOW + 30 * DAY - SECOND)}, in 29 days: renew it",
            id="ends-in-a-second-less-than-thirty-days",
        ),
        pytest.param(
            TRUSTED,
            {"not_after": at(NOW + SECOND)},
            f"the certificate under the alias 'a' ends on {at(NOW + SECOND)}, in 0 days: trust its owner's new one, or remove it",
            id="ends-in-a-second",
        ),
        pytest.param(TRUSTED, {"not_after": at(NOW + 30 * DAY)}, None, id="ends-in-thirty-days"),
        pytest.param(
            TRUSTED,
            {"not_before": at(NOW + SECOND)},
            f"the certificate under the alias 'a' is not valid before {at(NOW + SECOND)}: wait, or set the clock right",
            id="not-valid-yet",
        ),
        pytest.param(TRUSTED, {"not_before": at(NOW)}, None, id="valid-from-now"),
        pytest.param(
            KEY,
            {"key_matches": False},
            "the certificate under the alias 'a' does not belong to the key beside it, so no handshake succeeds with them: "
            "replace one of the two",
            id="certificate-of-another-key",
        ),
        pytest.param(
            KEY,
            {"key_matches": None},
            "the key under the alias 'a' is kept and not used: it is neither RSA nor EC nor Ed25519",
            id="key-of-another-kind",
        ),
        pytest.param(KEY, {"key_matches": True}, None, id="certificate-of-the-key"),
        pytest.param(
            KEY,
            {"locked": True, "key_matches": None},
            "the key under the alias 'a' has a password of its own: it is kept as it is, and not looked into (mutual.tls.keystore opens it "
            "with key_password or old_key_password)",
            id="locked",
        ),
        pytest.param(
            KEY,
            {"locked": True, "key_matches": False, "sha256": None, "unreadable": "why"},
            "the key under the alias 'a' has a password of its own: it is kept as it is, and not looked into (mutual.tls.keystore opens it "
            "with key_password or old_key_password)",
            id="locked-and-without-certificate",
        ),
        pytest.param(
            KEY,
            {"sha256": None},
            "the key under the alias 'a' has no certificate, so it cannot be used for TLS: give it one, or remove it",
            id="no-certificate",
        ),
        pytest.param(
            TRUSTED, {"unreadable": "why"}, "the entry under the alias 'a' cannot be read, and is kept as it is: why", id="unreadable"
        ),
        pytest.param(
            TRUSTED,
            {"is_ca": True},
            "the certificate under the alias 'a' is a CA: whoever holds its key can make identities that this store trusts; if that is "
            "meant, set ca_expected",
            id="trusted-ca",
        ),
        pytest.param(KEY, {"is_ca": True}, None, id="own-ca"),
        pytest.param(
            TRUSTED,
            {"key_type": "RSA", "key_size": 2047},
            "the certificate under the alias 'a' has an RSA key of 2047 bits, fewer than 2048: have one made with a longer key",
            id="weak-rsa-key",
        ),
        pytest.param(TRUSTED, {"key_type": "RSA", "key_size": 2048}, None, id="rsa-key"),
        pytest.param(
            KEY,
            {"key_type": "EC", "key_size": 192},
            "the certificate under the alias 'a' has an EC key of 192 bits, fewer than 224: have one made with a longer key",
            id="weak-ec-key",
        ),
        pytest.param(KEY, {"key_type": "EC", "key_size": 224}, None, id="ec-key"),
        pytest.param(KEY, {"key_type": "Ed25519", "key_size": 256}, None, id="ed25519-key"),
        pytest.param(TRUSTED, {"key_type": "Ed448", "key_size": None}, None, id="key-without-a-size"),
        *(
            pytest.param(
                TRUSTED,
                {"signature_digest": digest, "issuer": "CN=other"},
                f"the certificate under the alias 'a' is signed with {digest}, for which signatures can be forged: "
                "have it signed anew with SHA-256",
                id=f"signed-with-{digest}",
            )
            for digest in ("MD5", "SHA1")
        ),
        pytest.param(TRUSTED, {"signature_digest": "SHA1"}, None, id="trusted-by-itself-so-that-nobody-checks-its-signature"),
        pytest.param(
            KEY,
            {"signature_digest": "SHA1"},
            "the certificate under the alias 'a' is signed with SHA1, for which signatures can be forged: have it signed anew with SHA-256",
            id="own-certificate-signed-with-sha1",
        ),
        pytest.param(KEY, {"signature_digest": "SHA224", "issuer": "CN=other"}, None, id="signed-with-sha224"),
        pytest.param(KEY, {"signature_digest": None}, None, id="signed-without-a-digest"),
    ],
)
def test_each_fault_of_an_entry_and_what_is_just_none(entry: dict[str, Any], changes: dict[str, Any], expected: str | None) -> None:
    assert warnings(store({**entry, **changes}), NOW) == ([expected] if expected else [])


def test_a_ca_that_is_expected_is_no_fault_and_others_stay_faults() -> None:
    ca = {**TRUSTED, "is_ca": True}
    assert warnings(store(ca), NOW, ca_expected=True) == []
    assert len(warnings(store({**ca, "not_after": at(NOW)}), NOW, ca_expected=True)) == 1


def test_nothing_is_said_of_secret_keys_nor_of_a_store_that_is_not_there() -> None:
    assert warnings(store(facts.entry_facts(SecretKeyEntry("a", b"\x30\x00"))), NOW) == []
    assert warnings(facts.store_facts("/absent", None), NOW) == []


def test_all_faults_of_one_entry_are_said() -> None:
    said = warnings(store({**KEY, "not_after": at(NOW), "key_matches": False, "key_type": "RSA", "key_size": 512}), NOW)
    assert [sentence.partition("under the alias 'a' ")[2].split()[0] for sentence in said] == ["expired", "does", "has"]


@pytest.mark.parametrize(
    ("made", "begins"),
    [
        pytest.param(
            issue("a", key=rsa.generate_private_key(65537, 1024)), "the certificate under the alias 'a' has an RSA key of 1024", id="rsa"
        ),
        pytest.param(issue("a", ca=True), "the certificate under the alias 'a' is a CA: ", id="ca"),
        pytest.param(issue("a", begins=NOW + DAY), "the certificate under the alias 'a' is not valid before ", id="tomorrow"),
        pytest.param(issue("a", ends=NOW + DAY), "the certificate under the alias 'a' ends on ", id="ends-tomorrow"),
        pytest.param(issue("a"), None, id="nothing"),
    ],
)
def test_the_facts_of_certificates_are_those_that_warnings_read(made: Issued, begins: str | None) -> None:
    said = warnings(store(facts.entry_facts(TrustedCertEntry("a", made.der))), NOW)
    assert len(said) == (begins is not None)
    assert all(sentence.startswith(begins or "") for sentence in said)


# --- many entries ----------------------------------------------------------------------------------------------------


def test_three_of_a_kind_are_named_one_by_one_and_more_are_counted() -> None:
    expired = [{**TRUSTED, "alias": name, "not_after": at(NOW)} for name in "abcde"]
    assert len(warnings(store(*expired[:3]), NOW)) == 3
    assert warnings(store(*expired[:4]), NOW) == ["4 entries have expired: 'a', 'b', 'c' and 1 more"]
    assert (
        warnings(store(*expired, {**TRUSTED, "alias": "ca", "is_ca": True}), NOW)[0] == "5 entries have expired: 'a', 'b', 'c' and 2 more"
    )


@pytest.mark.parametrize(
    ("entry", "changes", "expected"),
    [
        (TRUSTED, {"not_after": at(NOW + DAY)}, "4 entries end within 30 days"),
        (TRUSTED, {"not_before": at(NOW + DAY)}, "4 entries are not valid yet"),
        (KEY, {"key_matches": False}, "4 entries have the certificate of another key"),
        (KEY, {"key_matches": None}, "4 entries are keys of other kinds"),
        (KEY, {"locked": True}, "4 entries have a password of their own"),
        (KEY, {"sha256": None}, "4 entries are keys without a certificate"),
        (KEY, {"unreadable": "why"}, "4 entries cannot be read"),
        (TRUSTED, {"is_ca": True}, "4 entries are trusted CAs"),
        (TRUSTED, {"key_type": "RSA", "key_size": 1024}, "4 entries have weak keys"),
        (KEY, {"signature_digest": "MD5"}, "4 entries are signed with a weak digest"),
    ],
)
def test_each_fault_has_words_for_many(entry: dict[str, Any], changes: dict[str, Any], expected: str) -> None:
    many = [{**entry, **changes, "alias": name} for name in "abcd"]
    assert warnings(store(*many), NOW) == [f"{expected}: 'a', 'b', 'c' and 1 more"]


# --- the file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        pytest.param({}, [], id="nothing"),
        *(pytest.param({"path": f"/keys.{name}"}, [], id=f"pkcs12-as-{name}") for name in ("p12", "pfx", "keystore")),
        *(
            pytest.param({"path": f"/keys.{name}"}, [f"it is a PKCS#12 file {RENAMED}"], id=f"pkcs12-as-{name}")
            for name in ("jks", "JKS", "jceks")
        ),
        pytest.param({"path": "/keys.jks", "store_format": "jks", "mac": "SHA1"}, [], id="jks-without-keys"),
        *(
            pytest.param({"path": f"/keys.{name}", "store_format": "jks"}, [f"it is a JKS file {RENAMED}"], id=f"jks-as-{name}")
            for name in ("p12", "pfx", "pkcs12")
        ),
        pytest.param(
            {"mac": None, "mac_iterations": None},
            ["it has no MAC: nobody would notice if it were changed; mutual.tls.keystore gives it one (old_password: '')"],
            id="no-mac",
        ),
        pytest.param({"mac": "HmacPBESHA1"}, [f"its MAC is made with SHA-1{ANEW}"], id="mac-with-sha1"),
        pytest.param({"mac": "PBEWithHmacSHA256"}, [], id="pbmac1"),
        pytest.param(
            {"mac_iterations": 9_999}, [f"its MAC is protected with 9999 iterations, fewer than 10000{ANEW}"], id="mac-iterations"
        ),
        pytest.param({"key_iterations": 1}, [f"its keys are protected with 1 iterations, fewer than 10000{ANEW}"], id="key-iterations"),
        pytest.param(
            {"certificate_iterations": 2048},
            [f"its certificates are protected with 2048 iterations, fewer than 10000{ANEW}"],
            id="certificate-iterations",
        ),
        pytest.param(
            {"key_encryption": "PBEWithSHA1AndDESede", "key_iterations": 50_000},
            [f"its keys are encrypted with PBEWithSHA1AndDESede, which is weak{ANEW}"],
            id="keys-under-3des",
        ),
        pytest.param(
            {"certificate_encryption": "PBEWithHmacSHA256AndAES_256, PBEWithSHA1AndRC2_40"},
            [f"its certificates are encrypted with PBEWithHmacSHA256AndAES_256, PBEWithSHA1AndRC2_40, which is weak{ANEW}"],
            id="some-certificates-under-rc2",
        ),
        pytest.param(
            {"key_encryption": None, "key_iterations": None, "certificate_encryption": None, "certificate_iterations": None},
            [],
            id="no-keys-and-certificates-in-the-clear",
        ),
    ],
)
def test_each_fault_of_a_file_and_what_is_just_none(file: dict[str, Any], expected: list[str]) -> None:
    assert warnings(store(**file), NOW) == expected


def test_a_jks_store_with_keys_protects_them_badly() -> None:
    assert warnings(store(KEY, path="/keys.jks", store_format="jks", mac="SHA1"), NOW) == [JKS]


@pytest.mark.parametrize("mode", ["0644", "0604", "0666"])
def test_keys_that_everybody_may_read_are_told(mode: str) -> None:
    said = f"it holds keys, and everybody on the host may read it (mode {mode}): set mode to '0600'"
    assert warnings(store(KEY, mode=mode), NOW) == [said]
    assert warnings(store(KEY, mode="0640"), NOW) == []
    assert warnings(store(TRUSTED, mode=mode), NOW) == []


def test_what_the_reader_remarked_is_said_too() -> None:
    data = pfx(
        cert_bag(PLATFORM.der, "Mixed", trusted=True),
        cert_bag(PLATFORM.der, "two", trusted=True),
        cert_bag(PLATFORM.der, "two", trusted=True),
    )
    remarks = keystore.parse_store(data, PASSWORD).contents.remarks
    said = warnings(store(), NOW, remarks=remarks)
    assert any("'Mixed'" in each and "lower case" in each for each in said)
    assert any("'two'" in each and "more than once" in each for each in said)
    plain = keystore.parse_store(pfx(cert_bag(PLATFORM.der, "one", trusted=True), key_bag(EC1.pkcs8, "key", b"1")), PASSWORD)
    assert warnings(store(), NOW, remarks=plain.contents.remarks) == []


@given(st.data())
def test_whatever_the_certificate_something_can_be_said(data: st.DataObject) -> None:
    damaged = bytearray(PLATFORM.der)
    for _damage in range(data.draw(st.integers(1, 2))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = facts.entry_facts(TrustedCertEntry("damaged", bytes(damaged)))
    except UserWarning:  # what cryptography will refuse one day; on a host it is only said
        return
    assert all(each.count("\n") == 0 for each in warnings(store(found), NOW))
