# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rhythm of the keystore module's tests, and the wishes that most of them make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..unit.factory import issue

Call = Callable[..., dict[str, Any]]

PLATFORM, DESKTOP = issue("platform"), issue("desktop")
IDENTITY = {"alias": "EC1", "key_type": "EC", "subject": "CN=ec1,O=Example", "subject_alt_name": ["DNS:ec1.test"]}
TRUST = [{"alias": "Platform", "cert_content": PLATFORM.pem}]


def actions(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(change["entry"], change["action"]) for change in result["changes"]]


def rhythm(call: Call, expected: list[tuple[str, str]], **wishes: Any) -> dict[str, Any]:
    """Check, do, check again, do again: what the check says is done, once."""
    promised = call(check=True, **wishes)
    assert actions(promised) == expected
    assert promised["changed"] is True
    done = call(**wishes)
    assert actions(done) == expected
    assert done["changed"] is True
    assert [change["reason"] for change in done["changes"]] == [change["reason"] for change in promised["changes"]]
    assert done["diff"]["before"] == promised["diff"]["before"]
    quiet(call, **wishes)
    return done


def quiet(call: Call, **wishes: Any) -> None:
    """Nothing is left to do."""
    for check in (True, False):
        again = call(check=check, **wishes)
        assert (again["changed"], again["changes"], again["reasons"], again["diff"]) == (False, [], [], {})


def refused(call: Call, **wishes: Any) -> str:
    """What the module says as it refuses the wishes, which it says in check mode too."""
    said = {call(check=check, fails=True, **wishes)["msg"] for check in (True, False)}
    assert len(said) == 1, said
    return said.pop()
