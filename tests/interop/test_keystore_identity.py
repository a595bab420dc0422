# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of an identity in the module keystore: made, renewed, replaced, signed elsewhere; keytool and openssl judge it."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mutual.tls.plugins.module_utils import keystore as core
from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.entries import PrivateKeyEntry, TrustedCertEntry

from ..unit.factory import DAY, NOW, PASSWORD, Issued, Keytool, cert_bag, issue, key_bag, openssl, pem, pfx
from .rhythm import DESKTOP, IDENTITY, PLATFORM, TRUST, Call, actions, quiet, refused, rhythm

KEYS = [
    pytest.param({"key_type": "RSA"}, "2048-bit RSA key", "Public-Key: (2048 bit)", id="rsa-2048"),
    pytest.param({"key_type": "RSA", "key_size": 3072}, "3072-bit RSA key", "Public-Key: (3072 bit)", id="rsa-3072"),
    pytest.param({"key_type": "EC"}, "256-bit EC (secp256r1) key", "NIST CURVE: P-256", id="secp256r1"),
    pytest.param({"key_type": "EC", "curve": "secp384r1"}, "384-bit EC (secp384r1) key", "NIST CURVE: P-384", id="secp384r1"),
    pytest.param({"key_type": "EC", "curve": "secp521r1"}, "521-bit EC (secp521r1) key", "NIST CURVE: P-521", id="secp521r1"),
    pytest.param({"key_type": "Ed25519"}, "Subject Public Key Algorithm: Ed25519", "ED25519 Public-Key:", id="ed25519"),
]


def key_of(result: dict[str, Any]) -> bytes:
    """The public key of the identity that a run returned."""
    return x509.public_key_of(x509.pem_to_der(result["identity"]["chain_pem"], "it")[0])


# --- what is made ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "for_java", "for_openssl"), KEYS)
def test_each_kind_of_key_is_made_and_renewed(
    call: Call, java: Keytool, path: Path, kind: dict[str, Any], for_java: str, for_openssl: str
) -> None:
    """A leaf that is no CA, for both sides of a connection and for nothing else; the renewed one is like it."""
    identity = {"alias": "ec1", "subject": "CN=ec1,O=Example", "subject_alt_name": ["DNS:ec1.test", "IP:192.0.2.7"], **kind}
    made = rhythm(call, [("ec1", "create")], identity=identity)
    renewed = rhythm(call, [("ec1", "renew")], identity={**identity, "subject_alt_name": ["DNS:ec1.test", "DNS:two.test"]})
    assert key_of(renewed) == key_of(made)
    assert made["identity"]["sha256"] != renewed["identity"]["sha256"]
    said = java("-list", "-v", "-keystore", path)
    assert for_java in said
    assert "Entry type: PrivateKeyEntry" in said
    for result, names in ((made, "DNS:ec1.test, IP Address:192.0.2.7"), (renewed, "DNS:ec1.test, DNS:two.test")):
        text = openssl("x509", "-noout", "-text", stdin=result["identity"]["chain_pem"].encode())
        assert for_openssl in text
        lines = [line.strip() for line in text.splitlines()]
        following = dict(zip(lines, lines[1:]))
        assert following["X509v3 Basic Constraints: critical"] == "CA:FALSE"
        usage = "Digital Signature, Key Encipherment" if kind["key_type"] == "RSA" else "Digital Signature"
        assert following["X509v3 Key Usage: critical"] == usage
        assert following["X509v3 Extended Key Usage:"] == "TLS Web Server Authentication, TLS Web Client Authentication"
        assert following["X509v3 Subject Alternative Name:"] == names
        (path.parent / "own.pem").write_text(result["identity"]["chain_pem"])
        assert "OK" in openssl("verify", "-partial_chain", "-trusted", path.parent / "own.pem", path.parent / "own.pem")


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        pytest.param({"valid_for": "2000d", "renew_before": "1000d"}, "sooner than renew_before (1000 days)", id="renew-before"),
        pytest.param({"subject": "CN=other"}, "its subject is 'CN=ec1,O=Example' where 'CN=other' is wished", id="subject"),
        pytest.param({"subject_alt_name": []}, "its alternative names are DNS:ec1.test where none are wished", id="no-alternative-names"),
    ],
)
def test_a_certificate_that_is_not_as_wished_is_made_anew_for_the_same_key(call: Call, wish: dict[str, Any], reason: str) -> None:
    made = call(identity=IDENTITY)
    renewed = rhythm(call, [("ec1", "renew")], identity={**IDENTITY, **wish})
    assert renewed["changes"][0]["reason"].endswith(reason)
    assert key_of(renewed) == key_of(made)


