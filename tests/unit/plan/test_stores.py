# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who trusts whom: what is kept, what must never be trusted, and what revoking takes away.

Invariants 2, 6 and 7 of the design: trust is not dropped because a host was not reached; a certificate that is a CA's, or whose
key its host does not hold, is refused by name; and no host chooses the alias under which it is trusted.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.plan.stores import check_certificates, store_wishes

from ..factory import openssl
from .scenery import Identity, Scene, changes, client, execution, identity, key_entry, no_store, platform, small, store


def faults(scene: Scene) -> list[str]:
    """The faults of the plan, which stop everything: such a plan changes nothing."""
    found = list(check_certificates(scene.system, scene.facts))
    plan = scene.plan()
    assert (plan.state, plan.changes) == (("unprovable", []) if found else (plan.state, plan.changes))
    assert plan.faults[: len(found)] == found
    return found


def trusts(scene: Scene, name: str) -> dict[str, str]:
    """Alias -> fingerprint that a member is to trust."""
    wish = store_wishes(scene.system, scene.facts).wishes[name]
    return {trusted.alias: x509.sha256(trusted.certificate) for trusted in wish.trusted if trusted.certificate is not None}


def distrusts(scene: Scene, name: str) -> dict[str, str]:
    """Alias -> why a member is to trust it no more."""
    wish = store_wishes(scene.system, scene.facts).wishes[name]
    return {trusted.alias: trusted.reason for trusted in wish.trusted if not trusted.present}


def dropped(scene: Scene) -> set[tuple[str, str]]:
    """What the plan takes out of stores: (member, alias)."""
    return {(member, alias) for member, _what, alias, action in changes(scene.plan(unreachable="skip")) if action == "distrust"}


# --- who is trusted --------------------------------------------------------------------------------------------------


def test_pairwise_the_platform_trusts_all_and_all_trust_it() -> None:
    scene = Scene()
    assert trusts(scene, "platform1") == {name: identity(name).sha256 for name in ("ec1", "ec2", "desktop1")}
    for name in ("ec1", "ec2", "desktop1"):
        assert trusts(scene, name) == {"platform1": identity("platform1").sha256}


def test_shared_the_store_that_all_copy_trusts_the_people() -> None:
    scene = Scene(trust_model="shared")
    assert trusts(scene, "platform1") == {"desktop1": identity("desktop1").sha256}
    assert trusts(scene, "desktop1") == {"platform1": identity("platform1").sha256}
    assert set(store_wishes(scene.system, scene.facts).wishes) == {"platform1", "desktop1"}, "a copy has no wish of its own"


def test_the_alias_is_the_inventorys() -> None:
    """Invariant 7: whatever the host calls its key and itself."""
    inventory = small()
    inventory["ec1"]["mtls_alias"] = "Container-1"
    scene = Scene(inventory)
    assert trusts(scene, "platform1")["container-1"] == identity("ec1").sha256
    scene.present("ec1", identity("platform1", version=666, key_version=666))
    assert faults(scene) == []
    assert trusts(scene, "platform1")["container-1"] == identity("platform1", version=666, key_version=666).sha256
    assert "platform1" not in trusts(scene, "platform1")


def test_a_key_under_another_alias_is_not_the_members() -> None:
    scene = Scene()
    scene["ec1"]["store"]["entries"][0]["alias"] = "platform1"
    scene.forget("platform1", "ec1")
    stores = store_wishes(scene.system, scene.facts)
    assert stores.awaited["platform1"] == ("ec1",)
    assert stores.awaited["ec2"] == ()


# --- invariant 2: not reached is not gone ----------------------------------------------------------------------------


@pytest.mark.parametrize("purge", [False, True])
@pytest.mark.parametrize("failure", [None, "No route to host"], ids=["limited out", "down"])
def test_trust_in_a_member_that_was_not_reached_is_kept(failure: str | None, purge: bool) -> None:
    scene = Scene(purge_trusted=purge)
    scene.lose("ec1", "desktop1", failure=failure)
    assert trusts(scene, "platform1") == {name: identity(name).sha256 for name in ("ec1", "ec2", "desktop1")}
    assert dropped(scene) == set()


@pytest.mark.parametrize("purge", [False, True])
def test_trust_in_a_member_that_lost_its_store_is_kept_until_it_has_another(purge: bool) -> None:
    scene = Scene(purge_trusted=purge)
    scene["ec1"].update(store=no_store(), proof=None)
    assert trusts(scene, "platform1")["ec1"] == identity("ec1").sha256
    assert dropped(scene) == set()


