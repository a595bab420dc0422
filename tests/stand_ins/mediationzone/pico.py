# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One pico: the Platform, an EC or an SC, as one process. Started by mzsh only.

Overrides come as JSON on standard input, because a command line can be read by everybody; the outcome of the start goes to the file
descriptor named on the command line: `UP` or `ERROR <reason>`.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from mediationzone import rcp, topo
from mediationzone.identities import Stores
from mediationzone.keystores import StoreError
from mediationzone.layout import Layout, write_atomically
from mediationzone.passwords import PasswordError
from mediationzone.registry import ACTIVE, Registry, RegistryError, pico_file
from mediationzone.replica import is_platform, refresh
from mediationzone.settings import Settings, SettingsError, effective
from mediationzone.web import Routes, WebServer

HEARTBEAT_SECONDS = 0.5

log = logging.getLogger("pico")


class Counters:
    """The pico's public state; every change is written, and the file's time is a heartbeat."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values: dict[str, Any] = {
            "pid": os.getpid(), "state": "starting", "connected": None, "attempts": 0, "failures": 0, "last_error": "", "degraded": False,
        }  # fmt: skip
        self.lock = threading.Lock()

    def write(self, **changes: Any) -> None:
        with self.lock:
            self.values.update(changes)
            write_atomically(self.path, json.dumps(self.values) + "\n")

    def contact(self, connected: bool, reason: str) -> None:
        """An attempt to reach the Platform succeeded, or a connection or an attempt came to an end."""
        attempts = self.values["attempts"] + (1 if connected or not self.values["connected"] else 0)
        failures = self.values["failures"] + (0 if connected else 1)
        self.write(connected=connected, attempts=attempts, failures=failures, last_error=reason)

    def beat(self) -> None:
        os.utime(self.path)


class Pico:
    """Configures itself completely, then listens, then reports up."""

    def __init__(self, home: Path, container: str, name: str, overrides: dict[str, str], degraded: bool) -> None:
        self.home = home
        self.container = container
        self.name = name
        self.overrides = overrides
        self.degraded = degraded
        self.layout = Layout(home)
        self.registry = Registry(self.layout.cell)
        self.counters = Counters(self.layout.counters(name))
        self.server: rcp.RcpServer | None = None

    def start(self) -> None:
        """Raises OSError or one of the stand-in's errors; nothing listens before everything is known to be good."""
        files = self.registry.load(ACTIVE)
        platform_here = is_platform(files, self.container)
        if not platform_here and refresh(self.home, self.container):
            files = self.registry.load(ACTIVE)
        kind = str(files.get(pico_file(self.container, self.name), {}).get("template", "")).rpartition("-")[2]
        settings = effective(files, self.home, self.container, self.name, self.overrides)
        stores = Stores()
        rcp_material, http_material = stores.rcp(settings), stores.http(settings)
        contexts = None
        if rcp_material:
            require = settings.flag("pico.rcp.tls.require_clientauth")
            local = rcp_material.open_server()
            contexts = (local, rcp_material.mutual_server() if require else local)
        client_context = rcp_material.client() if rcp_material else None
        http_context = http_material.open_server() if http_material else None
        is_main = kind == "platform"
        rcp_port = settings.port("pico.rcp.platform.port", 6790) if is_main else settings.port("stand_in.rcp.port")
        web_port = settings.port("mz.webserver.port", 9000) if is_main else settings.port("ec.webserver.port")
        addresses = settings.addresses()

        if rcp_port and not self.degraded:
            self.server = rcp.RcpServer(self.name, rcp.listen(addresses, rcp_port), contexts)
            self.server.start()
        if web_port:
            for listening in rcp.listen(addresses, web_port):
                WebServer(listening, http_context, self.routes() if is_main else {}).start()
        described = "plain"
        if contexts:
            described = "tls, client certificate " + ("required" if contexts[0] is not contexts[1] else "not asked for")
        log.info("up: rcp %s on %s port %s; web port %s%s", described, addresses, rcp_port, web_port, " (https)" if http_context else "")
        self.counters.write(state="up", degraded=self.degraded)
        if not is_main:
            self.connect(settings, addresses[0], client_context)

    def connect(self, settings: Settings, source: str, context: Any) -> None:
        self.counters.write(connected=False)
        platform = (settings.text("pico.rcp.platform.host", "127.0.0.1"), settings.port("pico.rcp.platform.port", 6790))
        rcp.RcpClient(self.name, source, platform, context, self.counters.contact).start()

    def routes(self) -> Routes:
        return {
            ("GET", "/registry/active"): lambda _body: self.registry.load(ACTIVE),
            ("POST", "/topo"): lambda body: topo.run([str(word) for word in body["arguments"]], self.registry),
            ("GET", "/picos"): lambda _body: self.peers(),
        }

    def peers(self) -> list[dict[str, Any]]:
        known = self.server.peers.values() if self.server else []
        return [{"name": peer.name, "address": peer.address, "since": peer.since, "connected": peer.connected} for peer in known]


def main() -> int:
    parser = argparse.ArgumentParser()
    for option in ("--home", "--container", "--pico", "--report-fd"):
        parser.add_argument(option, required=True)
    parser.add_argument("--degraded", action="store_true")
    given = parser.parse_args()
    home, name = Path(given.home), given.pico
    layout = Layout(home)
    handler = logging.FileHandler(layout.log(name))
    handler.setFormatter(logging.Formatter("%(asctime)s.%(msecs)03d %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lock = os.open(layout.lock(name), os.O_RDWR | os.O_CREAT, 0o640)
    with os.fdopen(int(given.report_fd), "w") as report:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            report.write("ERROR an instance of this pico is already running\n")
            return 1
        write_atomically(layout.pid(name), f"{os.getpid()}\n")
        pico = Pico(home, given.container, name, json.load(sys.stdin), given.degraded)
        pico.counters.write()
        try:
            pico.start()
        except (OSError, RegistryError, SettingsError, StoreError, PasswordError) as error:
            log.error("cannot start: %s", error)
            report.write(f"ERROR {error}\n")
            layout.pid(name).unlink()
            pico.counters.write(state="failed", last_error=str(error))
            return 1
        report.write("UP\n")
    while not stop.wait(HEARTBEAT_SECONDS):
        pico.counters.beat()
    log.info("stopped")
    pico.counters.write(state="stopped", connected=False)
    layout.pid(name).unlink(missing_ok=True)
    logging.shutdown()
    # Connection threads are in the middle of reads; waiting for them or tearing the interpreter down under them gains nothing.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
