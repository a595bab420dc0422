# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The topology registry as the core drives it: against the stand-in's own, and against answers that only the field has seen."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError, PeerError
from ansible_collections.mutual.tls.plugins.module_utils.mediationzone.mzsh import Mzsh
from ansible_collections.mutual.tls.plugins.module_utils.mediationzone.registry import Registry, reconcile
from ansible_collections.mutual.tls.plugins.module_utils.settings import Desired

sys.path.append(str(Path(__file__).resolve().parents[2] / "stand_ins"))

from mediationzone import install, passwords, topo
from mediationzone.registry import Registry as StandInRegistry

SYSTEM = {
    "containers": [
        {
            "name": "main1",
            "kind": "platform",
            "address": "127.0.0.1",
            "picos": [{"name": "platform", "kind": "platform", "port": 6790, "web_port": 9000}],
        },
        {"name": "exec1", "kind": "execution", "address": "127.0.0.1", "picos": [{"name": "ec1", "kind": "ec", "port": 6791}]},
    ]
}
SEAL = "mutual.tls.seal"
PASSWORD = "-correct horse"
WISH = Desired(
    {"pico.rcp.tls.keystore": "/opt/mz/keys", "pico.rcp.tls.require_clientauth": "true"}, {"pico.rcp.tls.key.password": PASSWORD}
)


class StandIn:
    """A Run: the stand-in's registry in this process. *failures* are asked first, each with the words after mzsh."""

    def __init__(self, root: Path) -> None:
        install.install_system(root, SYSTEM)
        self.registry = StandInRegistry(root / "main1" / "common" / "config" / "cell" / "default")
        self.calls: list[list[str]] = []
        self.failures: list[Callable[[list[str]], tuple[int, str, str] | None]] = []

    def __call__(self, argv: Sequence[str], stdin: str | None, _timeout: float) -> tuple[int, str, str]:
        words = list(argv[1:])
        self.calls.append(words)
        for failure in self.failures:
            answer = failure(words)
            if answer:
                return answer
        if words[0] == "topo":
            return topo.run(words[1:], self.registry)
        assert words == ["encryptpassword"] and stdin is not None
        return 0, passwords.encrypt(stdin.rstrip("\n")) + "\n", ""

    def topo(self, *words: str) -> str:
        """By hand, beside the collection."""
        rc, out, err = topo.run(list(words), self.registry)
        assert rc == 0, err
        return out

    def common(self, container: str = "exec1") -> dict[str, str]:
        content: dict[str, str] = json.loads(self.topo("get", "--format", "data-only", f"topo://container:{container}/obj:common"))
        return content

    def subcommands(self) -> list[str]:
        return [words[1] if words[0] == "topo" else words[0] for words in self.calls]


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    return StandIn(tmp_path)


@pytest.fixture
def registry(stand_in: StandIn) -> Registry:
    return Registry(Mzsh("/opt/mz/bin/mzsh", stand_in))


# Reading


def test_nested_and_quoted_names_are_read_alike(registry: Registry, stand_in: StandIn) -> None:
    stand_in.topo("set", "topo://container:exec1/obj:common.pico.rcp.tls", '{ keystore=${mz.home}"/keys", require_clientauth=true, n=8 }')
    stand_in.topo("set", 'topo://container:exec1/val:common."pico.rcp.tls.keystore.password"', '"DR-4-AA"')
    home = str(stand_in.registry.cell.parents[4] / "exec1")
    assert registry.read_common("exec1") == {
        "pico.rcp.server.host": "127.0.0.1",
        "pico.rcp.tls.keystore": f"{home}/keys",
        "pico.rcp.tls.require_clientauth": "true",
        "pico.rcp.tls.n": "8",
        "pico.rcp.tls.keystore.password": "DR-4-AA",
    }
    assert len(stand_in.calls) == 1


def test_an_empty_container_is_empty_and_an_unknown_one_is_an_error(registry: Registry, stand_in: StandIn) -> None:
    stand_in.topo("unset", "topo://container:exec1/obj:common")
    assert registry.read_common("exec1") == {}
    with pytest.raises(PeerError, match=r"did not show the values of the container 'exec9' \(exit code 1\): mzsh topo: no value found"):
        registry.read_common("exec9")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((1, "", "mzsh topo: the Platform does not answer"), "the Platform does not answer"),
        ((0, "", ""), "did not answer with one JSON object"),
        ((0, '{"a": 1}\n{"a": 2}\n', ""), "did not answer with one JSON object"),
        ((1, "", "mzsh: only the owner of MZ_HOME (mzadmin) may run this command"), "become_user"),
    ],
)
def test_an_unreadable_registry_is_never_empty(registry: Registry, stand_in: StandIn, answer: tuple[int, str, str], message: str) -> None:
    stand_in.failures.append(lambda _words: answer)
    with pytest.raises(PeerError, match=message):
        registry.read_common("exec1")