def test_the_platform_that_was_not_reached_stays_trusted_by_all() -> None:
    scene = Scene(purge_trusted=True)
    scene.lose("platform1")
    for name in ("ec1", "ec2", "desktop1"):
        assert trusts(scene, name) == {"platform1": identity("platform1").sha256}


def test_what_really_nobody_names_is_purged() -> None:
    """The failing twin: the option that the cases above set does remove what has no partner behind it."""
    scene = Scene(purge_trusted=True)
    scene.trust("platform1", "forgotten", identity("forgotten"))
    assert dropped(scene) == {("platform1", "forgotten")}
    scene.lose("ec1")
    assert dropped(scene) == set(), "it may be how ec1 is trusted since before it was managed"


@pytest.mark.parametrize("from_where", ["10.9.9.9", "the slice's own members"])
def test_nothing_is_purged_while_somebody_unknown_is_connected(from_where: str) -> None:
    """A slice of an inventory does not name the members of the other slices, but they are there."""
    scene = Scene(purge_trusted=True)
    scene.trust("platform1", "ec9", identity("ec9"))
    unknown = from_where == "10.9.9.9"
    scene["ec2"]["observed"] = [{"server": "platform1", "endpoint": "platform", "asks": "required", "source": "10.1.1.1"}]
    known = [scene.system.members["ec1"].address, "10.1.1.1"]
    scene["platform1"]["endpoints"][0]["clients"] = [*known, from_where] if unknown else known
    assert dropped(scene) == (set() if unknown else {("platform1", "ec9")})
    note = (
        f"no trusted certificate is purged (mtls_purge_trusted): {from_where} is connected to 'platform' of 'platform1', and no member "
        "that was measured connects from there. Run it with the whole inventory; who is to go though connected is named in mtls_revoked"
    )
    assert (note in scene.plan().notes) == unknown
    # Nor is it purged by the module, when something else changes in that store.
    scene.forget("platform1", "ec1")
    plan = scene.plan()
    assert "platform1" in plan.trust
    assert plan.purge == ([] if unknown else ["platform1"])


def test_a_member_that_was_never_seen_is_awaited() -> None:
    scene = Scene()
    scene.forget("platform1", "ec1")
    scene.lose("ec1")
    assert store_wishes(scene.system, scene.facts).awaited["platform1"] == ("ec1",)
    assert scene.plan().notes == ["'platform1' does not trust 'ec1' yet, which was not reached and has no certificate here"]


# --- invariant 6: what must not be trusted ---------------------------------------------------------------------------


def test_a_ca_is_refused_by_name() -> None:
    scene = Scene()
    authority = identity("ec1", ca=True)
    scene.present("ec1", authority)
    assert faults(scene) == [
        (
            f"the certificate of 'ec1' (CN=ec1, sha256 {authority.sha256}) is a CA (CA:TRUE): trusting it would let that host make "
            "identities for all others. Give 'ec1' an end-entity certificate"
        )
    ]


@pytest.mark.parametrize("ca", [False, None], ids=["CA:FALSE", "no basic constraints"])
def test_an_end_entity_is_not_refused(ca: bool | None) -> None:
    scene = Scene()
    scene.present("ec1", identity("ec1", ca=ca))
    assert faults(scene) == []


def test_a_host_that_calls_its_ca_an_end_entity_is_not_believed() -> None:
    """What counts is the certificate that would be trusted, and not what its host writes beside it."""
    scene = Scene()
    authority = identity("ec1", ca=True)
    scene.present("ec1", authority)
    scene["ec1"]["store"]["entries"][0].update(is_ca=False, subject="CN=harmless", sha256=identity("ec1").sha256)
    (fault,) = faults(scene)
    assert f"the certificate of 'ec1' (CN=ec1, sha256 {authority.sha256}) is a CA (CA:TRUE)" in fault


# Extensions of a self-signed certificate, and what makes a CA of it; None for a certificate without any, which has version 1.
AUTHORITIES = {
    "CA:TRUE": ("basicConstraints=critical,CA:TRUE", "CA:TRUE"),
    "version 1": (None, "version 1, without basic constraints"),
    "keyCertSign": ("keyUsage=critical,digitalSignature,keyCertSign", "keyCertSign, without basic constraints"),
    "CA:FALSE": ("basicConstraints=critical,CA:FALSE", None),
    "CA:FALSE with keyCertSign": ("basicConstraints=critical,CA:FALSE\nkeyUsage=digitalSignature,keyCertSign", None),
    "as keytool makes it": ("subjectKeyIdentifier=hash", None),
    "digitalSignature": ("keyUsage=critical,digitalSignature", None),
}


