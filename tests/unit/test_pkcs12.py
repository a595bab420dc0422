# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PKCS#12: what is written is read back, what is damaged is refused. Java's own word is in tests/interop."""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization import pkcs12 as other_codec
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mutual.tls.plugins.module_utils import chains, der, pbe, pkcs12
from ansible_collections.mutual.tls.plugins.module_utils.derivation import Secret
from ansible_collections.mutual.tls.plugins.module_utils.entries import (
    Algorithm,
    Contents,
    PrivateKeyEntry,
    Protection,
    SecretKeyEntry,
    TrustedCertEntry,
)
from ansible_collections.mutual.tls.plugins.module_utils.errors import PasswordError, StoreError, UnsupportedStoreError

from .factory import (
    CERT_BAG,
    CRL_BAG,
    DATA,
    KEY_BAG,
    PASSWORD,
    QUICK_ENCRYPTION,
    QUICK_MAC,
    SECRET_BAG,
    SHROUDED_KEY_BAG,
    TRUSTED_KEY_USAGE,
    attribute,
    bag,
    cert_bag,
    chain_of,
    content,
    encrypted_safe,
    issue,
    key_bag,
    new_key,
    pfx,
    safe,
)

pytestmark = pytest.mark.codec

NO_PROTECTION = Protection()
QUICK = Protection(QUICK_MAC, QUICK_ENCRYPTION, QUICK_ENCRYPTION)
EC1 = issue("ec1")
EC2 = issue("ec2")
PLATFORM = issue("platform")
LEAF = chain_of("root", "middle", "leaf")
ROOT = LEAF.above[1]
MIDDLE = LEAF.above[0]


def contents(*entries: PrivateKeyEntry | TrustedCertEntry, opaque: tuple[bytes, ...] = ()) -> Contents:
    return Contents(entries=entries, protection=NO_PROTECTION, opaque=opaque)


def written(*entries: PrivateKeyEntry | TrustedCertEntry, opaque: tuple[bytes, ...] = (), now: int = 1_600_000_000_000) -> bytes:
    return pkcs12.write(contents(*entries, opaque=opaque), PASSWORD, QUICK, now=now)


def rewritten(data: bytes) -> bytes:
    return pkcs12.write(pkcs12.read(data, PASSWORD), PASSWORD, QUICK, now=1_700_000_000_000)


def identity(issued=EC1, alias: str = "ec1", created: int | None = 1_500_000_000_001) -> PrivateKeyEntry:
    return PrivateKeyEntry(alias, issued.pkcs8, issued.chain, created)


# --- whole stores ----------------------------------------------------------------------------------------------------

ALIASES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(str.lower).filter(lambda alias: alias == alias.lower())
CERTIFICATES = [PLATFORM.der, ROOT, MIDDLE]


@given(
    aliases=st.lists(ALIASES, unique=True, max_size=6),
    keys=st.integers(0, 3),
    dates=st.lists(st.integers(0, 253_402_300_799_000), min_size=6, max_size=6, unique=True),
)
def test_stores_are_read_back_whole(aliases: list[str], keys: int, dates: list[int]) -> None:
    issued = [EC1, EC2, LEAF]
    entries = [
        identity(issued[number], alias, dates[number]) if number < keys else TrustedCertEntry(alias, CERTIFICATES[number % 3])
        for number, alias in enumerate(aliases)
    ]
    found = pkcs12.read(written(*entries), PASSWORD)
    assert found.entries == tuple(entries)
    assert found.opaque == ()


def test_protection_is_what_was_asked_for() -> None:
    found = pkcs12.read(written(identity(), TrustedCertEntry("platform", PLATFORM.der)), PASSWORD)
    assert found.protection == QUICK
    assert pkcs12.read(written(), PASSWORD).protection == Protection(QUICK_MAC)


def test_the_cryptography_package_reads_the_same() -> None:
    """Its reader gives the first key, its certificate, and all others."""
    data = written(identity(LEAF, "leaf"), TrustedCertEntry("platform", PLATFORM.der))
    key, certificate, others = other_codec.load_key_and_certificates(data, PASSWORD.encode())
    assert key.public_key().public_numbers() == LEAF.key.public_key().public_numbers()
    assert certificate == LEAF.certificate
    assert {each.public_bytes(Encoding.DER) for each in others} == {MIDDLE, ROOT, PLATFORM.der}
    with pytest.raises(ValueError, match="Invalid password"):
        other_codec.load_key_and_certificates(data, b"another")


def test_nothing_of_the_key_or_the_certificates_is_in_the_clear() -> None:
    data = written(identity(), TrustedCertEntry("platform", PLATFORM.der))
    assert EC1.pkcs8[-40:] not in data
    assert b"platform" not in data
    assert EC1.der[-40:] not in data


def test_private_keys_come_first_whatever_the_order_of_entries() -> None:
    found = pkcs12.read(
        written(TrustedCertEntry("a", PLATFORM.der), identity(EC1, "b"), TrustedCertEntry("c", ROOT), identity(EC2, "d", 7)), PASSWORD
    )
    assert [entry.alias for entry in found.entries] == ["b", "d", "a", "c"]


