# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mzsh as the core drives it: against the stand-in's own registry, and against answers that only the field has seen."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ansible_collections.mutual.tls.plugins.module_utils import mediationzone as mz
from ansible_collections.mutual.tls.plugins.module_utils.errors import DependencyError, InputError, PeerError
from ansible_collections.mutual.tls.plugins.module_utils.settings import Desired

sys.path.append(str(Path(__file__).resolve().parent.parent / "stand_ins"))

from mediationzone import install, passwords, topo
from mediationzone.registry import Registry

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
        self.registry = Registry(root / "main1" / "common" / "config" / "cell" / "default")
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
def mzsh(stand_in: StandIn) -> mz.Mzsh:
    return mz.Mzsh("/opt/mz/bin/mzsh", stand_in, sleep=lambda _seconds: None)


# Reading


def test_nested_and_quoted_names_are_read_alike(mzsh: mz.Mzsh, stand_in: StandIn) -> None:
    stand_in.topo("set", "topo://container:exec1/obj:common.pico.rcp.tls", '{ keystore=${mz.home}"/keys", require_clientauth=true, n=8 }')
    stand_in.topo("set", 'topo://container:exec1/val:common."pico.rcp.tls.keystore.password"', '"DR-4-AA"')
    home = str(stand_in.registry.cell.parents[4] / "exec1")
    assert mzsh.read_common("exec1") == {
        "pico.rcp.server.host": "127.0.0.1",
        "pico.rcp.tls.keystore": f"{home}/keys",
        "pico.rcp.tls.require_clientauth": "true",
        "pico.rcp.tls.n": "8",
        "pico.rcp.tls.keystore.password": "DR-4-AA",
    }
    assert len(stand_in.calls) == 1


def test_an_empty_container_is_empty_and_an_unknown_one_is_an_error(mzsh: mz.Mzsh, stand_in: StandIn) -> None:
    stand_in.topo("unset", "topo://container:exec1/obj:common")
    assert mzsh.read_common("exec1") == {}
    with pytest.raises(PeerError, match=r"did not show the values of the container 'exec9' \(exit code 1\): mzsh topo: no value found"):
        mzsh.read_common("exec9")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((1, "", "mzsh topo: the Platform does not answer"), "the Platform does not answer"),
        ((0, "", ""), "did not answer with one JSON object"),
        ((0, '{"a": 1}\n{"a": 2}\n', ""), "did not answer with one JSON object"),
        ((1, "", "mzsh: only the owner of MZ_HOME (mzadmin) may run this command"), "become_user"),
    ],
)
def test_an_unreadable_registry_is_never_empty(mzsh: mz.Mzsh, stand_in: StandIn, answer: tuple[int, str, str], message: str) -> None:
    stand_in.failures.append(lambda _words: answer)
    with pytest.raises(PeerError, match=message):
        mzsh.read_common("exec1")


def test_a_container_is_one_container(mzsh: mz.Mzsh, stand_in: StandIn) -> None:
    """`topo get` takes names as regular expressions: `exec.1` would show `exec-1` too."""
    with pytest.raises(PeerError, match=r"exec\[.\]1"):
        mzsh.read_common("exec.1")
    for name in ("exec.*", "a/b", "", "-e", 'a"b'):
        with pytest.raises(InputError, match="is no name of a container"):
            mzsh.read_common(name)


def test_the_cache_is_read_only_when_asked_for(mzsh: mz.Mzsh, stand_in: StandIn) -> None:
    mzsh.read_common("exec1")
    mzsh.read_common("exec1", allow_disconnected=True)
    assert ["--allow-disconnected" in words for words in stand_in.calls] == [False, True]


# Bringing values to a desired state


def test_the_first_run_stages_validates_and_activates_and_the_second_only_reads(mzsh: mz.Mzsh, stand_in: StandIn) -> None:
    outcome = mz.reconcile(mzsh, "exec1", WISH)
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
    again = mz.reconcile(mzsh, "exec1", WISH)
    assert (list(again.changes), again.activated) == ([], False)
    assert stand_in.subcommands() == ["diff", "get"]


def test_check_mode_reads_only_and_says_the_same(mzsh: mz.Mzsh, stand_in: StandIn) -> None:
    before = stand_in.common()
    foretold = mz.reconcile(mzsh, "exec1", WISH, check=True)
    assert stand_in.subcommands() == ["diff", "get"]
    assert stand_in.common() == before and not foretold.activated
    done = mz.reconcile(mzsh, "exec1", WISH)
    assert (foretold.changes, foretold.diff) == (done.changes, done.diff)


