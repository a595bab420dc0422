# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an authority does in one run; openssl judges what comes of it in tests/interop/test_authority.py."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509 as crypto_x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.authority import directory as directory_file
from ansible_collections.mutual.tls.plugins.module_utils.authority.directory import Directory, certificates_of, directory_facts, strangers
from ansible_collections.mutual.tls.plugins.module_utils.authority.ledger import PROBE
from ansible_collections.mutual.tls.plugins.module_utils.authority.wishes import AuthorityWish, Confirmation, Request, Revocation
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, MtlsError, PasswordError, StoreError, TrustError

from ..factory import DAY, NOW, new_key
from .scenery import CLIENTS, PASSPHRASE, SYSTEM, content, csr, done, request, run

pytestmark = pytest.mark.codec


@pytest.fixture(autouse=True)
def _few_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests make many keys."""
    monkeypatch.setattr(directory_file, "ENCRYPTION", directory_file.ENCRYPTION._replace(iterations=1))


@pytest.fixture()
def path(tmp_path: Path) -> Path:
    return tmp_path / "authority"


def newest(path: Path, name: str = "system") -> crypto_x509.Certificate:
    found = Directory(str(path)).newest(name)
    assert found is not None
    return crypto_x509.load_der_x509_certificate(found.certificate)


def key_of(certificate: crypto_x509.Certificate) -> str:
    """Keys of older releases of the package cannot be compared."""
    return x509.key_sha256(certificate.public_key())


def crl(path: Path, file_name: str = "system-1.crl.pem") -> crypto_x509.CertificateRevocationList:
    return crypto_x509.load_pem_x509_crl((path / file_name).read_bytes())


def crl_number(found: crypto_x509.CertificateRevocationList) -> int:
    return found.extensions.get_extension_for_class(crypto_x509.CRLNumber).value.crl_number


# --- the CAs ----------------------------------------------------------------------------------------------------------


def test_the_first_run_makes_each_ca_and_the_second_changes_nothing(path: Path) -> None:
    first = run(path, wishes=[SYSTEM, CLIENTS])
    assert done(first) == [("system", "create"), ("clients", "create"), ("system 1", "list"), ("clients 1", "list")]
    before = content(path)
    assert sorted(before) == sorted(
        ["ledger.jsonl", *(f"{name}-1.{kind}.pem" for name in ("system", "clients") for kind in ("crl", "crt", "key"))]
    )
    assert done(run(path, wishes=[SYSTEM, CLIENTS], now=NOW + DAY)) == []
    assert content(path) == before


def test_check_mode_promises_the_same_and_makes_nothing(path: Path) -> None:
    promised = run(path, request("ec1"), check=True)
    assert done(promised) == [("system", "create"), ("ec1", "issue")]
    assert promised.issued == {}
    assert not path.exists()
    run(path)
    before = content(path)
    assert done(run(path, request("ec1"), check=True)) == [("ec1", "issue")]
    assert content(path) == before


def test_keys_are_for_their_owner_and_encrypted(path: Path) -> None:
    run(path)
    assert path.stat().st_mode & 0o777 == 0o700
    assert (path / "system-1.key.pem").stat().st_mode & 0o777 == 0o600
    pem = (path / "system-1.key.pem").read_bytes()
    assert pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    with pytest.raises(ValueError, match=r".+"):
        serialization.load_pem_private_key(pem, b"another passphrase")
    opened: Any = serialization.load_pem_private_key(pem, PASSPHRASE.encode())
    assert x509.certifies(x509.to_der(newest(path)), opened)


def test_two_cas_never_have_one_name(path: Path, tmp_path: Path) -> None:
    """Also not when the first one's directory is lost."""
    run(path)
    run(tmp_path / "another")
    names = [newest(folder).subject for folder in (path, tmp_path / "another")]
    run(path, wishes=[replace(SYSTEM, generation=2)])
    names.append(newest(path).subject)
    assert len({name.rfc4514_string() for name in names}) == 3
    assert x509.format_name(names[2]).endswith("OU=generation 2")


