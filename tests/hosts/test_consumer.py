# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection inside somebody else's deployment (consumer/): the artefact, the roles between tasks of its own, a vault, on real hosts.

The tests are one story: each goes on from what the one before it left.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from system import BIN, FOLDER, ROOT, Run, System

CONSUMER = Path(__file__).resolve().parent / "consumer"
WORKERS = ["worker1", "worker2"]
SERVERS = {"core1": 6790, "worker1": 6791, "worker2": 6791}
#: Host -> the last part of its address. Nobody in the deployment knows the one outside.
HOSTS = {"platform": {"core1": 11}, "execution": {"worker1": 12, "worker2": 13}, "desktop": {"desk1": 16}, "outside": {"outside1": 19}}
#: On every host: what an installation would write, the unit, and what the roles write; each with its owner and content. Not what the
#: product writes as it runs or is asked.
EVERY_FILE = (
    "find /opt/mz /etc/mediation.conf /etc/systemd/system /home/desktop -xdev -type f"
    r" -not -path '*/log/*' -not -path '*/tmp/*' -not -path '*/.ansible/*' -not -name .lock"
    r" -printf '%u %m ' -exec sha256sum {} \; 2>/dev/null"
)


@dataclass(frozen=True)
class Deployment(System):
    """A copy of consumer/ with what belongs to one site alone: the artefact, the vault, how its hosts are reached."""

    #: In every password, so that it is found however the rest of one is quoted.
    mark: str = ""

    @property
    def servers(self) -> dict[str, int]:
        """Member -> port, of those that listen."""
        return SERVERS

    @property
    def password(self) -> str:
        """The desktop's: its key is all that a judge opens."""
        return f"desk {self.mark}"

    def home(self, name: str) -> str:
        """The member's MZ_HOME, or the directory of a desktop's keystore."""
        return "/home/desktop/mediationzone" if name.startswith("desk") else f"/opt/mz/{name}"

    def store(self, name: str) -> str:
        """The member's keystore."""
        return f"{self.home(name)}/{'desktop.p12' if name.startswith('desk') else 'keys'}"

    def processes(self) -> dict[str, str]:
        """Member -> process id of what runs there: another id is a restart."""
        return {name: self.host(name).check_output("pgrep --full 'pico.py --pico'") for name in SERVERS}

    def run(self, program: str, *arguments: str) -> Run:
        """Run one of Ansible's programs in the deployment. What is installed elsewhere on this machine is not found."""
        own = {"ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false", "ANSIBLE_HOME": str(self.ephemeral / "home"), "ANSIBLE_NOCOLOR": "1"}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")} | own
        done = subprocess.run(
            [str(BIN / program), *arguments],
            cwd=self.scenario,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=600,
        )
        return Run(done.returncode, done.stdout)

    def deploy(self, *options: str, playbook: str = "deploy.yml") -> Run:
        """Run the deployment's playbook."""
        return self.run("ansible-playbook", playbook, *options)

    def files(self) -> dict[str, set[str]]:
        """Host -> owner, mode, digest and name of each file."""
        return {name: set(self.host(name).run(EVERY_FILE).stdout.splitlines()) for name in [*SERVERS, "desk1"]}

    def unchanged(self, before: dict[str, set[str]], running: dict[str, str]) -> bool:
        """Whether all files are as they were, and nothing was restarted; what is not is printed."""
        changed = {name: files ^ before[name] for name, files in self.files().items() if files != before[name]}
        now = self.processes()
        restarted = [name for name in now if now[name] != running[name]]
        print(changed, restarted)
        return not changed and not restarted

    def wish(self, **variables: Any) -> None:
        """Write variables into the inventory, as an administrator would."""
        path = self.scenario / "inventory" / "group_vars" / "mediation" / "wishes.yml"
        path.write_text(yaml.safe_dump(variables), encoding="utf-8")


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Five hosts, on which nothing is installed yet, and the deployment on this controller."""
    folder = tmp_path_factory.mktemp("consumer")
    made = Deployment(folder / "deployment", folder, secrets.token_hex(8))
    shutil.copytree(CONSUMER, made.scenario, ignore=shutil.ignore_patterns(*ignored()))
    inventory = hosts_inventory(folder)
    try:
        made.arrange("destroy", "create", inventory=inventory)
        configure(made)
        yield made
    finally:
        made.arrange("destroy", inventory=inventory)


def ignored() -> list[str]:
    """What the deployment's own .gitignore names."""
    return [line.rpartition("/")[2] for line in (CONSUMER / ".gitignore").read_text().replace("/\n", "\n").splitlines()]


