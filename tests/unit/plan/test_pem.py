# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PEM files in the plan: written when what they are made from changes, and loaded when they were written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.authority.directory import Directory

from ..authority.scenery import CLIENTS, SYSTEM
from .authority_scenery import Fleet
from .scenery import STARTED, WRITTEN, adapter, changes, reasons

SERVER = "platform1"


def server(**more: Any) -> Any:
    """A product whose servers read PEM files and revocation lists, and reload."""
    return adapter(pem_kinds=["platform"], reads_crl=True, activation="reload", **more)


@pytest.fixture()
def fleet(path: Path) -> Fleet:
    """A settled system."""
    made = Fleet(path, product=server(), phased=True)
    made.settle()
    made.scene[SERVER]["pem"] = pem(made)
    return made


def pem(fleet: Fleet, **more: Any) -> dict[str, Any]:
    """The server's PEM files, as they should be."""
    cas = Directory(str(fleet.path)).authorities.values()
    return {
        "identity_path": "/etc/mutual_tls/identity.pem",
        "trust_path": "/etc/mutual_tls/trust.pem",
        "identity_change": None,
        "trusted": [x509.sha256(ca.certificate) for ca in cas],
        "crls": [crl.sha256 for ca in cas for crl in ca.crls],
        "modified": WRITTEN,
        **more,
    }


def written(fleet: Fleet) -> dict[str, str]:
    """Which of the files is written, and why."""
    return {change.subject: change.reason for change in fleet.plan().changes if change.what == "pem"}


def test_what_is_as_it_should_be_is_not_written(fleet: Fleet) -> None:
    plan = fleet.plan()
    assert (plan.state, plan.pem, plan.notes) == ("clean", {}, [])


def test_without_pem_files_there_is_nothing_to_write(fleet: Fleet) -> None:
    fleet.scene[SERVER]["pem"] = None
    assert fleet.plan().pem == {}


def test_what_its_host_says_of_the_key_is_a_reason(fleet: Fleet) -> None:
    fleet.scene[SERVER]["pem"] = pem(fleet, identity_change="it is not there")
    assert written(fleet) == {"identity": "it is not there"}
    assert list(reasons(fleet.plan(), SERVER, "restart")) == ["its keystore changes"]


def test_another_identity_is_written(fleet: Fleet) -> None:
    fleet.scene[SERVER]["identity_wish"]["subject_alt_name"] = ["DNS:another.example.test"]
    assert written(fleet) == {"identity": "its identity changes"}


def test_trust_that_differs_is_written_with_every_list(fleet: Fleet) -> None:
    fleet.scene[SERVER]["pem"] = pem(fleet, trusted=[])
    assert written(fleet) == {"trust": "whom it trusts changes"}
    assert len(fleet.plan().pem[SERVER]) == 2


def test_another_list_is_written(fleet: Fleet) -> None:
    fleet.scene[SERVER]["pem"] = pem(fleet, crls=[])
    assert written(fleet) == {"trust": "another revocation list is in force"}


def test_a_list_that_is_made_in_this_run_is_foretold(fleet: Fleet) -> None:
    fleet.collect(revoked=["desktop1"])
    assert written(fleet) == {"trust": "the revocation list of 'clients' is made anew in this run"}
    assert ("(authority)", "authority", "clients 1", "list") in changes(fleet.plan())


def test_a_server_that_started_before_its_files_were_written_is_reloaded(fleet: Fleet) -> None:
    fleet.scene[SERVER]["pem"] = pem(fleet, modified=STARTED + 1)
    assert reasons(fleet.plan(), SERVER, "restart") == ["it was started before its PEM files were last written"]
    fleet.scene[SERVER]["pem"] = pem(fleet)
    fleet.scene[SERVER]["store"]["modified"] = STARTED + 1
    assert reasons(fleet.plan(), SERVER, "restart") == [], "it does not read the keystore"


def test_trust_counts_once_it_is_in_the_file_that_is_read(fleet: Fleet) -> None:
    """In the keystore alone it lets nobody in."""
    wishes = [SYSTEM, replace(CLIENTS, generation=2)]
    fleet.sign(wishes=wishes)
    fleet.signed = None
    fleet.collect(*wishes)
    entries = fleet.scene[SERVER]["store"]["entries"]
    fleet.scene[SERVER]["store"]["entries"] = [*entries, fleet.ca("clients", 2)]
    fleet.scene[SERVER]["pem"] = pem(fleet, trusted=pem(fleet)["trusted"][:1])
    assert fleet.plan().later["present"] == ["desktop1"]
    fleet.scene[SERVER]["pem"] = pem(fleet)
    assert fleet.plan().identities == ["desktop1"]