def test_a_raised_generation_replaces_key_and_name_and_keeps_the_old_one(path: Path) -> None:
    run(path)
    old = newest(path)
    assert done(run(path, wishes=[replace(SYSTEM, generation=3)])) == [("system", "replace"), ("system 3", "list")]
    assert key_of(newest(path)) != key_of(old)
    assert [(each["name"], each["generation"]) for each in directory_facts(Directory(str(path)))["authorities"]] == [
        ("system", 1),
        ("system", 3),
    ]
    assert done(run(path, wishes=[replace(SYSTEM, generation=2)])) == [], "a later generation is as good"


def test_a_ca_that_ends_soon_is_renewed_with_its_key_and_name_and_list(path: Path) -> None:
    run(path, request("ec1"))
    run(path, revoked=[Revocation("ec1")])
    old, number = newest(path), crl_number(crl(path))
    later = NOW + SYSTEM.valid_for - SYSTEM.renew_before + DAY
    assert ("system", "renew") in done(run(path, now=later))
    renewed = newest(path)
    assert (key_of(renewed), renewed.subject) == (key_of(old), old.subject)
    assert renewed.serial_number != old.serial_number
    assert x509.not_after(renewed) == later + SYSTEM.valid_for
    assert crl_number(crl(path)) > number
    assert done(run(path, now=later + DAY)) == []


def test_a_ca_that_has_expired_is_renewed_too(path: Path) -> None:
    run(path)
    later = NOW + SYSTEM.valid_for + DAY
    renewed = run(path, request("ec1"), now=later)
    assert renewed.changes[0].action == "renew"
    assert renewed.changes[0].reason.startswith("it expired on ")
    assert x509.not_after(x509.load_certificate(renewed.issued["ec1"][0])) == later + 100 * DAY


def test_a_process_that_died_before_the_certificate_was_there_made_no_ca(path: Path) -> None:
    run(path)
    for name in ("system-1.crt.pem", "system-1.crl.pem"):
        (path / name).unlink()
    lines = (path / "ledger.jsonl").read_bytes()
    assert ("system", "create") in done(run(path, request("ec1")))
    assert (path / "ledger.jsonl").read_bytes().startswith(lines)


# --- what they sign ---------------------------------------------------------------------------------------------------


def test_names_usages_and_lifetimes_come_from_the_wish_and_never_from_the_request(path: Path) -> None:
    key = new_key()
    builder = crypto_x509.CertificateSigningRequestBuilder().subject_name(x509.parse_name("CN=platform1"))
    builder = builder.add_extension(crypto_x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(crypto_x509.SubjectAlternativeName([crypto_x509.DNSName("platform1.example.test")]), critical=False)
    greedy = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    outcome = run(path, request("ec1", csr=greedy, usages=("client",)))
    leaf, ca = map(x509.load_certificate, outcome.issued["ec1"])
    assert x509.format_name(leaf.subject) == "CN=ec1"
    extension = leaf.extensions.get_extension_for_class
    assert not extension(crypto_x509.BasicConstraints).value.ca
    assert [name.value for name in extension(crypto_x509.SubjectAlternativeName).value] == ["ec1.example.test"]
    assert [usage.dotted_string for usage in extension(crypto_x509.ExtendedKeyUsage).value] == ["1.3.6.1.5.5.7.3.2"]
    assert x509.certifies(x509.to_der(leaf), key)
    assert x509.not_after(leaf) == NOW + 100 * DAY
    own = ca.extensions.get_extension_for_class(crypto_x509.SubjectKeyIdentifier).value
    assert extension(crypto_x509.AuthorityKeyIdentifier).value.key_identifier == own.digest


def test_nothing_outlives_its_issuer(path: Path) -> None:
    issued = run(path, request("ec1", valid_for=36000 * DAY)).issued["ec1"]
    assert x509.not_after(x509.load_certificate(issued[0])) == x509.not_after(newest(path))


def test_serial_numbers_are_random(path: Path) -> None:
    outcome = run(path, *(request(f"ec{number}") for number in range(20)))
    serials = {x509.load_certificate(chain[0]).serial_number for chain in outcome.issued.values()}
    assert len(serials) == 20
    assert min(serials).bit_length() > 100
    assert max(serials).bit_length() < 160  # RFC 5280 section 4.1.2.2


def test_the_ledger_has_what_was_issued_and_what_it_takes_the_place_of(path: Path) -> None:
    first = run(path, request("ec1")).issued["ec1"]
    second = run(path, request("ec1")).issued["ec1"]
    states = {line.sha256: line.state for line in Directory(str(path)).ledger.of("ec1")}
    assert states == {x509.sha256(first[0]): "superseded", x509.sha256(second[0]): "issued"}


def weak_rsa() -> str:
    return csr(rsa.generate_private_key(public_exponent=65537, key_size=1024))


def weak_curve() -> str:
    return csr(ec.generate_private_key(ec.SECP224R1()))


def forged() -> str:
    """The request of somebody else's key: the signature is another one's."""
    ours, theirs = new_key(), new_key()
    victim = x509.to_der(crypto_x509.load_pem_x509_csr(csr(theirs).encode()))
    own = x509.to_der(crypto_x509.load_pem_x509_csr(csr(ours).encode()))
    point = [
        key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint) for key in (ours, theirs)
    ]
    assert own.count(point[0]) == 1
    assert victim
    return x509.to_pem(own.replace(*point), "CERTIFICATE REQUEST")


