# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is restarted and why: each reason alone, and none without a reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable

import pytest

from ansible_collections.mutual.tls.plugins.module_utils.plan.activation import Restart, activation
from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import GatewayFacts

from .scenery import STARTED, WRITTEN, Scene, adapter, client, execution, host, identity, no_store, platform, small

SHOWN_BY_PLATFORM = "as 'platform1' saw"
TAKEN_ALONG = "'platform1' restarts, and this runs for it"


def restarts(scene: Scene, **causes: str) -> list[tuple[str, str, str]]:
    """(member, process, reason), as the plan's causes would be *causes*."""
    return [(restart.member, restart.process, restart.reason) for restart in activation(scene.system, scene.facts, causes)]


def endpoint(scene: Scene, name: str) -> dict[str, Any]:
    """What was measured of a member's first endpoint."""
    found: dict[str, Any] = scene[name]["endpoints"][0]
    return found


def seen(scene: Scene, observer: str, server: str, asks: str | None) -> None:
    for item in scene[observer]["observed"]:
        if item["server"] == server:
            item["asks"] = asks


def serves_another(scene: Scene) -> None:
    endpoint(scene, "ec1")["served_sha256"] = identity("ec1", version=2).sha256


def settings_changed(scene: Scene) -> None:
    scene["ec1"]["settings"]["changed"] = ["pico.rcp.tls.require_clientauth"]


# A change of what was measured of ec1, why that is a reason, and the nearest thing that is none.
REASONS: dict[str, tuple[Callable[[Scene], Any], str, Callable[[Scene], Any]]] = {
    "not running": (
        lambda scene: endpoint(scene, "ec1").update(listening=False, tls=False, served_sha256=None, started=None),
        "it is not running",
        lambda scene: endpoint(scene, "ec1").update(started=None),
    ),
    "plain TCP": (
        lambda scene: endpoint(scene, "ec1").update(tls=False, served_sha256=None),
        "it does not speak TLS yet",
        lambda scene: (endpoint(scene, "ec1").update(tls=False, served_sha256=None), scene["ec1"].update(store=no_store())),
    ),
    "older than its keystore": (
        lambda scene: endpoint(scene, "ec1").update(started=WRITTEN - 0.01),
        "it was started before its keystore was last written",
        lambda scene: endpoint(scene, "ec1").update(started=WRITTEN),
    ),
    "keystore written since": (
        lambda scene: scene["ec1"]["store"].update(modified=STARTED + 0.01),
        "it was started before its keystore was last written",
        lambda scene: scene["ec1"]["store"].update(modified=None),
    ),
    "another certificate": (
        serves_another,
        "it serves another certificate than the one in its keystore",
        lambda scene: endpoint(scene, "ec1").update(served_sha256=None),
    ),
    "lets in whom it should refuse": (
        lambda scene: seen(scene, "platform1", "ec1", "not_required"),
        f"it lets in clients without a certificate, {SHOWN_BY_PLATFORM}",
        lambda scene: seen(scene, "platform1", "ec1", None),
    ),
    "settings changed in this run": (
        settings_changed,
        "its settings changed in this run",
        lambda scene: scene["ec1"].update(settings=None),
    ),
}


@pytest.mark.parametrize("case", REASONS)
def test_each_reason_alone_restarts_the_process(case: str) -> None:
    change, reason, _restarts = REASONS[case]
    scene = Scene()
    change(scene)
    assert restarts(scene) == [("ec1", "ec", reason)]


@pytest.mark.parametrize("case", REASONS)
def test_the_nearest_thing_to_a_reason_is_none(case: str) -> None:
    scene = Scene()
    REASONS[case][2](scene)
    assert restarts(scene) == []


def test_without_a_reason_nothing_restarts() -> None:
    assert restarts(Scene()) == []
    assert restarts(Scene(trust_model="shared")) == []


@pytest.mark.parametrize("cause", ["its keystore changes", "its settings change"])
def test_what_this_run_changes_is_a_reason(cause: str) -> None:
    assert restarts(Scene(), ec1=cause) == [("ec1", "ec", cause)]


def test_a_change_goes_before_what_was_measured() -> None:
    scene = Scene()
    serves_another(scene)
    settings_changed(scene)
    assert restarts(scene, ec1="its keystore changes") == [("ec1", "ec", "its keystore changes")]
    assert restarts(scene) == [("ec1", "ec", "its settings changed in this run")]


@pytest.mark.parametrize("port", [6791, None])
def test_what_this_run_has_changed_is_loaded_by_nobody(port: int | None) -> None:
    """Also where nobody can see when the process began, or where it listens."""
    inventory = small()
    inventory["ec1"]["mtls_endpoints"] = [{"name": "ec", "port": port}]
    scene = Scene(inventory)
    scene["ec1"]["endpoints"][0]["started"] = None
    assert restarts(scene) == []
    scene["ec1"]["store"]["changed"] = True
    assert restarts(scene) == [("ec1", "ec", "its keystore changed in this run")]