# --- dates, aliases --------------------------------------------------------------------------------------------------


def test_two_keys_of_one_millisecond_keep_their_own_certificates() -> None:
    entries = [identity(EC1, "ec1", 5), identity(EC2, "ec2", 5), identity(LEAF, "leaf", 6)]
    found = pkcs12.read(written(*entries), PASSWORD).entries
    assert [entry.chain for entry in found] == [EC1.chain, EC2.chain, LEAF.chain]
    assert [entry.created for entry in found] == [5, 6, 7]
    # The twin: had they kept one date, the second certificate of that date would have been anybody's.
    clash = pfx(
        *(maker(issued, each.alias, b"Time 5") for issued, each in ((EC1, entries[0]), (EC2, entries[1])) for maker in (_key, _cert))
    )
    assert [entry.chain for entry in pkcs12.read(clash, PASSWORD).entries] == [EC1.chain, EC2.chain], "the alias decides"


def _key(issued, alias: str | None, key_id: bytes | None) -> bytes:
    return key_bag(issued.pkcs8, alias, key_id)


def _cert(issued, alias: str | None, key_id: bytes | None) -> bytes:
    return cert_bag(issued.der, alias, key_id)


def test_dates_stay_when_a_store_is_rewritten() -> None:
    data = written(identity(EC1, "ec1", None), identity(EC2, "ec2", 1_234_567_890_123), now=1_600_000_000_000)
    for _time in range(3):
        assert [entry.created for entry in pkcs12.read(data, PASSWORD).entries] == [1_600_000_000_000, 1_234_567_890_123]
        data = rewritten(data)


@pytest.mark.parametrize(
    ("key_id", "created"),
    [
        (b"Time 0", 0),
        (b"Time 1600000000123", 1_600_000_000_123),
        (b"Time 253402300799999", 253_402_300_799_999),
        pytest.param(b"Time 253402300800000", None, id="year-10000-which-no-calendar-here-has"),
        pytest.param(b"Time 9223372036854775807", None, id="largest-that-java-writes"),
        (b"Time ", None),
        (b"Time -5", None),
        (b"Time 12x", None),
        ("Time ٣".encode(), None),
        (b"\x01\x02", None),
    ],
)
def test_the_date_is_javas_or_none(key_id: bytes, created: int | None) -> None:
    [entry] = pkcs12.read(pfx(_key(EC1, "ec1", key_id), _cert(EC1, "ec1", key_id)), PASSWORD).entries
    assert entry.created == created
    assert entry.chain == EC1.chain


def test_aliases_are_found_in_lower_case() -> None:
    found = pkcs12.read(pfx(_key(EC1, "EC1", b"1"), _cert(EC1, "EC1", b"1"), cert_bag(PLATFORM.der, "ÄÖ Ω", trusted=True)), PASSWORD)
    assert [entry.alias for entry in found.entries] == ["ec1", "äö ω"]


@pytest.mark.parametrize(
    ("bags", "aliases"),
    [
        pytest.param([_key(EC1, None, b"1"), _cert(EC1, None, b"1")], ["1"], id="key"),
        pytest.param([_key(EC1, "", b"1"), _cert(EC1, "", b"1")], [""], id="empty-is-a-name"),
        pytest.param([_key(EC1, "a", b"1"), _key(EC2, None, b"2")], ["a", "1"], id="only-those-without-a-name-are-counted"),
        pytest.param(
            [_key(EC1, None, b"1"), cert_bag(ROOT, trusted=True), cert_bag(MIDDLE, trusted=True)], ["1", "2", "3"], id="both-kinds"
        ),
        pytest.param([cert_bag(ROOT, trusted=True), _key(EC1, None, b"1")], ["2", "1"], id="in-the-order-of-the-file"),
    ],
)
def test_entries_without_a_name_are_called_by_their_number(bags: list[bytes], aliases: list[str]) -> None:
    assert [entry.alias for entry in pkcs12.read(pfx(*bags), PASSWORD).entries] == aliases


def test_of_two_entries_with_one_alias_the_later_wins_as_in_java() -> None:
    found = pkcs12.read(pfx(cert_bag(ROOT, "A", trusted=True), cert_bag(MIDDLE, "a", trusted=True)), PASSWORD)
    assert found.entries == (TrustedCertEntry("a", MIDDLE),)
    found = pkcs12.read(pfx(cert_bag(ROOT, "A", trusted=True), _key(EC1, "a", b"1"), _cert(EC1, "a", b"1")), PASSWORD)
    assert found.entries == (PrivateKeyEntry("a", EC1.pkcs8, EC1.chain),)