@pytest.mark.parametrize(
    ("made", "why"),
    [
        pytest.param(forged, "it is not signed with the key that it is for", id="somebody-elses-key"),
        pytest.param(weak_rsa, "its key is RSA 1024, which is too weak", id="rsa-1024"),
        pytest.param(weak_curve, "its key is EC secp224r1, which is too weak", id="secp224r1"),
        pytest.param(
            lambda: "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", "it cannot be read", id="damaged"
        ),
        pytest.param(lambda: "", "it cannot be read", id="empty"),
        pytest.param(lambda: "gr\u00fcezi", "it cannot be read", id="no-ascii"),
    ],
)
def test_a_bad_request_is_refused_by_name_and_nothing_is_signed(path: Path, made: Callable[[], str], why: str) -> None:
    run(path)
    before = content(path)
    for check in (True, False):
        with pytest.raises(TrustError, match="^Nothing was signed, because the request of 'ec2' is refused: ") as refused:
            run(path, request("ec1"), request("ec2", csr=made()), check=check)
        assert why in str(refused.value)
        assert "'ec1'" not in str(refused.value)
    assert content(path) == before
    assert run(path, request("ec1"), request("ec2")).issued.keys() == {"ec1", "ec2"}


def test_a_request_with_the_key_of_another_member_is_refused(path: Path) -> None:
    key = new_key()
    run(path, request("platform1", key=key))
    with pytest.raises(TrustError, match="the request of 'ec1' is refused: its key is that of 'platform1'"):
        run(path, request("ec1", key=key))
    with pytest.raises(TrustError, match="the request of 'ec2' is refused: its key is that of 'ec1'"):
        run(path, *(request(name, csr=csr(shared)) for shared in [new_key()] for name in ("ec1", "ec2")))
    assert run(path, request("platform1", key=key)).issued.keys() == {"platform1"}


def test_a_request_with_a_cas_own_key_is_refused(path: Path) -> None:
    run(path)
    key: Any = serialization.load_pem_private_key((path / "system-1.key.pem").read_bytes(), PASSPHRASE.encode())
    with pytest.raises(TrustError, match="its key is that of 'system CA'"):
        run(path, request("ec1", key=key))


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        ([request("ec1"), request("ec1")], "'ec1' asks twice."),
        ([request("ec1", authority="others")], "'ec1' asks the authority 'others', and there are: system."),
    ],
)
def test_a_wish_that_cannot_be_carried_out_signs_nothing(path: Path, requests: list[Request], message: str) -> None:
    with pytest.raises(InputError) as refused:
        run(path, *requests)
    assert str(refused.value) == message
    assert content(path) == {}


# --- what they revoke -------------------------------------------------------------------------------------------------


