# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People who are nobody's host: who gets a bundle, when nobody could come in, and what the controller looks at as they do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mutual.tls.plugins.module_utils.plan.changes import Plan
from ansible_collections.mutual.tls.plugins.module_utils.plan.matrix import CONTROLLER, looked_at, matrix
from ansible_collections.mutual.tls.plugins.module_utils.plan.text import plan_text

from ..authority.scenery import CLIENTS, SYSTEM
from .authority_scenery import Fleet
from .scenery import Scene, adapter, execution, platform

ANSWER = "pico.rcp.tls.require_clientauth"


def issued(state: str = "issued", generation: int = 1, authority: str = "clients") -> dict[str, Any]:
    return {"state": state, "generation": generation, "authority": authority, "not_after": "2999-01-01T00:00:00Z", "reason": None}


def fleet(path: Path, *held: dict[str, Any], flips: bool = True, **wishes: Any) -> Fleet:
    """A system of which Zoe is to be a client, who has these certificates; the Platform requires none yet where it *flips*."""
    inventory = {"platform1": platform(), "ec1": execution("192.0.2.2")}
    made = Fleet(path, **{"inventory": inventory, "people": ("zoe",), **wishes})
    made.settle()
    assert made.collected is not None
    made.collected["certificates"] = {"zoe": list(held)}
    if flips:
        made.scene["platform1"]["settings"]["values"][ANSWER] = "false"
    return made


def outcome(plan: Plan) -> tuple[list[str], bool, bool]:
    """Who gets a bundle, whether somebody must, and whether nobody could come in."""
    return list(plan.bundles), plan.needs_bundle, any("nobody could come in" in fault for fault in plan.faults)


@pytest.mark.parametrize(
    ("held", "flips", "expected"),
    [
        ([], True, (["zoe"], True, False)),
        ([], False, (["zoe"], False, False)),
        ([issued()], True, ([], False, False)),
        ([issued("pending")], True, (["zoe"], True, False)),
        ([issued("revoked")], True, ([], False, True)),
        ([issued("revoked")], False, ([], False, False)),
        ([issued(authority="system")], True, (["zoe"], True, False)),
    ],
)
def test_certificates_begin_to_be_required_only_where_somebody_could_come_in(
    path: Path, held: list[dict[str, Any]], flips: bool, expected: Any
) -> None:
    assert outcome(fleet(path, *held, flips=flips).plan()) == expected


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "authority"


def test_who_may_lock_everybody_out_says_so(path: Path) -> None:
    locked = fleet(path, issued("revoked"))
    assert locked.plan().state == "unprovable"
    assert locked.plan(allow_lock_out=True).state == "pending"
    assert not fleet(path).plan(allow_lock_out=True).needs_bundle


@pytest.mark.parametrize(("held", "expected"), [([], (["zoe"], True, False)), ([issued("revoked")], ([], False, True))])
def test_a_server_that_is_set_up_for_the_first_time_begins_to_require_too(path: Path, held: list[dict[str, Any]], expected: Any) -> None:
    made = fleet(path, *held)
    made.scene["platform1"]["settings"]["values"] = {}
    assert outcome(made.plan()) == expected


def test_it_names_who_has_none_and_what_to_do(path: Path) -> None:
    [fault] = fleet(path, issued("revoked")).plan().faults
    assert fault.startswith("'platform1' would begin to demand certificates, and none of 'zoe' (mtls_clients) has a valid bundle")
    assert "mutual.tls.issue_client" in fault and "mtls_allow_lock_out" in fault


def test_where_a_ca_is_replaced_everybody_gets_another_bundle(path: Path) -> None:
    """The Platform reads no lists: a revoked certificate takes the CA with it."""
    made = fleet(path, issued(), flips=False, people=("zoe", "yan"), revoked=("yan",))
    assert made.plan().bundles == {}
    made.collect(SYSTEM, replace(CLIENTS, generation=2))
    made.collected["certificates"] = {"zoe": [issued()]}  # type: ignore[index]
    assert list(made.plan().bundles) == ["zoe"]


@pytest.mark.parametrize("wish", [{"client_auth": "none"}, {"people": ()}, {"revoked": ("zoe",)}])
def test_nobody_gets_a_bundle_that_nobody_asks_for(path: Path, wish: dict[str, Any]) -> None:
    made = fleet(path, flips=False, **wish)
    assert made.plan().bundles == {}


def test_somebody_elses_authority_gives_no_bundles_and_its_people_are_not_known(path: Path) -> None:
    made = fleet(path)
    made.collected["awaited"] = []  # type: ignore[index]
    assert outcome(made.plan()) == ([], False, False)