# --- whose certificate -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bags", "chain"),
    [
        pytest.param([_key(EC1, "k", b"1"), _cert(EC1, "k", b"1")], EC1.chain, id="the-same-id"),
        pytest.param([_key(EC1, "k", b"1"), _cert(EC2, "other", b"2"), _cert(EC1, "other", b"1")], EC1.chain, id="the-id-alone"),
        pytest.param([_key(EC1, "k", b"1"), _cert(EC2, "k", b"2"), _cert(EC1, "other", b"1")], EC1.chain, id="the-id-before-the-name"),
        pytest.param([_key(EC1, "K", b"1"), _cert(EC2, "x", b"1"), _cert(EC1, "k", b"1")], EC1.chain, id="of-one-id-the-name-in-any-case"),
        pytest.param([_key(EC1, "K", b"1"), _cert(EC2, None, None), _cert(EC1, "k", b"2")], EC1.chain, id="the-name-without-the-id"),
        pytest.param([_key(EC1, "k", b"1"), _cert(EC2, "x", b"2")], (), id="none"),
        pytest.param([_key(EC1, "k", b"1"), cert_bag(EC1.der, "x", b"1", trusted=True)], (), id="a-trusted-one-is-no-leaf"),
    ],
)
def test_a_key_finds_its_certificate_as_in_java(bags: list[bytes], chain: tuple[bytes, ...]) -> None:
    """sun.security.pkcs12.PKCS12KeyStore.findMatchedCertificate, judged by keytool in tests/interop/test_keystore_java.py."""
    key = next(entry for entry in pkcs12.read(pfx(*bags), PASSWORD).entries if isinstance(entry, PrivateKeyEntry))
    assert key.chain == chain


@pytest.mark.parametrize(
    ("safes", "chain"),
    [
        pytest.param([[_key(EC1, "k", None)], [_cert(EC1, "x", None), _cert(EC2, "y", None)]], EC1.chain, id="begins-a-safe"),
        pytest.param([[_key(EC1, "k", None)], [_cert(EC2, "y", b"2"), _cert(EC1, "x", None)]], (), id="does-not-begin-it"),
        pytest.param([[_cert(EC1, "x", None)], [_key(EC1, "k", None)]], (), id="comes-before-the-key"),
        pytest.param([[_key(EC1, "k", None), _key(EC2, "l", b"2")], [_cert(EC1, "x", None)]], (), id="is-one-of-two"),
    ],
)
def test_an_only_key_without_id_finds_the_certificate_that(safes: list[list[bytes]], chain: tuple[bytes, ...]) -> None:
    found = pkcs12.read(pfx(safes=[safe(*bags) for bags in safes]), PASSWORD).entries[0]
    assert (found.alias, found.chain) == ("k", chain)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_a_chain_is_found_in_any_order(order: tuple[int, ...]) -> None:
    bags = [_cert(LEAF, "leaf", b"1"), cert_bag(MIDDLE), cert_bag(ROOT)]
    found = pkcs12.read(pfx(*(bags[each] for each in order), _key(LEAF, "leaf", b"1")), PASSWORD)
    assert found.entries == (PrivateKeyEntry("leaf", LEAF.pkcs8, (LEAF.der, MIDDLE, ROOT)),)
    assert found.opaque == ()


def test_of_two_issuers_with_one_name_the_key_identifier_decides() -> None:
    old, new = (issue("ca", ca=True, usages=None, key_ids=True) for _each in range(2))
    leaf = issue("leaf", by=new, key_ids=True)
    for order in ((old, new), (new, old)):
        bags = [_key(leaf, "leaf", b"1"), _cert(leaf, "leaf", b"1"), *(cert_bag(each.der, trusted=True) for each in order)]
        assert pkcs12.read(pfx(*bags), PASSWORD).entries[0].chain == (leaf.der, new.der)


def test_certificates_that_certify_each_other_end_the_chain() -> None:
    first = issue("first", ca=True, usages=None)
    second = issue("second", by=first, ca=True, usages=None)
    again = issue("first", by=second, key=first.key, ca=True, usages=None)
    leaf = issue("leaf", by=second)
    found = pkcs12.read(pfx(_key(leaf, "leaf", b"1"), _cert(leaf, "leaf", b"1"), cert_bag(second.der), cert_bag(again.der)), PASSWORD)
    assert found.entries[0].chain == (leaf.der, second.der, again.der)


def test_a_trusted_certificate_may_be_a_keys_own() -> None:
    entries = (identity(), TrustedCertEntry("myself", EC1.der))
    assert pkcs12.read(written(*entries), PASSWORD).entries == entries
    assert pkcs12.read(rewritten(written(*entries)), PASSWORD).entries == entries


def test_one_certificate_in_two_chains_is_written_once() -> None:
    other = issue("other", by=issue("root", key=LEAF.key))
    shared = [replace(identity(LEAF, "a", 1)), PrivateKeyEntry("b", other.pkcs8, (other.der, MIDDLE, ROOT), 2)]
    data = written(*shared)
    assert len(_certificates(data)) == 4
    assert pkcs12.read(data, PASSWORD).entries[0] == shared[0]


def _certificates(data: bytes) -> list[bytes]:
    _key_of_it, _certificate, others = other_codec.load_key_and_certificates(data, PASSWORD.encode())
    return [_certificate, *others]


# --- what is not ours is kept ----------------------------------------------------------------------------------------

UNKNOWN = attribute("1.3.6.1.4.1.311.17.1", der.bmp_string("Microsoft Software Key Storage Provider"))


