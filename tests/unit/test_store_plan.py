# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must become of a store, and why: the decision tables of identities and of trusted certificates."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, MtlsError
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import (
    EntryFacts,
    IdentityWish,
    StoreWish,
    TrustWish,
    identity_change,
    trust_changes,
)

from .factory import DAY, chain_of, issue, pem

pytestmark = pytest.mark.codec

NOW = datetime.datetime(2026, 6, 1, 12, 0, tzinfo=datetime.timezone.utc)
SECOND = datetime.timedelta(seconds=1)


def at(moment: datetime.datetime) -> str:
    return x509.timestamp(moment)


ENTRY = EntryFacts(
    alias="ec1",
    type="private_key",
    sha256="aa",
    subject="CN=ec1,O=Example",
    issuer="CN=ec1,O=Example",
    subject_alt_name=("DNS:ec1.test", "IP:192.0.2.7"),
    not_before=at(NOW - DAY),
    not_after=at(NOW + 400 * DAY),
    key_type="EC",
    key_size=256,
    curve="secp256r1",
    chain_sha256=("aa",),
)
WISH = IdentityWish(
    alias="ec1", subject="CN=ec1,O=Example", subject_alt_name=("IP:192.0.2.7", "DNS:ec1.test"), key_type="EC", curve="secp256r1"
)
RSA = replace(ENTRY, key_type="RSA", key_size=2048, curve=None)
CA = "CN=The CA"


# --- identities ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "entry"),
    [
        pytest.param({}, {}, id="all-as-wished"),
        pytest.param({"subject": None}, {"subject": "CN=another", "issuer": "CN=another"}, id="no-subject-wished"),
        pytest.param({"subject_alt_name": None}, {"subject_alt_name": ("DNS:another",)}, id="no-alternative-names-wished"),
        pytest.param({"subject_alt_name": ()}, {"subject_alt_name": ()}, id="none-wished-and-none-there"),
        pytest.param({"subject": "cn=ec1, o=Example"}, {}, id="subject-written-otherwise"),
        pytest.param({"subject_alt_name": ("dns:ec1.test", "ip:192.0.2.7")}, {}, id="alternative-names-written-otherwise"),
        pytest.param({}, {"not_after": at(NOW + 30 * DAY)}, id="ends-when-renewal-begins"),
        pytest.param({}, {"issuer": CA}, id="signed-elsewhere"),
        pytest.param({"valid_for": 100 * DAY}, {}, id="another-length-is-no-reason"),
        pytest.param(
            {"generation": 2},
            {"subject": "CN=ec1,O=Example,OU=generation 2", "issuer": "CN=ec1,O=Example,OU=generation 2"},
            id="generation",
        ),
        pytest.param({"regenerate": "never", "curve": "secp384r1"}, {}, id="never-regenerate-another-curve"),
        pytest.param({"regenerate": "never", "key_type": "RSA"}, {}, id="never-regenerate-another-type"),
        pytest.param({"key_type": None, "curve": None}, {}, id="any-key"),
        pytest.param({"key_type": None, "curve": None}, {"key_type": "RSA", "key_size": 4096, "curve": None}, id="any-key-rsa"),
        pytest.param({"key_type": "RSA", "curve": None}, {"key_type": "RSA", "key_size": 4096, "curve": None}, id="any-size"),
        pytest.param({"curve": None}, {"curve": "secp384r1"}, id="any-curve"),
        pytest.param({"key_type": None}, {}, id="the-curve-says-the-type"),
    ],
)
def test_nothing_becomes_of_what_is_as_wished(wish: dict, entry: dict) -> None:
    assert identity_change(replace(WISH, **wish), replace(ENTRY, **entry), NOW) is None