def test_what_nobody_wishes_otherwise_stays(call: Call) -> None:
    call(identity=IDENTITY)
    quiet(call, identity={"alias": "ec1", "key_type": "EC"})
    quiet(call, identity={**IDENTITY, "valid_for": "100d"})


@pytest.mark.parametrize("key", [("RSA", 3072), ("EC", "secp521r1"), ("Ed25519", None)], ids=lambda key: key[0])
def test_a_key_of_any_kind_is_kept_where_nobody_wishes_another(call: Call, key: tuple[str, Any]) -> None:
    kind, size = key
    own = {"key_type": kind, **({"RSA": {"key_size": size}, "EC": {"curve": size}}.get(kind, {}))}
    call(identity={"alias": "ec1", **own})
    quiet(call, identity={"alias": "ec1"})
    quiet(call, identity={"alias": "ec1", "key_type": kind})
    quiet(call, identity={"alias": "ec1", "csr": True})
    assert refused(call, identity={"alias": "ec1", "key_size": 2048, "curve": "secp256r1"}) == (
        "'key_size' is for RSA keys and 'curve' for EC keys: say with 'key_type' which one it is to be."
    )


def test_generations_begin_with_one(call: Call) -> None:
    assert refused(call, identity={**IDENTITY, "generation": 0}) == "'generation' is 0; the first one is 1."


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        pytest.param({"generation": 2}, "its generation 1 is older than 2", id="generation"),
        pytest.param({"curve": "secp384r1"}, "the key is EC secp256r1 where EC secp384r1 is wished", id="partial-idempotence"),
        pytest.param(
            {"curve": "secp384r1", "regenerate": "full_idempotence"},
            "the key is EC secp256r1 where EC secp384r1 is wished",
            id="full-idempotence",
        ),
    ],
)
def test_a_key_that_is_not_as_wished_is_replaced(call: Call, wish: dict[str, Any], reason: str) -> None:
    made = call(identity=IDENTITY)
    replaced = rhythm(call, [("ec1", "replace")], identity={**IDENTITY, **wish})
    assert replaced["reasons"] == [f"ec1: {reason}"]
    assert key_of(replaced) != key_of(made)


def test_how_far_to_go_is_for_the_user_to_say(call: Call) -> None:
    call(identity=IDENTITY)
    other = {**IDENTITY, "curve": "secp384r1"}
    quiet(call, identity={**other, "regenerate": "never"})
    assert refused(call, identity={**other, "regenerate": "fail"}) == (
        "The key under the alias 'ec1' is EC secp256r1 where EC secp384r1 is wished, and regenerate is 'fail'."
    )
    quiet(call, identity={**IDENTITY, "regenerate": "fail"})
    for _each_run in range(2):
        assert actions(call(identity={**IDENTITY, "regenerate": "always"})) == [("ec1", "replace")]


def test_an_entry_that_cannot_be_read_is_replaced_only_when_that_is_said(call: Call, path: Path) -> None:
    """Its certificate has a point off the curve. A store that cannot be read is never replaced."""
    point = PLATFORM.key.public_key().public_numbers().y.to_bytes(32, "big")
    broken = PLATFORM.der.replace(point, bytes(31) + b"\1")
    path.write_bytes(pfx(key_bag(PLATFORM.pkcs8, "ec1", b"Time 1"), cert_bag(broken, "ec1", b"Time 1")))
    said = refused(call, identity=IDENTITY)
    assert said.startswith("The entry under the alias 'ec1' cannot be read (the key of a certificate cannot be read: ")
    assert said.endswith(") and is not replaced unasked: set regenerate to 'full_idempotence' if its key may be lost.")
    full = {**IDENTITY, "regenerate": "full_idempotence", "csr": True}
    rhythm(call, [("*", "protect_anew"), ("ec1", "replace")], identity=full, member="ec1")
    path.write_bytes(path.read_bytes()[:-1])
    for regenerate in ("full_idempotence", "always"):
        said = refused(call, identity={**IDENTITY, "regenerate": regenerate})
        assert said.startswith(f"The keystore {path} cannot be read: ")
        assert said.endswith(" It was left as it is.")


# --- signed elsewhere ------------------------------------------------------------------------------------------------