def test_a_plan_with_bundles_only_is_pending_and_says_so(path: Path) -> None:
    made = fleet(path, flips=False)
    plan = made.plan()
    assert (plan.changes, plan.state) == ([], "pending")
    text = " ".join(plan_text(made.scene.system, plan).split())
    assert "(people) bundle issue zoe there is none yet" in text
    assert "Nothing is to be changed" not in text


# --- what the controller looks at ------------------------------------------------------------------------------------


def seen(scene: Scene, in_sight: Any = ("platform1", "ec1"), for_person: Any = ()) -> list[tuple[str, str, str]]:
    """What the controller presents to whom, and what it expects."""
    made = matrix(scene.system, scene.facts, in_sight=in_sight, for_person=for_person)
    return [(probe.present, probe.link.server, probe.expect) for probe in made.probes if probe.member == CONTROLLER]


def gateway(**wishes: Any) -> Scene:
    """One server, and people: nobody else could look."""
    product = adapter(exempts_local_clients=False, client_auth=["none", "requested", "required"])
    return Scene({"platform1": platform()}, **{"people": ("zoe",), "trust_model": "authority", "product": product, **wishes})


def test_where_people_connect_the_controller_looks_as_they_do(path: Path) -> None:
    made = gateway()
    assert seen(made) == [("nothing", "platform1", "refused"), ("stranger", "platform1", "refused")]
    assert matrix(made.system, made.facts, in_sight=["platform1"]).faults == ()
    assert seen(made, for_person=["platform1"])[2:] == [("person", "platform1", "accepted")]
    [fault] = matrix(made.system, made.facts).faults
    assert "it needs a reachable member on another host" in fault, "the controller is on the server's host"


def test_what_members_show_or_would_the_controller_need_not_reach(path: Path) -> None:
    made = fleet(path, issued()).scene
    for lost in ((), ("ec1",)):
        made.lose(*lost)
        assert matrix(made.system, made.facts, in_sight=["platform1"]).shown >= {("platform1", "platform")}, lost
    assert matrix(gateway().system, gateway().facts, in_sight=["platform1"]).shown == frozenset()


def test_nobody_but_people_is_looked_for() -> None:
    assert seen(gateway(people=())) == []
    assert seen(gateway(trust_model="pairwise", product=adapter())) == []
    many = gateway()
    many.lose("platform1")
    assert seen(many) == []


def test_only_servers_of_people_are_looked_at(path: Path) -> None:
    made = fleet(path, issued()).scene
    assert {server for _present, server, _expect in seen(made)} == {"platform1"}
    assert looked_at(made.system, ["ec1", "platform1"]) == ["platform1"]
    assert looked_at(gateway(client_auth="none").system, ["platform1"]) == []


@pytest.mark.parametrize(
    ("client_auth", "expected"), [("none", ["accepted", "accepted"]), ("requested", ["accepted", "refused"]), ("required", ["refused"] * 2)]
)
def test_what_it_expects_is_what_is_asked_for(client_auth: str, expected: list[str]) -> None:
    assert [expect for _present, _server, expect in seen(gateway(client_auth=client_auth))] == expected


def test_without_the_authority_of_before_nobody_is_shut_out(path: Path) -> None:
    """Somebody runs it from another machine, where the authority's directory is not: it would make another one."""
    made = fleet(path, flips=False)
    assert made.plan().faults == []
    assert made.collected is not None
    made.collected.update(authorities=[], certificates={"zoe": []})
    [fault] = [each for each in made.plan().faults if "shut out" in each]
    assert fault.startswith("'platform1' demands certificates already, and there is no CA where mtls_authority_path says")
    assert not [each for each in made.plan(allow_lock_out=True).faults if "shut out" in each]
    made.collected["awaited"] = []
    assert not [each for each in made.plan().faults if "shut out" in each], "it is somebody else's, and not lost"


@pytest.mark.parametrize("wish", [{"client_auth": "none"}, {"revoked": ("platform1",)}, {}])
def test_an_authority_that_is_made_anew_shuts_nobody_out_where_none_is_demanded(path: Path, wish: dict[str, Any]) -> None:
    """Neither now nor from now on; at a server only that nobody is to connect to; or at one of which nobody knows."""
    inventory = {"platform1": platform(), "platform2": platform("192.0.2.9"), "ec1": execution("192.0.2.2")}
    made = fleet(path, flips=False, inventory=inventory, **wish)
    made.scene["platform2"]["settings"]["values"][ANSWER] = "false"
    if not wish:
        made.scene.lose("platform1")
    assert made.collected is not None
    made.collected.update(authorities=[], certificates={"zoe": []})
    assert not [each for each in made.plan(unreachable="skip").faults if "shut out" in each]
