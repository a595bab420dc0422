# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings: what must change, and why; what is written; what is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mutual.tls.plugins.module_utils import seals, settings
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError
from ansible_collections.mutual.tls.plugins.module_utils.settings import Desired

SEAL = seals.DEFAULT_SEAL_NAME
SECRET = "correct horse"


class Encryption:
    """Another text each time, as the product does; counts."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __call__(self, secret: str) -> str:
        self.calls.append(secret)
        return f"DR-4-{len(self.calls):04d}"


def applied(desired: Desired, actual: dict[str, str], encrypt: Encryption | None = None) -> dict[str, str]:
    """The settings after a run."""
    result = dict(actual)
    for name, value in settings.settle(desired, actual, settings.plan(desired, actual), encrypt or Encryption()).items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = value
    return result


def summary(desired: Desired, actual: dict[str, str]) -> list[tuple[str, str, str]]:
    return [(change.name, change.action, change.reason) for change in settings.plan(desired, actual)]


def test_plain_values_are_set_and_removed_where_they_differ() -> None:
    desired = Desired({"same": "1", "other": "2", "new": "3", "gone": None, "never": None})
    actual = {"same": "1", "other": "x", "gone": "y", "unmanaged": "z"}
    assert summary(desired, actual) == [
        ("gone", "remove", "it is to be absent"),
        ("new", "set", "it is not there"),
        ("other", "set", "its value differs"),
    ]
    assert applied(desired, actual) == {"same": "1", "other": "2", "new": "3", "unmanaged": "z"}


def test_secrets_are_encrypted_once() -> None:
    desired = Desired(secrets={"a.password": SECRET, "b.password": SECRET})
    encrypt = Encryption()
    once = applied(desired, {}, encrypt)
    assert encrypt.calls == [SECRET, SECRET]
    assert settings.plan(desired, once) == []
    assert applied(desired, once, encrypt) == once
    assert len(encrypt.calls) == 2


def test_the_seal_is_written_last() -> None:
    desired = Desired({"z": "1"}, {"a.password": SECRET}, {"y": "E"})
    writes = settings.settle(desired, {}, settings.plan(desired, {}), Encryption())
    assert list(writes) == ["y", "z", "a.password", SEAL]


def test_a_run_killed_before_the_seal_encrypts_again() -> None:
    desired = Desired(secrets={"a.password": SECRET})
    half = applied(desired, {})
    del half[SEAL]
    assert summary(desired, half) == [
        ("a.password", "set", "nothing says of which secret the stored text was made"),
        (SEAL, "set", "the secrets that it seals are stored anew"),
    ]


@pytest.mark.parametrize("what", ["other secret", "stored text changed by hand", "damaged seal", "one more secret"])
def test_secrets_are_stored_anew_when_the_seal_does_not_hold(what: str) -> None:
    secrets = {"a.password": SECRET}
    actual = applied(Desired(secrets=secrets), {})
    if what == "other secret":
        secrets = {"a.password": "another"}
    elif what == "stored text changed by hand":
        actual["a.password"] = "DR-4-FFFF"
    elif what == "damaged seal":
        actual[SEAL] = "pbkdf2-sha256$1$x$y"
    else:
        secrets = {**secrets, "b.password": SECRET}
    changes = summary(Desired(secrets=secrets), actual)
    assert [name for name, _action, _reason in changes] == [*secrets, SEAL]
    assert changes[0][2] == "the seal does not say that the stored texts were made of the given secrets"
    assert settings.plan(Desired(secrets=secrets), applied(Desired(secrets=secrets), actual)) == []


def test_encrypted_texts_are_compared_as_they_are() -> None:
    desired = Desired(encrypted={"a.password": "DR-4-AA"})
    assert summary(desired, {"a.password": "DR-4-AA"}) == []
    assert summary(desired, {"a.password": "DR-4-BB"}) == [("a.password", "set", "its value differs")]
    assert applied(desired, {}) == {"a.password": "DR-4-AA"}, "and no seal"


def test_what_was_staged_and_not_activated_is_written_again_without_encrypting() -> None:
    desired = Desired({"x": "1", "y": None}, {"a.password": SECRET, "b.password": SECRET})
    actual = {**applied(desired, {}), "x": "1"}
    assert settings.plan(desired, actual) == []
    encrypt = Encryption()
    changes = settings.plan(desired, actual, staged=["x", "y", "a.password", SEAL, "unmanaged"])
    assert {(change.name, change.reason) for change in changes} == {
        (name, "a change of it was staged and never activated") for name in ("x", "y", "a.password", SEAL)
    }
    writes = settings.settle(desired, actual, changes, encrypt)
    assert writes == {"x": "1", "y": None, "a.password": actual["a.password"], SEAL: actual[SEAL]}
    assert encrypt.calls == []


def test_nothing_secret_is_shown() -> None:
    desired = Desired(
        {"plain": "new", "old.keystore.password": None, "given.password": "in the open"},
        {"a.password": SECRET},
        {"key": "DR-4-LITERAL"},
    )
    actual = {"plain": "old", "old.keystore.password": "DR-4-OLD", "a.password": "DR-4-STORED", "key": "DR-4-BEFORE", "bystander": "shh"}
    changes = settings.plan(desired, actual)
    diff = settings.diff(desired, actual, changes, "place")
    assert diff["before_header"] == diff["after_header"] == "place"
    shown = repr(changes) + repr(diff) + repr([change.as_result() for change in changes])
    for secret in (SECRET, "DR-4", "in the open", "shh", "pbkdf2"):
        assert secret not in shown
    assert diff["before"] == "a.password: (hidden)\nkey: (hidden)\nold.keystore.password: (hidden)\nplain: old\n"
    new = "(hidden, to be stored anew)"
    assert diff["after"] == f"a.password: {new}\ngiven.password: {new}\nkey: {new}\nplain: new\n{SEAL}: {new}\n"


def test_an_unchanged_state_has_an_empty_difference() -> None:
    desired = Desired({"plain": "1"}, {"a.password": SECRET})
    actual = applied(desired, {})
    diff = settings.diff(desired, actual, [], "place")
    assert diff["before"] == diff["after"]


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"values": {"a": "1"}, "secrets": {"a": "2"}}, "'a' is in 'values' and in 'secrets'"),
        ({"secrets": {"a": "1"}, "encrypted": {"a": "2"}}, "'a' is in 'secrets' and in 'encrypted'"),
        ({"secrets": {"a": ""}}, "'a' in 'secrets' is empty"),
        ({"encrypted": {"a": ""}}, "'a' in 'encrypted' is empty"),
        ({"values": {"": "1"}}, "empty name"),
        ({"values": {SEAL: None}, "secrets": {"a": "1"}}, "names the seal"),
        ({"secrets": {"a": "1"}, "seal_name": ""}, "name of the seal is empty"),
    ],
)
def test_a_contradictory_wish_is_refused(wish: dict[str, dict[str, str]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Desired(**wish)  # type: ignore[arg-type]


def test_the_seal_can_be_removed_when_there_are_no_secrets_any_more() -> None:
    actual = applied(Desired(secrets={"a.password": SECRET}), {})
    assert applied(Desired({"a.password": None, SEAL: None}), actual) == {}


def test_options_become_text() -> None:
    given_values = {"a": "x", "b": True, "c": False, "d": 8, "e": 1.5, "f": None, 7: ""}
    assert settings.plain_values(given_values) == {"a": "x", "b": "true", "c": "false", "d": "8", "e": "1.5", "f": None, "7": ""}
    with pytest.raises(InputError, match="'a' in 'values' is a list"):
        settings.plain_values({"a": [1]})
    assert settings.secret_values({"a": "0123"}, "secrets") == {"a": "0123"}
    with pytest.raises(InputError, match="'a' in 'secrets' is not a text; put it in quotes") as caught:
        settings.secret_values({"a": 83}, "secrets")
    assert "83" not in str(caught.value)


NAMES = st.sampled_from(["a", "b", "c", "d"])
TEXTS = st.text(max_size=3)


@given(st.dictionaries(NAMES, st.none() | TEXTS), st.dictionaries(NAMES, TEXTS))
def test_a_second_run_changes_nothing_and_others_are_left_alone(values: dict[str, str | None], actual: dict[str, str]) -> None:
    desired = Desired(values)
    after = applied(desired, actual)
    assert settings.plan(desired, after) == []
    assert {name: value for name, value in after.items() if name in values} == {n: v for n, v in values.items() if v is not None}
    assert {name: value for name, value in after.items() if name not in values} == {n: v for n, v in actual.items() if n not in values}
