# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handshakes of Java's own TLS stack (JSSE) with itself, in memory: a program, ``python jsse.py path/of/libjvm.so``.

A process holds one Java only, so each Java has a process of its own. It reads one handshake a line (JSON)::

    {"client": STORE, "server": STORE, "protocol": "TLSv1.3", "client_auth": "required", "host": null}

STORE is a keystore file in base64, under ``PASSWORD``. Each side presents the store's key and trusts what Java makes anchors of: the
trusted certificates, and the leaf of each key. With a ``host`` the client checks that the server's certificate has this name. The
answer to each is a line, null when a word went both ways, or else ``SIDE: what it said``, where SIDE is who gave up first.
"""

from __future__ import annotations

import base64
import functools
import itertools
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jpype

PASSWORD = "correct-horse"

#: As the JVM starts quickest.
_OPTIONS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Duser.language=en")
#: Larger than anything that one side says before it waits for the other.
_ROOM = 1 << 18


def library(home: Path) -> Path:
    """Where the Java in *home* has its virtual machine."""
    return home / "lib" / "server" / "libjvm.so"


def judge(home: Path, handshakes: Iterable[dict[str, Any]]) -> list[str | None]:
    """The answers of the Java in *home* to *handshakes*."""
    lines = "".join(json.dumps(each) + "\n" for each in handshakes)
    command = [sys.executable, __file__, str(library(home))]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def main() -> None:
    """Answer what is asked on standard input."""
    jpype.startJVM(sys.argv[1], *_OPTIONS, convertStrings=False)
    for line in sys.stdin:
        print(json.dumps(_shake_hands(**json.loads(line))))


@functools.cache
def _java(name: str) -> Any:
    """A class of Java. The package's own way, imports, asks for a module that not every Java has (jdk.zipfs)."""
    return jpype.JClass(name)


@functools.cache
def _context(store: str) -> Any:
    """What Java makes of a keystore, with its default managers."""
    data = base64.b64decode(store)
    password = _java("java.lang.String")(PASSWORD).toCharArray()
    keystore = _java("java.security.KeyStore").getInstance("JKS" if data.startswith(b"\xfe\xed") else "PKCS12")
    keystore.load(_java("java.io.ByteArrayInputStream")(data), password)
    key_factory, trust_factory = _java("javax.net.ssl.KeyManagerFactory"), _java("javax.net.ssl.TrustManagerFactory")
    keys = key_factory.getInstance(key_factory.getDefaultAlgorithm())
    keys.init(keystore, password)
    trust = trust_factory.getInstance(trust_factory.getDefaultAlgorithm())
    trust.init(keystore)
    context = _java("javax.net.ssl.SSLContext").getInstance("TLS")
    context.init(keys.getKeyManagers(), trust.getTrustManagers(), None)
    return context


class _Side:
    """One end of a connection."""

    def __init__(self, name: str, engine: Any) -> None:
        buffer = _java("java.nio.ByteBuffer")
        self.name, self.engine = name, engine
        self.incoming = buffer.allocate(_ROOM)
        self.heard = buffer.allocate(_ROOM)

    def say(self, peer: _Side, words: bytes) -> None:
        """Wrap one record of the handshake, or of *words*, into what *peer* reads."""
        self.engine.wrap(_java("java.nio.ByteBuffer").wrap(words), peer.incoming)

    def hear(self) -> bool:
        """Unwrap one record; whether there was one."""
        self.incoming.flip()
        result = self.engine.unwrap(self.incoming, self.heard)
        self.incoming.compact()
        return bool(result.bytesConsumed() > 0)

    def step(self, peer: _Side) -> bool:
        """Do the next thing, if it is this side's turn."""
        status = str(self.engine.getHandshakeStatus())
        if status == "NEED_TASK":
            self.engine.getDelegatedTask().run()
            return True
        if status == "NEED_WRAP":
            self.say(peer, b"")
            return True
        return self.hear() if self.incoming.position() else status == "NEED_UNWRAP_AGAIN"


_ports = itertools.count(1)


def _shake_hands(client: str, server: str, protocol: str, client_auth: str = "required", host: str | None = None) -> str | None:
    contexts = []
    for name, store in (("client", client), ("server", server)):
        try:
            contexts.append(_context(store))
        except jpype.JException as error:
            return f"{name}: {_told(error)}"
    # Another port each time: Java would resume a session with the same server, and verify nothing.
    engines = (contexts[0].createSSLEngine(host, next(_ports)), contexts[1].createSSLEngine())
    for engine in engines:
        engine.setEnabledProtocols([protocol])
    engines[0].setUseClientMode(True)
    if host is not None:
        parameters = engines[0].getSSLParameters()
        parameters.setEndpointIdentificationAlgorithm("HTTPS")
        engines[0].setSSLParameters(parameters)
    engines[1].setUseClientMode(False)
    engines[1].setNeedClientAuth(client_auth == "required")
    if client_auth == "requested":
        engines[1].setWantClientAuth(True)
    sides = (_Side("client", engines[0]), _Side("server", engines[1]))
    at_work = sides[0]
    try:
        engines[0].beginHandshake()
        while True:
            busy = False
            for at_work, peer in (sides, sides[::-1]):
                while at_work.step(peer):
                    busy = True
            if not busy:
                break
        # With TLS 1.3 a client is judged after its own handshake is over, when the server reads on.
        for at_work, peer in (sides, sides[::-1]):
            at_work.say(peer, b"word")
            at_work = peer
            while peer.heard.position() == 0:
                if not peer.step(at_work):
                    return f"{peer.name}: heard nothing"
    except jpype.JException as error:
        return f"{at_work.name}: {_told(error)}"
    return None


def _told(error: Any) -> str:
    """An exception and its causes."""
    told = []
    while error is not None:
        told.append(str(error.toString()))
        error = error.getCause()
    return " <- ".join(dict.fromkeys(told))


if __name__ == "__main__":
    main()