def test_a_value_is_written_where_it_is(mzsh: mz.Mzsh, stand_in: StandIn) -> None:
    """A keystore that was set by hand lies in nested objects; a second, quoted spelling beside it would be ambiguous."""
    stand_in.topo("set", "topo://container:exec1/obj:common.pico.rcp.tls", '{ keystore="/old", keep=1 }')
    mz.reconcile(mzsh, "exec1", WISH)
    targets = [words[3] for words in stand_in.calls if words[1:2] == ["set"]]
    assert targets[:2] == [
        "topo://container:exec1/val:common.pico.rcp.tls.keystore",
        'topo://container:exec1/val:common."pico.rcp.tls.require_clientauth"',
    ]
    assert mzsh.read_common("exec1")["pico.rcp.tls.keystore"] == "/opt/mz/keys"
    assert mzsh.read_common("exec1")["pico.rcp.tls.keep"] == "1"
    assert not mz.reconcile(mzsh, "exec1", WISH).changes


def test_two_spellings_with_two_values_are_repaired(stand_in: StandIn) -> None:
    twice = json.dumps({"a": {"b": "1"}, "a.b": "2"})
    stand_in.failures.append(lambda words: (0, twice, "") if words[1] == "get" else None)
    mzsh = mz.Mzsh("mzsh", stand_in)
    assert mzsh.read_common("exec1") == {"a.b": '"1" and "2"'}
    mz.reconcile(mzsh, "exec1", Desired({"a.b": "1"}))
    assert [words[3:] for words in stand_in.calls if words[1] == "set"] == [
        ["topo://container:exec1/val:common.a.b", '"1"'],
        ['topo://container:exec1/val:common."a.b"', '"1"'],
    ]


def test_values_are_removed(mzsh: mz.Mzsh, stand_in: StandIn) -> None:
    before = stand_in.common()
    mz.reconcile(mzsh, "exec1", WISH)
    gone = Desired({**dict.fromkeys([*WISH.values, *WISH.secrets, SEAL]), "never.there": None})
    assert [change.action for change in mz.reconcile(mzsh, "exec1", gone).changes] == ["remove"] * 4
    assert stand_in.common() == before


def test_changes_that_others_staged_are_left_alone(mzsh: mz.Mzsh, stand_in: StandIn) -> None:
    stand_in.topo("set", "--no-activation", "topo://container:main1/val:common.other", '"their value"')
    stand_in.topo("set", "--no-activation", 'topo://container:exec1/val:common."other.too"', '"their value"')
    staged = stand_in.topo("diff")
    for check in (True, False):
        with pytest.raises(PeerError, match=r"Somebody else's changes are staged.*exec1.*other\.too.*container:main1") as caught:
            mz.reconcile(mzsh, "exec1", WISH, check=check)
        assert "their value" not in str(caught.value) + repr(caught.value.details)
        assert len(caught.value.details["staged"]) == 2
    assert stand_in.topo("diff") == staged
    assert "set" not in stand_in.subcommands() and "encryptpassword" not in stand_in.subcommands()


def test_changes_that_others_staged_do_not_matter_when_there_is_nothing_to_do(mzsh: mz.Mzsh, stand_in: StandIn) -> None:
    mz.reconcile(mzsh, "exec1", WISH)
    stand_in.topo("set", "--no-activation", "topo://container:main1/val:common.other", '"their value"')
    assert not mz.reconcile(mzsh, "exec1", WISH).changes
    assert "other" in stand_in.topo("diff")


def test_a_line_of_the_difference_that_is_not_understood_is_somebody_elses(mzsh: mz.Mzsh, stand_in: StandIn) -> None:
    stand_in.failures.append(lambda words: (0, 'UPDATE (x.conf) secret:"hush"\n', "") if words[1] == "diff" else None)
    with pytest.raises(PeerError, match="that is not understood") as caught:
        mz.reconcile(mzsh, "exec1", WISH)
    assert "hush" not in str(caught.value)


