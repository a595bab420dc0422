# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying out a plan: what is done is what was said, and nothing else in the store changes."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest
from cryptography.x509 import Name, NameAttribute
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from ansible_collections.mutual.tls.plugins.module_utils import store_changes, x509
from ansible_collections.mutual.tls.plugins.module_utils.entries import PrivateKeyEntry, TrustedCertEntry
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, TrustError
from ansible_collections.mutual.tls.plugins.module_utils.keystore import Store
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import IdentityWish, StoreWish, TrustWish

from .factory import DAY, NOW, Issued, chain_of, issue, new_key

pytestmark = pytest.mark.codec

PLATFORM, FOREIGN = issue("platform"), issue("foreign")
KEPT = (PrivateKeyEntry("foreign key", FOREIGN.pkcs8, FOREIGN.chain, 5, (b"\x30\x00",)), TrustedCertEntry("foreign", FOREIGN.der))
WISH = IdentityWish(alias="ec1", key_type="EC")


def store_of(*entries: PrivateKeyEntry | TrustedCertEntry) -> Store:
    store = Store.empty()
    for entry in (*KEPT, *entries):
        store = store.put(entry)
    return store


def identity(issued: Issued) -> PrivateKeyEntry:
    return PrivateKeyEntry("ec1", issued.pkcs8, issued.chain, 1_500_000_000_000, (b"\x30\x00",))


def carried_out(wish: StoreWish, store: Store, now: datetime.datetime = NOW) -> tuple[Store, list[str]]:
    """The store after the changes, which a second plan finds to be complete."""
    after, done = store_changes.carry_out(wish, store_changes.plan_changes(wish, store, now), store, now)
    assert store_changes.plan_changes(wish, after, now) == []
    assert [entry for entry in after.entries if entry.alias.startswith("foreign")] == list(KEPT)
    for change in done:
        entry = after.get(change.alias)
        certificate = entry.chain[0] if isinstance(entry, PrivateKeyEntry) else entry.certificate if entry else None
        assert change.after == (x509.sha256(certificate) if certificate else None)
    return after, [change.action for change in done]


def test_an_identity_is_made() -> None:
    wish = replace(WISH, subject="CN=ec1,O=Example", subject_alt_name=("DNS:ec1.test",), valid_for=100 * DAY)
    after, done = carried_out(StoreWish(wish), store_of())
    entry = after.key_entry("ec1")
    assert done == ["create"]
    assert entry.created == int(NOW.timestamp() * 1000)
    assert x509.certifies(entry.chain[0], entry.private_key())
    said = x509.describe(entry.chain[0])
    assert (said["subject"], said["subject_alt_name"]) == ("CN=ec1,O=Example", ["DNS:ec1.test"])
    assert said["not_after"] == x509.timestamp(NOW + 100 * DAY)


def test_a_renewed_certificate_is_for_the_same_key() -> None:
    old = issue("ec1", ends=NOW + DAY)
    after, done = carried_out(StoreWish(WISH), store_of(identity(old)))
    entry = after.key_entry("ec1")
    assert done == ["renew"]
    assert (entry.pkcs8, entry.created, entry.attributes) == (old.pkcs8, 1_500_000_000_000, (b"\x30\x00",))
    assert entry.chain[0] != old.der
    assert x509.certifies(entry.chain[0], old.key)


@pytest.mark.parametrize(
    ("wish", "subject", "names"),
    [
        pytest.param({}, "CN=platform.example.test,O=Example", ["DNS:platform.example.test"], id="nothing"),
        pytest.param({"subject": "CN=new"}, "CN=new", ["DNS:platform.example.test"], id="subject"),
        pytest.param({"subject_alt_name": ("DNS:new",)}, "CN=platform.example.test,O=Example", ["DNS:new"], id="names"),
        pytest.param({"subject_alt_name": ()}, "CN=platform.example.test,O=Example", [], id="no-names"),
    ],
)
def test_a_renewal_keeps_the_names_for_which_nothing_else_is_wished(wish: dict, subject: str, names: list[str]) -> None:
    """Without them, those who connect would refuse the server after its first renewal."""
    name = x509.parse_name("CN=platform.example.test,O=Example")
    old = issue("", subject=name, san=["platform.example.test"], ends=NOW + DAY)
    after, done = carried_out(StoreWish(replace(WISH, **wish)), store_of(identity(old)))
    said = x509.describe(after.key_entry("ec1").chain[0])
    assert done == ["renew"]
    assert (said["subject"], said["subject_alt_name"]) == (subject, names)


