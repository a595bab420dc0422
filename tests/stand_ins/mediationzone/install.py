# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs a stand-in system: one MZ_HOME per container below a root directory; starts and stops it through mzsh in the right order.

From the shell: `install.py --root DIR --system system.json [--container NAME]... [--owner USER] [--do install|start|stop]`.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import pwd
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from mediationzone.layout import Layout, write_atomically
from mediationzone.registry import ACTIVE, BACKUP, MASTER, Files, Registry, container_file, pico_file

System = dict[str, Any]

LAUNCHER = """#!/bin/sh
# The launcher of the MediationZone stand-in, written by its installer.
[ -n "${{MZ_HOME:-}}" ] || MZ_HOME={home}
[ -n "${{MZ_CONTAINER:-}}" ] || MZ_CONTAINER={container}
export MZ_HOME MZ_CONTAINER
{recorded}exec {python} {script} "$@"
"""


class InstallError(Exception):
    """The description of the system cannot be installed, or a pico could not be started."""


def registry_of(root: Path, system: System) -> Files:
    """The topology of the whole system; every container begins with the same one."""
    platforms = [container for container in system["containers"] if container["kind"] == "platform"]
    others = [container for container in system["containers"] if container["kind"] != "platform"]
    cell: dict[str, Any] = {}
    files: Files = {"cell.conf": {"common": cell}}
    if platforms:
        cell["pico.rcp.platform.host"] = platforms[0]["address"]
        main = next(pico for pico in platforms[0]["picos"] if pico["kind"] == "platform")
        cell["pico.rcp.platform.port"] = main["port"]
        cell["mz.webserver.port"] = main["web_port"]
    for container in [*platforms, *others]:
        common: dict[str, Any] = {"pico.rcp.server.host": container["address"]}
        platform = container.get("platform_address")
        if platform and platform != cell.get("pico.rcp.platform.host"):
            common["pico.rcp.platform.host"] = platform
        name = container["name"]
        files[container_file(name)] = {"kind": container["kind"], "home": str(root / name), "common": common}
        for pico in container["picos"]:
            properties: dict[str, Any] = {}
            if pico["kind"] != "platform":
                properties["stand_in.rcp.port"] = pico["port"]
                if pico.get("web_port"):
                    properties["ec.webserver.port"] = pico["web_port"]
            files[pico_file(name, pico["name"])] = {"template": f"mz.standard-{pico['kind']}", "config": {"properties": properties}}
    return files


def install_system(
    root: str | Path,
    system: System,
    *,
    only: list[str] | None = None,
    owner: str | int | None = None,
    python: str = sys.executable,
    java_home: str | None = None,
    keytool: str | None = None,
) -> list[Path]:
    """Make an MZ_HOME for each container (or only those named, for a system of several hosts). Returns the MZ_HOMEs.

    `owner` (a name or a uid; needs root) becomes the only user who may run mzsh. JAVA_HOME and MZ_KEYTOOL of the installer's environment
    are recorded in the launcher unless given here; there they are defaults that the environment of a call overrides.
    """
    root = Path(root).resolve()
    files = registry_of(root, system)
    homes = []
    for container in system["containers"]:
        if only is None or container["name"] in only:
            homes.append(_install_container(root, container, files, python, _recorded(java_home, keytool)))
    if only is not None and len(homes) != len(set(only)):
        raise InstallError(f"the system has no such containers: {', '.join(sorted(set(only) - {home.name for home in homes}))}")
    if owner is not None:
        account = pwd.getpwuid(owner) if isinstance(owner, int) else pwd.getpwnam(owner)
        for home in homes:
            for path in [home, *home.rglob("*")]:
                os.chown(path, account.pw_uid, account.pw_gid)
    return homes


def _recorded(java_home: str | None, keytool: str | None) -> str:
    given = {"JAVA_HOME": java_home or os.environ.get("JAVA_HOME"), "MZ_KEYTOOL": keytool or os.environ.get("MZ_KEYTOOL")}
    lines = [f'[ -n "${{{name}:-}}" ] || {name}={shlex.quote(value)}\nexport {name}\n' for name, value in given.items() if value]
    return "".join(lines)


