# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as a whole: what stops it, what it promises, and that nothing is left once it is carried out."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from ansible_collections.mutual.tls.plugins.module_utils.plan.build import setting_values
from ansible_collections.mutual.tls.plugins.module_utils.plan.changes import Change, Plan
from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import read_facts
from ansible_collections.mutual.tls.plugins.module_utils.plan.text import plan_text

from .scenery import (
    DAY,
    NOW,
    PATH,
    Scene,
    changes,
    client,
    execution,
    host,
    identity,
    key_entry,
    no_store,
    platform,
    reasons,
    small,
    store,
)
from .world import STAGES, World

# --- the verdict of a plan -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("client_auth", ["required", "none"])
@pytest.mark.parametrize("model", ["pairwise", "shared"])
def test_a_settled_system_is_clean(model: str, client_auth: str) -> None:
    plan = Scene(trust_model=model, client_auth=client_auth).plan()
    assert (plan.state, plan.changes, plan.restarts, plan.faults, plan.notes) == ("clean", [], [], [], [])


def test_something_to_do_is_pending() -> None:
    scene = Scene()
    scene.forget("platform1", "ec1")
    plan = scene.plan()
    assert plan.state == "pending"
    assert plan.changes[0] == Change("platform1", "keystore", "ec1", "trust", "'ec1' and 'platform1' connect to each other")


def test_a_link_that_fails_is_unprovable() -> None:
    scene = Scene()
    scene["ec1"].update(store=no_store(), proof=None, identity_wish=None)
    plan = scene.plan()
    assert (plan.state, plan.faults) == ("unprovable", [])


def test_an_identity_that_nobody_wishes_is_not_promised() -> None:
    """The role trust alone makes no identities."""
    scene = Scene()
    scene["ec1"].update(store=no_store(), proof=None, identity_wish=None)
    scene.forget("platform1", "ec1")
    assert not [change for change in scene.plan().changes if change.subject == "ec1"]


def test_faults_stop_everything() -> None:
    scene = Scene()
    scene.forget("platform1", "ec2")
    scene["ec1"]["proof"] = None
    plan = scene.plan()
    assert plan.state == "unprovable"
    assert plan == Plan(faults=plan.faults)


@pytest.mark.parametrize(("unreachable", "state"), [("stop", "unprovable"), ("skip", "pending")])
def test_what_an_unreachable_member_means(unreachable: str, state: str) -> None:
    scene = Scene()
    scene.forget("platform1", "ec2")
    scene.lose("ec1", failure="No route to host")
    plan = scene.plan(unreachable=unreachable)
    assert plan.state == state
    assert (plan.faults if unreachable == "stop" else plan.notes) == ["'ec1' was not reached: No route to host"]
    assert bool(plan.changes) == (unreachable == "skip")


def test_a_member_outside_of_the_limit_stops_nothing() -> None:
    scene = Scene()
    scene.lose("ec1")
    assert (scene.plan().state, scene.plan().faults, scene.plan().notes) == ("clean", [], [])


def test_client_auth_is_not_required_of_members_that_were_not_measured() -> None:
    """Invariant 1: who is outside of --limit, or skipped, would be locked out."""
    scene = Scene()
    scene["platform1"]["settings"]["values"]["pico.rcp.tls.require_clientauth"] = "false"
    assert scene.plan().state == "pending"
    scene.lose("ec2", failure="no answer")
    plan = scene.plan(unreachable="skip")
    assert plan.state == "unprovable"
    assert [fault for fault in plan.faults if "'platform1' would begin to demand certificates, and the link ec2 -> platform1:6790" in fault]


@pytest.mark.parametrize("client_auth", ["none", "required"])
def test_nobody_begins_to_speak_tls_to_members_that_were_not_measured(client_auth: str) -> None:
    """They would go on in plain text, whatever is demanded of clients."""
    scene = Scene(client_auth=client_auth)
    scene["platform1"]["settings"]["values"] = {}
    assert scene.plan().state == "pending"
    scene.lose("ec2")
    plan = scene.plan()
    assert plan.state == "unprovable"
    begins = "speak TLS" if client_auth == "none" else "(speak TLS|demand certificates)"
    assert [fault for fault in plan.faults if re.match(f"'platform1' would begin to {begins}, and the link ec2 -> platform1:6790", fault)]
    # The failing twin: who speaks TLS already begins nothing.
    scene["platform1"]["settings"] = scene.settings("platform1")
    scene["platform1"]["settings"]["values"]["pico.rcp.tls.keystore"] = "/another/file"
    assert scene.plan().state == "pending"


