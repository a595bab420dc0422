# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs `ansible-test sanity` on a copy of the collection, with a HOME of its own under build/.

Arguments are passed on, for example `--test validate-modules`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from stage_collection import ROOT, STAGE, stage

HOME = ROOT / "build" / "sanity_home"

# ansible-test makes virtual environments without pip and fetches a script that installs it. This one installs the pip that
# every Python carries, for machines that cannot reach that script's host. Its arguments (which pip, and that no setuptools and no
# wheel are wanted) need no attention.
BOOTSTRAP_PIP = """\
import subprocess
import sys

subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
"""


def main() -> None:
    stage()
    if shutil.which("git"):
        # Without a repository of its own, ansible-test would ask the one around build/, where all of build/ is ignored.
        subprocess.run(["git", "init", "--quiet", str(STAGE)], check=True)
    keep_pip_settings()

    status, output = ansible_test()
    missing = re.search(r"saved to: (\S+get_pip_\w+\.py)", output)
    if status and missing:
        print("The script that installs pip could not be fetched: the pip that comes with Python takes its place.")
        Path(missing.group(1)).write_text(BOOTSTRAP_PIP)
        status, output = ansible_test()
    sys.exit(status)


def ansible_test() -> tuple[int, str]:
    """Run it, show its output while it runs; exit status and output are returned."""
    shown = []
    with subprocess.Popen(
        [
            Path(sys.prefix) / "bin" / "ansible-test",
            "sanity",
            "--local",
            "--python",
            f"{sys.version_info.major}.{sys.version_info.minor}",
            "--color",
            "no",
            *sys.argv[1:],
        ],
        cwd=STAGE,
        env={**os.environ, "HOME": str(HOME), "ANSIBLE_HOME": str(HOME / ".ansible")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            shown.append(line)
    return process.returncode, "".join(shown)


def keep_pip_settings() -> None:
    """Give pip under the other HOME the user's settings: ansible-test passes on neither the files nor the PIP_ variables."""
    user_file = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "pip" / "pip.conf"
    settings = HOME / ".config" / "pip" / "pip.conf"
    legacy = HOME / ".pip" / "pip.conf"
    for file in (settings, legacy):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
    if user_file.is_file():
        legacy.symlink_to(user_file)
    variables = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    lines = [f"{name[4:].lower().replace('_', '-')} = {value}" for name, value in variables.items()]
    settings.write_text("\n".join(["[global]", "quiet = 1", *lines, ""]))


if __name__ == "__main__":
    main()
