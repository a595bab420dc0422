# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tasks registered on each host, read for the plan: results of hosts that are away, of tasks that were skipped, and later ones."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import Facts, GatewayFacts
from ansible_collections.mutual.tls.plugins.plugin_utils.collected import authority_from, gather, system_from

from .scenery import WRITTEN, Scene, adapter_data, identity, key_entry, small, store

#: How tasks register what was not done.
SKIPPED = {"changed": False, "skipped": True, "skip_reason": "Conditional result was False"}


def gathered(scene: Scene, more: dict[str, dict[str, Any]] | None = None, **options: Any) -> dict[str, Facts]:
    """The facts in the hosts' variables: what was collected of the scene, and *more* by host and name."""
    hostvars = {name: {"product_member": data, **(more or {}).get(name, {})} for name, data in scene.measured.items()}
    return gather(scene.system, hostvars, "product_member", **options)


def test_what_was_collected_is_read() -> None:
    scene = Scene()
    assert gathered(scene) == scene.facts


@pytest.mark.parametrize(
    ("result", "failure"),
    [
        ({"unreachable": True, "changed": False, "msg": " No route to host\n"}, "No route to host"),
        ({"unreachable": True}, "no answer"),
        (None, None),
        ({}, None),
        (SKIPPED, None),
    ],
    ids=["unreachable", "unreachable without a word", "nothing registered", "empty", "skipped"],
)
def test_a_host_without_facts_was_not_reached(result: dict[str, Any] | None, failure: str | None) -> None:
    scene = Scene()
    scene.measured["ec1"] = result
    assert gathered(scene)["ec1"] == Facts(reached=False, failure=failure)
    assert gathered(scene)["ec2"] == scene.facts["ec2"]


def test_a_host_on_which_nothing_ran_was_not_reached() -> None:
    """Outside of --limit the variable is not even there."""
    scene = Scene()
    hostvars = {name: {"product_member": data} for name, data in scene.measured.items()} | {"ec1": {}}
    assert gather(scene.system, hostvars, "product_member")["ec1"] == Facts(reached=False)


def test_a_host_that_could_not_be_measured_is_at_fault() -> None:
    """It answered, so it is not away: whatever is wrong there must be put right first."""
    scene = Scene()
    scene.measured["ec1"] = {"failed": True, "changed": False, "msg": "The keystore /opt/mz/keys cannot be read.\n"}
    facts = gathered(scene)
    assert facts["ec1"] == Facts(reached=False, fault="The keystore /opt/mz/keys cannot be read.")
    for unreachable in ("stop", "skip"):
        plan = scene.plan(facts=facts, unreachable=unreachable)
        assert plan.faults == ["'ec1' could not be measured: The keystore /opt/mz/keys cannot be read."]


# --- stores ----------------------------------------------------------------------------------------------------------


def made(version: int, **more: Any) -> dict[str, Any]:
    """What the module keystore returns once ec1 has an identity of this version."""
    return {"changed": True, "store": store(key_entry("ec1", identity("ec1", version=version))), **more}


def fingerprint(facts: Facts) -> str | None:
    assert facts.store is not None
    entry = facts.store.identity("ec1")
    return entry.sha256 if entry is not None else None


def test_a_later_store_takes_the_place_of_the_collected_one() -> None:
    scene = Scene()
    facts = gathered(scene, {"ec1": {"identity_store": made(2, proof="new")}}, stores=["identity_store", "trust_store"])
    assert (fingerprint(facts["ec1"]), facts["ec1"].proof) == (identity("ec1", version=2).sha256, "new")
    assert facts["ec2"] == scene.facts["ec2"]


def test_the_last_store_counts_and_the_last_proof() -> None:
    later = {"ec1": {"identity_store": made(2, proof="new"), "trust_store": made(3)}}
    facts = gathered(Scene(), later, stores=["identity_store", "trust_store"])["ec1"]
    assert (fingerprint(facts), facts.proof) == (identity("ec1", version=3).sha256, "new")