def test_a_request_is_signed_elsewhere_and_installed(call: Call, java: Keytool, path: Path) -> None:
    """The trusted CA lengthens the chain that Java sees; that must not look like a change at each run."""
    ca = issue("the ca", ca=True, usages=None, key_ids=True)
    trust = [{"alias": "ca", "cert_content": ca.pem}]
    made = call(identity={**IDENTITY, "csr": True}, trusted=trust)
    request = made["identity"]["csr"]
    assert "verify OK" in openssl("req", "-verify", "-noout", stdin=request.encode())
    assert "DNS:ec1.test" in openssl("req", "-noout", "-text", stdin=request.encode())
    key = core.open_store(str(path), PASSWORD).key_entry("ec1").private_key()
    signed = issue("", by=ca, key=key, subject=x509.parse_name("CN=ec1,O=Example"), san=["ec1.test"], key_ids=True)
    identity = {**IDENTITY, "certificate_content": signed.pem}
    rhythm(call, [("ec1", "install")], identity=identity, trusted=trust)
    assert java.list(path)["ec1"].sha256 == (signed.sha256, ca.sha256)

    # A chain for another key is refused by the check too.
    stranger = {**IDENTITY, "certificate_content": issue("ec1", by=ca).pem}
    assert refused(call, identity=stranger) == (
        "No certificate in certificate_content is for the key under the alias 'ec1': have a new request (csr: true) signed."
    )
    # Due for renewal, it is not replaced by one that signs itself.
    said = refused(call, identity={**IDENTITY, "valid_for": "3000d", "renew_before": "2000d"})
    assert "but it was signed by 'CN=the ca' and is not replaced by a self-signed one" in said


def signed(call: Call, path: Path, subject: str = "CN=ec1,O=Example") -> tuple[Issued, Issued]:
    """An identity in the store, and the certificate that the CA below a root made for it."""
    call(identity=IDENTITY)
    root = issue("root", ca=True, usages=None, key_ids=True)
    middle = issue("middle", by=root, ca=True, usages=None, key_ids=True)
    key = core.open_store(str(path), PASSWORD).key_entry("ec1").private_key()
    return root, issue("", by=middle, key=key, subject=x509.parse_name(subject), san=["ec1.test"], key_ids=True)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 1), (0,)], ids=lambda order: "".join(map(str, order)))
def test_a_chain_is_installed_leaf_first_whatever_its_order(call: Call, java: Keytool, path: Path, order: tuple[int, ...]) -> None:
    _root, leaf = signed(call, path)
    rhythm(call, [("ec1", "install")], identity={**IDENTITY, "certificate_content": pem(*(leaf.chain[each] for each in order))})
    assert java.list(path)["ec1"].sha256 == tuple(map(x509.sha256, leaf.chain[: len(order)]))


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        ({"curve": "secp384r1"}, "the key is EC secp256r1 where EC secp384r1 is wished"),
        ({"generation": 2}, "its generation 1 is older than 2"),
        ({"regenerate": "always"}, "regenerate is 'always'"),
    ],
    ids=["curve", "generation", "always"],
)
def test_a_chain_for_a_key_that_would_be_replaced_is_refused(call: Call, path: Path, wish: dict[str, Any], reason: str) -> None:
    """Else the signed key would be gone, and its chain dropped without a word."""
    _root, leaf = signed(call, path)
    assert refused(call, identity={**IDENTITY, "certificate_content": pem(*leaf.chain), **wish}) == (
        f"'certificate_content' is for the present key under the alias 'ec1', but that key would be replaced ({reason}): "
        "leave one of the two out."
    )


def test_an_answer_that_is_empty_is_refused(call: Call) -> None:
    call(identity=IDENTITY)
    assert "holds no PEM certificate" in refused(call, identity={**IDENTITY, "certificate_content": ""})


def test_a_chain_that_ends_soon_is_told_and_one_that_has_ended_is_refused(call: Call, path: Path) -> None:
    call(identity=IDENTITY)
    ca = issue("the ca", ca=True, usages=None, key_ids=True)
    key = core.open_store(str(path), PASSWORD).key_entry("ec1").private_key()

    def content(ends: datetime.datetime) -> dict[str, Any]:
        leaf = issue("", by=ca, key=key, subject=x509.parse_name("CN=ec1,O=Example"), begins=NOW - 2 * DAY, ends=ends, key_ids=True)
        return {**IDENTITY, "subject_alt_name": None, "certificate_content": pem(leaf.der, ca.der)}

    assert refused(call, identity=content(NOW - DAY)) == (
        f"The certificate in certificate_content for the alias 'ec1' expired on {x509.timestamp(NOW - DAY)}: have a new one signed "
        "(csr: true returns a request)."
    )
    soon = content(NOW + 4 * DAY)
    for _run in range(2):  # also when nothing changes: that is when it would go unseen
        warned = str(call(identity=soon)["warnings"])
        assert f"ends on {x509.timestamp(NOW + 4 * DAY)}, sooner than renew_before (30 days), and was signed elsewhere" in warned
    assert "warnings" not in call(identity=content(NOW + 40 * DAY))