def test_all_certificates_of_who_is_revoked_are_on_the_list(path: Path) -> None:
    first = run(path, request("ec1"), request("ec2")).issued
    second = run(path, request("ec1")).issued
    number = crl_number(crl(path))
    revoked = run(path, revoked=[Revocation("ec1", "key_compromise")], now=NOW + DAY)
    assert done(revoked) == [("ec1", "revoke"), ("system 1", "list")]
    found = {each.serial_number: each for each in crl(path)}
    assert set(found) == {x509.load_certificate(each["ec1"][0]).serial_number for each in (first, second)}
    reasons = {each.extensions.get_extension_for_class(crypto_x509.CRLReason).value.reason for each in found.values()}
    assert reasons == {crypto_x509.ReasonFlags.key_compromise}
    assert crl_number(crl(path)) == number + 1
    facts = directory_facts(Directory(str(path)))
    assert [(each["name"], each["reason"]) for each in facts["revoked"]] == [("ec1", "key_compromise")] * 2


def test_revoking_twice_changes_nothing_and_somebody_unknown_is_told(path: Path) -> None:
    run(path, request("ec1"))
    run(path, revoked=[Revocation("ec1")])
    before = content(path)
    again = run(path, revoked=[Revocation("ec1"), Revocation("nobody")], now=NOW + DAY)
    assert (done(again), content(path)) == ([], before)
    assert again.notes == ["'nobody' is to be revoked, and this authority never issued a certificate to it"]


def test_an_unspecified_reason_is_left_out(path: Path) -> None:
    """RFC 5280 section 5.3.1."""
    run(path, request("ec1"))
    run(path, revoked=[Revocation("ec1")])
    assert [list(each.extensions) for each in crl(path)] == [[]]


def test_a_revoked_key_is_not_signed_again_and_a_new_one_is(path: Path) -> None:
    key = new_key()
    run(path, request("ec1", key=key))
    with pytest.raises(InputError, match=r"'ec1' asks for a certificate, and is to be revoked."):
        run(path, request("ec1", key=key), revoked=[Revocation("ec1")])
    run(path, revoked=[Revocation("ec1")])
    with pytest.raises(TrustError, match="a certificate for its key was revoked; it needs another key"):
        run(path, request("ec1", key=key))
    assert run(path, request("ec1")).issued.keys() == {"ec1"}


def test_a_run_that_died_before_the_list_was_written_is_finished_by_the_next(path: Path) -> None:
    run(path, request("ec1"))
    before = (path / "system-1.crl.pem").read_bytes()
    run(path, revoked=[Revocation("ec1")])
    (path / "system-1.crl.pem").write_bytes(before)
    finished = run(path, revoked=[Revocation("ec1")])
    assert [(change.action, change.reason) for change in finished.changes] == [
        ("list", "the revocation list does not name everybody who is revoked")
    ]
    assert len(list(crl(path))) == 1


def test_a_list_is_made_anew_before_it_ends(path: Path) -> None:
    run(path)
    later = NOW + SYSTEM.crl_valid_for - SYSTEM.crl_renew_before
    assert done(run(path, now=later)) == []
    assert done(run(path, now=later + DAY)) == [("system 1", "list")]
    assert x509.next_update(crl(path)) == later + DAY + SYSTEM.crl_valid_for
    assert crl_number(crl(path)) == 2


def test_what_has_expired_is_not_listed_for_ever(path: Path) -> None:
    run(path, request("ec1", valid_for=40 * DAY))
    run(path, revoked=[Revocation("ec1")])
    assert len(list(crl(path))) == 1
    run(path, now=NOW + 41 * DAY)
    assert len(list(crl(path))) == 0


def test_older_generations_keep_their_lists(path: Path) -> None:
    """Until nobody trusts them any more, they must be able to refuse."""
    run(path, request("ec1"))
    second = [replace(SYSTEM, generation=2)]
    run(path, wishes=second)
    run(path, wishes=second, revoked=[Revocation("ec1")])
    assert len(list(crl(path))) == 1
    assert len(list(crl(path, "system-2.crl.pem"))) == 0


# --- what is wrong with the directory ---------------------------------------------------------------------------------


def test_a_wrong_passphrase_signs_nothing(path: Path) -> None:
    run(path)
    before = content(path)
    for check in (True, False):
        with pytest.raises(PasswordError, match="system-1.key.pem is not opened by the passphrase"):
            run(path, request("ec1"), passphrase="another passphrase", check=check)
    assert content(path) == before