@pytest.mark.parametrize(
    "foreign",
    [
        pytest.param(
            bag(SECRET_BAG, der.sequence(der.oid("1.2.3"), der.explicit(0, der.octet_string(b"secret"))), "s", b"Time 1"), id="secret"
        ),
        pytest.param(bag(CRL_BAG, der.sequence(der.oid("1.2.840.113549.1.9.23.1"), der.explicit(0, der.octet_string(b"crl")))), id="crl"),
        pytest.param(bag(KEY_BAG, EC2.pkcs8, "unencrypted", b"2"), id="unencrypted-key"),
        pytest.param(bag("1.2.840.113549.1.12.10.1.6", der.sequence()), id="nested-safe"),
        pytest.param(
            bag(CERT_BAG, der.sequence(der.oid("1.2.840.113549.1.9.22.2"), der.explicit(0, der.octet_string(b"sdsi")))), id="sdsi"
        ),
        pytest.param(cert_bag(EC2.der, "a certificate of nobody", b"3", attributes=[UNKNOWN]), id="certificate-without-key-or-trust"),
    ],
)
def test_foreign_bags_are_kept_byte_for_byte(foreign: bytes) -> None:
    data = pfx(_key(EC1, "ec1", b"1"), _cert(EC1, "ec1", b"1"), foreign)
    for _time in range(2):
        found = pkcs12.read(data, PASSWORD)
        assert [entry.alias for entry in found.entries] == ["ec1"]
        assert found.opaque == (foreign,)
        data = rewritten(data)


def test_unknown_attributes_are_kept() -> None:
    narrow = attribute(TRUSTED_KEY_USAGE, der.oid("1.3.6.1.5.5.7.3.1"))
    data = pfx(
        key_bag(EC1.pkcs8, "ec1", b"1", attributes=[UNKNOWN]),
        _cert(EC1, "ec1", b"1"),
        cert_bag(PLATFORM.der, "platform", trusted=True, attributes=[UNKNOWN]),
        cert_bag(ROOT, "root", attributes=[narrow]),
    )
    found = pkcs12.read(data, PASSWORD).entries
    assert [entry.attributes for entry in found] == [(UNKNOWN,), (UNKNOWN,), (narrow,)]
    again = pkcs12.read(rewritten(data), PASSWORD).entries
    assert [entry.attributes for entry in again] == [(UNKNOWN,), (UNKNOWN,), (narrow,)]


def test_a_key_with_javas_mark_of_trust_is_a_key() -> None:
    """Taken for a trusted certificate, it would be shown to everybody."""
    data = pfx(key_bag(EC1.pkcs8, "ec1", b"1", trusted=True), _cert(EC1, "ec1", b"1"))
    for _time in range(2):
        [entry] = pkcs12.read(data, PASSWORD).entries
        assert isinstance(entry, PrivateKeyEntry)
        assert entry.attributes == (attribute(TRUSTED_KEY_USAGE, der.oid("2.5.29.37.0")),)
        data = rewritten(data)


def test_a_key_of_another_kind_is_kept() -> None:
    """What the collection cannot use (here: no key at all) it still does not lose."""
    data = pfx(key_bag(b"\x30\x03\x02\x01\x00", "alien", b"1"), _cert(EC1, "alien", b"1"))
    [entry] = pkcs12.read(rewritten(data), PASSWORD).entries
    assert (entry.alias, entry.pkcs8, entry.chain) == ("alien", b"\x30\x03\x02\x01\x00", EC1.chain)


# --- keys that are not seen, or not opened ---------------------------------------------------------------------------

SYMMETRIC = der.sequence(der.integer(0), der.sequence(der.oid("2.16.840.1.101.3.4.1")), der.octet_string(b"k" * 16))


def secret_bag(*labels: str | bytes | None, password: str = PASSWORD, under: Algorithm = QUICK_ENCRYPTION) -> bytes:
    """A symmetric key as Java has it."""
    algorithm, ciphertext = pbe.encrypt(SYMMETRIC, Secret(password), under)
    return any_secret_bag(der.sequence(algorithm, der.octet_string(ciphertext)), *labels)


def any_secret_bag(value: bytes, *labels: str | bytes | None) -> bytes:
    return bag(SECRET_BAG, der.sequence(der.oid(SHROUDED_KEY_BAG), der.explicit(0, der.octet_string(value))), *labels)


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(key_bag(EC1.pkcs8, "it", b"Time 1", password="its own"), id="locked-key"),
        pytest.param(secret_bag("it", b"Time 1", password="its own"), id="locked-secret-key"),
        pytest.param(any_secret_bag(der.sequence(der.oid("1.2.3"), der.octet_string(b"in the clear")), "it"), id="any-secret"),
        pytest.param(any_secret_bag(EC1.pkcs8, "it"), id="unencrypted-key-in-a-secret"),
        pytest.param(any_secret_bag(der.octet_string(b"in the clear"), "it"), id="text"),
        pytest.param(
            any_secret_bag(der.sequence(der.sequence(der.oid("1.2.3")), der.octet_string(b"in the clear")), "it"), id="unknown-algorithm"
        ),
    ],
)
def test_what_was_not_encrypted_here_does_not_leave_the_encrypted_safe(kept: bytes) -> None:
    secret = kept[-60:-30]
    algorithm, ciphertext = pbe.encrypt(der.sequence(kept), Secret(PASSWORD), QUICK_ENCRYPTION)
    data = pfx(safes=[encrypted_safe(algorithm, ciphertext), safe(_key(EC2, "ec2", b"Time 2"), _cert(EC2, "ec2", b"Time 2"))])
    again = rewritten(data)
    assert secret not in data
    assert secret not in again
    assert pkcs12.read(again, PASSWORD).entries == pkcs12.read(data, PASSWORD).entries
    assert pkcs12.read(again, PASSWORD).opaque == pkcs12.read(data, PASSWORD).opaque