@pytest.mark.parametrize(
    ("wish", "entry", "action", "reason"),
    [
        pytest.param({"regenerate": "always"}, {}, "replace", "regenerate is 'always'", id="always"),
        pytest.param({"generation": 2}, {}, "replace", "its generation 1 is older than 2", id="generation-raised"),
        pytest.param(
            {"generation": 10, "subject": None},
            {"subject": "CN=ec1,OU=generation 9"},
            "replace",
            "its generation 9 is older than 10",
            id="ninth",
        ),
        pytest.param(
            {"generation": 2, "regenerate": "never"}, {}, "replace", "its generation 1 is older than 2", id="generation-beats-never"
        ),
        pytest.param({"key_type": "RSA"}, {}, "replace", "the key is EC secp256r1 where RSA is wished", id="type"),
        pytest.param({"key_type": "Ed25519"}, {}, "replace", "the key is EC secp256r1 where Ed25519 is wished", id="type-without-size"),
        pytest.param({"curve": "secp384r1"}, {}, "replace", "the key is EC secp256r1 where EC secp384r1 is wished", id="curve"),
        pytest.param(
            {"key_type": None, "curve": None, "key_size": 3072},
            {},
            "replace",
            "the key is EC secp256r1 where RSA 3072 is wished",
            id="the-size-says-the-type",
        ),
        pytest.param(
            {"key_type": None, "curve": None},
            {"key_matches": None, "key_type": "DSA", "key_size": 2048, "curve": None},
            "replace",
            "the key is DSA where RSA or EC or Ed25519 is wished",
            id="a-type-that-is-not-used",
        ),
        pytest.param(
            {"key_type": "RSA", "key_size": 3072},
            {"key_type": "RSA", "key_size": 2048, "curve": None},
            "replace",
            "the key is RSA 2048 where RSA 3072 is wished",
            id="size",
        ),
        pytest.param(
            {"curve": "secp384r1"},
            {"not_after": at(NOW)},
            "replace",
            "the key is EC secp256r1 where EC secp384r1 is wished",
            id="gravest-first",
        ),
        pytest.param(
            {"curve": "secp384r1"}, {"issuer": CA}, "replace", "the key is EC secp256r1 where EC secp384r1 is wished", id="signed-elsewhere"
        ),
        pytest.param({}, {"not_after": at(NOW)}, "renew", f"it expired on {at(NOW)}", id="expires-now"),
        pytest.param({}, {"not_after": at(NOW - DAY)}, "renew", f"it expired on {at(NOW - DAY)}", id="expired"),
        pytest.param(
            {},
            {"not_after": at(NOW + SECOND)},
            "renew",
            f"it ends on {at(NOW + SECOND)}, in 0 days, sooner than renew_before (30 days)",
            id="ends-in-a-second",
        ),
        pytest.param(
            {},
            {"not_after": at(NOW + 30 * DAY - SECOND)},
            "renew",
            f"it ends on {at(NOW + 30 * DAY - SECOND)}, in 29 days, sooner than renew_before (30 days)",
            id="ends-a-second-too-soon",
        ),
        pytest.param({"subject": "CN=ec1"}, {}, "renew", "its subject is 'CN=ec1,O=Example' where 'CN=ec1' is wished", id="subject"),
        pytest.param(
            {"subject": "O=Example,CN=ec1"},
            {},
            "renew",
            "its subject is 'CN=ec1,O=Example' where 'O=Example,CN=ec1' is wished",
            id="subject-in-another-order",
        ),
        pytest.param(
            {},
            {"subject": "CN=ec1,O=Example,OU=generation 2", "issuer": "CN=ec1,O=Example,OU=generation 2"},
            "renew",
            "its subject is 'CN=ec1,O=Example,OU=generation 2' where 'CN=ec1,O=Example' is wished",
            id="generation-lowered",
        ),
        pytest.param(
            {"subject_alt_name": ("DNS:ec1.test",)},
            {},
            "renew",
            "its alternative names are DNS:ec1.test, IP:192.0.2.7 where DNS:ec1.test are wished",
            id="one-alternative-name-fewer",
        ),
        pytest.param(
            {"subject_alt_name": ()},
            {},
            "renew",
            "its alternative names are DNS:ec1.test, IP:192.0.2.7 where none are wished",
            id="no-alternative-names",
        ),
        pytest.param({"regenerate": "never"}, {"not_after": at(NOW)}, "renew", f"it expired on {at(NOW)}", id="never-is-about-keys"),
        pytest.param(
            {},
            {"sha256": None, "subject": None, "issuer": None, "not_after": None, "chain_sha256": ()},
            "renew",
            "the key has no certificate",
            id="key-without-certificate",
        ),
        pytest.param({}, {"key_matches": False}, "renew", "its certificate is for another key", id="certificate-of-another-key"),
        pytest.param(
            {"regenerate": "full_idempotence"},
            {"key_matches": None},
            "replace",
            "it cannot be read (its key is damaged)",
            id="damaged-key",
        ),
        pytest.param(
            {"regenerate": "full_idempotence"}, {"unreadable": "why"}, "replace", "it cannot be read (why)", id="damaged-certificate"
        ),
        pytest.param(
            {},
            {"key_matches": None, "key_type": "Ed448"},
            "replace",
            "the key is Ed448 where EC secp256r1 is wished",
            id="key-of-a-kind-that-is-not-used",
        ),
        pytest.param({"regenerate": "always"}, {"locked": True, "key_matches": None}, "replace", "regenerate is 'always'", id="locked"),
    ],
)
def test_each_reason_by_itself(wish: dict, entry: dict, action: str, reason: str) -> None:
    found = replace(ENTRY, **entry)
    change = identity_change(replace(WISH, **wish), found, NOW)
    assert change is not None
    assert change.to_dict() == {"entry": "ec1", "action": action, "reason": reason, "before": found.sha256, "after": None}


