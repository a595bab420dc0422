# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a look from the controller asks of the authority's host; end_to_end/test_lock_out.py looks at a real server."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.mutual.tls.plugins.action.controller_handshake import ActionModule
from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.authority.ledger import PROBE

from .authority.scenery import CLIENTS, request, run


class Looks(ActionModule):  # type: ignore[misc]  # Ansible has no types
    """The action without a host: an authority in a directory signs."""

    def __init__(self, path: Path, *presented: str, signs_another_key: bool = False, **more: Any) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
        probes = [{"name": each, "host": "127.0.0.1", "port": port, "present": each} for each in presented]
        authority = {"path": "~/authority", "passphrase": "a passphrase of a vault", "authorities": [{"name": "clients", "generation": 7}]}
        arguments = {"probes": probes, "trust_content": [], "authority": authority, **more}
        self._task = SimpleNamespace(args=arguments, check_mode=False, async_val=0, diff=False, environment=[])
        self.warnings: list[str] = []
        self._display = SimpleNamespace(warning=self.warnings.append)
        self._connection = SimpleNamespace(has_pipelining=True, _shell=SimpleNamespace(tmpdir=None))
        self.path, self.signs_another_key = path, signs_another_key
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.fails = ""
        self.authorities: list[dict[str, Any]] = [{"name": "clients", "generation": 1}]

    def ask(self, module: str, **arguments: Any) -> dict[str, Any]:
        self.asked.append((module, arguments))
        if self.fails and self.fails in arguments:
            raise AnsibleActionFail("the host is gone")
        issued = {}
        for wish in arguments.get("requests", ()):
            asked = request(wish["name"], authority=wish["authority"], usages=("client",))
            if not self.signs_another_key:
                asked = request(wish["name"], authority=wish["authority"], usages=("client",), csr=wish["csr_content"])
            [chain] = run(self.path, asked, wishes=[CLIENTS]).issued.values()
            issued[wish["name"]] = {"chain_pem": "".join(map(x509.der_to_pem, chain))}
        return {"authorities": self.authorities, "issued": issued}

    def look(self) -> dict[str, Any]:
        """What came of it."""
        result: dict[str, Any] = self.run(task_vars={})
        return result


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "authority"


def test_who_shows_nothing_needs_no_authority(path: Path) -> None:
    action = Looks(path, "nothing", "stranger", authority=None)
    assert [each["outcome"] for each in action.look()["results"]] == ["unreachable", "unreachable"]
    assert action.asked == []


def test_what_is_signed_for_a_look_is_pending_and_revoked_at_once(path: Path) -> None:
    action = Looks(path, "nothing", "person")
    assert [each["present"] for each in action.look()["results"]] == ["nothing", "person"]
    (info, _path), (_authority, signed), (_again, revoked) = action.asked
    assert info == "authority_info"
    assert signed["authorities"] == [{"name": "clients", "generation": 1}], "no CA is replaced for a look"
    [asked] = signed["requests"]
    assert (asked["name"], asked["pending"], asked["usages"], asked["valid_for"]) == (PROBE, True, ["client"], "1h")
    assert revoked["revoked"] == [{"name": PROBE, "reason": "cessation_of_operation"}]
    assert not [each for each in map(str, action.asked) if "PRIVATE KEY" in each]


def test_it_is_revoked_though_the_answer_is_for_another_key(path: Path) -> None:
    action = Looks(path, "person", signs_another_key=True)
    with pytest.raises(AnsibleActionFail, match="a certificate of another key for"):
        action.look()
    assert "revoked" in action.asked[-1][1]


def test_that_it_could_not_be_revoked_hides_nothing(path: Path) -> None:
    action = Looks(path, "person")
    action.fails = "revoked"
    assert [each["outcome"] for each in action.look()["results"]] == ["unreachable"]
    [warning] = action.warnings
    assert "is not revoked, and ends by itself within 1h: the host is gone" in warning


def test_somebodys_certificate_needs_somebody_who_signs(path: Path) -> None:
    with pytest.raises(AnsibleActionFail, match="'authority' is needed"):
        Looks(path, "person", authority=None).look()


def test_no_authority_is_made_for_a_look(path: Path) -> None:
    action = Looks(path, "person")
    action.authorities = []
    with pytest.raises(AnsibleActionFail, match="There is no CA 'clients' yet"):
        action.look()
    assert [module for module, _arguments in action.asked] == ["authority_info"]


def test_a_check_looks_at_nothing(path: Path) -> None:
    action = Looks(path, "person")
    action._task.check_mode = True
    assert action.look()["skipped"]
    assert action.asked == []


def test_keys_of_looks_are_new(path: Path) -> None:
    """A key that an authority has revoked is never signed again."""
    keys = set()
    for _time in range(2):
        action = Looks(path, "person")
        action.look()
        keys.add(action.asked[1][1]["requests"][0]["csr_content"])
    assert len(keys) == 2
