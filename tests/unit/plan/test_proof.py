# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether every link will verify: the verdicts, and OpenSSL as the judge of them.

OpenSSL is asked in the way of a keystore, with each certificate of it an anchor by itself. Handshakes are made in memory, and
data goes over them: with TLS 1.3 a refused client sees its own handshake succeed (RFC 8446, appendix E.1.2).
"""

from __future__ import annotations

import datetime
import itertools
import ssl
from pathlib import Path
from typing import Callable

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from ansible_collections.mutual.tls.plugins.module_utils.entries import PrivateKeyEntry, TrustedCertEntry
from ansible_collections.mutual.tls.plugins.module_utils.facts import entry_facts
from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import read_facts
from ansible_collections.mutual.tls.plugins.module_utils.plan.proof import Verdict, prove
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import StoreWish, TrustWish
from ansible_collections.mutual.tls.plugins.module_utils.plan.stores import Stores
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import Adapter
from ansible_collections.mutual.tls.plugins.module_utils.x509 import timestamp

from .chain_cases import EXPIRED, VALID, authority
from .chain_cases import make as issue
from .scenery import (
    BOTH,
    DAY,
    NOW,
    PATH,
    Identity,
    Scene,
    adapter,
    client,
    identity,
    key_entry,
    no_store,
    platform,
    read,
    small,
    store,
    trusted_entry,
)

SECOND = datetime.timedelta(seconds=1)


def verdicts(scene: Scene) -> dict[str, tuple[str, str]]:
    """Link -> outcome and reason."""
    return {verdict.link.name: (verdict.outcome, verdict.reason) for verdict in scene.plan(unreachable="skip").verdicts}


def as_it_is(scene: Scene) -> Scene:
    """The scene without wishes for identities: nothing that is due is made anew."""
    for data in scene.measured.values():
        if data is not None:
            data["identity_wish"] = None
    return scene


# --- verdicts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["pairwise", "shared"])
def test_every_link_of_a_settled_system_holds(model: str) -> None:
    found = verdicts(Scene(trust_model=model))
    assert found == {
        "ec1 -> platform1:6790": ("holds", ""),
        "ec2 -> platform1:6790": ("holds", ""),
        "desktop1 -> platform1:6790": ("holds", ""),
        "platform1 -> ec1:6791": ("holds", ""),
        "platform1 -> ec2:6791": ("holds", ""),
    }


def test_trust_that_this_run_adds_is_reckoned_with() -> None:
    scene = Scene()
    scene.forget("platform1", "ec1")
    assert verdicts(scene)["ec1 -> platform1:6790"] == ("holds", "")
    assert ("ec1", "trust") in {(change.subject, change.action) for change in scene.plan().changes}


# What of ec1's identity is wrong; how the links of ec1 are judged.
ec1 = identity("ec1")
BAD_IDENTITIES = {
    "expired": (
        lambda: identity("ec1", version=2, start=NOW - 2 * DAY, end=NOW - DAY),
        f"expired on {timestamp(NOW - DAY)}",
    ),
    "expires now": (
        lambda: identity("ec1", version=3, end=NOW),
        f"expired on {timestamp(NOW)}",
    ),
    "not yet valid": (
        lambda: identity("ec1", version=4, start=NOW + SECOND),
        f"is not valid before {timestamp(NOW + SECOND)}",
    ),
}
GOOD_IDENTITIES = {
    "expires in a second": lambda: identity("ec1", version=5, end=NOW + SECOND),
    "valid from now": lambda: identity("ec1", version=6, start=NOW),
}


@pytest.mark.parametrize("case", BAD_IDENTITIES)
def test_a_certificate_that_is_not_valid_now_fails_both_directions(case: str) -> None:
    make, reason = BAD_IDENTITIES[case]
    scene = as_it_is(Scene())
    scene.present("ec1", make())
    remedy = "wait, or set the clocks right" if case == "not yet valid" else "renew it"
    expected = ("fails", f"the certificate of 'ec1' (CN=ec1, sha256 {make().sha256}, keystore {PATH}) {reason}: {remedy}")
    found = verdicts(scene)
    assert {name for name, verdict in found.items() if verdict == expected} == {"ec1 -> platform1:6790", "platform1 -> ec1:6791"}
    assert {verdict for name, verdict in found.items() if "ec1" not in name} == {("holds", "")}
    assert scene.plan().state == "unprovable"


@pytest.mark.parametrize("case", GOOD_IDENTITIES)
def test_a_certificate_that_is_just_valid_holds(case: str) -> None:
    scene = as_it_is(Scene())
    scene.present("ec1", GOOD_IDENTITIES[case]())
    assert set(verdicts(scene).values()) == {("holds", "")}


@pytest.mark.parametrize("empty", [True, False], ids=["no store", "a store with a bare key"])
def test_without_an_identity_a_link_fails(empty: bool) -> None:
    scene = as_it_is(Scene())
    bare = {**key_entry("ec1", ec1), "sha256": None, "pem": None}
    scene["ec1"]["store"] = no_store() if empty else store(bare, trusted_entry("platform1", identity("platform1")))
    assert verdicts(scene)["ec1 -> platform1:6790"] == ("fails", "'ec1' has no identity in its keystore")
    assert verdicts(scene)["platform1 -> ec1:6791"] == ("fails", "'ec1' has no identity in its keystore")


@pytest.mark.parametrize("model", ["pairwise", "shared"])
def test_an_identity_that_this_run_makes_is_awaited(model: str) -> None:
    scene = Scene(trust_model=model)
    scene["platform1"].update(store=no_store(), proof=None)
    found = verdicts(scene)
    presenter = "ec1" if model == "shared" else "platform1"
    assert found["ec1 -> platform1:6790"] == ("awaits", f"the identity of '{presenter}' is made in this run")
    assert {outcome for outcome, _reason in found.values()} == {"awaits"}
    assert scene.plan().state == "pending"


def test_a_member_that_was_not_reached_is_unknown() -> None:
    scene = Scene()
    scene.lose("ec1")
    found = verdicts(scene)
    assert found["ec1 -> platform1:6790"] == found["platform1 -> ec1:6791"] == ("unknown", "'ec1' was not reached")
    assert found["ec2 -> platform1:6790"] == ("holds", "")
    assert scene.plan().state == "clean"


def test_copies_of_a_store_that_was_not_reached_are_unknown() -> None:
    """Both sides were reached, but what they present and trust is decided at the first platform."""
    scene = Scene({**small(), "platform2": platform("192.0.2.8")}, trust_model="shared")
    scene.lose("platform1")
    found = verdicts(scene)
    assert found["ec1 -> platform2:6790"] == ("unknown", "'platform1' was not reached")
    assert found["desktop1 -> platform2:6790"] == ("unknown", "'platform1' was not reached")
    assert scene.plan().state == "clean"


def test_what_is_not_trusted_is_told_with_the_store() -> None:
    assert judge(TWO, {"platform1": [identity("platform1")], "desktop1": [identity("desktop1"), identity("platform1")]}).reason == (
        f"the certificate of 'desktop1' (CN=desktop1, sha256 {identity('desktop1').sha256}, keystore {PATH}) is not trusted by the "
        f"keystore of 'platform1' ({PATH}): trust it there"
    )


def test_with_client_auth_none_only_the_server_is_judged() -> None:
    for client_auth, outcome in (("required", "fails"), ("requested", "fails"), ("none", "holds")):
        scene = as_it_is(Scene(client_auth=client_auth, product=adapter(client_auth=["none", "requested", "required"])))
        scene.present("ec1", identity("ec1", version=2, start=NOW - 2 * DAY, end=NOW - DAY))
        found = verdicts(scene)
        assert found["ec1 -> platform1:6790"][0] == outcome, "ec1 is the client"
        assert found["platform1 -> ec1:6791"][0] == "fails", "ec1 is the server"


def test_what_is_purged_is_no_anchor() -> None:
    """The store that lets desktop1 in by an entry that nobody named lets it in no more once that is purged."""
    system = read(TWO)
    facts = {
        name: read_facts({"store": data})
        for name, data in {
            "platform1": store(key_entry("platform1", identity("platform1")), trusted_entry("by-hand", identity("desktop1"))),
            "desktop1": store(key_entry("desktop1", identity("desktop1")), trusted_entry("platform1", identity("platform1"))),
        }.items()
    }
    for purge, outcome in ((False, "holds"), (True, "fails")):
        stores = Stores({"platform1": StoreWish(purge_trusted=purge), "desktop1": StoreWish()}, {})
        (verdict,) = prove(system, facts, stores, (), NOW)
        assert verdict.outcome == outcome


def test_what_is_distrusted_is_no_anchor() -> None:
    system = read(TWO)
    facts = {
        name: read_facts({"store": store(key_entry(name, identity(name)), trusted_entry(other, identity(other)))})
        for name, other in (("platform1", "desktop1"), ("desktop1", "platform1"))
    }
    for alias, outcome in (("another", "holds"), ("desktop1", "fails")):
        wish = StoreWish(trusted=(TrustWish(alias),))
        (verdict,) = prove(system, facts, Stores({"platform1": wish, "desktop1": StoreWish()}, {}), (), NOW)
        assert verdict.outcome == outcome


def test_what_a_host_says_of_its_certificate_is_no_evidence() -> None:
    scene = as_it_is(Scene())
    scene.present("ec1", identity("ec1", version=2, start=NOW - 2 * DAY, end=NOW - DAY))
    scene["ec1"]["store"]["entries"][0].update(not_after=timestamp(NOW + 900 * DAY), sha256=ec1.sha256)
    assert verdicts(scene)["ec1 -> platform1:6790"][0] == "fails"


def test_a_verdict_as_data() -> None:
    (verdict, *_others) = Scene().plan().verdicts
    assert verdict.to_dict() == {
        "client": "ec1",
        "server": "platform1",
        "endpoint": "platform",
        "address": "192.0.2.1",
        "port": 6790,
        "verdict": "holds",
        "reason": "",
        "rule": "",
    }


BAD_KEYS = {
    "locked": ({"locked": True, "key_matches": None}, "has a key that the keystore's password does not open"),
    "key_mismatch": ({"key_matches": False}, "is not for the key beside it"),
    "key_damaged": ({"key_matches": None}, "cannot be used, its key is damaged"),
}


@pytest.mark.parametrize("rule", BAD_KEYS)
def test_a_key_that_cannot_be_used_fails_both_directions(rule: str) -> None:
    change, why = BAD_KEYS[rule]
    scene = as_it_is(Scene())
    scene["ec1"]["store"]["entries"][0].update(change)
    failing = [verdict for verdict in scene.plan().verdicts if verdict.outcome == "fails"]
    assert [verdict.link.name for verdict in failing] == ["ec1 -> platform1:6790", "platform1 -> ec1:6791"]
    for verdict in failing:
        assert verdict.rule == rule
        assert f"the certificate of 'ec1' (CN=ec1, sha256 {ec1.sha256}, keystore {PATH}) {why}" in verdict.reason


CHAINS = {
    "good": (VALID, VALID, ""),
    "what is presented": (EXPIRED, VALID, "an issuer's certificate that 'desktop1' presents (CN=between,"),
    "what is trusted": (VALID, EXPIRED, "a certificate that 'platform1' trusts (CN=root,"),
}


@pytest.mark.parametrize("case", CHAINS)
def test_the_certificates_above_a_leaf_count_and_are_named(case: str) -> None:
    between, root, named = CHAINS[case]
    user = issue("desktop1", authority("between", authority("root"), valid=between))
    stores = {
        "platform1": store(
            key_entry("platform1", identity("platform1")),
            entry_facts(TrustedCertEntry("root", authority("root", valid=root).der)),
        ),
        "desktop1": store(
            entry_facts(PrivateKeyEntry("desktop1", user.pkcs8, user.chain)),
            trusted_entry("platform1", identity("platform1")),
        ),
    }
    facts = {name: read_facts({"store": data}) for name, data in stores.items()}
    (verdict,) = prove(read(TWO), facts, Stores({name: StoreWish() for name in facts}, {}), (), TODAY)
    assert (verdict.outcome, verdict.rule) == (("fails", "expired") if named else ("holds", ""))
    assert named in verdict.reason


def test_names_are_checked_where_the_product_does() -> None:
    stores = {"platform1": [identity("platform1"), identity("desktop1")], "desktop1": [identity("desktop1"), identity("platform1")]}
    assert judge(TWO, stores, product=adapter()).outcome == "holds"
    verdict = judge(TWO, stores, product=adapter(checks_names=True))
    assert verdict.rule == "host_name"
    assert "is not for the host '192.0.2.1'" in verdict.reason


# --- clocks ----------------------------------------------------------------------------------------------------------

HOUR, MINUTE = DAY / 24, DAY / 1440
CLOCKS = {
    "2 days ahead": 2 * DAY,
    "1 day ahead": DAY,
    "6 minutes ahead": 6 * MINUTE,
    "2 hours behind": -2 * HOUR,
}


@pytest.mark.parametrize("error", CLOCKS)
def test_a_clock_that_is_off_is_noted(error: str) -> None:
    scene = Scene()
    scene["ec2"]["clock"] = (NOW + CLOCKS[error]).timestamp()
    scene["ec1"]["clock"] = NOW.timestamp()
    (told,) = [note for note in scene.plan().notes if "clock" in note]
    assert told.startswith(f"the clock of 'ec2' is {error}: its host judges certificates by that time, and so does the plan; ")


@pytest.mark.parametrize("error", [5 * MINUTE, -HOUR], ids=str)
def test_what_passes_while_a_run_goes_on_is_no_error_of_a_clock(error: datetime.timedelta) -> None:
    scene = Scene()
    scene["ec2"]["clock"] = (NOW + error).timestamp()
    assert not [note for note in scene.plan().notes if "clock" in note]


def test_a_certificate_is_judged_by_the_clock_of_the_judge() -> None:
    scene = as_it_is(Scene())
    scene.present("ec1", identity("ec1", version=7, end=NOW + DAY))
    assert set(verdicts(scene).values()) == {("holds", "")}
    scene["platform1"]["clock"] = (NOW + 2 * DAY).timestamp()
    found = {verdict.link.name: verdict for verdict in scene.plan().verdicts}
    assert found["ec1 -> platform1:6790"].rule == found["platform1 -> ec1:6791"].rule == "expired"
    assert found["ec1 -> platform1:6790"].reason.endswith(
        ": renew it. The clock of 'platform1', which judges it, is 2 days ahead: set that right first"
    )
    assert {verdict.outcome for name, verdict in found.items() if "ec1" not in name} == {"holds"}


def test_a_clock_that_is_off_excuses_nothing() -> None:
    """What has expired by the controller's time too is not the clock's fault."""
    scene = as_it_is(Scene())
    scene.present("ec1", identity("ec1", version=2, start=NOW - 2 * DAY, end=NOW - DAY))
    scene["platform1"]["clock"] = (NOW + 2 * DAY).timestamp()
    assert verdicts(scene)["ec1 -> platform1:6790"][1].endswith(": renew it")


# --- what ends soon --------------------------------------------------------------------------------------------------


def ending(scene: Scene) -> list[str]:
    return [note for note in scene.plan(unreachable="skip").notes if "renew_before" in note]


def test_a_certificate_that_ends_soon_and_is_not_renewed_is_noted() -> None:
    """And stops nothing: it is valid now."""
    soon = identity("ec1", version=8, end=NOW + 20 * DAY)
    told = f"the certificate of 'ec1' (CN=ec1, sha256 {soon.sha256}) ends on {timestamp(NOW + 20 * DAY)}, in 20 days, sooner than"
    scene = Scene()
    scene.present("ec1", soon)
    scene.trust("platform1", "ec1", soon)
    assert ending(scene) == [], "it is renewed"
    scene["ec1"]["identity_wish"] = None
    assert ending(scene) == [f"{told} renew_before (30 days), and this run does not renew it: nobody wishes it to be renewed"]
    assert {verdict.outcome for verdict in scene.plan().verdicts} == {"holds"}
    scene.lose("ec1")
    assert ending(scene) == [f"{told} renew_before (30 days), and this run does not renew it: it was not reached"]


# --- OpenSSL, the outside judge --------------------------------------------------------------------------------------

TWO = {"platform1": platform(), "desktop1": client("192.0.2.5")}
MODES = {"required": ssl.CERT_REQUIRED, "requested": ssl.CERT_OPTIONAL, "none": ssl.CERT_NONE}
# OpenSSL judges by the clock of the machine.
TODAY = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
VALIDITY = {
    "valid": (TODAY - DAY, TODAY + DAY),
    "expired": (TODAY - 2 * DAY, TODAY - DAY),
    "future": (TODAY + DAY, TODAY + 2 * DAY),
}
TRUST = ("trusted", "not trusted", "namesake", "predecessor")
USAGES = {
    "both": BOTH,
    "server": (ExtendedKeyUsageOID.SERVER_AUTH,),
    "client": (ExtendedKeyUsageOID.CLIENT_AUTH,),
    "neither": (ExtendedKeyUsageOID.CODE_SIGNING,),
    "any": (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,),
    "none named": None,
}


def in_store(trust: str, name: str, presented: Identity) -> list[Identity]:
    """What lies in the judge's store as, or instead of, the certificate that it is shown."""
    start, end = VALIDITY["valid"]
    return {
        "trusted": [presented],
        "not trusted": [],
        "namesake": [identity(name, key_version=2, start=start, end=end)],
        "predecessor": [identity(name, version=9, start=start, end=end)],
    }[trust]


