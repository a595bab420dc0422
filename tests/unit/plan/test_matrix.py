# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which handshakes are to be made, from where, and how each must end."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from .scenery import Scene, adapter, client, execution, host, identity, no_store, platform, small

LINKS = [
    "ec1 -> platform1:6790",
    "ec2 -> platform1:6790",
    "desktop1 -> platform1:6790",
    "platform1 -> ec1:6791",
    "platform1 -> ec2:6791",
]


def probes(scene: Scene, *presented: str) -> list[tuple[str, str, str]]:
    """(on whose host, what, how it must end) of the handshakes that present one of these."""
    return [
        (probe.member, f"{probe.client} -> {probe.link.server}:{probe.link.port}", probe.expect)
        for probe in scene.matrix().probes
        if probe.present in presented
    ]


def outsiders(scene: Scene) -> list[tuple[str, str, str]]:
    return probes(scene, "nothing", "stranger")


def test_every_link_is_made_once_and_accepted() -> None:
    assert probes(Scene(), "keystore") == [(link.partition(" ")[0], link, "accepted") for link in LINKS]
    assert Scene().matrix().notes == Scene().matrix().faults == ()


def test_at_every_endpoint_nobody_and_a_stranger_are_refused() -> None:
    """Invariant 8."""
    found = outsiders(Scene())
    assert Counter(found) == Counter(
        (prober, f"{who} -> {server}", "refused")
        for prober, server in (("ec1", "platform1:6790"), ("platform1", "ec1:6791"), ("platform1", "ec2:6791"))
        for who in ("(no certificate)", "(a stranger)")
    )


@pytest.mark.parametrize(("client_auth", "stranger"), [("none", "accepted"), ("requested", "refused")])
def test_unless_required_outsiders_are_accepted_but_who_asks_judges_what_comes(client_auth: str, stranger: str) -> None:
    scene = Scene(client_auth=client_auth, product=adapter(client_auth=["none", "requested", "required"]))
    found = {(name.partition(" ->")[0], expect) for _member, name, expect in outsiders(scene)}
    assert found == {("(no certificate)", "accepted"), ("(a stranger)", stranger)}
    assert len(outsiders(scene)) == 6


def test_every_endpoint_with_a_port_is_tried() -> None:
    inventory = small()
    inventory["ec1"]["mtls_endpoints"] = [{"name": "a", "port": 1}, {"name": "b"}, {"name": "c", "port": 3}]
    scene = Scene(inventory)
    assert [name for _m, name, _e in probes(scene, "keystore") if " -> ec1" in name] == ["platform1 -> ec1:1", "platform1 -> ec1:3"]
    assert [name for _m, name, _e in probes(scene, "stranger") if " -> ec1" in name] == ["(a stranger) -> ec1:1", "(a stranger) -> ec1:3"]


def test_no_host_makes_two_handshakes_of_one_name() -> None:
    """The module handshake takes each name once."""
    scene = Scene({**small(), "platform2": platform("192.0.2.8"), "gone": client("192.0.2.9")}, revoked=["gone"])
    names = Counter((probe.member, probe.to_option(None)["name"]) for probe in scene.matrix().probes)
    assert set(names.values()) == {1}


def test_a_probe_as_the_module_takes_it() -> None:
    (first, *_others) = Scene().matrix().probes
    option = {"name": "ec1 -> platform1:6790", "host": "192.0.2.1", "port": 6790, "present": "keystore", "expect": "accepted"}
    assert first.to_option(None) == option
    assert first.to_option("192.0.2.2") == {**option, "source_address": "192.0.2.2"}


# --- from outside ----------------------------------------------------------------------------------------------------


def beside(**more: Any) -> dict[str, dict[str, Any]]:
    """A platform with a container and a desktop on its own host."""
    return {"platform1": platform(), "ec1": execution("192.0.2.1"), "desktop1": client("192.0.2.1"), **more}


def test_outsiders_come_from_another_host() -> None:
    scene = Scene(beside(desktop2=client("192.0.2.5"), platform2=platform("192.0.2.8")))
    assert scene.matrix().faults == ()
    assert set(outsiders(scene)) >= {
        ("desktop2", "(a stranger) -> platform1:6790", "refused"),
        ("platform2", "(a stranger) -> ec1:6791", "refused"),
    }
    members = scene.system.members
    for probe in scene.matrix().probes:
        if probe.present != "keystore":
            assert members[probe.member].address != members[probe.link.server].address


def test_where_nobody_is_exempt_any_member_will_do() -> None:
    scene = Scene(beside(), product=adapter(exempts_local_clients=False))
    assert scene.matrix().faults == ()
    assert ("ec1", "(a stranger) -> platform1:6790", "refused") in outsiders(scene)


def test_what_nobody_outside_can_show_is_a_fault() -> None:
    scene = Scene(beside())
    assert outsiders(scene) == []
    assert scene.matrix().faults == tuple(
        f"nobody outside of the host of '{name}' can show whom 192.0.2.1:{port} refuses: it needs a reachable member on another host "
        "that connects to it (one of the kind 'client' will do)"
        for name, port in (("platform1", 6790), ("ec1", 6791))
    )