def test_one_after_the_other_only_where_old_and_new_fit() -> None:
    scene = Scene()
    scene["ec1"]["store"]["changed"] = True
    plan = scene.plan()
    assert (len(plan.restarts), plan.may_roll) == (1, True), "another protection, say"
    assert scene.plan().to_dict()["may_roll"]
    serves_another(scene)
    assert not scene.plan().may_roll
    scene["ec1"]["endpoints"][0].update(listening=False, served_sha256=None)
    assert scene.plan().may_roll, "who is down shuts nobody out"


def test_a_new_certificate_does_not_fit() -> None:
    scene = Scene()
    scene["ec1"]["identity_wish"]["generation"] = 2
    plan = scene.plan()
    assert (plan.identities, plan.may_roll) == (["ec1"], False)


def test_a_certificate_that_was_new_in_this_run_does_not_fit() -> None:
    """Of a process without a port nobody sees what it serves."""
    scene = Scene()
    scene["ec1"]["store"].update(changed=True)
    assert scene.plan().may_roll
    scene["ec1"]["store"].update(new_identity=True)
    assert not scene.plan().may_roll


def test_beginning_to_speak_tls_does_not_fit() -> None:
    scene = Scene()
    scene["ec1"]["endpoints"][0].update(tls=False, served_sha256=None)
    assert not scene.plan().may_roll


def test_a_plan_names_its_own_causes() -> None:
    scene = Scene()
    scene.forget("ec1", "platform1")
    scene["ec2"]["settings"]["values"]["pico.rcp.tls.require_clientauth"] = "false"
    plan = scene.plan()
    assert plan.restarts == [
        Restart("ec1", "ec", "execution", "its keystore changes"),
        Restart("ec2", "ec", "execution", "its settings change"),
    ]


def test_a_store_that_was_copied_serves_the_shared_certificate() -> None:
    scene = Scene(trust_model="shared")
    endpoint(scene, "ec1")["served_sha256"] = identity("ec1").sha256
    assert restarts(scene) == [("ec1", "ec", "it serves another certificate than the one in its keystore")]


# --- as seen from outside --------------------------------------------------------------------------------------------


def test_with_client_auth_none_refusing_is_a_reason() -> None:
    scene = Scene(client_auth="none")
    assert restarts(scene) == []
    seen(scene, "platform1", "ec1", "required")
    assert restarts(scene) == [("ec1", "ec", f"it refuses clients without a certificate, {SHOWN_BY_PLATFORM}")]


@pytest.mark.parametrize(("client_auth", "lax"), [("required", True), ("requested", False), ("none", False)])
def test_only_required_must_refuse(client_auth: str, lax: bool) -> None:
    product = adapter(client_auth=["none", "requested", "required"])
    scene = Scene(client_auth=client_auth, product=product)
    seen(scene, "platform1", "ec1", "not_required")
    assert bool(restarts(scene)) == lax


def local() -> dict[str, dict[str, Any]]:
    """A desktop on the platform's own host, and one elsewhere."""
    return {"platform1": platform(), "inside": client("192.0.2.1"), "outside": client("192.0.2.5")}


@pytest.mark.parametrize(("observer", "counts"), [("inside", False), ("outside", True)])
def test_a_local_observer_does_not_count_where_local_clients_are_exempt(observer: str, counts: bool) -> None:
    scene = Scene(local())
    seen(scene, observer, "platform1", "not_required")
    assert [reason for _member, _process, reason in restarts(scene)] == (
        ["it lets in clients without a certificate, as 'outside' saw"] if counts else []
    )


@pytest.mark.parametrize("liar", ["inside", "outside"])
def test_one_host_that_lies_restarts_nothing(liar: str) -> None:
    """All observers must have seen it; the matrix judges where they differ."""
    scene = Scene(local(), product=adapter(exempts_local_clients=False))
    seen(scene, liar, "platform1", "not_required")
    assert restarts(scene) == []
    for observer in ("inside", "outside"):
        seen(scene, observer, "platform1", "not_required")
    assert [reason for _member, _process, reason in restarts(scene)] == ["it lets in clients without a certificate, as 'inside' saw"]


def test_a_view_of_what_is_no_member_is_nothing() -> None:
    scene = Scene()
    scene["ec1"]["observed"].append({"server": "gone", "endpoint": "platform", "asks": "not_required"})
    assert restarts(scene) == []


# --- who restarts with whom ------------------------------------------------------------------------------------------


def full() -> dict[str, dict[str, Any]]:
    return {**small(), "sc1": host("service", "192.0.2.6", {"name": "sc1", "port": 6792}, {"name": "batch"})}


def test_a_platform_takes_everything_with_it_in_the_right_tiers() -> None:
    scene = Scene(full())
    endpoint(scene, "platform1").update(listening=False)
    assert activation(scene.system, scene.facts, {}) == [
        Restart("platform1", "platform", "platform", "it is not running"),
        Restart("ec1", "ec", "execution", TAKEN_ALONG),
        Restart("ec2", "ec", "execution", TAKEN_ALONG),
        Restart("sc1", "sc1", "service", TAKEN_ALONG),
        Restart("sc1", "batch", "service", TAKEN_ALONG),
    ]