def test_a_container_is_one_container(registry: Registry, stand_in: StandIn) -> None:
    """`topo get` takes names as regular expressions: `exec.1` would show `exec-1` too."""
    with pytest.raises(PeerError, match=r"exec\[.\]1"):
        registry.read_common("exec.1")
    for name in ("exec.*", "a/b", "", "-e", 'a"b'):
        with pytest.raises(InputError, match="is no name of a container"):
            registry.read_common(name)


def test_the_cache_is_read_only_when_asked_for(registry: Registry, stand_in: StandIn) -> None:
    registry.read_common("exec1")
    registry.read_common("exec1", allow_disconnected=True)
    assert ["--allow-disconnected" in words for words in stand_in.calls] == [False, True]


# Bringing values to a desired state


def test_the_first_run_stages_validates_and_activates_and_the_second_only_reads(registry: Registry, stand_in: StandIn) -> None:
    outcome = reconcile(registry, "exec1", WISH)
    assert outcome.activated
    assert [change.name for change in outcome.changes] == [*WISH.values, *WISH.secrets, SEAL]
    assert stand_in.subcommands() == ["diff", "get", "encryptpassword", *["set"] * 4, "activate", "activate"]
    assert all("--no-activation" in words for words in stand_in.calls if words[1:2] == ["set"])
    assert stand_in.calls[-2:] == [["topo", "activate", "--dry-run"], ["topo", "activate"]]
    assert not any(PASSWORD in word for words in stand_in.calls for word in words)
    common = stand_in.common()
    assert common["pico.rcp.tls.keystore"] == "/opt/mz/keys"
    assert passwords.decrypt(common["pico.rcp.tls.key.password"], "it") == PASSWORD
    stand_in.calls.clear()
    again = reconcile(registry, "exec1", WISH)
    assert (list(again.changes), again.activated) == ([], False)
    assert stand_in.subcommands() == ["diff", "get"]


def test_check_mode_reads_only_and_says_the_same(registry: Registry, stand_in: StandIn) -> None:
    before = stand_in.common()
    foretold = reconcile(registry, "exec1", WISH, check=True)
    assert stand_in.subcommands() == ["diff", "get"]
    assert stand_in.common() == before and not foretold.activated
    done = reconcile(registry, "exec1", WISH)
    assert (foretold.changes, foretold.diff) == (done.changes, done.diff)


def test_a_value_is_written_where_it_is(registry: Registry, stand_in: StandIn) -> None:
    """A keystore that was set by hand lies in nested objects; a second, quoted spelling beside it would be ambiguous."""
    stand_in.topo("set", "topo://container:exec1/obj:common.pico.rcp.tls", '{ keystore="/old", keep=1 }')
    reconcile(registry, "exec1", WISH)
    targets = [words[3] for words in stand_in.calls if words[1:2] == ["set"]]
    assert targets[:2] == [
        "topo://container:exec1/val:common.pico.rcp.tls.keystore",
        'topo://container:exec1/val:common."pico.rcp.tls.require_clientauth"',
    ]
    assert registry.read_common("exec1")["pico.rcp.tls.keystore"] == "/opt/mz/keys"
    assert registry.read_common("exec1")["pico.rcp.tls.keep"] == "1"
    assert not reconcile(registry, "exec1", WISH).changes


def test_two_spellings_with_two_values_are_repaired(stand_in: StandIn) -> None:
    twice = json.dumps({"a": {"b": "1"}, "a.b": "2"})
    stand_in.failures.append(lambda words: (0, twice, "") if words[1] == "get" else None)
    registry = Registry(Mzsh("mzsh", stand_in))
    assert registry.read_common("exec1") == {"a.b": '"1" and "2"'}
    reconcile(registry, "exec1", Desired({"a.b": "1"}))
    assert [words[3:] for words in stand_in.calls if words[1] == "set"] == [
        ["topo://container:exec1/val:common.a.b", '"1"'],
        ['topo://container:exec1/val:common."a.b"', '"1"'],
    ]


def test_values_are_removed(registry: Registry, stand_in: StandIn) -> None:
    before = stand_in.common()
    reconcile(registry, "exec1", WISH)
    gone = Desired({**dict.fromkeys([*WISH.values, *WISH.secrets, SEAL]), "never.there": None})
    assert [change.action for change in reconcile(registry, "exec1", gone).changes] == ["remove"] * 4
    assert stand_in.common() == before


def test_changes_that_others_staged_are_left_alone(registry: Registry, stand_in: StandIn) -> None:
    stand_in.topo("set", "--no-activation", "topo://container:main1/val:common.other", '"their value"')
    stand_in.topo("set", "--no-activation", 'topo://container:exec1/val:common."other.too"', '"their value"')
    staged = stand_in.topo("diff")
    for check in (True, False):
        with pytest.raises(PeerError, match=r"Somebody else's changes are staged.*exec1.*other\.too.*container:main1") as caught:
            reconcile(registry, "exec1", WISH, check=check)
        assert "their value" not in str(caught.value) + repr(caught.value.details)
        assert len(caught.value.details["staged"]) == 2
    assert stand_in.topo("diff") == staged
    assert "set" not in stand_in.subcommands() and "encryptpassword" not in stand_in.subcommands()