def test_a_result_of_an_earlier_play_does_not_hide_what_was_collected_since() -> None:
    scene = Scene()
    scene["ec1"]["store"]["modified"] = WRITTEN + 1
    assert gathered(scene, {"ec1": {"identity_store": made(2, proof="old")}}, stores=["identity_store"]) == scene.facts


@pytest.mark.parametrize("result", [SKIPPED, {}, None, {"failed": True, "msg": "no"}], ids=["skipped", "empty", "none", "failed"])
def test_a_later_result_without_a_store_changes_nothing(result: dict[str, Any] | None) -> None:
    scene = Scene()
    later = {"ec1": {"identity_store": made(2, proof="new"), "trust_store": result}}
    facts = gathered(scene, later, stores=["identity_store", "trust_store"])["ec1"]
    assert (fingerprint(facts), facts.proof) == (identity("ec1", version=2).sha256, "new")
    assert gathered(scene, {"ec1": {"trust_store": result}}, stores=["trust_store"]) == scene.facts


def test_only_named_results_are_laid_over() -> None:
    scene = Scene()
    assert gathered(scene, {"ec1": {"identity_store": made(2)}}) == scene.facts


def test_a_later_store_does_not_make_a_host_reached() -> None:
    scene = Scene()
    scene.measured["ec1"] = {"unreachable": True, "msg": "gone"}
    assert gathered(scene, {"ec1": {"identity_store": made(2)}}, stores=["identity_store"])["ec1"] == Facts(False, failure="gone")


# --- settings --------------------------------------------------------------------------------------------------------

CHANGED = {"changed": True, "changes": [{"name": "pico.rcp.tls.require_clientauth"}, {"name": "pico.rcp.tls.key.password"}]}


def outdated() -> Scene:
    """ec1 has yet to be told to demand certificates, and a password."""
    scene = Scene()
    scene["ec1"]["settings"]["values"]["pico.rcp.tls.require_clientauth"] = "false"
    scene["ec1"]["settings"]["secret_changes"] = [{"name": "pico.rcp.tls.key.password", "reason": "it is not there"}]
    return scene


@pytest.mark.parametrize("registered", ["client_auth_registry", "client_auth_file"])
def test_settings_that_were_written_are_as_wished_and_not_loaded(registered: str) -> None:
    facts = gathered(outdated(), {"ec1": {registered: CHANGED}}, settings=["client_auth_registry", "client_auth_file"])["ec1"]
    assert facts.settings is not None
    assert facts.settings.values == Scene()["ec1"]["settings"]["values"]
    assert facts.settings.secret_changes == {}
    assert facts.settings.changed == ("pico.rcp.tls.require_clientauth", "pico.rcp.tls.key.password")


@pytest.mark.parametrize(
    "result", [SKIPPED, {}, None, {"changed": False, "changes": []}, {"changed": True, "changes": []}],
    ids=["skipped", "empty", "none", "unchanged", "only the file's mode"],
)  # fmt: skip
def test_settings_that_nobody_wrote_are_as_collected(result: dict[str, Any] | None) -> None:
    scene = outdated()
    assert gathered(scene, {"ec1": {"client_auth_file": result}}, settings=["client_auth_file"]) == scene.facts


def test_in_check_mode_settings_are_as_collected() -> None:
    scene = outdated()
    assert gathered(scene, {"ec1": {"client_auth_file": CHANGED}}, settings=["client_auth_file"], check_mode=True) == scene.facts


# --- the system ------------------------------------------------------------------------------------------------------


def option(**more: Any) -> dict[str, Any]:
    wishes = {"trust_model": "pairwise", "client_auth": "required", "revoked": ["ec2"], "purge_trusted": True, "phased": False}
    return {"inventory": small(), "adapter": adapter_data(), **wishes, **more}


def test_the_system_that_members_returned_is_read_again() -> None:
    system = system_from(option())
    assert (list(system.members), system.revoked, system.purge_trusted) == (list(small()), ("ec2",), True)


