# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The actions members, plan and matrix as Ansible runs them: one playbook over hosts that say what was measured of them."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import ansible_collections.mutual.tls as installed
from ansible_collections.mutual.tls.plugins.action.matrix import _with_what_is_served

from .scenery import Scene, adapter_data, client, execution, identity, platform, small

WISHES = {"trust_model": "pairwise", "client_auth": "required", "revoked": ["desktop2"], "purge_trusted": False, "phased": False}


def inventory() -> dict[str, Any]:
    return {**small(), "desktop2": client("192.0.2.7", mtls_source_address="192.0.2.7")}


def one_machine() -> dict[str, Any]:
    """A system without anybody outside of it: who is let in from there nobody can try."""
    return {"platform9": platform("192.0.2.9"), "ec9": execution("192.0.2.9")}


def scene() -> Scene:
    """desktop2 is revoked and still let in, and ec1 has yet to trust the platform."""
    made = Scene(inventory(), revoked=["desktop2"])
    made.trust("platform1", "desktop2", identity("desktop2"))
    made.forget("ec1", "platform1")
    return made


def handshakes(made: Scene, *, well: bool = False) -> dict[str, dict[str, Any]]:
    """What the module handshake returned on each host: all ended as they should; unless all is *well*, a stranger got in at ec2."""
    found: dict[str, dict[str, Any]] = {}
    for probe in made.matrix().probes:
        wrong = not well and probe.link.server == "ec2" and probe.present == "stranger"
        result = {
            "name": probe.to_option(None)["name"],
            "present": probe.present,
            "outcome": "accepted" if wrong else probe.expect,
            "as_expected": not wrong,
            "reason": None if wrong or probe.expect == "accepted" else "certificate_required",
            "protocol": "TLSv1.3",
            "peer_sha256": identity(probe.link.server).sha256,
        }
        found.setdefault(probe.member, {"results": []})["results"].append(result)
    if not well:
        del found["ec2"]  # its task was skipped
    return found


def task(action: str, register: str, **options: Any) -> dict[str, Any]:
    return {"name": register, f"mutual.tls.{action}": options, "register": register, "ignore_errors": True}