def judge(
    inventory: dict[str, dict[str, object]],
    stores: dict[str, list[Identity]],
    client_auth: str = "required",
    product: Adapter | None = None,
) -> Verdict:
    """The verdict on the link desktop1 -> platform1 with these *stores*: each member's own identity, then whom it trusts."""
    system = read(inventory, client_auth=client_auth, product=product or adapter(client_auth=list(MODES)))
    facts = {}
    for name, (own, *trusted) in stores.items():
        facts[name] = read_facts({"store": store(key_entry(name, own), *(trusted_entry(f"t{i}", each) for i, each in enumerate(trusted)))})
    wishes = Stores({name: StoreWish() for name in stores}, {})
    (verdict,) = prove(system, facts, wishes, (), TODAY)
    return verdict


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Identity], Path]:
    """Where OpenSSL finds an identity; it reads keys from files only."""
    folder = tmp_path_factory.mktemp("keys")

    def path(owner: Identity) -> Path:
        file = folder / f"{owner.sha256}.pem"
        if not file.exists():
            file.write_bytes(owner.pem)
        return file

    return path


def handshake(stores: dict[str, list[Identity]], client_auth: str, keys: Callable[[Identity], Path]) -> str | None:
    """A connection from desktop1 to platform1: None when a word went over it, or else who refused and why."""
    sides = {}
    for name, protocol, mode in (
        ("desktop1", ssl.PROTOCOL_TLS_CLIENT, ssl.CERT_REQUIRED),
        ("platform1", ssl.PROTOCOL_TLS_SERVER, MODES[client_auth]),
    ):
        context = ssl.SSLContext(protocol)
        context.check_hostname = False
        context.verify_mode = mode
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_cert_chain(keys(stores[name][0]))
        context.load_verify_locations(cadata=b"".join(each.certificate for each in stores[name]))
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        sides[name] = (context.wrap_bio(incoming, outgoing, server_side=name == "platform1"), incoming, outgoing)
    (user, from_server, to_server), (server, from_user, to_user) = sides["desktop1"], sides["platform1"]
    steps = {"desktop1": [user.do_handshake, user.read], "platform1": [server.do_handshake, lambda: server.write(b"welcome")]}
    for _round in range(6):
        for name in ("desktop1", "platform1"):
            try:
                while steps[name]:
                    if steps[name][0]() == b"welcome":
                        return None
                    steps[name].pop(0)
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as error:
                return f"{name}: {error}"
            from_user.write(to_server.read())
            from_server.write(to_user.read())
    return "nobody said why"