def test_a_key_that_is_not_there_is_made() -> None:
    change = identity_change(WISH, None, NOW)
    assert change is not None
    assert change.to_dict() == {
        "entry": "ec1",
        "action": "create",
        "reason": "there is no private key under this alias",
        "before": None,
        "after": None,
    }


@pytest.mark.parametrize(
    ("wish", "entry", "message"),
    [
        pytest.param(
            {},
            {"type": "trusted_cert"},
            "The alias 'ec1' is a trusted certificate in this store; an identity needs an alias of its own.",
            id="alias-of-a-trusted-certificate",
        ),
        pytest.param(
            {"regenerate": "fail", "curve": "secp384r1"},
            {},
            "The key under the alias 'ec1' is EC secp256r1 where EC secp384r1 is wished, and regenerate is 'fail'.",
            id="regenerate-fail",
        ),
        pytest.param(
            {},
            {"issuer": CA, "not_after": at(NOW)},
            f"The certificate under the alias 'ec1' is due for renewal (it expired on {at(NOW)}), but it was signed by 'CN=The CA' and is "
            "not replaced by a self-signed one: hand in the new chain as certificate_content.",
            id="signed-elsewhere-and-due-for-renewal",
        ),
        pytest.param(
            {"subject": "CN=other"},
            {"issuer": CA},
            "The certificate under the alias 'ec1' is due for renewal (its subject is 'CN=ec1,O=Example' where 'CN=other' is wished), "
            "but it was signed by 'CN=The CA' and is not replaced by a self-signed one: hand in the new chain as certificate_content.",
            id="signed-elsewhere-with-another-subject",
        ),
        pytest.param(
            {},
            {"key_type": None, "subject": None, "issuer": None, "not_after": None, "unreadable": "a certificate cannot be read: why"},
            "The entry under the alias 'ec1' cannot be read (a certificate cannot be read: why) and is not replaced unasked: "
            "set regenerate to 'full_idempotence' if its key may be lost.",
            id="cannot-be-read",
        ),
        pytest.param(
            {},
            {"key_matches": None},
            "The entry under the alias 'ec1' cannot be read (its key is damaged) and is not replaced unasked: "
            "set regenerate to 'full_idempotence' if its key may be lost.",
            id="damaged-key",
        ),
        pytest.param(
            {"regenerate": "full_idempotence"},
            {"locked": True, "key_matches": None},
            "The key under the alias 'ec1' has a password of its own, which was not given. To keep it (JKS only): key_password. To bring "
            "the key under the store's: old_key_password. If the key may be lost: regenerate 'always', once.",
            id="locked-key",
        ),
        pytest.param(
            {},
            {"type": "secret_key"},
            "The alias 'ec1' is a secret key in this store; an identity needs an alias of its own.",
            id="alias-of-a-secret-key",
        ),
    ],
)
def test_what_is_not_decided_for_anybody(wish: dict, entry: dict, message: str) -> None:
    with pytest.raises(InputError) as refused:
        identity_change(replace(WISH, **wish), replace(ENTRY, **entry), NOW)
    assert str(refused.value) == message