def test_check_mode_finds_a_wrong_passphrase_when_there_is_nothing_to_do(path: Path) -> None:
    """Or it would be found in the middle of the run that needs it."""
    run(path)
    assert done(run(path, check=True)) == []
    with pytest.raises(PasswordError, match="system-1.key.pem is not opened by the passphrase"):
        run(path, passphrase="another passphrase", check=True)


def test_a_short_passphrase_is_refused(path: Path) -> None:
    with pytest.raises(InputError, match="fewer than 12 characters"):
        run(path, passphrase="12345678901")


def test_a_ca_whose_key_is_elsewhere_is_left_to_its_owner(path: Path) -> None:
    """Such as a company's, whose root lies beside ours; a raised generation takes over from it."""
    run(path)
    (path / "system-1.crt.pem").rename(path / "system-2.crt.pem")
    for file in ("system-1.crl.pem", "system-1.key.pem", "ledger.jsonl"):
        (path / file).unlink()
    with pytest.raises(StoreError, match="is gone, though its certificate is there"):
        run(path, check=True)
    wishes = [replace(SYSTEM, generation=3)]
    assert done(run(path, wishes=wishes, check=True)) == [("system", "replace")]
    outcome = run(path, request("ec1"), wishes=wishes)
    assert done(outcome) == [("system", "replace"), ("ec1", "issue"), ("system 3", "list")]
    assert outcome.notes == ["there is no revocation list yet, of 'system', generation 2, whose key is not here: its owner has to make one"]


def test_an_older_ca_of_ours_whose_key_is_gone_is_no_stranger(path: Path) -> None:
    """Members may still trust it, and nobody would notice that it revokes no more."""
    run(path)
    run(path, request("ec1"), wishes=[replace(SYSTEM, generation=2)])
    (path / "system-1.key.pem").unlink()
    (path / "system-1.crl.pem").unlink()
    with pytest.raises(StoreError, match="is gone, though its certificate is there"):
        run(path, wishes=[replace(SYSTEM, generation=2)])


def test_a_directory_for_others_is_refused(path: Path) -> None:
    path.mkdir()
    path.chmod(0o750)  # whatever the umask is
    with pytest.raises(InputError, match="has the mode 0750, and is for its owner only"):
        run(path)
    assert content(path) == {}


def test_a_directory_without_its_parent_is_refused(path: Path) -> None:
    with pytest.raises(InputError, match="does not exist; make it first"):
        run(path / "below")


@pytest.mark.parametrize(
    ("file_name", "damage", "kind", "message"),
    [
        ("system-1.crt.pem", b"", StoreError, "holds no PEM certificate"),
        ("system-1.crl.pem", b"damaged", StoreError, "holds no revocation list"),
        ("ledger.jsonl", b"damaged\n", StoreError, "Line 1 of .* cannot be read"),
        ("system-1.key.pem", b"damaged", PasswordError, "is not opened by the passphrase, or is damaged"),
        ("system-1.key.pem", None, StoreError, "is gone, though its certificate is there"),
    ],
)
def test_a_damaged_directory_is_never_taken_for_an_empty_one(
    path: Path, file_name: str, damage: bytes | None, kind: type[MtlsError], message: str
) -> None:
    run(path)
    if damage is None:
        (path / file_name).unlink()
    else:
        (path / file_name).write_bytes(damage)
    before = content(path)
    with pytest.raises(kind, match=message):
        run(path, request("ec1"))
    assert content(path) == before


def test_the_key_of_another_ca_is_not_used(path: Path) -> None:
    run(path, wishes=[SYSTEM, CLIENTS])
    (path / "system-1.key.pem").write_bytes((path / "clients-1.key.pem").read_bytes())
    with pytest.raises(StoreError, match="is not the one of the certificate beside it"):
        run(path, request("ec1"))


# --- wishes -----------------------------------------------------------------------------------------------------------