def test_a_run_that_was_killed_before_it_activated_is_finished(mzsh: mz.Mzsh, stand_in: StandIn) -> None:
    class Killed(BaseException):
        pass

    def kill(words: list[str]) -> None:
        if words[1:2] == ["activate"]:
            raise Killed

    stand_in.failures.append(kill)
    with pytest.raises(Killed):
        mz.reconcile(mzsh, "exec1", WISH)
    assert stand_in.topo("diff") != ""
    stand_in.failures.clear()
    assert mz.reconcile(mzsh, "exec1", WISH).activated
    assert stand_in.topo("diff") == ""
    assert not mz.reconcile(mzsh, "exec1", WISH).changes


def test_what_was_staged_over_a_right_value_is_put_back(mzsh: mz.Mzsh, stand_in: StandIn) -> None:
    mz.reconcile(mzsh, "exec1", WISH)
    right = stand_in.common()
    stand_in.topo("set", "--no-activation", 'topo://container:exec1/val:common."pico.rcp.tls.key.password"', '"DR-4-FF"')
    outcome = mz.reconcile(mzsh, "exec1", WISH)
    assert [(change.name, change.reason) for change in outcome.changes] == [
        ("pico.rcp.tls.key.password", "a change of it was staged and never activated")
    ]
    assert stand_in.common() == right and stand_in.topo("diff") == ""


@pytest.mark.parametrize("subcommand", ["set-third", "activate-dry", "activate"])
def test_a_failure_midway_puts_our_values_back(mzsh: mz.Mzsh, stand_in: StandIn, subcommand: str) -> None:
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
        mz.reconcile(mzsh, "exec1", WISH)
    assert "DR-4" not in str(caught.value)
    stand_in.failures.clear()
    assert stand_in.common() == before and stand_in.topo("diff") == ""


def test_when_putting_back_fails_the_error_says_what_to_do(mzsh: mz.Mzsh, stand_in: StandIn) -> None:
    def fail(words: list[str]) -> tuple[int, str, str] | None:
        broken = words[1:2] == ["unset"] or words[1:] == ["activate", "--dry-run"]
        return (1, "", "disk full") if broken else None

    stand_in.failures.append(fail)
    with pytest.raises(PeerError, match=r"disk full Putting our staged values back failed too .*'mzsh topo diff'.*'mzsh topo reset'"):
        mz.reconcile(mzsh, "exec1", WISH)


def test_an_encryption_that_fails_leaves_the_registry_alone(mzsh: mz.Mzsh, stand_in: StandIn) -> None:
    stand_in.failures.append(lambda words: (0, PASSWORD + "\n", "") if words == ["encryptpassword"] else None)
    with pytest.raises(PeerError, match="printed the secret itself") as caught:
        mz.reconcile(mzsh, "exec1", WISH)
    assert PASSWORD not in str(caught.value)
    assert "set" not in stand_in.subcommands() and stand_in.topo("diff") == ""


def test_names_that_cannot_be_quoted_are_refused(mzsh: mz.Mzsh, stand_in: StandIn) -> None:
    for name in ('a"b', "a b", "a/b", "${x}", "-a"):
        with pytest.raises(InputError, match="is no name of a setting"):
            mz.reconcile(mzsh, "exec1", Desired({name: "1"}))
    assert stand_in.calls == []


def test_a_program_that_is_not_there_or_hangs_is_named() -> None:
    def absent(argv: Sequence[str], stdin: str | None, timeout: float) -> tuple[int, str, str]:
        raise FileNotFoundError

    def hanging(argv: Sequence[str], stdin: str | None, timeout: float) -> tuple[int, str, str]:
        assert timeout == 7
        raise TimeoutError

    with pytest.raises(DependencyError, match="no program '/opt/mz/bin/mzsh'"):
        mz.Mzsh("/opt/mz/bin/mzsh", absent).read_common("c")
    with pytest.raises(PeerError, match=r"'mzsh topo get': .* did not finish within 7 s"):
        mz.Mzsh("/opt/mz/bin/mzsh", hanging, timeout=7).read_common("c")


# Processes