def test_what_cannot_be_read_is_replaced_when_asked_for() -> None:
    change = identity_change(replace(WISH, regenerate="always"), replace(ENTRY, key_type=None, unreadable="why"), NOW)
    assert change is not None
    assert change.action == "replace"


CHAIN = chain_of("root", "middle", "ec1")
SHA256 = tuple(map(x509.sha256, CHAIN.chain))


@pytest.mark.parametrize(
    ("there", "handed_in", "installs"),
    [
        pytest.param(SHA256, CHAIN.chain, False, id="the-same"),
        pytest.param(SHA256, CHAIN.chain[::-1], False, id="in-another-order"),
        pytest.param(SHA256, CHAIN.chain[:1], False, id="Java-lengthens-it-by-trusted-issuers"),
        pytest.param(SHA256, CHAIN.chain[:2], False, id="by-one-of-them"),
        pytest.param(SHA256[:2], CHAIN.chain, True, id="longer"),
        pytest.param(SHA256, CHAIN.chain[1:], True, id="without-its-leaf"),
        pytest.param(("aa",), CHAIN.chain, True, id="another"),
        pytest.param((SHA256[0], "bb"), CHAIN.chain[:2], True, id="another-intermediate"),
        pytest.param((), CHAIN.chain, True, id="none-there"),
    ],
)
def test_a_chain_is_installed_when_the_store_has_another(there: tuple[str, ...], handed_in: tuple[bytes, ...], installs: bool) -> None:
    change = identity_change(replace(WISH, chain=handed_in), replace(ENTRY, chain_sha256=there, issuer=CA, not_after=at(NOW)), NOW)
    assert (change is not None) == installs
    if change is not None:
        assert (change.action, change.reason) == ("install", "the certificate chain handed in differs from the one in the store")


def test_a_chain_for_a_key_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="^There is no private key under the alias 'ec1' that certificate_content could belong to: "):
        identity_change(replace(WISH, chain=CHAIN.chain), None, NOW)


# --- generations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "generation"),
    [
        (None, 1),
        ("CN=ec1", 1),
        ("CN=ec1,OU=generation 2", 2),
        ("OU=generation 3,CN=ec1", 3),
        (r"CN=a\,OU\=generation 9", 1),
        ("CN=ec1,OU=generation 2b", 1),
        ("CN=ec1,OU=generation ٣", 1),
        pytest.param("CN=ec1,OU=generation " + "9" * 5000, 1, id="more-digits-than-python-reads"),
    ],
)
def test_the_generation_is_in_the_subject(subject: str | None, generation: int) -> None:
    assert replace(ENTRY, subject=subject).generation == generation


@pytest.mark.parametrize(
    ("wish", "name"),
    [
        ({"subject": None}, "CN=ec1"),
        ({"subject": None, "generation": 2}, "CN=ec1,OU=generation 2"),
        ({"subject": "CN=a,O=b", "generation": 2}, "CN=a,O=b,OU=generation 2"),
        ({"subject": None, "alias": "a, b=c"}, r"CN=a\, b\=c"),
    ],
)
def test_the_name_of_a_new_certificate(wish: dict, name: str) -> None:
    made = replace(WISH, **wish)
    assert made.distinguished_name == name
    assert x509.format_name(x509.parse_name(name)) == name
    assert replace(ENTRY, subject=name).generation == made.generation