OPTIONS: dict[str, Any] = {
    "name": "system",
    "subject": None,
    "key_type": "EC",
    "key_size": 3072,
    "curve": "secp256r1",
    "valid_for": "3650d",
    "renew_before": "825d",
    "generation": 1,
    "permitted_names": [],
    "crl_valid_for": "30d",
    "crl_renew_before": "10d",
}


def test_the_options_of_an_authority_are_read() -> None:
    wish = AuthorityWish.from_options({**OPTIONS, "permitted_names": ["DNS:example.test", "IP:192.0.2.0/24"]})
    assert (wish.subject, wish.crl_valid_for) == ("CN=mutual.tls system CA", datetime.timedelta(days=30))
    assert len(wish.permitted_names) == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "../system"}, "An authority's name is '../system'"),
        ({"generation": 0}, "'generation' of the authority 'system' is 0"),
        ({"renew_before": "3650d"}, r"'renew_before' \(3650d\) of the authority 'system' is not shorter than 'valid_for'"),
        ({"crl_renew_before": "31d"}, r"'crl_renew_before' \(31d\) of the authority 'system' is not shorter than 'crl_valid_for'"),
        ({"key_type": "RSA", "key_size": 1024}, "'key_size' is 1024"),
        ({"subject": "nobody"}, "is 'nobody'"),
        ({"permitted_names": ["IP:192.0.2.7/24"]}, "'permitted_names' has 'IP:192.0.2.7/24'"),
        ({"permitted_names": ["URI:x"]}, "has 'URI:x'"),
    ],
)
def test_an_authority_that_cannot_be_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        AuthorityWish.from_options({**OPTIONS, **given})


def test_the_directory_says_nothing_secret(path: Path) -> None:
    run(path, request("ec1"))
    shown = json.dumps(directory_facts(Directory(str(path))))
    assert "PRIVATE" not in shown
    assert PASSPHRASE not in shown


# --- bundles, which somebody has or has not ---------------------------------------------------------------------------


def pending(path: Path, name: str = "alice", valid_for: datetime.timedelta = 100 * DAY, **given: Any) -> str:
    """A certificate that waits for its bundle's password to be told; its fingerprint."""
    asked = request(name, authority="clients", usages=("client",), pending=True, valid_for=valid_for)
    outcome = run(path, asked, wishes=[CLIENTS], **given)
    return x509.sha256(outcome.issued[name][0])


def states(path: Path, name: str = "alice") -> list[str]:
    return [each["state"] for each in certificates_of(Directory(str(path)), [name])[name]]


def listed(path: Path) -> int:
    crl = Directory(str(path)).authorities["clients", 1].crl
    assert crl is not None
    return len(crl.serials)


def test_what_is_pending_counts_for_nothing_until_it_is_confirmed(path: Path) -> None:
    sha256 = pending(path)
    assert states(path) == ["pending"]
    outcome = run(path, wishes=[CLIENTS], confirmed=[Confirmation("alice", sha256)])
    assert done(outcome) == [("alice", "confirm")]
    assert (states(path), listed(path)) == (["issued"], 0)
    assert done(run(path, wishes=[CLIENTS], confirmed=[Confirmation("alice", sha256)])) == [], "once more changes nothing"


def test_what_is_confirmed_has_all_before_it_revoked_and_listed(path: Path) -> None:
    run(path, wishes=[CLIENTS], confirmed=[Confirmation("alice", pending(path))])
    never_told = pending(path)
    told = pending(path)
    outcome = run(path, wishes=[CLIENTS], confirmed=[Confirmation("alice", told)])
    assert done(outcome) == [("alice", "confirm"), ("clients 1", "list")]
    assert [line.reason for line in outcome.revoked] == ["superseded", "superseded"]
    assert (states(path), listed(path)) == (["revoked", "revoked", "issued"], 2)
    with pytest.raises(InputError, match=f"sha256 {never_told}\\) cannot be confirmed: it is revoked"):
        run(path, wishes=[CLIENTS], confirmed=[Confirmation("alice", never_told)])


def test_where_no_lists_are_read_what_was_before_is_superseded(path: Path) -> None:
    run(path, wishes=[CLIENTS], confirmed=[Confirmation("alice", pending(path))])
    run(path, wishes=[CLIENTS], confirmed=[Confirmation("alice", pending(path), revoke_former=False)])
    assert (states(path), listed(path)) == (["superseded", "issued"], 0)