def _install_container(root: Path, container: dict[str, Any], files: Files, python: str, recorded: str) -> Path:
    home: Path = root / container["name"]
    layout = Layout(home)
    for folder in (layout.mzsh.parent, layout.etc, layout.tmp, layout.log("x").parent):
        folder.mkdir(parents=True, exist_ok=True)
    source = Path(__file__).resolve().parent
    if source != layout.code:
        # Compiled once where the sources lie; the copies keep the times that make the compiled files valid.
        compileall.compile_dir(source, maxlevels=0, quiet=2)
        shutil.copytree(source, layout.code, ignore=shutil.ignore_patterns("test_*", "conftest*", "*.md"), dirs_exist_ok=True)
    registry = Registry(layout.cell)
    registries = (MASTER, ACTIVE, BACKUP) if container["kind"] == "platform" else (ACTIVE,)
    for which in registries:
        registry.store(which, files)
    launcher = LAUNCHER.format(
        home=shlex.quote(str(home)),
        container=shlex.quote(container["name"]),
        recorded=recorded,
        python=shlex.quote(python),
        script=shlex.quote(str(layout.code / "mzsh.py")),
    )
    write_atomically(layout.mzsh, launcher, 0o755)
    layout.mzsh.chmod(0o755)
    return home


def mzsh(home: str | Path, *words: str, text: str | None = None, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run mzsh as the owner of MZ_HOME (root changes to that user). Never raises for an exit code."""
    home = Path(home)
    status = home.stat()
    switch: dict[str, Any] = {}
    if os.getuid() == 0 and status.st_uid != 0:
        switch = {"user": status.st_uid, "group": status.st_gid, "extra_groups": []}
    environment = {key: value for key, value in os.environ.items() if key not in ("MZ_HOME", "MZ_CONTAINER")}
    environment.update(env or {})
    return subprocess.run(
        [str(home / "bin" / "mzsh"), *words], input=text or "", capture_output=True, text=True, env=environment, check=False, **switch
    )


def _ordered(root: str | Path, system: System) -> list[tuple[Path, list[str]]]:
    """(MZ_HOME, its picos) of the containers installed here, the Platform first."""
    result = []
    for container in sorted(system["containers"], key=lambda one: one["kind"] != "platform"):
        home = Path(root).resolve() / container["name"]
        if home.is_dir():
            names = [pico["name"] for pico in sorted(container["picos"], key=lambda one: one["kind"] != "platform")]
            result.append((home, names))
    return result


def start_system(root: str | Path, system: System) -> None:
    """Start every pico, the Platform first. Raises InstallError with mzsh's own words."""
    for home, names in _ordered(root, system):
        done = mzsh(home, "startup", *names)
        if done.returncode:
            raise InstallError(f"{home.name}: startup ended with {done.returncode}: {(done.stderr or done.stdout).strip()}")


def stop_system(root: str | Path, system: System) -> None:
    """Stop every pico, the Platform last; one that does not stop is killed."""
    for home, names in reversed(_ordered(root, system)):
        if not any(Layout(home).tmp.glob("*.pid")):
            continue
        if mzsh(home, "shutdown", "-q", *reversed(names)).returncode:
            mzsh(home, "kill", *reversed(names))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True, help="directory that gets one MZ_HOME per container")
    parser.add_argument("--system", required=True, help="JSON file, or '-' for standard input")
    parser.add_argument("--container", action="append", help="install only this container (repeatable)")
    parser.add_argument("--owner", help="user who gets the files and may run mzsh")
    parser.add_argument("--python", default=sys.executable, help="interpreter of mzsh and the picos")
    parser.add_argument("--java-home", help="Java whose keytool reads the keystores")
    parser.add_argument("--do", choices=("install", "start", "stop"), default="install", help="what to do (default: install)")
    given = parser.parse_args()
    text = sys.stdin.read() if given.system == "-" else Path(given.system).read_text(encoding="utf-8")
    system = json.loads(text)
    try:
        if given.do == "install":
            install_system(given.root, system, only=given.container, owner=given.owner, python=given.python, java_home=given.java_home)
        elif given.do == "start":
            start_system(given.root, system)
        else:
            stop_system(given.root, system)
    except (InstallError, OSError, KeyError) as error:
        sys.stderr.write(f"install.py: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