# --- options ---------------------------------------------------------------------------------------------------------

OPTIONS = {
    "alias": "EC1",
    "subject": None,
    "subject_alt_name": None,
    "key_type": "EC",
    "key_size": 2048,
    "curve": "secp256r1",
    "valid_for": "825d",
    "renew_before": "30d",
    "generation": 1,
    "certificate_content": None,
    "regenerate": "partial_idempotence",
}


def test_options_become_a_wish() -> None:
    wish = IdentityWish.from_options({**OPTIONS, "subject_alt_name": ["DNS:a"], "certificate_content": pem(*CHAIN.chain)})
    assert (wish.alias, wish.subject_alt_name, wish.chain) == ("ec1", ("DNS:a",), CHAIN.chain)
    assert (wish.valid_for, wish.renew_before) == (825 * DAY, 30 * DAY)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alias": ""}, "'identity.alias' is ''; an alias is a text of at least one printable character."),
        ({"alias": " "}, "'identity.alias' is ' '; an alias is a text of at least one printable character."),
        ({"alias": "a\nb"}, r"'identity.alias' is 'a\nb'; an alias is a text of at least one printable character."),
        ({"alias": "\ud800"}, r"'identity.alias' is '\ud800'; an alias is a text of at least one printable character."),
        ({"valid_for": "1 year"}, "'valid_for' is '1 year'; a time is written like 30d, 12h or 1w2d."),
        ({"renew_before": ""}, "'renew_before' is ''; a time is written like 30d, 12h or 1w2d."),
        (
            {"valid_for": "30d"},
            "'renew_before' (30d) is not shorter than 'valid_for' (30d): every run would make a new certificate.",
        ),
        ({"key_type": "RSA", "key_size": 1024}, "'key_size' is 1024; RSA keys of 2048 to 8192 bits are made."),
        ({"subject": "ec1"}, "'subject' is 'ec1'; a name is written like "),
        ({"subject_alt_name": ["ec1"]}, "'subject_alt_name' has 'ec1': "),
        ({"certificate_content": "none"}, "'certificate_content' holds no PEM certificate (-----BEGIN CERTIFICATE-----)."),
        (
            {"certificate_content": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"},
            "'certificate_content' holds what is no certificate: a certificate cannot be read: ",
        ),
    ],
)
def test_options_that_are_no_wish(options: dict, message: str) -> None:
    with pytest.raises(MtlsError) as refused:
        IdentityWish.from_options({**OPTIONS, **options})
    assert isinstance(refused.value, InputError)
    assert str(refused.value).startswith(message)


# --- who signs -------------------------------------------------------------------------------------------------------

SIGNED = replace(ENTRY, issuer=CA, chain_sha256=("aa", "ca"))


def test_a_certificate_that_somebody_else_signed_is_replaced_where_the_own_key_is_to_sign() -> None:
    assert identity_change(replace(WISH, signer="any"), SIGNED, NOW) is None
    assert identity_change(replace(WISH, signer="key"), ENTRY, NOW) is None
    change = identity_change(replace(WISH, signer="key"), SIGNED, NOW)
    assert change is not None
    assert (change.action, change.reason) == ("renew", "it was signed by 'CN=The CA' where its own key is to sign it")


@pytest.mark.parametrize("entry", [ENTRY, SIGNED], ids=["of_its_own_key", "of_a_ca"])
def test_what_an_authority_signs_is_not_renewed_here(entry: EntryFacts) -> None:
    """Neither when it is due, nor when it says something else: the authority is asked."""
    due = replace(entry, not_after=at(NOW + DAY), subject="CN=another")
    assert identity_change(replace(WISH, signer="authority"), due, NOW) is None
    made = identity_change(replace(WISH, signer="authority"), None, NOW)
    assert made is not None
    assert made.action == "create"


# --- trusted certificates --------------------------------------------------------------------------------------------

A, B = issue("a"), issue("b")