@pytest.mark.parametrize("name", ["bob", "alice"])
def test_nobody_confirms_what_was_never_issued(path: Path, name: str) -> None:
    sha256 = pending(path)
    wrong = sha256 if name == "bob" else "ab" * 32
    with pytest.raises(InputError, match=f"The certificate of '{name}' .* cannot be confirmed: it is not in the ledger"):
        run(path, wishes=[CLIENTS], confirmed=[Confirmation(name, wrong)])
    assert states(path) == ["pending"]


def test_a_check_confirms_nothing(path: Path) -> None:
    sha256 = pending(path)
    before = content(path)
    assert done(run(path, wishes=[CLIENTS], confirmed=[Confirmation("alice", sha256)], check=True)) == [("alice", "confirm")]
    assert content(path) == before


def test_a_revocation_takes_what_is_pending_too(path: Path) -> None:
    pending(path)
    run(path, wishes=[CLIENTS], revoked=[Revocation("alice", "key_compromise")])
    assert (states(path), listed(path)) == (["revoked"], 1)


def test_what_is_over_is_told_as_expired_whether_somebody_had_it_or_not(path: Path) -> None:
    long_ago = NOW - 2000 * DAY
    run(path, wishes=[CLIENTS], confirmed=[Confirmation("alice", pending(path, now=long_ago))], now=long_ago)
    pending(path, now=long_ago + DAY)
    assert states(path) == ["expired", "expired"]


def test_what_was_made_for_a_look_is_revoked_and_no_list_is_made_for_its_sake(path: Path) -> None:
    lasts = datetime.timedelta(minutes=10)
    pending(path, name="alice")
    pending(path, PROBE, valid_for=lasts)
    before = listed(path)
    assert done(run(path, wishes=[CLIENTS], revoked=[Revocation(PROBE)])) == [(PROBE, "revoke")]
    assert (states(path, PROBE), listed(path)) == (["revoked"], before)
    known = directory_facts(Directory(str(path)))
    assert (known["revoked"], known["revoked_keys"]) == ([], {}), "no CA is replaced for its sake either"
    assert done(run(path, wishes=[CLIENTS])) == []
    run(path, wishes=[CLIENTS], revoked=[Revocation("alice")])
    assert listed(path) == 2, "a list that is made for somebody else names it"


@pytest.mark.parametrize("given", [{"valid_for": "61m"}, {"pending": False}])
def test_nothing_else_goes_by_the_name_of_a_look(given: dict[str, Any]) -> None:
    options = {"name": PROBE, "authority": "clients", "csr_content": csr(new_key()), "subject": "CN=x", "subject_alt_name": []}
    options.update(usages=["client"], valid_for="1h", pending=True)
    Request.from_options(options)
    with pytest.raises(InputError, match="is the name of what is pending and lasts 1h at most"):
        Request.from_options({**options, **given})


# --- who has something and is not in the inventory ---------------------------------------------------------------------


def test_who_has_a_good_certificate_and_is_not_known_is_told(path: Path) -> None:
    now = x509.now()
    run(path, request("gone", valid_for=20 * DAY), now=now - DAY)
    run(path, request("over", valid_for=DAY), request("told later", pending=True), now=now - 2 * DAY)
    run(path, *(request(name, valid_for=10 * DAY) for name in ("ec1", "gone")), now=now)

    def told(*known: str) -> list[str]:
        return [note.split("'")[1] for note in strangers(Directory(str(path)), known)]

    assert told("ec1") == ["gone"]
    [note] = strangers(Directory(str(path)), ["ec1"])
    assert f"accepted until {x509.timestamp(now + 19 * DAY)}" in note, "of two, until the later one ends"
    assert told("ec1", "gone") == []
    run(path, revoked=[Revocation("gone")], now=now)
    assert told("ec1") == []
    assert told("somebody") == ["ec1"]
    run(path, wishes=[replace(SYSTEM, generation=2)], now=now)
    assert told("somebody") == [], "another CA has taken the place of the one that signed"