def test_those_with_a_reason_of_their_own_keep_it() -> None:
    scene = Scene(full())
    endpoint(scene, "platform1").update(listening=False)
    serves_another(scene)
    assert ("ec1", "ec", "it serves another certificate than the one in its keystore") in restarts(scene)
    assert len(restarts(scene)) == 5, "each process once"


def test_no_other_tier_takes_anything_along() -> None:
    scene = Scene(full())
    endpoint(scene, "sc1").update(listening=False)
    assert restarts(scene) == [("sc1", "sc1", "it is not running")]


def test_the_tier_counts_and_not_the_kind() -> None:
    """A process of the platform's host that starts with the containers takes nothing with it."""
    inventory = small()
    inventory["platform1"]["mtls_endpoints"].append({"name": "ec0", "port": 6799, "tier": "execution"})
    scene = Scene(inventory)
    scene["platform1"]["endpoints"][1].update(listening=False)
    assert restarts(scene) == [("platform1", "ec0", "it is not running")]


def test_one_of_two_platforms_takes_the_other_along() -> None:
    scene = Scene({**small(), "platform2": platform("192.0.2.8")})
    endpoint(scene, "platform2").update(listening=False)
    assert restarts(scene)[0] == ("platform2", "platform", "it is not running")
    assert {member for member, _process, _reason in restarts(scene)} == {"platform1", "platform2", "ec1", "ec2"}


# --- who is left alone -----------------------------------------------------------------------------------------------


def test_an_endpoint_without_port_is_not_called_dead() -> None:
    inventory = small()
    inventory["ec1"]["mtls_endpoints"] = [{"name": "ec"}]
    scene = Scene(inventory)
    assert restarts(scene) == []
    assert restarts(scene, ec1="its keystore changes") == [("ec1", "ec", "its keystore changes")]


def test_an_endpoint_that_nobody_looked_at_is_not_called_dead() -> None:
    scene = Scene()
    scene["ec1"]["endpoints"] = []
    assert restarts(scene) == []


def test_unreached_members_are_left_alone() -> None:
    scene = Scene()
    scene.lose("ec1")
    endpoint(scene, "platform1").update(listening=False)
    assert [member for member, _process, _reason in restarts(scene, ec1="its keystore changes")] == ["platform1", "ec2"]


def test_revoked_members_are_left_alone() -> None:
    scene = Scene(revoked=["ec1"])
    endpoint(scene, "ec1").update(listening=False)
    assert restarts(scene, ec1="its keystore changes") == []
    endpoint(scene, "platform1").update(listening=False)
    assert [member for member, _process, _reason in restarts(scene)] == ["platform1", "ec2"]


def test_processes_that_the_product_does_not_start_are_left_alone() -> None:
    """MediationZone starts no gateway: a restart of one would be due for ever."""
    inventory = {**small(), "gw": host("gateway", "192.0.2.9", {"name": "gw", "port": 443}), "ec3": execution("192.0.2.10")}
    scene = Scene(inventory)
    for name in ("gw", "ec3"):
        endpoint(scene, name).update(listening=False)
    assert restarts(scene, gw="its keystore changes") == [("ec3", "ec", "it is not running")]
    endpoint(scene, "platform1").update(listening=False)
    assert "gw" not in {member for member, _process, _reason in restarts(scene)}


def test_settings_in_a_file_that_was_written_since_are_not_loaded() -> None:
    """A run that died between writing them and the restart is finished by the next."""
    scene = Scene()
    started = endpoint(scene, "ec1")["started"]
    scene["ec1"]["settings"]["modified"] = started
    assert restarts(scene) == []
    scene["ec1"]["settings"]["modified"] = started + 0.5
    assert restarts(scene) == [("ec1", "ec", "it was started before its settings were last written")]


def test_where_servers_reload_nobody_is_taken_along() -> None:
    scene = Scene(product=adapter(activation="reload"))
    endpoint(scene, "platform1").update(started=WRITTEN - 1)
    assert [member for member, _process, _reason in restarts(scene)] == ["platform1"]
    restarting = Scene()
    endpoint(restarting, "platform1").update(started=WRITTEN - 1)
    assert [member for member, _process, _reason in restarts(restarting)] == ["platform1", "ec1", "ec2"]


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (GatewayFacts(changed=True, modified=STARTED - 1), "its gateway's configuration changes in this run"),
        (GatewayFacts(changed=False, modified=STARTED + 0.01), "it was started before its gateway's configuration was last written"),
        (GatewayFacts(changed=False, modified=STARTED), None),
        (GatewayFacts(changed=False), None),
    ],
)
def test_what_a_gateway_serves_is_to_be_loaded(found: GatewayFacts, reason: str | None) -> None:
    scene = Scene()
    facts = {**scene.facts, "ec1": replace(scene.facts["ec1"], gateway=found)}
    expected = [("ec1", "ec", reason)] if reason is not None else []
    assert [(restart.member, restart.process, restart.reason) for restart in activation(scene.system, facts, {})] == expected
