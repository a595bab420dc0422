# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo of people: nginx in front of an application, bundles for two people, and who is let in.

Run by `make demo-web` as an ordinary user; everything it makes is below build/demo_web, and `make demo-web-clean` stops and removes it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, pkcs12

ROOT = Path(__file__).resolve().parents[3]
DEMO = ROOT / "build" / "demo_web"
INVENTORY = "inventories/demo_web"
BIN = Path(sys.executable).parent
ADDRESS, PORT, APPLICATION_PORT = "127.0.0.21", 8443, 8080

_CONFIGURATION = """
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ }}
http {{
  access_log {root}/access.log;
  client_body_temp_path {root}/body;
  proxy_temp_path {root}/proxy;
  fastcgi_temp_path {root}/fastcgi;
  uwsgi_temp_path {root}/uwsgi;
  scgi_temp_path {root}/scgi;
  include {root}/conf.d/*.conf;
}}
"""
#: What `systemctl reload-or-restart nginx` does, for an nginx of one's own.
_WRAPPER = """#!/bin/sh
set -- "$1" '{program}' -p '{root}' -e '{root}/start.log' -c nginx.conf
verb=$1; shift
case $verb in
  -t) exec "$@" -t ;;
  stop) exec "$@" -s stop ;;
  reload_or_start) if kill -0 "$(cat '{root}/nginx.pid' 2>/dev/null)" 2>/dev/null; then exec "$@" -s reload; fi; exec "$@" ;;
esac
"""


def clean() -> None:
    """Stop what runs, and remove everything."""
    if not DEMO.is_dir():
        return
    if (DEMO / "nginx.pid").exists():
        subprocess.run([DEMO / "nginx", "stop"], check=False, capture_output=True)
    with contextlib.suppress(OSError, ValueError):
        pid = int((DEMO / "application.pid").read_text(encoding="ascii"))
        if b"web_console" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGTERM)
    shutil.rmtree(DEMO)


def install(program: str) -> None:
    """A running application, and an nginx that is configured for nothing yet."""
    (DEMO / "conf.d").mkdir(parents=True)
    (DEMO / "nginx_program").write_text(program, encoding="utf-8")
    (DEMO / "nginx.conf").write_text(_CONFIGURATION.format(root=DEMO), encoding="utf-8")
    (DEMO / "nginx").write_text(_WRAPPER.format(root=DEMO, program=program), encoding="utf-8")
    (DEMO / "nginx").chmod(0o755)
    for name in ("keystore_password", "authority_passphrase"):
        (DEMO / name).touch(mode=0o600)
        (DEMO / name).write_text(secrets.token_urlsafe(18), encoding="ascii")
    command = [sys.executable, str(Path(__file__).with_name("application.py")), ADDRESS, str(APPLICATION_PORT)]
    with (DEMO / "application.log").open("wb") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    (DEMO / "application.pid").write_text(str(running.pid), encoding="ascii")
    for _attempt in range(100):
        with contextlib.suppress(OSError), socket.create_connection((ADDRESS, APPLICATION_PORT), timeout=1):
            return
        if running.poll() is not None:
            break
        time.sleep(0.1)
    raise SystemExit(f"The application does not listen at {ADDRESS}:{APPLICATION_PORT}; build/demo_web/application.log says why.")


def play(playbook: str, *options: str) -> tuple[str, int]:
    """Run a playbook before the reader's eyes; returns the command and how many tasks changed something."""
    command = f".venv/bin/ansible-playbook {' '.join([playbook, '-i', INVENTORY, *options])}"
    print(f"\n$ {command}", flush=True)
    environment = {**os.environ, "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false", "ANSIBLE_LOCALHOST_WARNING": "false"}
    arguments = [str(BIN / "ansible-playbook"), playbook, "-i", INVENTORY, *options]
    recap: list[str] = []
    with subprocess.Popen(arguments, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        for line in run.stdout:
            print(line, end="", flush=True)
            recap.extend(re.findall(r"\bchanged=(\d+)", line))
    if run.returncode != 0:
        raise SystemExit(f"\nThe demo stopped: '{command}' ended with {run.returncode}. 'make demo-web-clean' stops what runs.")
    return command, sum(map(int, recap))


def visit(person: str | None) -> str:
    """What the console shows to somebody with a bundle, or to nobody in particular."""
    context = ssl.create_default_context(cafile=str(DEMO / "bundles" / "server_ca.crt"))
    if person is not None:
        _present(context, person)
    try:
        with urllib.request.urlopen(f"https://{ADDRESS}:{PORT}/told", context=context, timeout=10) as answer:
            told: dict[str, str] = json.load(answer)
            return f"let in; the application is told: {told.get('X_CLIENT_SUBJECT', 'nothing of who it is')}"
    except urllib.error.HTTPError as error:
        return f"refused ({error.code} {' '.join(re.sub('<[^>]*>', ' ', error.read().decode()).split()[:9])})"


def _present(context: ssl.SSLContext, person: str) -> None:
    """Have the context present what is in somebody's bundle. There is no way into it but a file: its key is encrypted there."""
    password = (DEMO / "one_time_passwords" / f"{person}.txt").read_text(encoding="ascii").strip()
    key, certificate, _others = pkcs12.load_key_and_certificates((DEMO / "bundles" / f"{person}.p12").read_bytes(), password.encode())
    assert key is not None and certificate is not None
    path = DEMO / f"{person}.pem"
    path.touch(mode=0o600)
    try:
        encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode()))
        path.write_bytes(encrypted + certificate.public_bytes(Encoding.PEM))
        context.load_cert_chain(path, password=password)
    finally:
        path.unlink()


def main() -> None:
    """Run the demo, or with --clean remove it."""
    clean()
    if "--clean" in sys.argv[1:]:
        print("The demo's gateway and application are stopped and removed.")
        return
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        raise SystemExit("This demo needs nginx, and it is not there: install it (Debian: apt-get install nginx-light) and run it again.")
    install(program)
    print(f"An application that knows nothing of certificates listens at http://{ADDRESS}:{APPLICATION_PORT}/.")
    first, _changed = play("mutual.tls.enable")
    second, changed = play("mutual.tls.enable")
    seen = {str(person or "(nobody)"): visit(person) for person in ("alice", "bob", None)}
    print(f"The second run changed {changed}. Who comes to https://{ADDRESS}:{PORT}/ :\n")
    for person, words in seen.items():
        print(f"  {person:10}{words}")
    print(
        "\nTo see it in a browser, import build/demo_web/bundles/alice.p12, as build/demo_web/bundles/alice.html says; its password is in"
    )
    print("build/demo_web/one_time_passwords/alice.txt. These were the commands, and what you can try next:\n")
    for command in (first, second):
        print(f"  {command}")
    for words in ("verify", "revoke -e revoke=bob", "rotate -e rotate_to=2", "disable"):
        verb, _space, rest = words.partition(" ")
        print(f"  .venv/bin/ansible-playbook mutual.tls.{verb} -i {INVENTORY} {rest}".rstrip())
    print("  make demo-web-clean\n")
    if changed or [words.startswith("let in") for words in seen.values()] != [True, True, False]:
        raise SystemExit("The demo did not end as it should.")


if __name__ == "__main__":
    main()
