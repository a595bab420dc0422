# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the plan with its proof takes, and whether that grows with the number of members and no faster.

One Platform, and Execution hosts, of which one in ten has a certificate that is due and one in ten is not trusted yet: there is
something to change, to prove and to restart. Facts are made as member_info returns them. Exits with 1 when a bound is missed.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.entries import PrivateKeyEntry, TrustedCertEntry
from ansible_collections.mutual.tls.plugins.module_utils.facts import entry_facts
from ansible_collections.mutual.tls.plugins.module_utils.plan.build import build
from ansible_collections.mutual.tls.plugins.module_utils.plan.matrix import matrix
from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import read_facts
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import Adapter, read_system
from ansible_collections.mutual.tls.plugins.module_utils.plan.text import plan_text

ROOT = Path(__file__).resolve().parent.parent
NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
DAY = datetime.timedelta(days=1)
#: What is to be reached: seconds for a thousand members, and how many times as long ten times as many may take.
SECONDS, GROWTH = 10.0, 15.0
SIZES = (100, 1_000, 10_000)


def adapter() -> Adapter:
    """MediationZone's, from its own file."""
    data: dict[str, Any] = yaml.safe_load((ROOT / "roles/product/vars/main/mediationzone.yml").read_text(encoding="utf-8"))
    plain = {name: data[f"product_mediationzone_{name}"] for name in ("settings", "secrets")}
    return Adapter.from_dict({**data["product_mediationzone"], **plain})


def wish(alias: str) -> dict[str, Any]:
    """An identity as the role wishes for it."""
    return {
        "alias": alias,
        "subject": None,
        "subject_alt_name": None,
        "key_type": None,
        "key_size": None,
        "curve": None,
        "valid_for": "825d",
        "renew_before": "30d",
        "generation": 1,
        "regenerate": "partial_idempotence",
        "certificate_content": None,
    }


def store(entries: list[dict[str, Any]]) -> dict[str, Any]:
    digest = hashlib.sha256(json.dumps([entry["sha256"] for entry in entries]).encode()).hexdigest()
    return {"path": "/opt/mz/keys", "present": True, "sha256": digest, "modified": 1000.0, "entries": entries}


def facts_of(count: int) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """An inventory of *count* members, and what was measured of each."""
    inventory: dict[str, dict[str, Any]] = {"platform1": host("platform", 1, "platform", 6790)}
    inventory.update({f"ec{number}": host("execution", number, "ec", 6791) for number in range(2, count + 1)})
    identities: dict[str, dict[str, Any]] = {}
    trusted: dict[str, dict[str, Any]] = {}
    proofs: dict[str, str] = {}
    for number, name in enumerate(inventory):
        key = ec.generate_private_key(ec.SECP256R1())
        valid_for = 10 * DAY if number % 10 == 5 else 400 * DAY
        certificate = x509.self_signed(key, x509.parse_name(f"CN={name}"), [], now=NOW, valid_for=valid_for)
        entry = PrivateKeyEntry(name, None, (certificate,), 0)
        identities[name] = {**entry_facts(entry), "locked": False, "key_matches": True}
        trusted[name] = entry_facts(TrustedCertEntry(name, certificate))
        proofs[name] = x509.prove_possession(key, name, certificate)
    measured = {}
    up = {"listening": True, "tls": True, "started": 2000.0}
    for name, variables in inventory.items():
        known = [trusted[other] for number, other in enumerate(trusted) if other != name and number % 10] if name == "platform1" else []
        entries = [identities[name], *(known or [trusted["platform1"]])]
        measured[name] = {
            "store": store(entries),
            "proof": proofs[name],
            "identity_wish": wish(name),
            "settings": {
                "values": {
                    "pico.rcp.tls.keystore": "/opt/mz/keys",
                    "pico.rcp.tls.keystore.alias": name,
                    "pico.rcp.tls.require_clientauth": "true",
                },
                "secret_changes": [],
            },
            "endpoints": [{**variables["mtls_endpoints"][0], **up, "served_sha256": identities[name]["sha256"]}],
            "observed": [],
        }
    return inventory, measured


def host(kind: str, number: int, process: str, port: int) -> dict[str, Any]:
    address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
    return {"mtls_kind": kind, "mtls_address": address, "mtls_endpoints": [{"name": process, "port": port}]}


def seconds(count: int) -> tuple[float, int]:
    """The best of three times that a plan, its proof, its text and its matrix take; and how many links it proves.

    Each time with new keys: certificates that were read before are remembered, and would be free.
    """
    best, links = float("inf"), 0
    for _attempt in range(3):
        inventory, measured = facts_of(count)
        begun = time.perf_counter()
        system = read_system(inventory, adapter(), trust_model="pairwise", client_auth="required", revoked=())
        facts = {name: read_facts(data) for name, data in measured.items()}
        plan = build(system, facts, NOW)
        if plan.state != "pending":
            sys.exit(f"The plan for {count} members is {plan.state}: {plan.faults[:3]}")
        plan_text(system, plan)
        json.dumps(plan.to_dict())
        matrix(system, facts)
        best = min(best, time.perf_counter() - begun)
        links = len(plan.verdicts)
    return best, links


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N", help="how many members (default: 100 1000 10000)")
    found = {}
    sys.stdout.write("members   links   seconds   ms a member\n")
    for count in parser.parse_args().sizes:
        took, links = seconds(count)
        found[count] = took
        sys.stdout.write(f"{count:7}  {links:6}  {took:8.2f}  {1000 * took / count:12.2f}\n")
        sys.stdout.flush()
    missed = []
    if found.get(1_000, 0) > SECONDS:
        missed.append(f"a plan for 1,000 members took {found[1_000]:.1f} s; {SECONDS:g} s is the bound")
    for count in (100, 1_000):
        if {count, 10 * count} <= found.keys() and found[10 * count] > GROWTH * found[count]:
            times = found[10 * count] / found[count]
            missed.append(f"{10 * count} members took {times:.1f} times as long as {count}; {GROWTH:g} times is the bound")
    sys.exit("\n".join(missed) or None)


if __name__ == "__main__":
    main()