@pytest.mark.parametrize(("unreachable", "failure"), [("skip", "no answer"), ("stop", None)], ids=["skipped", "outside_of_limit"])
def test_no_certificate_is_replaced_while_somebody_who_trusts_it_is_away(unreachable: str, failure: str | None) -> None:
    """Invariants 1 and 2: they could not follow, and would be locked out."""
    scene = Scene()
    scene["platform1"]["identity_wish"]["generation"] = 2
    assert scene.plan().state == "pending"
    scene.lose("ec2", failure=failure)
    plan = scene.plan(unreachable=unreachable)
    assert plan.state == "unprovable"
    assert "'platform1' would get another certificate" in plan.faults[0]
    assert "the link ec2 -> platform1:6790 cannot be proven: 'ec2' was not reached" in plan.faults[0]


def test_a_first_certificate_needs_nobody_else() -> None:
    scene = Scene()
    scene["ec1"].update(store=no_store(), proof=None)
    scene.lose("platform1")
    assert (scene.plan().identities, scene.plan().faults) == (["ec1"], [])


def test_a_revoked_host_cannot_stop_its_own_revocation() -> None:
    scene = Scene(revoked=["desktop1"])
    broken = {**scene.facts, "desktop1": read_facts(None, fault="its keystore is damaged")}
    plan = scene.plan(broken)
    assert plan.faults == []
    assert "'desktop1' could not be measured: its keystore is damaged" in plan.notes
    twin = Scene()
    assert twin.plan({**twin.facts, "desktop1": read_facts(None, fault="its keystore is damaged")}).state == "unprovable"


def test_a_name_that_nobody_knows_is_told() -> None:
    told = "'desktp1' in mtls_revoked is no member, and nothing is trusted under that name"
    assert told in Scene(revoked=["desktp1"]).plan().notes
    assert told not in Scene(revoked=["desktp1"], people=["desktp1"]).plan().notes, "people need not be hosts"


def test_where_it_is_required_already_a_member_may_be_away() -> None:
    scene = Scene()
    scene["platform1"]["settings"]["values"]["pico.rcp.tls.keystore"] = "elsewhere"
    scene.lose("ec2")
    assert scene.plan().faults == []


def test_a_revoked_member_may_be_away() -> None:
    scene = Scene(revoked=["ec1"])
    scene.lose("ec1", failure="No route to host")
    assert (scene.plan().state, scene.plan().notes) == ("clean", ["'ec1' was not reached: No route to host"])


def test_a_wish_that_cannot_be_carried_out_names_its_member() -> None:
    """And the others are looked at all the same."""
    scene = Scene()
    scene["ec1"]["identity_wish"].update(regenerate="fail", key_type="RSA")
    scene["platform1"]["store"] = store(key_entry("platform1", identity("platform1")), key_entry("desktop1", identity("desktop1")))
    plan = scene.plan()
    assert [fault.split(":")[0] for fault in plan.faults] == ["'ec1'", "'platform1'"]
    assert "and regenerate is 'fail'" in plan.faults[0]
    assert "The alias 'desktop1' is a private key in this store" in plan.faults[1]


# --- settings --------------------------------------------------------------------------------------------------------


def test_settings_of_a_member() -> None:
    scene = Scene({**small(), "platform1": platform(mtls_alias="The-Platform")}, trust_model="shared", client_auth="none")
    assert setting_values(scene.system, scene.system.members["ec1"], scene.facts["ec1"]) == {
        "pico.rcp.tls.keystore": PATH,
        "pico.rcp.tls.keystore.alias": "the-platform",
        "pico.rcp.tls.require_clientauth": "false",
    }


def test_only_what_differs_is_set_and_all_of_it_is_handed_on() -> None:
    scene = Scene()
    scene["ec1"]["settings"]["values"]["pico.rcp.tls.require_clientauth"] = "false"
    plan = scene.plan()
    assert reasons(plan, "ec1", "setting") == ["its value differs"]
    assert plan.settings == {"ec1": setting_values(scene.system, scene.system.members["ec1"], scene.facts["ec1"])}


def test_secrets_change_for_the_reason_that_their_host_gives() -> None:
    scene = Scene()
    scene["ec1"]["settings"]["secret_changes"] = [{"name": "pico.rcp.tls.key.password", "reason": "the seal does not say so"}]
    plan = scene.plan()
    assert Change("ec1", "setting", "pico.rcp.tls.key.password", "set", "the seal does not say so") in plan.changes
    assert "ec1" in plan.settings


