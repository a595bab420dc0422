# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action asks the authority's host for; end_to_end/test_people.py has the host answer."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.mutual.tls.plugins.action.client_bundle import ActionModule


class Asked(ActionModule):  # type: ignore[misc]  # Ansible has no types
    """The action without a host."""

    def __init__(self, people: list[dict[str, Any]], path: Path, known: dict[str, Any], **more: Any) -> None:
        authority = {"path": "~/authority", "passphrase": "a passphrase of a vault", "authorities": [{"name": "clients", "generation": 2}]}
        arguments = {"people": people, "path": str(path / "bundles"), "authority": authority, "templates": str(path), **more}
        self._task = SimpleNamespace(args=arguments, check_mode=True, async_val=0, diff=False, environment=[])
        self.warnings: list[str] = []
        self._display = SimpleNamespace(warning=self.warnings.append)
        self._connection = SimpleNamespace(has_pipelining=True, _shell=SimpleNamespace(tmpdir=None))
        self.known = known
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def ask(self, module: str, **arguments: Any) -> dict[str, Any]:
        self.asked.append((module, arguments))
        return {"authorities": [], "certificates": {}, **self.known}


def held(state: str, generation: int = 2, authority: str = "clients") -> dict[str, Any]:
    ends = "2999-01-01T00:00:00Z"
    return {"state": state, "generation": generation, "authority": authority, "not_after": ends, "reason": None}


def run(tmp_path: Path, certificates: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """Alice has these; passwords could go into files."""
    given = {"password_path": str(tmp_path / "passwords"), **more}
    result: dict[str, Any] = Asked([{"name": "alice"}], tmp_path, {"certificates": {"alice": certificates}}, **given).run(task_vars={})
    assert not list(tmp_path.iterdir()), "a check makes nothing"
    return result


def test_the_authoritys_directory_is_that_hosts_to_expand(tmp_path: Path) -> None:
    action = Asked([], tmp_path, {})
    action.run(task_vars={})
    assert action.asked == [("authority_info", {"path": "~/authority", "names": []})]


@pytest.mark.parametrize(
    ("certificates", "changed"),
    [([], True), ([held("issued")], False), ([held("issued", 1)], True), ([held("issued", authority="system")], True)],
)
def test_a_check_says_who_gets_a_bundle(tmp_path: Path, certificates: list[dict[str, Any]], changed: bool) -> None:
    result = run(tmp_path, certificates)
    assert (result["changed"], "alice: issue" in result["diff"]["after"]) == (changed, changed)


def test_whoever_is_asked_for_gets_one_and_nobody_else(tmp_path: Path) -> None:
    known = {"certificates": {"alice": [held("issued")], "bob": []}}
    given = {"again": ["alice"], "password_path": str(tmp_path / "passwords")}
    result = Asked([{"name": "alice"}, {"name": "bob"}], tmp_path, known, **given).run(task_vars={})
    assert result["diff"]["after"] == "alice: issue (another one is asked for)\n"
    assert result["replaced"] == ["alice"]


@pytest.mark.parametrize(("certificates", "fails"), [([], False), ([held("issued"), held("pending")], False), ([held("issued", 1)], True)])
def test_without_a_way_to_tell_only_who_would_be_locked_out_stops_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificates: list[dict[str, Any]], fails: bool
) -> None:
    monkeypatch.setattr("ansible_collections.mutual.tls.plugins.plugin_utils.one_time.terminal", lambda: None)
    given = {"password_path": None, "untold": "warn"}
    if fails:
        with pytest.raises(AnsibleActionFail, match="this run has none"):
            run(tmp_path, certificates, **given)
    else:
        result = run(tmp_path, certificates, **given)
        assert (result["changed"], "no bundle was made" in "".join(result["notes"])) == (False, True)
    with pytest.raises(AnsibleActionFail, match="this run has none"):
        run(tmp_path, certificates, password_path=None)