def agree(stores: dict[str, list[Identity]], client_auth: str, keys: Callable[[Identity], Path]) -> str:
    """The verdict, once OpenSSL says the same."""
    verdict = judge(TWO, stores, client_auth)
    refused = handshake(stores, client_auth, keys)
    assert (verdict.outcome == "holds") == (refused is None), f"the proof says {verdict}, OpenSSL says {refused or 'accepted'}"
    if refused is not None:
        presenter = {"desktop1": "platform1", "platform1": "desktop1"}[refused.partition(":")[0]]
        assert f"the certificate of '{presenter}'" in verdict.reason, f"another side refused: {refused}"
    return verdict.outcome


@pytest.mark.parametrize("client_auth", MODES)
def test_the_verdict_is_what_openssl_does(client_auth: str, keys: Callable[[Identity], Path]) -> None:
    """Every combination of trust and validity on both sides."""
    outcomes = []
    for server_valid, client_valid, server_trust, client_trust in itertools.product(VALIDITY, VALIDITY, TRUST, TRUST):
        start, end = VALIDITY[server_valid]
        server = identity("platform1", version=2, start=start, end=end)
        start, end = VALIDITY[client_valid]
        user = identity("desktop1", version=2, start=start, end=end)
        stores = {
            "desktop1": [user, *in_store(server_trust, "platform1", server)],
            "platform1": [server, *in_store(client_trust, "desktop1", user)],
        }
        outcomes.append(agree(stores, client_auth, keys))
    # With client auth none the client's side counts for nothing.
    assert outcomes.count("holds") == (len(VALIDITY) * len(TRUST) if client_auth == "none" else 1)