def test_who_has_no_settings_gets_none() -> None:
    scene = Scene()
    scene["desktop1"]["settings"] = {"values": {}, "secret_changes": []}
    scene["ec1"]["settings"] = None
    assert scene.plan().settings == {}


# --- what follows from a change --------------------------------------------------------------------------------------


def renewing(name: str = "ec1", **wishes: Any) -> Scene:
    scene = Scene(**wishes)
    scene[name]["identity_wish"].update(valid_for="2000d", renew_before="1000d")
    return scene


def test_a_renewal_is_planned_with_all_that_follows_from_it() -> None:
    """In check mode nobody sees another plan: the platform's store changes too, and so everything restarts."""
    assert changes(renewing().plan()) == {
        ("ec1", "keystore", "ec1", "renew"),
        ("platform1", "keystore", "ec1", "replace_trusted"),
        *(("platform1", "restart", "platform", "restart"), ("ec1", "restart", "ec", "restart"), ("ec2", "restart", "ec", "restart")),
    }


def test_a_first_identity_is_planned_with_the_trust_in_it() -> None:
    scene = Scene()
    scene["desktop1"].update(store=no_store(), proof=None)
    scene.forget("platform1", "desktop1")
    plan = scene.plan()
    assert ("platform1", "keystore", "desktop1", "trust") in changes(plan)
    assert "'desktop1' gets an identity in this run" in reasons(plan, "platform1", "keystore")
    assert plan.identities == ["desktop1"]


def test_each_entry_is_changed_once() -> None:
    """ec1 is renewed, and the platform has yet to trust what it replaces."""
    scene = renewing()
    scene.forget("platform1", "ec1")
    found = [
        (change.subject, change.action) for change in scene.plan().changes if (change.member, change.what) == ("platform1", "keystore")
    ]
    assert found == [("ec1", "trust")]


def test_a_renewal_of_the_shared_identity_is_copied_and_trusted() -> None:
    assert changes(renewing("platform1", trust_model="shared").plan()) >= {
        ("platform1", "keystore", "platform1", "renew"),
        ("ec1", "keystore", "*", "copy"),
        ("ec2", "keystore", "*", "copy"),
        ("desktop1", "keystore", "platform1", "replace_trusted"),
    }


def test_a_store_under_the_previous_password_is_protected_anew() -> None:
    scene = Scene()
    scene["ec1"]["store"]["protect_anew"] = ["it is still under the previous password", "its MAC is weak"]
    plan = scene.plan()
    assert plan.reprotect == ["ec1"]
    [change] = [each for each in plan.changes if each.action == "protect_anew"]
    assert change.reason == "it is still under the previous password; its MAC is weak"
    assert changes(plan) == {("ec1", "keystore", "*", "protect_anew"), ("ec1", "restart", "ec", "restart")}


@pytest.mark.parametrize("reasons", [None, []])
def test_a_store_that_is_protected_as_wished_is_left_alone(reasons: list[str] | None) -> None:
    """Also by what an older member_info returned, which said nothing of it."""
    scene = Scene()
    if reasons is not None:
        scene["ec1"]["store"]["protect_anew"] = reasons
    plan = scene.plan()
    assert (plan.reprotect, changes(plan)) == ([], set())


# --- copies ----------------------------------------------------------------------------------------------------------


def test_a_copy_that_is_another_file_is_copied_anew() -> None:
    scene = Scene(trust_model="shared")
    scene.present("ec1", identity("ec1"))
    plan = scene.plan()
    assert plan.copies == {"ec1": "platform1"}
    assert reasons(plan, "ec1", "keystore") == ["it is not the keystore of 'platform1'"]


def test_a_change_of_the_original_is_copied_to_all() -> None:
    scene = Scene(trust_model="shared")
    scene.forget("platform1", "desktop1")
    plan = scene.plan()
    assert plan.copies == {"ec1": "platform1", "ec2": "platform1"}
    assert reasons(plan, "ec1", "keystore") == ["the keystore of 'platform1' changes"]


def test_an_original_that_was_not_reached_is_not_copied() -> None:
    scene = Scene({**small(), "platform2": platform("192.0.2.8")}, trust_model="shared")
    scene.present("ec1", identity("ec1"))
    scene.lose("platform1", failure="No route to host")
    plan = scene.plan(unreachable="skip")
    assert plan.copies == {}
    assert plan.state == "clean"


