# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs everything that needs container hosts, some of it side by side, and says at the end what became of each: `make test-hosts`.

Each scenario of molecule, and each test file beside this one, is a job with hosts of its own. What a job prints is in build/hosts/logs.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from images import FOLDER
from images import main as make_images

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BIN = Path(sys.executable).parent
LOGS = FOLDER / "logs"
#: So many minutes before its time is over a run begins no more jobs: the longest come first, and those that are left take less.
LAST_MINUTES = 4
#: The scenarios that take longest, the longest first; the others take two minutes each, or less.
LONGEST = ("default", "nginx", "lost_host", "replace_host", "failed_start", "scale_out")
#: A job that takes longer than this many seconds is ended.
LIMIT = 1800


@dataclass
class Job:
    """One scenario or one test file."""

    name: str
    command: list[str]
    seconds: float = 0.0
    #: None while it has not ended.
    code: int | None = None
    process: subprocess.Popen[bytes] | None = None
    #: What goes on with its hosts, once its judges have passed them.
    then: Job | None = None

    @property
    def log(self) -> Path:
        return LOGS / f"{self.name}.log"

    def run(self, slot: int, *, keep: bool = False) -> None:
        """Run it with the hosts of that slot, if told to *keep* them as they are; its output goes to its log."""
        environment = {
            **os.environ,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "MUTUAL_TLS_HOSTS_SLOT": str(slot),
            "MOLECULE_PROJECT_DIRECTORY": str(ROOT),
            "MOLECULE_EPHEMERAL_DIRECTORY": str(remembered(slot)),
            "NO_COLOR": "1",
            "ANSIBLE_NOCOLOR": "1",
            "COLUMNS": "160",
            **({"MUTUAL_TLS_HOSTS_KEEP": "1"} if keep else {}),
        }
        begun = time.monotonic()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
            try:
                self.code = self.process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                self.end()
                self.process.wait()
                self.code = -signal.SIGKILL
        self.seconds = time.monotonic() - begun

    def end(self) -> None:
        """End it, and what it started; nothing happens when it has ended."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)

    def account(self) -> str:
        """Why it failed, and the last words of its log."""
        why = "was not run" if self.code is None else f"took longer than {LIMIT} s" if self.seconds > LIMIT else f"ended with {self.code}"
        if not self.log.exists():
            return f"{self.name} {why}."
        last = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-40:]
        return "\n    ".join([f"{self.name} {why}; the whole log is {self.log.relative_to(ROOT)}:", *last])


def jobs() -> list[Job]:
    """All of them: the test files, which take longest, then the scenarios."""
    files = [Job(path.stem, [sys.executable, "-m", "pytest", str(path)]) for path in sorted(HERE.glob("test_*.py"))]
    scenarios = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))
    scenarios.sort(key=lambda name: LONGEST.index(name) if name in LONGEST else len(LONGEST))
    # The hosts are this program's to remove: before and after each job.
    command = [str(BIN / "molecule"), "test", "--destroy=never", "--scenario-name"]
    return [*files, *(Job(name, [*command, name]) for name in scenarios)]


def reusing(chosen: list[Job]) -> list[Job]:
    """The jobs that begin with hosts of their own. Other releases of ansible-core take those of the default scenario as they are then."""
    named = {job.name: job for job in chosen}
    if "default" not in named or "test_core_releases" not in named:
        return chosen
    named["default"].then = named["test_core_releases"]
    return [named["default"], *(job for job in chosen if job.name not in ("default", "test_core_releases"))]


def remembered(slot: int) -> Path:
    """Where molecule keeps what it remembers of the hosts of that slot."""
    return FOLDER / "molecule" / str(slot)


def clean(slot: int) -> None:
    """Remove the hosts of that slot, their network, and what molecule remembers of them."""
    listed = ["podman", "ps", "--all", "--quiet", "--filter", f"name=^mutual-tls-{slot}-"]
    named = subprocess.run(listed, capture_output=True, text=True, check=False)
    if named.stdout.split():
        subprocess.run(["podman", "rm", "--force", "--time", "0", *named.stdout.split()], capture_output=True, check=False)
    subprocess.run(["podman", "network", "rm", f"mutual-tls-{slot}"], capture_output=True, check=False)
    shutil.rmtree(remembered(slot), ignore_errors=True)


def work(slot: int, waiting: queue.SimpleQueue[Job], last_begin: float) -> None:
    """Take one job after the other, until there are none or it is too late to begin one."""
    while time.monotonic() < last_begin:
        try:
            job = waiting.get_nowait()
        except queue.Empty:
            return
        following: Job | None = job
        while following is not None:
            keep = following is not job and job.code == 0
            if not keep:
                clean(slot)
            following.run(slot, keep=keep)
            print(f"  {'ok  ' if following.code == 0 else 'FAIL'}  {following.name}, {following.seconds:.0f} s", flush=True)
            following = following.then
        clean(slot)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="scenarios or test files (default: all)")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="how many run side by side (default: one for each core)")
    parser.add_argument("--slot", type=int, default=1, help="the first worker's number, 1 to 250; others take the next (default: 1)")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="how long all may take: what cannot be begun in time is left out, and named"
    )
    given = parser.parse_args()
    chosen = [job for job in jobs() if not given.names or job.name in given.names]
    unknown = set(given.names) - {job.name for job in chosen}
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are: {', '.join(job.name for job in jobs())}")
    make_images()
    LOGS.mkdir(parents=True, exist_ok=True)
    print(f"{len(chosen)} jobs on container hosts, {given.workers} side by side:", flush=True)
    begun = time.monotonic()
    last_begin = begun + 60 * (given.minutes - LAST_MINUTES)
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in chosen:
        job.log.unlink(missing_ok=True)
    for job in reusing(chosen):
        waiting.put(job)
    workers = [threading.Thread(target=work, args=(given.slot + number, waiting, last_begin)) for number in range(given.workers)]
    for worker in workers:
        worker.start()
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # jobs are in sessions of their own: nobody else would end them
        for worker in workers:
            worker.join()
    except KeyboardInterrupt:
        with contextlib.suppress(queue.Empty):
            while True:
                waiting.get_nowait()
        for job in chosen:
            job.end()
        for worker in workers:
            worker.join()
    left_out = [job for job in chosen if job.code is None and time.monotonic() >= last_begin]
    failed = [job for job in chosen if job.code != 0 and job not in left_out]
    for job in failed:
        print(f"\n{job.account()}")
    minutes = (time.monotonic() - begun) / 60
    if left_out:
        print(f"\nNot run, because {given.minutes:g} minutes were given: {', '.join(job.name for job in left_out)}.")
    print(f"\n{len(chosen) - len(failed) - len(left_out)} of {len(chosen)} passed in {minutes:.1f} minutes.")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