def test_secret_keys_are_judged_and_protected_anew_once() -> None:
    weak, strong = QUICK_ENCRYPTION._replace(iterations=1), QUICK_ENCRYPTION._replace(iterations=3)
    data = pfx(secret_bag("weak", b"Time 1", under=weak), secret_bag("strong", b"Time 2", under=strong))
    assert pkcs12.read(data, PASSWORD).protection.keys == Algorithm(strong.name, 1, 3)
    once = pkcs12.write(pkcs12.read(data, PASSWORD), PASSWORD, Protection(QUICK_MAC, strong, strong), now=0)
    found = pkcs12.read(once, PASSWORD)
    assert found.protection.keys == strong
    assert [entry.pkcs8 for entry in found.entries if isinstance(entry, SecretKeyEntry)] == [SYMMETRIC, SYMMETRIC]
    again = pkcs12.read(pkcs12.write(found, PASSWORD, Protection(QUICK_MAC, strong, strong), now=0), PASSWORD)
    assert again.entries == found.entries, "what is protected as it should be stays byte for byte"


def test_a_key_that_keeps_its_password_is_remarked() -> None:
    locked = pkcs12.read(pfx(secret_bag("s", b"Time 1", password="its own")), PASSWORD)
    assert locked.remarks == (
        "the secret key under the alias 's' is not opened by the store's password: it keeps the password that it has",
    )
    unseen = pkcs12.read(pfx(_key(EC1, "a", b"Time 1"), _key(EC2, "b", None)), PASSWORD)
    [remark] = unseen.remarks
    assert remark.startswith("the private key under the alias 'b' has no localKeyId, as only a store's first key may")
    assert remark.endswith("and Java does not see it: it keeps the password that it has")
    assert pkcs12.read(pfx(secret_bag("s", b"Time 1")), PASSWORD).remarks == ()


@pytest.mark.parametrize("winner", ["key", "secret", "trusted"])
@pytest.mark.parametrize(
    "shadowed",
    [
        pytest.param(_key(EC1, "A", b"Time 1"), id="key"),
        pytest.param(_key(EC1, "a", None), id="key-without-id"),
        pytest.param(secret_bag("a", b"Time 1"), id="secret-key"),
        pytest.param(key_bag(EC1.pkcs8, "a", b"Time 1", password="another"), id="locked"),
    ],
)
def test_a_key_is_not_lost_because_a_later_entry_has_its_alias(winner: str, shadowed: bytes) -> None:
    later = {
        "key": [_key(LEAF, "a", b"Time 3"), _cert(LEAF, "a", b"Time 3")],
        "secret": [secret_bag("a", b"Time 3")],
        "trusted": [cert_bag(PLATFORM.der, "a", trusted=True)],
    }[winner]
    data = pfx(shadowed, _key(EC2, "other", b"Time 2"), _cert(EC2, "other", b"Time 2"), *later)
    first = pkcs12.read(data, PASSWORD)
    assert first.shadowed == (("a", shadowed),)
    for _time in range(2):
        data = rewritten(data)
        found = pkcs12.read(data, PASSWORD)
        assert found.shadowed == first.shadowed
        assert [(entry.alias, type(entry)) for entry in found.entries] == [(entry.alias, type(entry)) for entry in first.entries]
        assert found.opaque == ()
        assert shadowed[-40:] not in data
    assert any("of those before it, keys are kept under the password that they have" in remark for remark in first.remarks)
    rest = tuple(entry for entry in found.entries if entry.alias != "a")
    alone = pkcs12.read(pkcs12.write(replace(found, entries=rest), PASSWORD, QUICK, now=0), PASSWORD)
    assert alone.shadowed == ()
    assert [entry.alias for entry in alone.entries] == ["other"], "an alias that is taken away does not come back as another entry"


def test_a_shadowed_key_without_a_name_stays_shadowed() -> None:
    data = pfx(cert_bag(ROOT, trusted=True), _key(EC1, None, b"Time 1"), cert_bag(MIDDLE, "2", trusted=True))
    for _time in range(2):
        found = pkcs12.read(data, PASSWORD)
        assert {entry.alias: entry.certificate for entry in found.entries if isinstance(entry, TrustedCertEntry)} == {
            "1": ROOT,
            "2": MIDDLE,
        }
        assert [alias for alias, _bag in found.shadowed] == ["2"]
        data = rewritten(data)