def test_who_was_not_reached_or_is_revoked_gets_no_copy() -> None:
    scene = Scene({**small(), "desktop2": client("192.0.2.7")}, trust_model="shared", revoked=["desktop2"])
    scene.forget("platform1", "desktop1")
    scene.lose("ec1")
    assert scene.plan().copies == {"ec2": "platform1"}


def test_pairwise_copies_nothing() -> None:
    """Invariant 3: no key leaves its host."""
    scene = Scene()
    scene["ec1"]["store"] = no_store()
    assert scene.plan().copies == {}


# --- as data ---------------------------------------------------------------------------------------------------------


def test_a_plan_as_data_is_json_without_secrets() -> None:
    scene = renewing()
    scene.forget("platform1", "ec2")
    scene["ec2"]["settings"]["values"] = {}
    scene["ec2"]["settings"]["secret_changes"] = [{"name": "pico.rcp.tls.key.password", "reason": "it is not there"}]
    plan = scene.plan()
    data = json.loads(json.dumps(plan.to_dict()))
    text = json.dumps(data) + plan_text(scene.system, plan)
    assert "PRIVATE KEY" not in text
    assert not [proof for name in scene.measured for proof in [scene[name]["proof"]] if proof in text]
    expected = (
        "state changes identities revoked_keys cannot_wait awaited without self_sign install generations reprotect copies trust "
        "absent_keys purge settings bundles needs_bundle pem later more restarts may_roll links faults notes"
    )
    assert list(data) == expected.split()
    assert data["trust"]["platform1"][1] == {"alias": "ec2", "cert_content": scene["ec2"]["store"]["entries"][0]["pem"]}
    assert data["restarts"][0] == {"member": "platform1", "process": "platform", "tier": "platform", "reason": "its keystore changes"}


def test_distrust_as_data_is_an_absent_alias() -> None:
    scene = Scene(revoked=["desktop1"])
    scene.trust("platform1", "desktop1", identity("desktop1"))
    assert scene.plan().to_dict()["trust"]["platform1"][-1] == {"alias": "desktop1", "state": "absent"}


# --- carried out -----------------------------------------------------------------------------------------------------

MODELS = ("pairwise", "shared")