@pytest.mark.parametrize("client_auth", MODES)
def test_the_verdict_on_usages_is_what_openssl_does(client_auth: str, keys: Callable[[Identity], Path]) -> None:
    outcomes = {}
    for server_usages, client_usages in itertools.product(USAGES, USAGES):
        server = identity("platform1", start=TODAY - DAY, end=TODAY + DAY, usages=USAGES[server_usages])
        user = identity("desktop1", start=TODAY - DAY, end=TODAY + DAY, usages=USAGES[client_usages])
        stores = {"desktop1": [user, server], "platform1": [server, user]}
        outcomes[server_usages, client_usages] = agree(stores, client_auth, keys)
    servers, clients = {"both", "server", "none named"}, {"both", "client", "none named"}
    assert {case for case, outcome in outcomes.items() if outcome == "holds"} == {
        (server, user) for server in servers for user in (USAGES if client_auth == "none" else clients)
    }


def test_a_usage_that_is_missing_is_told(keys: Callable[[Identity], Path]) -> None:
    server = identity("platform1", usages=USAGES["client"])
    stores = {"desktop1": [identity("desktop1"), server], "platform1": [server, identity("desktop1")]}
    assert judge(TWO, stores).reason == (
        f"the certificate of 'platform1' (CN=platform1, sha256 {server.sha256}, keystore {PATH}) is not for the server side of TLS: its "
        "extended key usage is 1.3.6.1.5.5.7.3.2, without 1.3.6.1.5.5.7.3.1: have one made with serverAuth, or without the extension"
    )


@pytest.mark.parametrize("client_auth", MODES)
def test_one_shared_identity_is_taken_by_itself(client_auth: str, keys: Callable[[Identity], Path]) -> None:
    """The trust model shared: a store's own leaf is an anchor, with nothing else in the store."""
    shared = identity("platform1", start=TODAY - DAY, end=TODAY + DAY)
    assert agree({"desktop1": [shared], "platform1": [shared]}, client_auth, keys) == "holds"