def run_playbook(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run play.yml in *folder* over its hosts.yml."""
    return subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", str(folder / "hosts.yml"), str(folder / "play.yml")],
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(Path(next(iter(installed.__path__))).parents[2]),
            "ANSIBLE_HOME": str(folder / "home"),
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each task returned, what was printed, and the files that were written."""
    folder = tmp_path_factory.mktemp("actions")
    made = scene()
    hosts: dict[str, Any] = {name: {**variables, "product_member": made[name]} for name, variables in inventory().items()}
    accused = copy.deepcopy(made["ec1"]) | {"proof": None}
    for name, registered in handshakes(made).items():
        hosts[name]["handshake_results"] = registered
    for name, registered in handshakes(made, well=True).items():
        hosts[name].update(silent_results=registered, lying_results=registered, raving_results=registered, mute_results=registered)
    # A revoked host may say anything.
    hosts["desktop2"]["silent_results"] = {"failed": True, "msg": "the disk is on fire", "results": [{"name": "desktop2"}, 7]}
    lie = {**hosts["desktop2"]["handshake_results"]["results"][0], "outcome": "accepted", "as_expected": False}
    hosts["desktop2"]["lying_results"] = {"results": [lie]}
    rave = {**lie, "outcome": ["accepted"], "reason": {"a": 1}, "protocol": 7, "peer_sha256": [[]]}
    hosts["desktop2"]["raving_results"] = {"results": [rave]}
    hosts["desktop2"]["mute_results"] = {"results": [{**lie, "outcome": None}]}
    for name, variables in one_machine().items():
        hosts[name] = {**variables, "product_member": Scene(one_machine())[name], "handshake_results": {}}
    for name, data in hosts.items():
        data["accused_member"] = accused if name == "ec1" else data["product_member"]
    system = {"system": "{{ product_system.system }}", "stores": ["identity_store"]}
    members = {"names": list(inventory()), "adapter": adapter_data(), **WISHES}
    # Whoever is revoked in one place is not let in because of another.
    people = [{"name": "alice"}, {"name": "bob", "state": "revoked", "kind": "desktop"}, {"name": "bob"}]
    tasks = [
        task("members", "product_system", **members),
        task("members", "unknown", **{**members, "names": ["ec1", "nobody", "nowhere"]}),
        task("members", "refused", **{**members, "trust_model": "all"}),
        task("plan", "planned", **system, collected="product_member", show=True, path=str(folder / "plan.json")),
        task("plan", "faulty", **system, collected="accused_member", path=str(folder / "faulty.json")),
        task("members", "with_people", **members, clients=people),
        task("members", "crowded", **{**members, "names": list(one_machine()), "revoked": []}),
        task("plan", "unseen", **{**system, "system": "{{ crowded.system }}"}, collected="product_member", verify="always"),
        task("plan", "not_to_be_seen", **{**system, "system": "{{ crowded.system }}"}, collected="product_member"),
        task("matrix", "shown", **system, collected="product_member", handshakes="handshake_results", path=str(folder / "matrix.json")),
        task("matrix", "silent", **system, collected="product_member", handshakes="silent_results"),
        task("matrix", "lying", **system, collected="product_member", handshakes="lying_results"),
        task("matrix", "raving", **system, collected="product_member", handshakes="raving_results"),
        task("matrix", "mute", **system, collected="product_member", handshakes="mute_results"),
        task("matrix", "told", **system, collected="product_member", handshakes="lying_results", revoked="tell"),
        {
            "name": "Hand everything over",
            "ansible.builtin.copy": {
                "content": "{{ dict(names | zip(names | map('extract', vars))) | to_json }}",
                "dest": str(folder / "results.json"),
                "mode": "0600",
            },
            "vars": {
                "names": [
                    "product_system",
                    "with_people",
                    "unknown",
                    "refused",
                    "planned",
                    "faulty",
                    "unseen",
                    "not_to_be_seen",
                    "shown",
                    "silent",
                    "lying",
                    "raving",
                    "mute",
                    "told",
                ]
            },
        },
    ]
    (folder / "hosts.yml").write_text(json.dumps({"all": {"hosts": hosts, "vars": {"ansible_connection": "local"}}}))
    (folder / "play.yml").write_text(yaml.safe_dump([{"hosts": "platform1", "gather_facts": False, "tasks": tasks}]))
    done = run_playbook(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    files = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    return {**files.pop("results"), "output": done.stdout, "files": files}


def test_members_are_read_from_the_inventory(results: dict[str, Any]) -> None:
    found = results["product_system"]
    assert (found["changed"], list(found["members"]), found["platforms"]) == (False, list(inventory()), ["platform1"])
    assert found["system"] == {"inventory": inventory(), "adapter": adapter_data(), **WISHES, "people": []}
    ec1 = found["members"]["ec1"]
    assert ec1["observe"] == [
        {"server": "platform1", "endpoint": "platform", "host": "192.0.2.1", "port": 6790, "source_address": None, "send": None},
    ]
    assert ec1["endpoints"] == [{"name": "ec", "host": "192.0.2.2", "port": 6791}]
    assert (ec1["alias"], ec1["key_alias"], ec1["holds_copy"], ec1["has_settings"], ec1["revoked"]) == ("ec1", "ec1", False, True, False)
    desktop2 = found["members"]["desktop2"]
    assert (desktop2["observe"], desktop2["has_settings"], desktop2["revoked"]) == ([], False, True)
    assert len(found["members"]["platform1"]["observe"]) == 2


def test_people_are_no_hosts_and_may_be_revoked(results: dict[str, Any]) -> None:
    found = results["with_people"]
    assert (found["system"]["people"], found["system"]["revoked"]) == (["alice", "bob"], ["desktop2", "bob"])
    assert found["revocations"] == [{"name": "desktop2"}, {"name": "bob"}]
    assert list(found["members"]) == list(inventory())


def test_hosts_that_are_in_no_inventory_are_refused(results: dict[str, Any]) -> None:
    assert results["unknown"]["failed"]
    assert results["unknown"]["msg"].endswith("'names' has hosts that are not in the inventory: nobody, nowhere")


@pytest.mark.parametrize(
    ("keywords", "sentence"),
    [
        ({"serial": 3}, "The play takes its hosts in turns (serial), and"),
        ({"serial": [1, "100%"]}, "The play takes its hosts in turns (serial), and"),
        ({"strategy": "ansible.builtin.free"}, "The play has the strategy 'ansible.builtin.free'"),
        ({"strategy": "host_pinned"}, "The play has the strategy 'host_pinned'"),
        # The failing twins of those before: all hosts at once, and a play that leaves members out, as --limit does.
        ({"serial": "100%"}, None),
        ({"hosts": "ec1", "serial": 1}, None),
    ],
    ids=["in_turns", "in_growing_turns", "free", "host_pinned", "all_at_once", "limited"],
)
def test_a_play_that_has_not_all_its_members_at_once_is_refused(tmp_path: Path, keywords: dict[str, Any], sentence: str | None) -> None:
    (tmp_path / "hosts.yml").write_text(json.dumps({"all": {"hosts": inventory(), "vars": {"ansible_connection": "local"}}}))
    read = {"mutual.tls.members": {"names": list(inventory()), "adapter": adapter_data(), **WISHES}, "run_once": True}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": [read], **keywords}]))
    done = run_playbook(tmp_path)
    assert done.returncode == (2 if sentence else 0), done.stdout + done.stderr
    assert sentence is None or sentence in done.stdout + done.stderr


def test_a_faulty_inventory_is_refused(results: dict[str, Any]) -> None:
    assert results["refused"]["failed"]
    assert "  - mtls_trust_model is 'all'; for mediationzone it is one of: pairwise, shared" in results["refused"]["msg"]


def test_the_plan_is_the_cores(results: dict[str, Any]) -> None:
    """Only the time differs: the action takes the clock's."""
    found = results["planned"]["plan"]
    expected = json.loads(json.dumps(scene().plan().to_dict()))
    assert {name: found[name] for name in expected} == expected
    assert results["files"]["plan"] == {**expected, "digest": found["digest"]}
    assert not results["planned"]["changed"]


def test_tasks_find_what_they_need_by_member(results: dict[str, Any]) -> None:
    found = results["planned"]["plan"]
    assert found["processes"] == {"platform": {"platform1": ["platform"]}, "execution": {"ec1": ["ec"], "ec2": ["ec"]}}
    assert (found["stop_order"], found["start_order"]) == (["execution", "platform"], ["platform", "execution"])
    assert found["listening"]["ec1"] == [{"pico": "ec", "host": "192.0.2.2", "port": 6791}]
    assert found["probes"]["desktop2"] == [
        {
            "name": "desktop2 -> platform1:6790",
            "host": "192.0.2.1",
            "port": 6790,
            "present": "keystore",
            "expect": "refused",
            "source_address": "192.0.2.7",
        }
    ]


def test_the_plan_is_shown(results: dict[str, Any]) -> None:
    assert "Plan for mediationzone: trust model pairwise, client auth required, 5 members, 5 links" in results["output"]
    assert "'desktop2' is in mtls_revoked" in results["output"]


def test_a_plan_with_a_fault_fails_and_is_written_all_the_same(results: dict[str, Any]) -> None:
    message = results["faulty"]["msg"]
    assert results["faulty"]["failed"]
    assert "The plan cannot be carried out; nothing was restarted.\nPlan for mediationzone" in message
    assert message.splitlines()[-1].startswith("  - the member 'ec1' does not hold the key"), "what is wrong stands where it is seen last"
    assert results["files"]["faulty"]["state"] == "unprovable"


def test_the_matrix_names_every_handshake_that_ended_otherwise(results: dict[str, Any]) -> None:
    lines = results["shown"]["msg"].splitlines()
    assert results["shown"]["failed"]
    assert lines[0].endswith("The system does not do what it should:")
    assert lines[1:] == [
        "  - ec2 -> platform1 at 192.0.2.1:6790, tried from 'ec2': not_made (the handshake was not made), expected accepted",
        "  - (a stranger) -> ec2 at 192.0.2.3:6791, tried from 'platform1': accepted, expected refused",
    ]


def test_what_nobody_could_show_is_said_before_anything_changes(results: dict[str, Any]) -> None:
    assert results["unseen"]["failed"]
    assert "nobody outside of the host of 'platform9' can show whom 192.0.2.9:6790 refuses" in results["unseen"]["msg"]
    assert not results["not_to_be_seen"]["failed"], "no matrix will be made"


def test_a_revoked_host_that_says_nothing_fails_nothing(results: dict[str, Any]) -> None:
    """Nor does one whose answer cannot be read: or it could have its own revocation undone."""
    assert not results["silent"]["failed"], results["silent"]["msg"]
    [note] = [note for note in results["silent"]["notes"] if "the disk is on fire" in note]
    assert note == "desktop2 -> platform1:6790 shows nothing: 'desktop2' is revoked, and said: not_made, the disk is on fire"
    assert not [row for row in results["silent"]["links"] if row["from"] == "desktop2"]
    assert not results["raving"]["failed"], results["raving"]["msg"]
    assert not results["mute"]["failed"], results["mute"]["msg"]


def test_a_revoked_host_that_is_still_let_in_is_told_and_fails_unless_that_is_for_later(results: dict[str, Any]) -> None:
    still = ["desktop2 -> platform1 at 192.0.2.1:6790, tried from 'desktop2': accepted (certificate_required), expected refused"]
    assert results["lying"]["failed"]
    assert not results["told"]["failed"]
    assert results["told"]["still_accepted"] == results["lying"]["still_accepted"] == still


def test_the_matrix_is_written_and_shown(results: dict[str, Any]) -> None:
    rows = results["files"]["matrix"]["links"]
    assert len(rows) == 12
    assert rows[0] == {
        "client": "ec1",
        "from": "ec1",
        "server": "platform1",
        "address": "192.0.2.1:6790",
        "expect": "accepted",
        "outcome": "accepted",
        "as_expected": True,
        "reason": None,
        "protocol": "TLSv1.3",
        "served_sha256": identity("platform1").sha256,
    }
    assert "Matrix: 12 handshakes, 5 to be accepted and 7 to be refused" in results["output"]


def test_no_key_is_in_anything_that_was_said(results: dict[str, Any]) -> None:
    assert "PRIVATE KEY" not in json.dumps(results)


@pytest.mark.parametrize(
    ("served", "expect", "outcome", "fails"),
    [
        ("new", "accepted", "accepted", False),
        ("old", "accepted", "accepted", True),
        ("old", "accepted", "refused", True),
        (None, "accepted", "accepted", False),
        ("old", "refused", "refused", False),  # told once, by the row of who is to be accepted
    ],
)
def test_a_server_that_serves_the_old_certificate_fails(served: str | None, expect: str, outcome: str, fails: bool) -> None:
    row = {"served_sha256": served, "expect": expect, "outcome": outcome, "as_expected": expect == outcome, "reason": None}
    found = _with_what_is_served(row, "new")
    assert ("the old one is still served" in (found["reason"] or "")) == fails
    assert found["as_expected"] == (expect == outcome and not fails)