@st.composite
def inventories(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """A few members of every kind; some of them live on the platform's host."""
    addresses = iter(f"192.0.2.{number}" for number in range(10, 99))

    def address() -> str:
        return "192.0.2.1" if draw(st.integers(0, 5)) == 0 else next(addresses)

    found = {"p1": platform("192.0.2.1")}
    if draw(st.booleans()):
        found["P2"] = platform(next(addresses), mtls_alias="Second-Platform")
    for number in range(draw(st.integers(0, 3))):
        found[f"ec{number}"] = execution(address(), mtls_endpoints=[{"name": "a", "port": 6791}, {"name": "b"}][: draw(st.integers(1, 2))])
    if draw(st.booleans()):
        found["sc"] = host("service", address(), {"name": "sc", "port": 6792})
    for number in range(draw(st.integers(0, 2))):
        found[f"d{number}"] = client(address())
    order = draw(st.permutations([name for name in found if name != "p1"]))
    return {name: found[name] for name in ("p1", *order)}


@st.composite
def wishes(draw: st.DrawFn, inventory: dict[str, Any], model: str) -> dict[str, Any]:
    """What is asked of a system: client auth, and who is revoked. With one key for all, only people can be."""
    candidates = [name for name in inventory if name[0] in ("de" if model == "pairwise" else "d")]
    return {
        "trust_model": model,
        "client_auth": draw(st.sampled_from(["required", "none"])),
        "revoked": draw(st.lists(st.sampled_from([*candidates, "gone"]), unique=True, max_size=2)),
        "purge_trusted": draw(st.booleans()),
    }


@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_once_carried_out_a_plan_leaves_nothing_to_do(data: st.DataObject) -> None:
    """Invariant 10, for any system and any history: other wishes before, runs killed at any stage, members lost on the way."""
    inventory = data.draw(inventories())
    world = World(inventory)
    model = data.draw(st.sampled_from(MODELS))
    for _run in range(data.draw(st.integers(0, 2), label="runs before")):
        before = data.draw(wishes(inventory, model))
        lost = data.draw(st.dictionaries(st.sampled_from(list(inventory)), st.sampled_from([None, "No route to host"]), max_size=2))
        event(f"lost {len(lost)}")
        world.generation += data.draw(st.integers(0, 1), label="generation")
        trusted = {name: world.aliases(name) for name in inventory}
        world.run(lost=lost, last_stage=data.draw(st.sampled_from(STAGES)), **before)
        for name in inventory:
            kept = {name.lower() for name in lost if name not in before["revoked"]} & trusted[name]
            assert kept <= world.aliases(name), "invariant 2: trust in a member that was not reached was dropped"

    last = data.draw(wishes(inventory, model))
    world.generation += data.draw(st.integers(0, 1), label="generation")
    plans = world.run(**last)
    assert not plans[0].faults
    assert {change.what for change in plans[-1].changes} <= {"restart"}, "at the end only the restarts are due"
    assert changes(plans[0]) == world.done, "the first plan says all that is then done, and nothing else"
    again = world.plan(**last)
    assert (again.state, again.changes) == ("clean", [])
    assert world.surprises(**last) == []


@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_order_of_the_inventory_changes_nothing(data: st.DataObject) -> None:
    """But for which platform comes first, whose keystore is the shared one."""
    inventory = data.draw(inventories())
    model = data.draw(st.sampled_from(MODELS))
    world = World(inventory)
    world.run(last_stage=data.draw(st.sampled_from(STAGES)), **data.draw(wishes(inventory, model)))
    wish = data.draw(wishes(inventory, model))
    plan = world.plan(**wish)
    platforms = [name for name in inventory if name.lower().startswith("p")]
    order = data.draw(st.permutations([name for name in inventory if name not in platforms]))
    world.inventory = {name: inventory[name] for name in (*order, *platforms)}
    other = world.plan(**wish)
    assert changes(other) == changes(plan)
    assert sorted(other.identities) == sorted(plan.identities)
    assert (other.state, other.copies, set(other.faults)) == (plan.state, plan.copies, set(plan.faults))
    assert {verdict.link.name: verdict.outcome for verdict in other.verdicts} == {
        verdict.link.name: verdict.outcome for verdict in plan.verdicts
    }


def test_the_simulation_shows_what_a_run_leaves_undone() -> None:
    """The failing twin of the property: a run killed before it restarts anything, and one that lost a member."""
    wish = {"trust_model": "pairwise", "client_auth": "required", "revoked": []}
    world = World(small())
    world.run(last_stage="settings", **wish)
    assert {(change.what, change.action) for change in world.plan(**wish).changes} == {("restart", "restart")}
    world = World(small())
    world.run(lost={"ec1": None}, **wish)
    assert {change.member for change in world.plan(**wish).changes} > {"ec1", "platform1"}
    assert world.plan(**wish).state == "pending"


def test_a_system_that_expired_is_brought_back() -> None:
    """Invariant 11: everything expired while nobody looked, and no handshake is needed to repair it."""
    wish = {"trust_model": "pairwise", "client_auth": "required", "revoked": []}
    world = World(small())
    world.run(now=NOW - 2000 * DAY, **wish)
    plans = world.run(**wish)
    assert {(change.subject, change.action) for change in plans[0].changes if change.what == "keystore"} >= {("ec1", "renew")}
    assert changes(plans[0]) == world.done
    assert world.plan(**wish).state == "clean"
    assert world.surprises(**wish) == []


@pytest.mark.parametrize("model", MODELS)
def test_a_new_generation_makes_every_key_anew(model: str) -> None:
    wish = {"trust_model": model, "client_auth": "required", "revoked": []}
    world = World(small())
    world.run(**wish)
    before = {name: world.hosts[name].store for name in small()}
    world.generation = 2
    plans = world.run(**wish)
    assert plans[0].identities == (list(small()) if model == "pairwise" else ["platform1", "desktop1"])
    for name, old in before.items():
        new = world.hosts[name].store
        assert old is not None
        assert new is not None
        assert not set(old.anchors()) & set(new.anchors()), f"{name} still trusts something old"
    assert world.plan(**wish).state == "clean"


# --- size ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_three_hundred_members_are_planned_in_a_moment(model: str) -> None:
    """In seconds of the processor; 1,000 members must take less than ten, and twice as many not more than twice as long."""
    inventory = {"platform1": platform()}
    for number in range(299):
        inventory[f"m{number}"] = execution(f"198.51.{number % 100}.{number}") if number % 2 else client(f"203.0.{number % 100}.{number}")
    scene = Scene(inventory, trust_model=model)
    facts = scene.facts
    start = time.process_time()
    plan = scene.plan(facts=facts)
    scene.matrix(facts=facts)
    json.dumps(plan.to_dict())
    plan_text(scene.system, plan)
    assert time.process_time() - start < 3
    assert plan.state == "clean"