def test_a_system_that_cannot_be_is_a_failed_task() -> None:
    with pytest.raises(AnsibleActionFail, match="mtls_trust_model is 'all'; for mediationzone it is one of: pairwise, shared"):
        system_from(option(trust_model="all"))


# --- the authority ---------------------------------------------------------------------------------------------------


def test_nothing_is_known_of_an_authority_that_was_not_asked() -> None:
    assert authority_from({}, None, None) is None
    assert authority_from({"authority": {}}, "authority", "signed") is None
    assert authority_from({"authority": {"skipped": True, "changed": False}}, "authority", None) is None


def test_an_authority_that_failed_says_why() -> None:
    for result in ({"failed": True, "msg": " no passphrase "}, {"unreachable": True, "msg": "no passphrase"}):
        found = authority_from({"authority": result}, "authority", None)
        assert found is not None
        assert found.failure == "no passphrase"


def test_an_authority_that_answers_nonsense_is_at_fault() -> None:
    found = authority_from({"authority": {"authorities": [{"name": "system"}], "revoked": []}}, "authority", None)
    assert found is not None
    assert found.failure is not None
    assert found.failure.startswith("its answer cannot be read: ")


# --- hosts that lie --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mtls_subject", "identity_wish", "product_authority_host", "product_name", "gateway_found"])
def test_a_host_that_sets_what_only_the_inventory_may_say_is_at_fault(name: str) -> None:
    """As Ansible shows what any module of the host returned as facts."""
    scene = Scene()
    # As if Ansible had found it out itself, too.
    found = gathered(scene, {"ec1": {"ansible_facts": {name: "CN=admin", "services": {}}, name: "CN=admin", f"ansible_{name}": "CN=admin"}})
    assert found["ec1"].fault is not None and f"may set ({name})" in found["ec1"].fault
    assert found["ec2"] == scene.facts["ec2"]
    assert [fault for fault in scene.plan(facts=found).faults if "'ec1' could not be measured: its answers set" in fault]


@pytest.mark.parametrize(
    "facts",
    [
        {
            "ansible_facts": {"product_name": "KVM", "service_mgr": "systemd"},
            "ansible_product_name": "KVM",
            "product_name": Scene().system.adapter.name,
        },
        {"ansible_facts": {"hostname": "ec1", "packages": {}}},
    ],
)
def test_what_ansible_finds_out_of_a_host_is_no_lie(facts: dict[str, Any]) -> None:
    scene = Scene()
    assert gathered(scene, {"ec1": facts}) == scene.facts


@pytest.mark.parametrize(
    ("later", "options"),
    [
        ({"identity_store": {"store": {"modified": "x"}}}, {"stores": ["identity_store"]}),
        ({"identity_store": "nonsense"}, {"stores": ["identity_store"]}),
        ({"trust_pem": {"pem": {"modified": []}}}, {"pem": "trust_pem"}),
        ({"client_auth_file": {"changed": True, "changes": [7]}}, {"settings": ["client_auth_file"]}),
        ({"gateway_found": {"changed": True, "modified": "yesterday"}}, {"gateway": "gateway_found"}),
    ],
)
def test_nonsense_of_one_host_keeps_nobody_from_reading_the_others(later: dict[str, Any], options: dict[str, Any]) -> None:
    scene = Scene()
    found = gathered(scene, {"ec1": later}, **options)
    if "pem" not in options:  # this product reads no PEM files
        assert found["ec1"].fault is not None and "its answer cannot be read" in found["ec1"].fault
    assert found["ec2"] == scene.facts["ec2"]


def test_what_a_gateway_said_of_its_file_is_read() -> None:
    found = gathered(Scene(), {"ec1": {"gateway_found": {"path": "/x", "changed": False, "modified": 7.5}}}, gateway="gateway_found")
    assert (found["ec1"].gateway, found["ec2"].gateway) == (GatewayFacts(changed=False, modified=7.5), None)