def test_changes_that_others_staged_do_not_matter_when_there_is_nothing_to_do(registry: Registry, stand_in: StandIn) -> None:
    reconcile(registry, "exec1", WISH)
    stand_in.topo("set", "--no-activation", "topo://container:main1/val:common.other", '"their value"')
    assert not reconcile(registry, "exec1", WISH).changes
    assert "other" in stand_in.topo("diff")


def test_a_line_of_the_difference_that_is_not_understood_is_somebody_elses(registry: Registry, stand_in: StandIn) -> None:
    stand_in.failures.append(lambda words: (0, 'UPDATE (x.conf) secret:"hush"\n', "") if words[1] == "diff" else None)
    with pytest.raises(PeerError, match="that is not understood") as caught:
        reconcile(registry, "exec1", WISH)
    assert "hush" not in str(caught.value)


def test_a_run_that_was_killed_before_it_activated_is_finished(registry: Registry, stand_in: StandIn) -> None:
    class Killed(BaseException):
        pass

    def kill(words: list[str]) -> None:
        if words[1:2] == ["activate"]:
            raise Killed

    stand_in.failures.append(kill)
    with pytest.raises(Killed):
        reconcile(registry, "exec1", WISH)
    assert stand_in.topo("diff") != ""
    stand_in.failures.clear()
    assert reconcile(registry, "exec1", WISH).activated
    assert stand_in.topo("diff") == ""
    assert not reconcile(registry, "exec1", WISH).changes


def test_what_was_staged_over_a_right_value_is_put_back(registry: Registry, stand_in: StandIn) -> None:
    reconcile(registry, "exec1", WISH)
    right = stand_in.common()
    stand_in.topo("set", "--no-activation", 'topo://container:exec1/val:common."pico.rcp.tls.key.password"', '"DR-4-FF"')
    outcome = reconcile(registry, "exec1", WISH)
    assert [(change.name, change.reason) for change in outcome.changes] == [
        ("pico.rcp.tls.key.password", "a change of it was staged and never activated")
    ]
    assert stand_in.common() == right and stand_in.topo("diff") == ""


@pytest.mark.parametrize("subcommand", ["set-third", "activate-dry", "activate"])
def test_a_failure_midway_puts_our_values_back(registry: Registry, stand_in: StandIn, subcommand: str) -> None:
    stand_in.topo("set", 'topo://container:exec1/val:common."pico.rcp.tls.keystore"', "true")
    before = stand_in.common()

    def fail(words: list[str]) -> tuple[int, str, str] | None:
        reached = {
            "set-third": words[1:2] == ["set"] and "key.password" in words[3],
            "activate-dry": words[1:] == ["activate", "--dry-run"],
            "activate": words[1:] == ["activate"],
        }
        return (1, "", f"mzsh topo: no: {words[-1]}") if reached[subcommand] else None

    stand_in.failures.append(fail)
    with pytest.raises(PeerError, match=r"exit code 1\): mzsh topo: no: .*Our staged values were put back; nothing is staged") as caught:
        reconcile(registry, "exec1", WISH)
    assert "DR-4" not in str(caught.value)
    stand_in.failures.clear()
    assert stand_in.common() == before and stand_in.topo("diff") == ""


def test_when_putting_back_fails_the_error_says_what_to_do(registry: Registry, stand_in: StandIn) -> None:
    def fail(words: list[str]) -> tuple[int, str, str] | None:
        broken = words[1:2] == ["unset"] or words[1:] == ["activate", "--dry-run"]
        return (1, "", "disk full") if broken else None

    stand_in.failures.append(fail)
    with pytest.raises(PeerError, match=r"disk full Putting our staged values back failed too .*'mzsh topo diff'.*'mzsh topo reset'"):
        reconcile(registry, "exec1", WISH)


def test_an_encryption_that_fails_leaves_the_registry_alone(registry: Registry, stand_in: StandIn) -> None:
    stand_in.failures.append(lambda words: (0, PASSWORD + "\n", "") if words == ["encryptpassword"] else None)
    with pytest.raises(PeerError, match="printed the secret itself") as caught:
        reconcile(registry, "exec1", WISH)
    assert PASSWORD not in str(caught.value)
    assert "set" not in stand_in.subcommands() and stand_in.topo("diff") == ""


def test_names_that_cannot_be_quoted_are_refused(registry: Registry, stand_in: StandIn) -> None:
    for name in ('a"b', "a b", "a/b", "${x}", "-a"):
        with pytest.raises(InputError, match="is no name of a setting"):
            reconcile(registry, "exec1", Desired({name: "1"}))
    assert stand_in.calls == []