@pytest.mark.parametrize("password", [PASSWORD, "its own"])
def test_a_secret_key_without_a_name_gets_its_number_for_one(password: str) -> None:
    """Else it would have another number once the entries before it have names."""
    data = pfx(cert_bag(ROOT, trusted=True), secret_bag(password=password), cert_bag(MIDDLE, trusted=True))
    aliases = {"1": TrustedCertEntry, "2": SecretKeyEntry, "3": TrustedCertEntry}
    assert {entry.alias: type(entry) for entry in pkcs12.read(data, PASSWORD).entries} == aliases
    assert {entry.alias: type(entry) for entry in pkcs12.read(rewritten(data), PASSWORD).entries} == aliases


def test_a_foreign_key_id_is_kept_and_tells_no_date() -> None:
    data = pfx(_key(EC1, "a", b"\x01\x02"), _cert(EC1, "a", b"\x01\x02"), _key(EC2, "b", b"Time 5"), _cert(EC2, "b", b"Time 5"))
    for _time in range(2):
        found = [entry for entry in pkcs12.read(data, PASSWORD).entries if isinstance(entry, PrivateKeyEntry)]
        assert [(entry.key_id, entry.created, entry.chain) for entry in found] == [(b"\x01\x02", None, EC1.chain), (None, 5, EC2.chain)]
        data = rewritten(data)


def test_of_two_keys_with_one_foreign_id_the_later_gets_another() -> None:
    data = pfx(_key(EC1, "a", b"1"), _cert(EC1, "a", b"1"), _key(EC2, "b", b"1"), _cert(EC2, "b", b"1"))
    found = [entry for entry in pkcs12.read(rewritten(data), PASSWORD).entries if isinstance(entry, PrivateKeyEntry)]
    assert [(entry.key_id, entry.created, entry.chain) for entry in found] == [
        (b"1", None, EC1.chain),
        (None, 1_700_000_000_000, EC2.chain),
    ]


def test_a_certificate_of_nobody_that_comes_into_a_chain_is_written_once() -> None:
    """Java does not find it as the issuer (its name has another encoding, say), so it would be nobody's twice at the next reading."""
    stranger = cert_bag(ROOT, "kept", attributes=[UNKNOWN])
    found = pkcs12.read(pfx(_key(EC1, "a", b"1"), _cert(EC1, "a", b"1"), stranger), PASSWORD)
    for _time in range(3):
        longer = tuple(replace(entry, chain=(EC1.der, ROOT)) for entry in found.entries if isinstance(entry, PrivateKeyEntry))
        found = pkcs12.read(pkcs12.write(replace(found, entries=longer), PASSWORD, QUICK, now=0), PASSWORD)
        assert found.opaque == (stranger,)


def test_what_comes_out_of_a_safe_without_a_mac_tells_whether_the_password_is_right() -> None:
    """One wrong password of 256 leaves a padding that looks right; a right one opens nonsense only if the file has nonsense."""
    for nonsense in (b"\x30\x05nonsense", b"\x30\x80nonsense", b"\x24\x80nonsense", b""):
        algorithm, ciphertext = pbe.encrypt(nonsense, Secret(PASSWORD), QUICK_ENCRYPTION)
        with pytest.raises(PasswordError, match="^the password does not decrypt the encrypted safe$"):
            pkcs12.read(pfx(safes=[encrypted_safe(algorithm, ciphertext)], password=None), PASSWORD)
        with pytest.raises(der.DerError):  # the twin: the MAC holds, so the file is damaged
            pkcs12.read(pfx(safes=[encrypted_safe(algorithm, ciphertext)]), PASSWORD)


# --- what is refused -------------------------------------------------------------------------------------------------

SMALL = written(identity(EC1, "ec1"), TrustedCertEntry("platform", PLATFORM.der))
EXPECTED = pkcs12.read(SMALL, PASSWORD)


def opens_as_before(data: bytes) -> bool:
    """Whether *data* is read with the same entries; any error but StoreError fails the test."""
    try:
        found = pkcs12.read(data, PASSWORD)
    except StoreError:
        return False
    assert found.entries == EXPECTED.entries
    assert found.opaque == EXPECTED.opaque
    return True


@pytest.mark.parametrize("bits", [0x01, 0x80, 0xFF])
def test_no_flipped_byte_gives_another_store(bits: int) -> None:
    begun = time.monotonic()
    accepted = [
        position
        for position in range(len(SMALL))
        if opens_as_before(SMALL[:position] + bytes([SMALL[position] ^ bits]) + SMALL[position + 1 :])
    ]
    # Only what has no meaning may change: the parameters (NULL) beside the MAC's algorithm.
    assert len(accepted) <= 2, accepted
    assert time.monotonic() - begun < 20


def test_no_truncated_store_is_read() -> None:
    assert opens_as_before(SMALL)
    assert not [length for length in range(len(SMALL)) if opens_as_before(SMALL[:length])]


