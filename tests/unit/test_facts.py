# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts: what leaves the host says everything but secrets, and one strange entry does not hide the others."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed448
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mutual.tls.plugins.module_utils import facts, keystore
from ansible_collections.mutual.tls.plugins.module_utils.entries import PrivateKeyEntry, TrustedCertEntry
from ansible_collections.mutual.tls.plugins.module_utils.keystore import Store
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import EntryFacts

from .factory import PASSWORD, Issued, cert_bag, chain_of, issue, key_bag, pem, pfx

pytestmark = pytest.mark.codec

SECOND = datetime.timedelta(seconds=1)
EC1, PLATFORM = issue("ec1", san=["ec1.test"]), issue("platform")
CHAIN = chain_of("root", "middle", "leaf")


def entry(issued: Issued, alias: str = "ec1", **more) -> PrivateKeyEntry:
    return PrivateKeyEntry(alias, **{"pkcs8": issued.pkcs8, "chain": issued.chain, **more})


def facts_of(tmp_path: Path, *entries: PrivateKeyEntry | TrustedCertEntry) -> dict:
    store = Store.empty()
    for each in entries:
        store = store.put(each)
    path = tmp_path / "keys.p12"
    keystore.write_store(str(path), store, keystore.serialize_store(store, PASSWORD, now=1_600_000_000), PASSWORD)
    return facts.store_facts(str(path), keystore.open_store(str(path), PASSWORD))


def test_an_absent_store_has_no_entries() -> None:
    found = facts.store_facts("/absent", None)
    assert (found["present"], found["entries"], found["sha256"]) == (False, [], None)


def test_everything_is_said_but_secrets(tmp_path: Path) -> None:
    found = facts_of(tmp_path, entry(EC1), entry(CHAIN, "leaf"), TrustedCertEntry("platform", PLATFORM.der))
    text = json.dumps(found)
    assert "PRIVATE KEY" not in text
    assert PASSWORD not in text
    assert EC1.pkcs8.hex() not in text
    assert [(each["alias"], each["type"], each["sha256"], each["chain_length"]) for each in found["entries"]] == [
        ("ec1", "private_key", EC1.sha256, 1),
        ("leaf", "private_key", CHAIN.sha256, 3),
        ("platform", "trusted_cert", PLATFORM.sha256, 1),
    ]
    ec1, leaf, platform = found["entries"]
    assert (ec1["created"], ec1["key_matches"], ec1["subject_alt_name"]) == ("2020-09-13T12:26:40Z", True, ["DNS:ec1.test"])
    assert leaf["chain_pem"] == pem(*CHAIN.chain)
    assert (platform["created"], platform["pem"]) == (None, PLATFORM.pem)
    assert "key_matches" not in platform
    assert found["format"] == "pkcs12"
    assert found["protection"]["mac"] == "HmacPBESHA256"


def test_the_plan_reads_these_facts(tmp_path: Path) -> None:
    [found] = facts_of(tmp_path, entry(CHAIN, "leaf"))["entries"]
    known = EntryFacts.from_dict(json.loads(json.dumps(found)))
    assert (known.alias, known.subject, known.issuer, known.self_issued) == ("leaf", "CN=leaf", "CN=middle", False)
    assert known.chain_sha256[0] == known.sha256 == CHAIN.sha256
    assert len(known.chain_sha256) == 3


@pytest.mark.parametrize(
    "milliseconds", [0, 253_402_300_799_999, pytest.param(999_999_999_999_999, id="a-date-that-no-calendar-has"), None]
)
def test_any_date_that_a_store_can_hold_is_said(milliseconds: int | None) -> None:
    key_id = f"Time {milliseconds}".encode() if milliseconds is not None else b"x"
    store = keystore.parse_store(pfx(key_bag(EC1.pkcs8, "a", key_id), cert_bag(EC1.der, "a", key_id)), PASSWORD)
    said = facts.entry_facts(store.entries[0])["created"]
    assert said == {0: "1970-01-01T00:00:00Z", 253_402_300_799_999: "9999-12-31T23:59:59Z"}.get(milliseconds)


# --- strange entries -------------------------------------------------------------------------------------------------


def ed448_key() -> bytes:
    form = (serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return ed448.Ed448PrivateKey.generate().private_bytes(*form)


OFF_THE_CURVE = EC1.der.replace(EC1.key.public_key().public_numbers().y.to_bytes(32, "big"), bytes(31) + b"\1")
UNKNOWN_KEY = EC1.der.replace(b"\x2a\x86\x48\xce\x3d\x02\x01", b"\x2a\x86\x48\xce\x3d\x02\x7f")


@pytest.mark.parametrize(
    ("strange", "expected", "unreadable"),
    [
        pytest.param(TrustedCertEntry("strange", OFF_THE_CURVE), {}, "the key of a certificate cannot be read: ", id="off-the-curve"),
        pytest.param(TrustedCertEntry("strange", UNKNOWN_KEY), {}, "", id="certificate-of-an-unknown-key"),
        pytest.param(entry(EC1, "strange", pkcs8=ed448_key()), {"key_matches": None, "locked": False}, None, id="ed448-key"),
        pytest.param(entry(EC1, "strange", pkcs8=b"\x30\x00"), {"key_matches": None, "locked": False}, None, id="no-key"),
        pytest.param(entry(EC1, "strange", chain=(UNKNOWN_KEY,)), {"key_matches": None}, "", id="key-with-such-a-certificate"),
        pytest.param(
            entry(EC1, "strange", chain=(), pkcs8=ed448_key()),
            {"sha256": None, "key_type": None, "key_matches": False},
            "the key under the alias 'strange' is neither RSA nor EC nor Ed25519",
            id="ed448-key-alone",
        ),
        pytest.param(entry(EC1, "strange", chain=()), {"sha256": None, "key_type": "EC", "chain_length": 0}, None, id="key-alone"),
        pytest.param(entry(EC1, "strange", pkcs8=issue("x").pkcs8), {"key_matches": False}, None, id="key-of-another-certificate"),
    ],
)
def test_one_strange_entry_does_not_hide_the_others(
    tmp_path: Path, strange: PrivateKeyEntry | TrustedCertEntry, expected: dict, unreadable: str | None
) -> None:
    found = {each["alias"]: each for each in facts_of(tmp_path, strange, TrustedCertEntry("platform", PLATFORM.der))["entries"]}
    assert found["platform"]["sha256"] == PLATFORM.sha256
    assert {name: found["strange"][name] for name in expected} == expected
    assert ("unreadable" in found["strange"]) == (unreadable is not None)
    assert found["strange"].get("unreadable", "").startswith(unreadable or "")


def test_a_locked_key_is_told_and_not_looked_into() -> None:
    store = keystore.parse_store(pfx(key_bag(EC1.pkcs8, "a", b"1", password="another"), cert_bag(PLATFORM.der, trusted=True)), PASSWORD)
    said = facts.entry_facts(store.entries[0])
    assert (said["locked"], said["key_matches"], said["sha256"]) == (True, False, None)
    assert said["unreadable"] == "the key under the alias 'a' has a password of its own, which was not given"


@given(st.data())
def test_whatever_the_certificate_something_is_said(data: st.DataObject) -> None:
    damaged = bytearray(EC1.der)
    for _damage in range(data.draw(st.integers(1, 2))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = facts.entry_facts(TrustedCertEntry("damaged", bytes(damaged)))
    except UserWarning:  # what cryptography will refuse one day; on a host it is only said
        return
    json.dumps(found)
    EntryFacts.from_dict(found)