def trusted(alias: str, sha256: str) -> EntryFacts:
    return EntryFacts(alias=alias, type="trusted_cert", sha256=sha256)


@pytest.mark.parametrize(
    ("wished", "purge", "there", "changes"),
    [
        pytest.param([TrustWish("a", A.der)], False, [], [("a", "trust", "it is not in the store", None, A.sha256)], id="add"),
        pytest.param([TrustWish("a", A.der, reason="why")], False, [], [("a", "trust", "why", None, A.sha256)], id="add-with-a-reason"),
        pytest.param([TrustWish("a", A.der)], False, [trusted("a", A.sha256)], [], id="same"),
        pytest.param(
            [TrustWish("a", A.der)],
            False,
            [trusted("a", B.sha256)],
            [("a", "replace_trusted", "another certificate is under this alias", B.sha256, A.sha256)],
            id="replace",
        ),
        pytest.param([TrustWish("a")], False, [trusted("a", "aa")], [("a", "distrust", "it is to be absent", "aa", None)], id="absent"),
        pytest.param([TrustWish("a")], False, [], [], id="absent-already"),
        pytest.param([], False, [trusted("a", "aa"), ENTRY], [], id="keeps-what-is-not-managed"),
        pytest.param(
            [],
            True,
            [trusted("a", "aa"), ENTRY],
            [("a", "distrust", "nobody named it and purge_trusted is set", "aa", None)],
            id="purge-but-no-key",
        ),
        pytest.param([TrustWish("a", A.der)], True, [trusted("a", A.sha256)], [], id="purge-keeps-what-is-named"),
        pytest.param(
            [TrustWish("a")],
            True,
            [trusted("a", "aa")],
            [("a", "distrust", "it is to be absent", "aa", None)],
            id="purge-and-absent-once",
        ),
        pytest.param(
            [TrustWish("b", B.der), TrustWish("a", A.der)],
            True,
            [trusted("z", "zz")],
            [
                ("b", "trust", "it is not in the store", None, B.sha256),
                ("a", "trust", "it is not in the store", None, A.sha256),
                ("z", "distrust", "nobody named it and purge_trusted is set", "zz", None),
            ],
            id="in-the-order-of-the-wish-and-the-rest-last",
        ),
    ],
)
def test_trusted_certificates(wished: list[TrustWish], purge: bool, there: list[EntryFacts], changes: list[tuple]) -> None:
    found = trust_changes(StoreWish(None, tuple(wished), purge), there)
    assert [(each.alias, each.action, each.reason, each.before, each.after) for each in found] == changes


@pytest.mark.parametrize(
    ("present", "message"),
    [
        (True, "; a trusted certificate cannot take its place."),
        (
            False,
            ", and 'trusted' removes trusted certificates only. The certificate may be under another alias: see mutual.tls.keystore_info.",
        ),
    ],
)
def test_a_private_key_is_neither_replaced_nor_removed_as_a_trusted_certificate(present: bool, message: str) -> None:
    wish = StoreWish(None, (TrustWish("ec1", A.der if present else None),))
    with pytest.raises(InputError) as refused:
        trust_changes(wish, [ENTRY])
    assert str(refused.value) == f"The alias 'ec1' is a private key in this store{message}"


@pytest.mark.parametrize("there", [[], [ENTRY]])
def test_one_alias_is_not_wished_for_both(there: list[EntryFacts]) -> None:
    """Else the certificate would take the place of the key that was made a moment before."""
    with pytest.raises(InputError) as refused:
        trust_changes(StoreWish(WISH, (TrustWish("ec1", A.der),)), there)
    assert str(refused.value) == "The alias 'ec1' is wished for the identity and for a trusted certificate; each needs one of its own."


def test_a_generation_from_the_command_line_is_a_number() -> None:
    assert IdentityWish.from_options({**OPTIONS, "generation": "2"}).generation == 2
    with pytest.raises(InputError, match="'generation' is 'two'; it is a number"):
        IdentityWish.from_options({**OPTIONS, "generation": "two"})