def test_bytes_after_the_end_are_ignored_as_in_java_and_remarked() -> None:
    for rest in (b"\0", b"\x30\x80", SMALL):
        found = pkcs12.read(SMALL + rest, PASSWORD)
        assert found.remarks == (f"after its end the file has more ({len(rest)} bytes), which Java ignores",)
        assert replace(found, remarks=()) == EXPECTED


@given(st.data())
def test_whatever_is_sealed_only_a_store_error_is_raised(data: st.DataObject) -> None:
    """Without a MAC, damage reaches every part of the reader."""
    bags = [
        _key(EC1, "ec1", b"Time 1"),
        _cert(EC1, "ec1", b"Time 1"),
        cert_bag(PLATFORM.der, "platform", trusted=True, attributes=[UNKNOWN]),
    ]
    whole = bytearray(pfx(*bags, password=None))
    for _damage in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(whole) - 1))
        whole[position] = data.draw(st.integers(0, 255))
    try:
        found = pkcs12.read(bytes(whole), PASSWORD)
    except StoreError:
        return
    for entry in found.entries:
        assert isinstance(entry, (PrivateKeyEntry, SecretKeyEntry, TrustedCertEntry))


def test_a_wrong_password_is_said() -> None:
    for password in ("another password", "", PASSWORD.upper(), PASSWORD + " "):
        with pytest.raises(PasswordError, match="^the password is wrong, or the store was damaged: its MAC does not hold$"):
            pkcs12.read(SMALL, password)


def test_a_key_under_a_password_of_its_own_stays_locked_and_is_kept() -> None:
    """Java's KeyStore API reads such a store; keytool cannot use the key."""
    bag_of_key = key_bag(EC1.pkcs8, "EC1", b"1", password="the key's own")
    data = pfx(bag_of_key, _cert(EC1, "ec1", b"1"), cert_bag(PLATFORM.der, "platform", trusted=True))
    for _time in range(2):
        key, _platform = pkcs12.read(data, PASSWORD).entries
        assert isinstance(key, PrivateKeyEntry)
        assert (key.alias, key.pkcs8, key.chain) == ("ec1", None, EC1.chain)
        assert key.locked is not None
        assert key.locked in bag_of_key
        with pytest.raises(PasswordError, match="^the key under the alias 'ec1' has a password of its own, which was not given$"):
            key.private_key()
        data = rewritten(data)
    opened = pkcs12.read(data, PASSWORD, {"EC1": "the key's own"}).entries[0]
    assert isinstance(opened, PrivateKeyEntry)
    assert (opened.pkcs8, opened.password, opened.locked) == (EC1.pkcs8, "the key's own", None)
    assert "own" not in repr(opened)
    assert pkcs12.read(data, PASSWORD, {"ec1": "not the key's own"}).entries[0] == replace(key)


def test_where_nothing_shows_that_the_password_is_right_a_key_under_another_is_a_wrong_password() -> None:
    key = key_bag(EC1.pkcs8, "ec1", b"1", password="another")
    with pytest.raises(PasswordError, match="^the password does not decrypt the key under the alias 'ec1'$"):
        pkcs12.read(pfx(key, _cert(EC1, "ec1", b"1"), password=None), PASSWORD)
    # The twin: another key that it opens shows that it is the store's.
    found = pkcs12.read(pfx(key, key_bag(EC2.pkcs8, "ec2", b"2"), password=None), PASSWORD).entries
    assert [isinstance(entry, PrivateKeyEntry) and entry.pkcs8 for entry in found] == [None, EC2.pkcs8]