def test_that_nobody_can_be_given_a_bundle_is_found_before_anything_is_signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.mutual.tls.plugins.plugin_utils.one_time.terminal", lambda: None)
    people, known = [{"name": "alice"}], {"certificates": {"alice": [held("issued", 1)]}}

    def judged(**more: Any) -> dict[str, Any]:
        action = Asked(people, tmp_path, known, judge_only=True, untold="warn", **more)
        action._task.check_mode = False
        result: dict[str, Any] = action.run(task_vars={})
        assert [module for module, _arguments in action.asked] == ["authority_info"], "nothing was signed"
        assert action.warnings == [], "they are said when bundles are made"
        return result

    with pytest.raises(AnsibleActionFail, match="this run has none"):
        judged()
    assert judged(password_path=str(tmp_path / "passwords"))["changed"] is False
    assert not list(tmp_path.iterdir())
    (tmp_path / "bundles").mkdir(mode=0o700)
    (tmp_path / "bundles").chmod(0o755)
    with pytest.raises(AnsibleActionFail, match="has the mode 0755, and is for its owner only"):
        judged(password_path=str(tmp_path / "passwords"))
    (tmp_path / "bundles").chmod(0o700)
    (tmp_path / "passwords").mkdir()
    (tmp_path / "passwords").chmod(0o755)
    with pytest.raises(AnsibleActionFail, match="passwords has the mode 0755, and is for its owner only"):
        judged(password_path=str(tmp_path / "passwords"))
    known = {"certificates": {"alice": []}}
    judged(password_path=str(tmp_path / "passwords"))


def test_a_directory_that_cannot_be_used_holds_nothing_else_back(tmp_path: Path) -> None:
    (tmp_path / "bundles").mkdir()
    (tmp_path / "bundles").chmod(0o755)
    known = {"certificates": {"alice": []}}
    for untold, fails in (("warn", False), ("fail", True)):
        action = Asked([{"name": "alice"}], tmp_path, known, untold=untold, password_path=str(tmp_path / "passwords"))
        action._task.check_mode = False
        if fails:
            with pytest.raises(AnsibleActionFail, match="is for its owner only"):
                action.run(task_vars={})
        else:
            result = action.run(task_vars={})
            assert (result["changed"], "alice: no bundle was made" in "".join(result["notes"])) == (False, True)
            assert "No bundle was made or removed" in "".join(action.warnings)
    again = Asked([{"name": "alice"}], tmp_path, {"certificates": {"alice": [held("issued")]}}, untold="fail")
    again._task.check_mode = False
    with pytest.raises(AnsibleActionFail, match="is for its owner only"):
        again.run(task_vars={})


@pytest.mark.parametrize("people", [["alice", "Alice"], ["alice", "alice"]])
def test_people_who_would_take_each_others_place_are_refused(tmp_path: Path, people: list[str]) -> None:
    with pytest.raises(AnsibleActionFail, match="give each a name of its own"):
        Asked([{"name": name} for name in people], tmp_path, {}).run(task_vars={})


def test_somebody_unknown_is_told_with_those_who_are_known(tmp_path: Path) -> None:
    with pytest.raises(AnsibleActionFail, match="'zoe', and mtls_clients has nobody of that name who may have one; it has: alice"):
        run(tmp_path, [], again=["zoe"])


def test_only_files_of_the_revoked_are_removed(tmp_path: Path) -> None:
    bundles = tmp_path / "bundles"
    bundles.mkdir()
    for name in ("alice.p12", "alice.html", "bob.p12"):
        (bundles / name).touch()
    people = [{"name": "alice", "state": "revoked"}, {"name": "../bundles/bob", "state": "revoked"}]
    result = Asked(people, tmp_path, {}).run(task_vars={})
    assert sorted(Path(each).name for each in result["diff"]["before"].split()) == ["alice.html", "alice.p12"]
