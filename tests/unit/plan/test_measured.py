# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What member_info returned, as the plan reads it."""

from __future__ import annotations

import datetime
from typing import Any

from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import Facts, StoreFacts, read_facts

from .scenery import PATH, identity, identity_wish, key_entry, no_store, store, trusted_entry


def collected(**more: Any) -> dict[str, Any]:
    """The least that member_info returns."""
    return {"store": no_store(), "proof": None, "identity_wish": None, "settings": None, "endpoints": [], "observed": [], **more}


def test_nothing_collected_is_not_reached() -> None:
    assert read_facts(None) == Facts(reached=False)


def test_a_host_that_did_not_answer_says_why() -> None:
    assert read_facts(None, failure="No route to host") == Facts(reached=False, failure="No route to host")


def test_a_bare_host_is_reached() -> None:
    assert read_facts(collected()) == Facts(reached=True, store=StoreFacts(PATH, present=False))


def test_the_wish_is_read_as_the_module_reads_it() -> None:
    wish = read_facts(collected(identity_wish=identity_wish("EC1", valid_for="10d", renew_before="1d"))).identity_wish
    assert wish is not None
    assert (wish.alias, wish.valid_for, wish.renew_before) == ("ec1", datetime.timedelta(days=10), datetime.timedelta(days=1))


def test_a_store_is_read_with_its_entries() -> None:
    own, other = identity("ec1"), identity("platform1")
    read = read_facts(collected(store=store(key_entry("ec1", own), trusted_entry("platform1", other)))).store
    assert read is not None
    assert (read.path, read.present, read.modified) == (PATH, True, 1000.0)
    assert [(entry.alias, entry.type, entry.sha256) for entry in read.entries] == [
        ("ec1", "private_key", own.sha256),
        ("platform1", "trusted_cert", other.sha256),
    ]


def test_an_identity_is_a_private_key_with_a_certificate() -> None:
    bare = {**key_entry("bare", identity("ec1")), "sha256": None, "pem": None}
    entries = store(key_entry("ec1", identity("ec1")), bare, trusted_entry("platform1", identity("platform1")))
    read = StoreFacts.from_dict(entries)
    assert [read.entry(alias) is not None for alias in ("ec1", "bare", "platform1", "nobody")] == [True, True, True, False]
    assert [read.identity(alias) is not None for alias in ("ec1", "bare", "platform1", "nobody")] == [True, False, False, False]


def test_settings_are_values_and_reasons() -> None:
    change = {"name": "pico.rcp.tls.key.password", "action": "set", "reason": "it is not there"}
    settings = read_facts(collected(settings={"values": {"a": "b"}, "secret_changes": [change]})).settings
    assert settings is not None
    assert (settings.values, settings.secret_changes, settings.changed) == ({"a": "b"}, {change["name"]: change["reason"]}, ())


def test_settings_of_this_run_are_known_by_name() -> None:
    settings = read_facts(collected(settings={"values": {}, "changed": ["a"]})).settings
    assert settings is not None
    assert settings.changed == ("a",)


def test_endpoints_and_views_are_found_by_name() -> None:
    data = collected(
        endpoints=[{"name": "ec", "host": "h", "port": 1, "listening": True, "tls": True, "served_sha256": "ab", "started": 3.5}],
        observed=[
            {"server": "p", "endpoint": "platform", "listening": True, "asks": "required", "reason": None},
            {"server": "q", "endpoint": "platform", "listening": False, "asks": None, "reason": "no connection"},
        ],
    )
    facts = read_facts(data)
    assert (facts.endpoints["ec"].listening, facts.endpoints["ec"].served_sha256, facts.endpoints["ec"].started) == (True, "ab", 3.5)
    assert facts.observed == {("p", "platform"): "required"}, "who saw nothing says nothing"