@pytest.mark.parametrize("case", AUTHORITIES)
def test_what_openssl_takes_for_a_ca_is_refused(case: str, tmp_path: Path) -> None:
    """The judge: would a store that trusts ec1's certificate take one that ec1 made for somebody else?"""
    extensions, authority = AUTHORITIES[case]
    (tmp_path / "ec1.key").write_bytes(identity("ec1").pem)
    (tmp_path / "extensions").write_text(extensions or "")
    requests, more = tmp_path / "request", ["-extfile", tmp_path / "extensions"] if extensions else []
    openssl("req", "-new", "-key", tmp_path / "ec1.key", "-subj", "/CN=ec1", "-out", requests)
    openssl("x509", "-req", "-in", requests, "-signkey", tmp_path / "ec1.key", "-days", "9", "-out", tmp_path / "ec1.pem", *more)
    openssl("req", "-new", "-key", tmp_path / "ec1.key", "-subj", "/CN=platform1", "-out", requests)
    signed_by_ec1 = ("-CA", tmp_path / "ec1.pem", "-CAkey", tmp_path / "ec1.key", "-set_serial", "7")
    openssl("x509", "-req", "-in", requests, *signed_by_ec1, "-days", "9", "-out", tmp_path / "forged.pem")
    verdict = openssl("verify", "-partial_chain", "-CAfile", tmp_path / "ec1.pem", tmp_path / "forged.pem", check=False)

    presented = Identity(identity("ec1").key, x509.pem_to_der((tmp_path / "ec1.pem").read_text(), "ec1")[0])
    scene = Scene()
    scene.present("ec1", presented)
    found = faults(scene)
    assert (": OK" in verdict) == (authority is not None) == bool(found), verdict
    if authority is not None:
        assert f"is a CA ({authority}): trusting it would let that host make identities for all others" in found[0]


def test_a_certificate_that_cannot_be_read_is_refused() -> None:
    """Its basic constraints are damaged, so nobody can tell whether it is a CA; some parser may say that it is."""
    whole = identity("ec1", ca=True).certificate
    constraints = bytes.fromhex("0603551d130101ff040530030101ff")
    assert constraints in whole
    damaged = whole.replace(constraints, constraints[:-3] + bytes.fromhex("0201ff"))  # an INTEGER in the BOOLEAN's place
    scene = Scene()
    entry = scene["ec1"]["store"]["entries"][0]
    entry.update(pem=x509.der_to_pem(damaged), sha256=x509.sha256(damaged), is_ca=False)
    scene["ec1"]["proof"] = x509.prove_possession(identity("ec1").key, "ec1", damaged)
    (fault,) = faults(scene)
    assert fault.startswith(f"the certificate of 'ec1' (sha256 {x509.sha256(damaged)}) cannot be judged: ")


PROOFS = {
    "none": lambda: None,
    "garbage": lambda: "?",
    "somebody else's": lambda: identity("ec2").prove("ec2"),
    "for another member's name": lambda: identity("ec1").prove("ec2"),
    "with another key": lambda: x509.prove_possession(identity("ec2").key, "ec1", identity("ec1").certificate),
    "for another certificate": lambda: x509.prove_possession(identity("ec1").key, "ec1", identity("ec1", version=2).certificate),
}


@pytest.mark.parametrize("case", PROOFS)
def test_a_certificate_without_its_key_is_refused_by_name(case: str) -> None:
    scene = Scene()
    scene["ec1"]["proof"] = PROOFS[case]()
    assert faults(scene) == [
        f"the member 'ec1' does not hold the key of the certificate that it presents (CN=ec1, sha256 {identity('ec1').sha256})"
    ]


def test_a_member_without_identity_needs_no_proof() -> None:
    scene = Scene()
    scene["ec1"].update(store=no_store(), proof=None)
    assert faults(scene) == []


def test_a_copy_is_proven_by_the_store_that_it_is_of() -> None:
    scene = Scene(trust_model="shared")
    scene["ec1"]["proof"] = None
    assert faults(scene) == []
    scene["platform1"]["proof"] = None
    (fault,) = faults(scene)
    assert fault.startswith("the member 'platform1' does not hold the key")