@pytest.mark.parametrize(
    ("wish", "key_type"), [({"key_type": "Ed25519"}, "Ed25519"), ({"generation": 2}, "EC"), ({"curve": "secp521r1"}, "EC")]
)
def test_a_replaced_identity_has_a_new_key(wish: dict, key_type: str) -> None:
    old = issue("ec1")
    after, done = carried_out(StoreWish(replace(WISH, **wish)), store_of(identity(old)))
    entry = after.key_entry("ec1")
    assert done == ["replace"]
    assert not x509.certifies(entry.chain[0], old.key)
    assert x509.certifies(entry.chain[0], entry.private_key())
    assert x509.describe(entry.chain[0])["key_type"] == key_type
    assert entry.created == int(NOW.timestamp() * 1000)


def signed_elsewhere(key: object) -> Issued:
    root = issue("root", ca=True, usages=None)
    return issue("ec1", by=issue("middle", by=root, ca=True, usages=None), key=key)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (0,), (1, 0)])
def test_a_chain_is_installed_in_order(order: tuple[int, ...]) -> None:
    old = issue("ec1")
    signed = signed_elsewhere(old.key)
    wish = replace(WISH, chain=tuple(signed.chain[each] for each in order))
    after, done = carried_out(StoreWish(wish), store_of(identity(old)))
    assert done == ["install"]
    assert after.key_entry("ec1") == replace(identity(old), chain=signed.chain[: len(order)])


@pytest.mark.parametrize(
    ("handed_in", "message"),
    [
        pytest.param(
            chain_of("root", "ec1").chain,
            "No certificate in certificate_content is for the key under the alias 'ec1': have a new request (csr: true) signed.",
            id="another-key",
        ),
        pytest.param(
            "unrelated", "certificate_content holds certificates that are not in the chain of the alias 'ec1'.", id="a-certificate-too-much"
        ),
    ],
)
def test_a_chain_that_does_not_fit_is_refused_before_anything_is_promised(handed_in: tuple[bytes, ...] | str, message: str) -> None:
    old = issue("ec1")
    chain = (*signed_elsewhere(old.key).chain, PLATFORM.der) if isinstance(handed_in, str) else handed_in
    with pytest.raises(TrustError) as refused:
        store_changes.plan_changes(StoreWish(replace(WISH, chain=chain)), store_of(identity(old)), NOW)
    assert str(refused.value) == message


def test_an_issuer_of_the_right_name_and_another_key_is_refused() -> None:
    """Java would leave it out of the chain, and each run would install it again."""
    old = issue("ec1")
    right, wrong = (issue("ca", ca=True, usages=None, key_ids=True) for _each in range(2))
    signed = issue("ec1", by=right, key=old.key, key_ids=True)
    with pytest.raises(TrustError, match=r"^certificate_content holds certificates that are not in the chain of the alias 'ec1'\.$"):
        store_changes.plan_changes(StoreWish(replace(WISH, chain=(signed.der, wrong.der))), store_of(identity(old)), NOW)
    assert carried_out(StoreWish(replace(WISH, chain=signed.chain)), store_of(identity(old)))[1] == ["install"]


def test_an_issuer_is_found_though_its_name_is_encoded_otherwise() -> None:
    old, key = issue("ec1"), new_key()
    texts = (_ASN1Type.PrintableString, _ASN1Type.UTF8String)
    names = [Name([NameAttribute(NameOID.COMMON_NAME, "My CA", _type=each)]) for each in texts]
    signer, kept = (issue("", subject=name, key=key, ca=True, usages=None) for name in names)
    signed = issue("ec1", by=signer, key=old.key)
    after, done = carried_out(StoreWish(replace(WISH, chain=(kept.der, signed.der))), store_of(identity(old)))
    assert done == ["install"]
    assert after.key_entry("ec1").chain == (signed.der, kept.der)


def test_trust_comes_and_goes() -> None:
    store = store_of(TrustedCertEntry("gone", PLATFORM.der), TrustedCertEntry("other", FOREIGN.der))
    wish = StoreWish(None, (TrustWish("platform", PLATFORM.der), TrustWish("gone"), TrustWish("other", PLATFORM.der)))
    after, done = carried_out(wish, store)
    assert done == ["trust", "distrust", "replace_trusted"]
    assert [entry.alias for entry in after.entries] == ["foreign key", "foreign", "other", "platform"]


def test_an_unreadable_identity_is_not_replaced() -> None:
    old = issue("ec1", key=new_key())
    point = old.key.public_key().public_numbers().y.to_bytes(32, "big")
    broken = replace(identity(old), chain=(old.der.replace(point, bytes(31) + b"\1"),))
    with pytest.raises(InputError, match="^The entry under the alias 'ec1' cannot be read "):
        store_changes.plan_changes(StoreWish(WISH), store_of(broken), NOW)


def test_a_strange_neighbour_is_no_obstacle() -> None:
    after, done = carried_out(StoreWish(WISH), store_of(PrivateKeyEntry("strange", b"\x30\x00", FOREIGN.chain, 7)))
    assert done == ["create"]
    assert after.key_entry("strange").pkcs8 == b"\x30\x00"