def hosts_inventory(folder: Path) -> Path:
    """Who the hosts are, as the playbooks that create them ask."""
    named = {
        group: {"hosts": {name: {"ansible_host": f"{{{{ hosts_network }}}}.{last}"} for name, last in members.items()}}
        for group, members in HOSTS.items()
    }
    path = folder / "hosts.json"
    path.write_text(json.dumps(named), encoding="utf-8")
    return path


def configure(made: Deployment) -> None:
    """What the people of one site add: the artefact, a vault, and how hosts are reached."""
    build = [sys.executable, str(ROOT / "tools" / "install_collection.py"), "--build-only"]
    built = subprocess.run(build, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    shutil.copy(built.stdout.strip(), made.scenario / "mutual-tls.tar.gz")
    variables = made.scenario / "inventory" / "group_vars"
    vault_password = made.scenario / "vault_password"
    vault_password.touch(mode=0o600)
    vault_password.write_text(secrets.token_hex(16), encoding="ascii")
    vault = variables / "mediation" / "vault.yml"
    vault.touch(mode=0o600)
    kept = {"vault_keystore_password": f'it\'s a "pass" ${{word}} !\\ {made.mark}', "vault_desktop_passwords": {"desk1": made.password}}
    vault.write_text(yaml.safe_dump(kept), encoding="utf-8")
    assert made.run("ansible-vault", "encrypt", str(vault)).code == 0
    assert vault.read_text(encoding="utf-8").startswith("$ANSIBLE_VAULT;")
    reached = {
        "mediation_network": made.address("core1").rpartition(".")[0],
        "ansible_ssh_private_key_file": str(FOLDER / "id_ed25519"),
        "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
    }
    (variables / "all" / "site.yml").write_text(yaml.safe_dump(reached), encoding="utf-8")


def succeeded(run: Run) -> Run:
    """The run, which ended well."""
    assert run.code == 0, run.output[-6000:]
    return run


def let_in(deployment: Deployment, keystore: str | None = None) -> bool:
    """Whether the platform welcomes openssl from the host outside."""
    seen = deployment.s_client("outside1", "core1", keystore=keystore)
    assert "CONNECTED" in seen, seen
    return "WELCOME" in seen


def test_readme_shows_this_deployment() -> None:
    """Each piece of YAML in the README's section stands in the file that is named above it, in the same order; `...` leaves lines out."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("\n## Use it inside your own deployment\n")[2].partition("\n## ")[0]
    shown = re.findall(r"```yaml\n# (\S+)\n(.*?)```", section, re.DOTALL)
    assert shown
    for name, text in shown:
        lines = iter((CONSUMER / name).read_text(encoding="utf-8").splitlines())
        missing = [line for line in text.splitlines() if line.strip() not in ("", "# ...") and line not in lines]
        assert missing == [], name


def test_the_artefact_is_installed_into_the_deployment(deployment: Deployment) -> None:
    succeeded(deployment.run("ansible-galaxy", "collection", "install", "-r", "requirements.yml"))
    listed = json.loads(succeeded(deployment.run("ansible-galaxy", "collection", "list", "mutual.tls", "--format", "json")).output)
    assert list(listed) == [str(deployment.scenario / "collections" / "ansible_collections")]


def test_its_syntax_is_right(deployment: Deployment) -> None:
    succeeded(deployment.deploy("--syntax-check"))


def test_a_check_of_fresh_hosts_changes_nothing(deployment: Deployment) -> None:
    before = deployment.files()
    checked = succeeded(deployment.deploy("--check"))
    assert checked.changed > 0, "it says what it would install"
    assert deployment.files() == before
    assert not deployment.host("core1").file("/opt/mz/core1").exists


def test_tags_may_leave_mutual_tls_out(deployment: Deployment) -> None:
    succeeded(deployment.deploy("--tags", "application"))
    assert not any(deployment.host(name).file(deployment.store(name)).exists for name in [*SERVERS, "desk1"])
    assert sorted(deployment.processes()) == sorted(SERVERS), "the application runs"


def test_a_check_of_mutual_tls_says_what_it_would_do_and_changes_nothing(deployment: Deployment) -> None:
    before, running = deployment.files(), deployment.processes()
    checked = succeeded(deployment.deploy("--check", "--diff"))
    assert "client auth required, 4 members" in checked.output
    assert "+pico.rcp.tls.require_clientauth: true" in checked.output
    assert deployment.unchanged(before, running)


def test_tags_may_choose_mutual_tls_alone_and_no_secret_is_told(deployment: Deployment) -> None:
    """The first run that turns it on, restarts included."""
    first = succeeded(deployment.deploy("--tags", "tls", "-vvv"))
    assert "TASK [Configure the application]" not in first.output
    assert "RUNNING HANDLER [Tell the desktop's user]" in first.output
    assert re.search(r"Matrix: \d+ handshakes, \d+ to be accepted and \d+ to be refused", first.output)
    assert "EXEC" in first.output, "-vvv was in force"
    assert deployment.mark not in first.output
    assert "There is a key to import" in deployment.host("desk1").check_output("journalctl --no-pager --output=cat --identifier=mediation")


def test_a_second_run_changes_nothing(deployment: Deployment) -> None:
    before, running = deployment.files(), deployment.processes()
    second = succeeded(deployment.deploy())
    assert second.changed == 0, second.output
    assert "RUNNING HANDLER" not in second.output
    assert deployment.unchanged(before, running)


def test_openssl_from_outside_is_refused_without_a_certificate_and_let_in_with_the_desktops_key(deployment: Deployment) -> None:
    deployment.hand_over("desk1", "outside1", "/run/desk1.p12")
    assert not let_in(deployment)
    assert let_in(deployment, "/run/desk1.p12")


def test_a_limited_run_leaves_the_others_alone_and_drops_no_trust(deployment: Deployment) -> None:
    deployment.wish(mediation_region="south")
    before, running = deployment.files(), deployment.processes()
    limited = succeeded(deployment.deploy("--limit", "worker1"))
    after, now = deployment.files(), deployment.processes()
    assert "RUNNING HANDLER [Restart the application]" in limited.output
    assert {name for name in before if before[name] != after[name]} == {"worker1"}
    assert [line.rpartition(" ")[2] for line in after["worker1"] - before["worker1"]] == ["/etc/mediation.conf"]
    assert {name for name in running if running[name] != now[name]} == {"worker1"}


def test_a_play_that_takes_members_in_turns_is_stopped_and_told_what_to_do(deployment: Deployment) -> None:
    """The deployment's own play has `serial` too, without these roles, and every run above went through it."""
    text = (deployment.scenario / "deploy.yml").read_text(encoding="utf-8")
    assert text.count("  any_errors_fatal: true\n") == 1
    path = deployment.scenario / "in_turns.yml"
    path.write_text(text.replace("  any_errors_fatal: true\n", "  any_errors_fatal: true\n  serial: 1\n"), encoding="utf-8")
    before, running = deployment.files(), deployment.processes()
    stopped = deployment.deploy("--tags", "tls", playbook=path.name)
    assert stopped.code == 2, stopped.output
    assert "The play takes its hosts in turns (serial), and this turn is without 'worker1' and 2 more" in stopped.output
    assert "Put the roles into a play without 'serial'" in stopped.output
    assert deployment.unchanged(before, running)


def test_a_revoked_desktop_is_refused(deployment: Deployment) -> None:
    """The failing twin of letting it in: the same openssl, with the same key."""
    deployment.wish(mediation_region="south", mtls_revoked=["desk1"])
    revoked = succeeded(deployment.deploy())
    assert revoked.changed > 0
    assert not let_in(deployment, "/run/desk1.p12")