@pytest.mark.parametrize("version", [1, 2], ids=["the same", "renewed since"])
@pytest.mark.parametrize("model", ["pairwise", "shared"])
def test_two_members_with_one_key_are_refused(model: str, version: int) -> None:
    """Somebody copied a keystore, and neither can be revoked without the other."""
    scene = Scene({**small(), "desktop2": client("192.0.2.6")}, trust_model=model)
    copied = identity("desktop1", version=version)
    scene.present("desktop2", copied)
    fingerprints = " and ".join(sorted({identity("desktop1").sha256, copied.sha256}))
    assert faults(scene) == [
        (
            f"'desktop1' and 'desktop2' hold the same key (certificate sha256 {fingerprints}); with mtls_trust_model {model} "
            "each has a key of its own"
        )
    ]


def test_two_members_of_one_name_with_keys_of_their_own_are_not() -> None:
    scene = Scene({**small(), "desktop2": client("192.0.2.6")})
    scene.present("desktop2", identity("desktop1", key_version=2))
    assert faults(scene) == []


# --- invariant 7: nobody takes another's place -----------------------------------------------------------------------


def test_another_members_certificate_does_not_take_its_alias() -> None:
    """ec2 presents the certificate of ec1, which is public, with the best proof that it can make."""
    scene = Scene()
    scene.present("ec2", identity("ec1"), proof=identity("ec2").prove("ec2"))
    assert faults(scene) == [
        f"the member 'ec2' does not hold the key of the certificate that it presents (CN=ec1, sha256 {identity('ec1').sha256})"
    ]


def test_a_revoked_host_cannot_have_another_thrown_out() -> None:
    """It presents ec1's certificate, which it cannot prove to hold: ec1 stays."""
    scene = Scene(revoked=["ec2"])
    scene.present("ec2", identity("ec1"), proof=identity("ec2").prove("ec2"))
    scene.trust("platform1", "ec2", identity("ec2"))
    assert faults(scene) == []
    assert dropped(scene) == {("platform1", "ec2")}


def test_a_revoked_host_that_holds_anothers_key_is_told() -> None:
    """The failing twin: with the key the two cannot be told apart, and revoking one would leave it let in as the other."""
    scene = Scene(revoked=["ec2"])
    scene.present("ec2", identity("ec1"))
    assert faults(scene) == [
        (
            f"'ec1' and 'ec2' hold the same key (certificate sha256 {identity('ec1').sha256}); "
            "with mtls_trust_model pairwise each has a key of its own"
        )
    ]


def test_the_alias_of_a_revoked_member_cannot_carry_another_away() -> None:
    """Under ec2's alias lies the certificate of desktop1: the alias goes, and desktop1's own stays."""
    scene = Scene(revoked=["ec2"])
    scene.trust("platform1", "ec2", identity("desktop1"))
    assert dropped(scene) == {("platform1", "ec2")}


# --- revoking --------------------------------------------------------------------------------------------------------


def revoked_scene(*more: str, **wishes: Any) -> Scene:
    """A system in which desktop1 is revoked and still trusted, also under the aliases *more*."""
    scene = Scene(revoked=["desktop1"], **wishes)
    for alias in ("desktop1", *more):
        scene.trust("platform1", alias, identity("desktop1"))
    return scene


def test_a_revoked_member_loses_its_alias() -> None:
    scene = revoked_scene()
    assert distrusts(scene, "platform1") == {"desktop1": "'desktop1' is in mtls_revoked"}
    assert dropped(scene) == {("platform1", "desktop1")}
    assert "desktop1" not in trusts(scene, "platform1")


def test_a_member_that_is_not_revoked_loses_nothing() -> None:
    assert dropped(Scene()) == set()


@pytest.mark.parametrize("reached", [True, False])
def test_it_loses_every_alias_of_its_certificate(reached: bool) -> None:
    scene = revoked_scene("laptop", "old-desktop")
    if not reached:
        scene.lose("desktop1")
    assert dropped(scene) == {("platform1", "desktop1"), ("platform1", "laptop"), ("platform1", "old-desktop")}


def test_what_its_host_presents_now_is_distrusted_too() -> None:
    """It made a new certificate, which somebody imported by hand."""
    scene = revoked_scene()
    scene.present("desktop1", identity("desktop1", version=2))
    scene.trust("platform1", "by-hand", identity("desktop1", version=2))
    assert dropped(scene) == {("platform1", "desktop1"), ("platform1", "by-hand")}
    scene["desktop1"]["proof"] = None
    assert dropped(scene) == {("platform1", "desktop1")}, "without a proof it may be anybody's"