class Processes:
    """A Run with answers for picos: name -> running; a start or stop answers as told."""

    def __init__(self, **running: bool) -> None:
        self.running = running
        self.calls: list[str] = []
        self.startup: tuple[int, str, str] = (0, "started", "")
        self.shutdown: tuple[int, str, str] = (0, "stopped", "")
        self.status: list[tuple[int, str, str]] = []  # asked first

    def __call__(self, argv: Sequence[str], _stdin: str | None, _timeout: float) -> tuple[int, str, str]:
        _path, verb, name = argv
        if verb != "status":
            self.calls.append(f"{verb} {name}")
        if name not in self.running:
            return (2 if verb == "status" else 0), f"{name}: no such server process\n", ""
        if verb == "status":
            if self.status:
                return self.status.pop(0)
            return (0, f"{name} is running", "") if self.running[name] else (2, f"{name} is not running", "")
        answer = self.startup if verb == "startup" else self.shutdown
        if answer[0] == 0:
            self.running[name] = verb == "startup"
        return answer


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def control(processes: Processes, **options: object) -> mz.Control:
    clock = Clock()
    shell = mz.Mzsh("/opt/mz/bin/mzsh", processes, sleep=clock.sleep)
    return mz.Control(shell, clock=clock, sleep=clock.sleep, **options)  # type: ignore[arg-type]


def results(picos: Sequence[mz.Pico]) -> list[tuple[str, str, str, str]]:
    return [(pico.name, pico.before, pico.after, pico.action) for pico in picos]


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ((0, "ec1 is running", ""), "running"),
        ((0, "ec1 is running without contact with the platform RCP service", ""), "running_without_platform"),
        ((1, "ec1 is not responding but process running", ""), "not_responding"),
        ((1, "", ""), "not_responding"),
        ((2, "ec1 is not running", ""), "not_running"),
        ((2, "", ""), "not_running"),
        ((2, "ec1: no such server process", ""), "unknown"),
        ((0, "ec1: no such server process", ""), "unknown"),
    ],
)
def test_states_are_told_by_words_and_codes(answer: tuple[int, str, str], state: str) -> None:
    processes = Processes(ec1=True)
    processes.status = [answer, answer]
    assert mz.Mzsh("mzsh", processes, sleep=lambda _seconds: None).status("ec1") == state


def test_an_unknown_code_of_status_is_an_error() -> None:
    processes = Processes(ec1=True)
    processes.status = [(77, "", "what?")]
    with pytest.raises(PeerError, match=r"did not tell the status of the pico 'ec1' \(exit code 77\): what\?"):
        mz.Mzsh("mzsh", processes).status("ec1")


def test_a_transient_not_running_is_asked_again() -> None:
    processes = Processes(ec1=True)
    processes.status = [(2, "ec1 is not running", "")]
    clock = Clock()
    assert mz.Mzsh("mzsh", processes, sleep=clock.sleep).status("ec1") == "running"
    assert clock.now == 1


def test_picos_start_in_order_and_stop_in_reverse() -> None:
    processes = Processes(platform=False, ec1=False)
    driver = control(processes)
    names = ["platform", "ec1"]
    assert results(driver.bring(names, "started")) == [(name, "not_running", "running", "start") for name in names]
    assert results(driver.bring(names, "started")) == [(name, "running", "running", "none") for name in names]
    assert results(driver.bring(names, "restarted")) == [(name, "running", "running", "restart") for name in names]
    assert results(driver.bring(names, "stopped")) == [(name, "running", "not_running", "stop") for name in names]
    assert results(driver.bring(names, "stopped")) == [(name, "not_running", "not_running", "none") for name in names]
    assert results(driver.bring(names, "restarted")) == [(name, "not_running", "running", "start") for name in names]
    start, stop = ["startup platform", "startup ec1"], ["shutdown ec1", "shutdown platform"]
    assert processes.calls == [*start, *stop, *start, *stop, *start]


@pytest.mark.parametrize("state", ["started", "stopped", "restarted"])
@pytest.mark.parametrize("running", [True, False])
def test_check_mode_foretells_and_does_nothing(state: str, running: bool) -> None:
    processes = Processes(ec1=running)
    foretold = results(control(processes).bring(["ec1"], state, check=True))
    assert processes.calls == []
    assert foretold == results(control(processes).bring(["ec1"], state))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((1, "", "x"), r"the JVM failed; too much on its standard error \(exit code 1 of"),
        ((102, "", "x"), "did not call back in time"),
        ((103, "", "x"), "interrupted"),
        ((104, "", "ec1: keystore was tampered with"), "critical errors.*It said: ec1: keystore was tampered with"),
        ((130, "", "x"), "interrupted"),
        ((255, "", "x"), "an old instance is running"),
        ((9, "", "x"), "a code that is not documented"),
        ((0, "Started with errors, Only Codeserver service is guaranteed to be running.", ""), "started with errors"),
    ],
)
def test_a_start_that_failed_is_an_error_whatever_its_code(answer: tuple[int, str, str], message: str) -> None:
    processes = Processes(platform=True, ec1=False)
    processes.startup = answer
    with pytest.raises(PeerError, match=f"The pico 'ec1' did not start: .*{message}.*Its log is /opt/mz/log/ec1.log") as caught:
        control(processes).bring(["platform", "ec1"], "started")
    assert caught.value.details["rc"] == answer[0]
    assert caught.value.details["log"] == "/opt/mz/log/ec1.log"
    assert [(pico["name"], pico["after"]) for pico in caught.value.details["picos"]] == [("platform", "running"), ("ec1", "failed")]