RC4 = der.sequence(der.oid("1.2.840.113549.1.12.1.1"), der.sequence(der.octet_string(bytes(8)), der.integer(2048)))
MANY = der.octet_string(bytes(20)), der.integer(5_000_001)


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        pytest.param(der.sequence(der.integer(3)), StoreError, "the store should have 2 to 3 parts and has 1", id="version-alone"),
        pytest.param(der.sequence(), StoreError, "the store should have 2 to 3 parts and has 0", id="empty"),
        pytest.param(
            der.sequence(der.integer(1), content(DATA, der.octet_string(b""))),
            UnsupportedStoreError,
            "the store is not of PKCS#12 version 3",
            id="version-1",
        ),
        pytest.param(
            der.sequence(der.integer(3), content("1.2.840.113549.1.7.2", der.octet_string(b""))),
            UnsupportedStoreError,
            "the authenticated safe has the content type 1.2.840.113549.1.7.2: only stores sealed with a password are supported",
            id="sealed-with-a-signature",
        ),
        pytest.param(
            pfx(safes=[content("1.2.840.113549.1.7.3", der.sequence())]),
            UnsupportedStoreError,
            "a part of the store has the content type 1.2.840.113549.1.7.3, which is not supported",
            id="enveloped-for-a-public-key",
        ),
        pytest.param(
            pfx(safes=[encrypted_safe(RC4)]),
            UnsupportedStoreError,
            "the encrypted safe is protected with pbeWithSHAAnd128BitRC4 (1.2.840.113549.1.12.1.1), which is not supported",
            id="rc4",
        ),
        pytest.param(
            pfx(bag(SHROUDED_KEY_BAG, der.sequence(RC4, der.octet_string(bytes(8))), "ec1")),
            UnsupportedStoreError,
            "the key under the alias 'ec1' is protected with pbeWithSHAAnd128BitRC4 (1.2.840.113549.1.12.1.1), which is not supported",
            id="rc4-key",
        ),
        pytest.param(pfx(der.sequence(der.oid(CERT_BAG))), StoreError, "a bag should have 2 to 3 parts and has 1", id="bag-without-value"),
        pytest.param(
            pfx(der.sequence(der.oid(CERT_BAG), der.encode(0xA0))),
            StoreError,
            "a bag should be one value and has none",
            id="empty-value",
        ),
        pytest.param(
            pfx(bag(CERT_BAG, der.sequence(), attributes=[der.sequence(der.oid("1.2.3"))])),
            StoreError,
            "an attribute should have 2 parts and has 1",
            id="attribute-without-values",
        ),
        pytest.param(
            pfx(safes=[der.sequence(der.oid(DATA))]),
            StoreError,
            "a part of the authenticated safe should have 2 parts and has 1",
            id="no-content",
        ),
    ],
)
def test_what_is_not_supported_or_malformed_is_refused(data: bytes, kind: type[StoreError], message: str) -> None:
    with pytest.raises(kind) as refused:
        pkcs12.read(data, PASSWORD)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(der.sequence(der.integer(3), der.null() * 4_000_000), id="millions-of-values"),
        pytest.param(pfx(der.sequence(der.oid(CERT_BAG), der.null() * 4_000_000), password=None), id="millions-in-a-bag"),
        pytest.param(
            der.sequence(der.integer(3), content(DATA, der.octet_string(b"\x30\x84\xff\xff\xff\xff"))), id="announces-4-gibibytes"
        ),
        pytest.param(b"\x30\x80\x02\x01\x03" + b"\x30\x80" * 1_000_000, id="nested-without-end"),
        pytest.param(pfx(mac=der.sequence(der.sequence(RC4, der.octet_string(b"")), *MANY)), id="too-many-iterations"),
    ],
)
def test_hostile_stores_are_refused_soon_and_in_little_memory(data: bytes) -> None:
    tracemalloc.start()
    begun = time.monotonic()
    with pytest.raises(StoreError):
        pkcs12.read(data, PASSWORD)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.monotonic() - begun < 2
    assert peak < 12 * max(len(data), 1_000_000)


@pytest.mark.parametrize("length", [chains.MAX_LENGTH, chains.MAX_LENGTH + 1, 2000])
def test_a_chain_is_read_up_to_a_length(length: int) -> None:
    """Of many keys with one long chain each, every certificate would be looked at again for every key."""
    subjects = [der.sequence(der.set_of(der.sequence(der.oid("2.5.4.3"), der.encode(0x0C, b"%06d" % number)))) for number in range(2001)]
    dates = der.sequence(der.encode(0x17, b"250101000000Z"), der.encode(0x17, b"350101000000Z"))

    def certificate(number: int) -> bytes:
        fields = (der.integer(number), der.sequence(), subjects[number + 1], dates, subjects[number], der.sequence())
        return der.sequence(der.sequence(*fields), der.sequence(), der.encode(0x03, b"\0"))

    chain = [certificate(number) for number in range(length)]
    begun = time.monotonic()
    data = pfx(_key(EC1, "ec1", b"1"), cert_bag(chain[0], "ec1", b"1"), *map(cert_bag, chain[1:]))
    if length <= chains.MAX_LENGTH:
        assert pkcs12.read(data, PASSWORD).entries[0].chain == tuple(chain)
    else:
        with pytest.raises(UnsupportedStoreError, match="^a key has a chain of more than 100 certificates$"):
            pkcs12.read(data, PASSWORD)
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (SMALL, True),
        (written(), True),
        (b"", False),
        (b"\x30\x82", False),
        (b"\x30\x06\x02\x01\x02\x30\x00\x00", False),
        (b"\x30\x06\x02\x01\x03\x30\x00\x00", True),
        (EC1.der, False),
        (EC1.pkcs8, False),
        (b"\xfe\xed\xfe\xed\0\0\0\2", False),
    ],
    ids=["small", "written", "empty", "cut", "version-2", "version-3", "certificate", "key", "jks"],
)
def test_the_kind_is_seen_from_the_first_bytes(data: bytes, verdict: bool) -> None:
    assert pkcs12.is_pkcs12(data) is verdict


def test_a_large_store_is_read_in_time() -> None:
    entries = [TrustedCertEntry(f"a{number}", PLATFORM.der) for number in range(2000)]
    data = written(*entries)
    begun = time.monotonic()
    assert len(pkcs12.read(data, PASSWORD).entries) == 2000
    assert time.monotonic() - begun < 2


def test_a_new_key_is_another_one() -> None:
    """The factory itself: were keys shared by accident, half of these tests would show nothing."""
    assert new_key().public_key().public_numbers() != new_key().public_key().public_numbers()