def test_the_certificate_of_a_member_under_another_alias_stays() -> None:
    scene = revoked_scene()
    scene.trust("platform1", "by-hand", identity("ec1"))
    assert dropped(scene) == {("platform1", "desktop1")}


def test_a_revoked_name_that_is_no_member_any_more_loses_its_alias() -> None:
    scene = Scene(revoked=["Desktop9"])
    scene.trust("platform1", "desktop9", identity("desktop9"))
    scene.trust("platform1", "laptop9", identity("desktop9"))
    scene.trust("ec1", "desktop9", identity("desktop9"))
    assert dropped(scene) == {("platform1", "desktop9"), ("platform1", "laptop9"), ("ec1", "desktop9")}


def test_a_revoked_container_is_distrusted_by_all_and_gets_nothing() -> None:
    scene = Scene(revoked=["ec1"])
    for name in ("platform1", "desktop1", "ec2"):
        scene.trust(name, "ec1", identity("ec1"))
    assert dropped(scene) == {("platform1", "ec1"), ("desktop1", "ec1"), ("ec2", "ec1")}
    assert not [change for change in scene.plan().changes if change.member == "ec1"]


def test_revoking_holds_for_the_copies_through_the_store_that_is_copied() -> None:
    scene = revoked_scene(trust_model="shared")
    plan = scene.plan()
    assert plan.faults == []
    assert ("platform1", "keystore", "desktop1", "distrust") in changes(plan)
    assert plan.copies == {"ec1": "platform1", "ec2": "platform1"}


def test_a_revoked_member_with_the_shared_key_stops_the_run() -> None:
    """No store can tell it from the others: only a new key shuts it out."""
    scene = Scene(trust_model="shared", revoked=["ec2"])
    (fault,) = scene.plan().faults
    assert fault == (
        f"'ec2' is in mtls_revoked and holds the key that all members share (sha256 {identity('platform1').sha256}), so it would still "
        "be let in: raise mtls_generation, and the others get a new key"
    )


def test_a_new_generation_shuts_out_a_revoked_member_with_the_shared_key() -> None:
    scene = Scene(trust_model="shared", revoked=["ec2"])
    scene["platform1"]["identity_wish"]["generation"] = 2
    plan = scene.plan()
    assert (plan.faults, plan.identities, plan.copies) == ([], ["platform1"], {"ec1": "platform1"})
    scene = Scene(trust_model="shared", revoked=["ec2"])
    scene.present("ec2", identity("platform1", version=2, key_version=2))
    assert scene.plan().faults == [], "what it holds is from before"


def test_a_renewed_certificate_does_not_shut_out_who_has_its_key() -> None:
    scene = Scene(trust_model="shared", revoked=["ec2"])
    scene["platform1"]["identity_wish"].update(valid_for="2000d", renew_before="1000d")
    plan = scene.plan()
    assert (plan.identities, len(plan.faults)) == (["platform1"], 1), "while it is renewed"
    scene = Scene(trust_model="shared", revoked=["ec2"])
    scene.present("ec2", identity("platform1", version=2))
    assert len(scene.plan().faults) == 1, "and after it"


def test_a_revoked_member_with_the_shared_key_that_was_not_reached_is_noted() -> None:
    scene = Scene(trust_model="shared", revoked=["ec2"])
    scene.lose("ec2")
    plan = scene.plan()
    assert plan.faults == []
    assert plan.notes == ["'ec2' is revoked: whoever copied the shared key there is let in until mtls_generation is raised"]


# --- what nobody manages ---------------------------------------------------------------------------------------------


def test_trusted_certificates_that_nobody_named_are_noted_and_kept() -> None:
    scene = Scene()
    scene.trust("platform1", "forgotten", identity("forgotten"))
    scene.trust("platform1", "root", identity("root", ca=True))
    plan = scene.plan()
    assert plan.state == "clean"
    assert plan.notes == ["'platform1' trusts certificates that the inventory does not name, and they are kept: forgotten, root"]


def test_trust_in_a_member_without_a_link_is_noted_too() -> None:
    """Whoever has ec2's key is let in by ec1, though nothing needs it."""
    scene = Scene()
    scene.trust("ec1", "ec2", identity("ec2"))
    assert scene.plan().notes == ["'ec1' trusts certificates that the inventory does not name, and they are kept: ec2"]


def test_nothing_is_noted_where_all_is_named_or_purged() -> None:
    assert Scene().plan().notes == []
    scene = Scene(purge_trusted=True)
    scene.trust("platform1", "forgotten", identity("forgotten"))
    assert scene.plan().notes == []