def test_a_start_that_is_already_done_is_none() -> None:
    processes = Processes(ec1=True)
    processes.startup = (0, "ec1 is already started", "")
    mz.Mzsh("mzsh", processes).startup("ec1")


@pytest.mark.parametrize(
    ("rc", "message"), [(1, "no such pico"), (3, "interrupted"), (4, "the shutdown failed"), (9, "a code that is not documented")]
)
def test_a_stop_that_failed_is_an_error(rc: int, message: str) -> None:
    processes = Processes(ec1=True)
    processes.shutdown = (rc, "", "stuck")
    with pytest.raises(PeerError, match=f"The pico 'ec1' did not stop: {message}.*It said: stuck.*mzsh kill ec1"):
        control(processes).bring(["ec1"], "stopped")


@pytest.mark.parametrize("state", ["started", "stopped", "restarted"])
def test_an_unknown_pico_is_an_error_before_anything_is_done(state: str) -> None:
    processes = Processes(platform=True)
    for check in (True, False):
        with pytest.raises(PeerError, match="There is no pico 'ec9' in the container"):
            control(processes).bring(["platform", "ec9"], state, check=check)
    assert processes.calls == []
    shell = mz.Mzsh("mzsh", processes)
    for act in (shell.startup, shell.shutdown):  # which say so with exit code 0
        with pytest.raises(PeerError, match="There is no pico 'ec9'"):
            act("ec9")


def test_waiting_for_a_pico_is_bounded_and_says_for_what() -> None:
    processes = Processes(ec1=True)
    processes.status = [(1, "ec1 is not responding but process running", "")] * 1000
    with pytest.raises(PeerError, match=r"Waited 20 s for the pico 'ec1' to be running, in vain; its status is 'not_responding'"):
        control(processes, timeout=20).bring(["ec1"], "started")
    processes.status = [(1, "ec1 is not responding but process running", "")] * 5
    assert results(control(processes, timeout=20).bring(["ec1"], "started")) == [("ec1", "not_responding", "running", "none")]


def test_endpoints_must_accept_when_started_and_be_free_when_stopped() -> None:
    asked: list[tuple[str, int]] = []
    answers: list[bool] = []

    def accepts(host: str, port: int) -> bool:
        asked.append((host, port))
        return answers.pop(0) if answers else False

    processes = Processes(platform=True, ec1=False)
    driver = control(processes, timeout=10, endpoints=[mz.Endpoint("ec1", "127.0.0.1", 6791)], accepts=accepts)
    answers[:] = [False, False, True]
    driver.bring(["platform", "ec1"], "started")
    assert asked == [("127.0.0.1", 6791)] * 3
    with pytest.raises(PeerError, match=r"Waited 10 s for 127\.0\.0\.1:6791 of the pico 'ec1' to accept connections, in vain"):
        driver.bring(["platform", "ec1"], "started")
    driver.bring(["ec1"], "stopped")
    answers[:] = [True] * 1000
    with pytest.raises(PeerError, match=r"6791 of the pico 'ec1' to be free, in vain"):
        driver.bring(["ec1"], "stopped")
    asked.clear()
    control(processes, wait=False, endpoints=driver.endpoints, accepts=accepts).bring(["ec1"], "restarted")
    assert asked == []


def test_what_makes_no_sense_is_refused() -> None:
    processes = Processes(ec1=True)
    with pytest.raises(InputError, match="No pico was named"):
        control(processes).bring([], "started")
    with pytest.raises(InputError, match="named twice"):
        control(processes).bring(["ec1", "ec1"], "started")
    with pytest.raises(InputError, match="'endpoints' names the pico 'ec2'"):
        control(processes, endpoints=[mz.Endpoint("ec2", "h", 1)]).bring(["ec1"], "started")
    with pytest.raises(InputError, match="'-f' is no name of a pico"):
        control(processes).bring(["-f"], "started")