def test_certificates_that_are_not_in_the_chain_are_refused(call: Call, path: Path) -> None:
    _root, leaf = signed(call, path)
    assert refused(call, identity={**IDENTITY, "certificate_content": pem(*leaf.chain, DESKTOP.der)}) == (
        "certificate_content holds certificates that are not in the chain of the alias 'ec1'."
    )


def test_a_request_asks_for_what_is_wished(call: Call, path: Path) -> None:
    """Beside the chain that is there: to have it signed is how new names come into it."""
    _root, leaf = signed(call, path)
    identity = {**IDENTITY, "certificate_content": pem(*leaf.chain), "csr": True}
    call(identity=identity)

    def requested(**wishes: Any) -> str:
        result = call(identity={**identity, **wishes})
        assert result["changed"] is False
        assert "verify OK" in openssl("req", "-verify", "-noout", stdin=result["identity"]["csr"].encode())
        return openssl("req", "-noout", "-text", "-nameopt", "RFC2253", stdin=result["identity"]["csr"].encode())

    as_it_is = requested()
    assert "Subject: CN=ec1,O=Example\n" in as_it_is
    assert "DNS:ec1.test\n" in as_it_is
    anew = requested(subject="CN=new,O=Example", subject_alt_name=["DNS:new.test"])
    assert "Subject: CN=new,O=Example\n" in anew
    assert "DNS:new.test\n" in anew
    assert "DNS:ec1.test" not in anew
    assert "csr" not in call(identity={**identity, "csr": False})["identity"]


# --- what is in the way ----------------------------------------------------------------------------------------------


def test_the_alias_of_a_secret_key_is_taken_and_the_key_is_kept(call: Call, java: Keytool, path: Path) -> None:
    java("-genseckey", "-keystore", path, "-storetype", "PKCS12", "-alias", "ec1", "-keyalg", "AES", "-keysize", "256")
    assert refused(call, identity=IDENTITY) == ("The alias 'ec1' is a secret key in this store; an identity needs an alias of its own.")
    assert refused(call, trusted=[{"alias": "EC1", "cert_content": DESKTOP.pem}]) == (
        "The alias 'ec1' is a secret key in this store; a trusted certificate cannot take its place."
    )
    rhythm(call, [("platform", "trust")], trusted=TRUST, purge_trusted=True)
    assert {alias: each.type for alias, each in java.list(path).items()} == {"ec1": "SecretKeyEntry", "platform": "trustedCertEntry"}


def test_of_two_entries_under_one_alias_java_and_the_module_mean_the_same(call: Call, java: Keytool, path: Path) -> None:
    """The later one; a change of the store writes that one alone, as Java would."""
    path.write_bytes(pfx(cert_bag(DESKTOP.der, "platform", trusted=True), cert_bag(PLATFORM.der, "Platform", trusted=True)))
    assert java.list(path)["platform"].sha256 == (PLATFORM.sha256,)
    rhythm(call, [("*", "protect_anew"), ("desktop", "trust")], trusted=[*TRUST, {"alias": "desktop", "cert_content": DESKTOP.pem}])
    assert {alias: each.sha256 for alias, each in java.list(path).items()} == {
        "platform": (PLATFORM.sha256,),
        "desktop": (DESKTOP.sha256,),
    }


def test_an_expired_identity_is_renewed_and_expired_neighbours_are_kept(call: Call, java: Keytool, path: Path) -> None:
    old, gone = issue("ec1", ends=NOW - DAY, begins=NOW - 2 * DAY), issue("gone", ends=NOW - DAY, begins=NOW - 2 * DAY)
    store = core.Store.empty().put(PrivateKeyEntry("ec1", old.pkcs8, old.chain, 1_600_000_000_000)).put(TrustedCertEntry("gone", gone.der))
    path.write_bytes(core.serialize_store(store, PASSWORD))
    done = rhythm(call, [("ec1", "renew")], identity={"alias": "ec1", "key_type": "EC"})
    assert done["reasons"] == [f"ec1: it expired on {x509.timestamp(NOW - DAY)}"]
    assert java.list(path)["gone"].sha256 == (gone.sha256,)