def test_revoked_members_are_not_noted() -> None:
    assert revoked_scene("laptop").plan().notes == []


def test_leftovers_of_pairwise_go_in_shared() -> None:
    """What a member held before is presented by nobody now; but who was not reached may present it still."""
    scene = Scene(trust_model="shared")
    scene.trust("platform1", "ec1", identity("ec1"))
    assert ("platform1", "keystore", "ec1", "distrust") in changes(scene.plan())
    scene.lose("ec1")
    assert ("platform1", "keystore", "ec1", "distrust") not in changes(scene.plan(unreachable="skip"))


def test_all_members_are_judged_at_once() -> None:
    scene = Scene({**small(), "platform2": platform("192.0.2.8"), "ec3": execution("192.0.2.9")})
    scene.present("ec1", identity("ec1", ca=True))
    scene["platform2"]["proof"] = None
    scene.present("ec3", identity("ec2"))
    assert [fault.split("'")[1] for fault in faults(scene)] == ["ec1", "platform2", "ec2"]


# --- away from the trust model shared --------------------------------------------------------------------------------


def copied(model: str = "pairwise", **more: Any) -> Scene:
    """A scene of another model whose Execution hosts still hold the platform's keystore."""
    scene = Scene(trust_model=model, **more)
    shared = Scene(trust_model="shared")
    for name in ("ec1", "ec2"):
        scene[name]["store"] = {**copy.deepcopy(shared["platform1"]["store"]), "path": f"/opt/mz/{name}/keys"}
        scene[name]["proof"] = None
    return scene


def test_each_gets_a_key_of_its_own_and_the_platforms_goes() -> None:
    plan = copied().plan()
    assert plan.faults == []
    assert plan.absent_keys == {"ec1": ["platform1"], "ec2": ["platform1"]}
    assert changes(plan) >= {
        ("ec1", "keystore", "ec1", "create"),
        ("ec1", "keystore", "platform1", "remove_key"),
        ("ec1", "keystore", "platform1", "trust"),
        ("ec1", "keystore", "desktop1", "distrust"),
    }
    assert "the key of 'platform1' was on 2 other hosts, and whoever copied it there has it still" in "".join(plan.notes)


def test_a_new_generation_needs_no_word_about_copies() -> None:
    scene = copied()
    scene["platform1"]["identity_wish"]["generation"] = 2
    plan = scene.plan()
    assert plan.absent_keys == {"ec1": ["platform1"], "ec2": ["platform1"]}
    assert "was on 2 other hosts" not in "".join(plan.notes)


def test_the_copy_is_known_by_its_name_once_the_platform_has_another_key() -> None:
    scene = copied()
    new = identity("platform1", key_version=2)
    others = [entry for entry in scene["platform1"]["store"]["entries"] if entry["type"] == "trusted_cert"]
    scene["platform1"]["store"] = store(key_entry("platform1", new), *others)
    scene["platform1"]["proof"] = new.prove("platform1")
    assert scene.plan().absent_keys == {"ec1": ["platform1"], "ec2": ["platform1"]}


def test_a_key_of_another_name_stays_though_it_has_the_platforms_alias() -> None:
    scene = copied()
    other = identity("somebody")
    scene["ec1"]["store"]["entries"] = [key_entry("platform1", other)]
    plan = scene.plan()
    assert "ec1" not in plan.absent_keys
    assert "The alias 'platform1' is a private key in this store" in "".join(plan.faults)


def test_one_keystore_for_two_members_of_one_host_loses_nothing() -> None:
    """Then the key in it is the platform's own."""
    inventory = {**small(), "ec1": execution("192.0.2.1", mtls_endpoints=[{"name": "ec", "port": 6792}])}
    scene = Scene(inventory)
    scene["ec1"]["store"] = copy.deepcopy(scene["platform1"]["store"])
    assert scene.plan().absent_keys == {}


def test_a_second_platform_held_a_copy_too() -> None:
    inventory = {**small(), "platform2": platform("192.0.2.8")}
    scene = Scene(inventory)
    scene["platform2"]["store"] = {**copy.deepcopy(Scene(inventory, trust_model="shared")["platform1"]["store"]), "path": "/opt/mz2/keys"}
    scene["platform2"]["proof"] = None
    plan = scene.plan()
    assert plan.absent_keys == {"platform2": ["platform1"]}
    assert plan.faults == []


def test_in_shared_copies_stay() -> None:
    assert Scene(trust_model="shared").plan().absent_keys == {}