def test_an_outsider_that_was_not_reached_is_noted() -> None:
    """A run with --limit cannot show everything, and is no failure for that; what nobody could ever show is one."""
    scene = Scene(beside(desktop2=client("192.0.2.5")))
    assert [fault.split("'")[1] for fault in scene.matrix().faults] == ["ec1"]
    scene.lose("desktop2")
    assert [fault.split("'")[1] for fault in scene.matrix().faults] == ["ec1"]
    assert (
        "nobody that was reached outside of the host of 'platform1' can show whom 192.0.2.1:6790 refuses: "
        "'desktop2' could, and was not reached"
    ) in scene.matrix().notes


def test_a_lonely_platform_is_a_fault() -> None:
    assert len(Scene({"platform1": platform()}).matrix().faults) == 1


@pytest.mark.parametrize("client_auth", ["none", "requested"])
def test_where_nobody_is_to_be_refused_nobody_needs_to_show_it(client_auth: str) -> None:
    """Client auth goes off on a system on one host, too."""
    scene = Scene(beside(), client_auth=client_auth, product=adapter(client_auth=["none", "requested", "required"]))
    assert scene.matrix().faults == ()


def test_what_no_link_leads_to_is_not_tried() -> None:
    """A gateway's port and a desktop's are not the product's to guard."""
    inventory = {**small(), "gw": host("gateway", "192.0.2.9", {"name": "gw", "port": 443})}
    inventory["desktop1"]["mtls_endpoints"] = [{"name": "viewer", "port": 5900}]
    scene = Scene(inventory)
    assert scene.matrix().faults == ()
    assert {probe.link.server for probe in scene.matrix().probes} == {"platform1", "ec1", "ec2"}


# --- who was not reached ---------------------------------------------------------------------------------------------


def test_links_of_unreached_members_are_noted() -> None:
    scene = Scene()
    scene.lose("ec1")
    assert [name for _m, name, _e in probes(scene, "keystore")] == [link for link in LINKS if "ec1" not in link]
    assert scene.matrix().notes == (
        "ec1 -> platform1:6790 is not tried: 'ec1' was not reached",
        "platform1 -> ec1:6791 is not tried: 'ec1' was not reached",
    )
    assert ("ec2", "(a stranger) -> platform1:6790", "refused") in outsiders(scene), "the next one tries"
    assert scene.matrix().faults == (), "what was not reached is not at fault"


# --- revoked members -------------------------------------------------------------------------------------------------


def test_a_revoked_member_is_tried_and_refused() -> None:
    scene = Scene(revoked=["desktop1"])
    assert ("desktop1", "desktop1 -> platform1:6790", "refused") in probes(scene, "keystore")
    assert not [name for _m, name, _e in outsiders(scene) if "desktop1" in name]


def test_a_revoked_server_is_tried_by_nobody() -> None:
    scene = Scene(revoked=["ec1"])
    assert ("ec1", "ec1 -> platform1:6790", "refused") in probes(scene, "keystore")
    assert not [probe for probe in scene.matrix().probes if probe.link.server == "ec1"]


def test_with_client_auth_none_a_revoked_member_is_accepted() -> None:
    scene = Scene(revoked=["desktop1"], client_auth="none")
    assert ("desktop1", "desktop1 -> platform1:6790", "accepted") in probes(scene, "keystore")


def test_a_revoked_member_with_the_shared_key_is_tried_with_it() -> None:
    """If it still has the key that all share it is let in, and the matrix must show that."""
    scene = Scene(trust_model="shared", revoked=["ec1"])
    assert ("ec1", "ec1 -> platform1:6790", "refused") in probes(scene, "keystore")


def test_a_revoked_member_on_the_servers_host_is_exempt() -> None:
    scene = Scene(beside(desktop2=client("192.0.2.5")), revoked=["desktop1"])
    assert not [name for _m, name, _e in probes(scene, "keystore") if name.startswith("desktop1")]


def test_a_revoked_member_that_was_not_reached_is_noted() -> None:
    scene = Scene(revoked=["desktop1"])
    scene.lose("desktop1")
    assert scene.matrix().notes == ("'desktop1' is revoked and was not reached, so nobody saw it refused",)


def test_a_revoked_member_without_identity_is_noted() -> None:
    scene = Scene(revoked=["desktop1"])
    scene["desktop1"]["store"] = no_store()
    assert scene.matrix().notes == ("'desktop1' is revoked and has no identity that could be refused",)


@pytest.mark.parametrize("client_auth", ["required", "none"])
def test_a_revoked_member_that_would_hang_up_itself_is_noted(client_auth: str) -> None:
    """The platform has a new identity, which nobody told the revoked desktop of: its handshake would show nothing."""
    scene = Scene(revoked=["desktop1"], client_auth=client_auth)
    scene.present("platform1", identity("platform1", key_version=2))
    assert scene.matrix().notes == (
        "desktop1 -> platform1:6790 is not tried: 'desktop1' is revoked, and does not trust what 'platform1' presents now",
    )
    assert not [name for _m, name, _e in probes(scene, "keystore") if name.startswith("desktop1")]


def test_a_revoked_member_does_not_try_who_was_not_reached() -> None:
    scene = Scene({**small(), "platform2": platform("192.0.2.8")}, revoked=["desktop1"])
    scene.lose("platform1")
    assert [name for _m, name, _e in probes(scene, "keystore") if name.startswith("desktop1")] == ["desktop1 -> platform2:6790"]
