# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof against real handshakes, in both directions: what it says will hold is accepted by all, what it says will fail by not all.

Each case of `tests/unit/plan/chain_cases.py` is presented by a server to a client and by a client to a server, with TLS 1.2 and with
1.3, between two JSSE engines of each Java and between two of OpenSSL. All of them read the same keystores.
"""

from __future__ import annotations

import base64
import functools
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.mutual.tls.plugins.module_utils import keystore
from ansible_collections.mutual.tls.plugins.module_utils.entries import PrivateKeyEntry
from ansible_collections.mutual.tls.plugins.module_utils.facts import entry_facts
from ansible_collections.mutual.tls.plugins.module_utils.plan.measured import read_facts
from ansible_collections.mutual.tls.plugins.module_utils.plan.proof import Verdict, prove
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import StoreWish
from ansible_collections.mutual.tls.plugins.module_utils.plan.stores import Stores

from ..conftest import Java
from ..unit.factory import PASSWORD, Keytool, pem
from ..unit.plan.chain_cases import NOW, Case, make, store_of, table
from ..unit.plan.scenery import adapter, client, platform, read
from . import jsse

PROTOCOLS = ("TLSv1.2", "TLSv1.3")
SIDES = {"client": "desktop1", "server": "platform1"}


#: A store is read by more than one judge.
parsed = functools.cache(keystore.parse_store)


class Link(NamedTuple):
    """A case as one side of a connection."""

    name: str
    case: Case
    #: Which side presents it.
    side: str
    #: Side -> its keystore.
    stores: dict[str, bytes]

    def verdict(self, oldest_java: int) -> Verdict:
        """What the proof says, from what the keystores hold."""
        product = adapter(checks_names=self.case.host is not None, oldest_java=oldest_java)
        system = read({"platform1": platform(self.case.host or "192.0.2.1"), "desktop1": client("192.0.2.5")}, product=product)
        facts = {}
        for side, member in SIDES.items():
            entries = [entry_facts(entry) for entry in parsed(self.stores[side], PASSWORD).entries]
            store = {"path": "/keys", "present": True, "sha256": "", "modified": 0.0, "entries": entries}
            facts[member] = read_facts({"store": store})
        (verdict,) = prove(system, facts, Stores({member: StoreWish() for member in facts}, {}), (), NOW)
        return verdict

    def handshakes(self) -> Iterator[dict[str, Any]]:
        """What to ask of Java."""
        stores = {side: base64.b64encode(data).decode() for side, data in self.stores.items()}
        for protocol in PROTOCOLS:
            yield {**stores, "protocol": protocol, "host": self.case.host}


@functools.cache
def links() -> list[Link]:
    """Every case as a server and as a client; the other side is as good as can be."""
    judge = make("judge")
    found = []
    for name, case in table().items():
        for side in case.sides:
            other = "client" if side == "server" else "server"
            stores = {
                side: store_of(SIDES[side], case.presented, [judge.der], case.format),
                other: store_of(SIDES[other], judge, case.anchors),
            }
            found.append(Link(name, case, side, stores))
    return found


# --- OpenSSL ---------------------------------------------------------------------------------------------------------


def shake_hands(stores: dict[str, bytes], protocol: str, host: str | None, folder: Path) -> str | None:
    """A handshake of OpenSSL with itself, and a word over it: None, or who gave up first and why."""
    ends = {}
    for side, purpose in (("client", ssl.PROTOCOL_TLS_CLIENT), ("server", ssl.PROTOCOL_TLS_SERVER)):
        store = parsed(stores[side], PASSWORD)
        (own,) = (entry for entry in store.entries if isinstance(entry, PrivateKeyEntry))
        context = ssl.SSLContext(purpose)
        context.check_hostname = host is not None and side == "client"
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.minimum_version = context.maximum_version = ssl.TLSVersion[protocol.replace(".", "_")]
        file = folder / side
        assert own.pkcs8 is not None
        file.write_text(ssl.DER_cert_to_PEM_cert(own.pkcs8).replace("CERTIFICATE", "PRIVATE KEY") + pem(*own.chain))
        try:
            context.load_cert_chain(file)
        except ssl.SSLError as error:
            return f"{side}: {error}"
        context.load_verify_locations(cadata=b"".join(store.anchors()))
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        name = host if side == "client" else None
        ends[side] = (context.wrap_bio(incoming, outgoing, server_side=side == "server", server_hostname=name), incoming, outgoing)
    (user, from_server, to_server), (server, from_user, to_user) = ends["client"], ends["server"]
    steps = {"client": [user.do_handshake, user.read], "server": [server.do_handshake, lambda: server.write(b"welcome")]}
    for _round in range(6):
        for side in steps:
            try:
                while steps[side]:
                    if steps[side][0]() == b"welcome":
                        return None
                    steps[side].pop(0)
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as error:
                return f"{side}: {error}"
            from_user.write(to_server.read())
            from_server.write(to_user.read())
    return "nobody said why"


@pytest.fixture(scope="session")
def of_openssl(tmp_path_factory: pytest.TempPathFactory) -> list[list[str | None]]:
    """What OpenSSL says to each link, with each protocol."""
    folder = tmp_path_factory.mktemp("openssl")
    return [[shake_hands(link.stores, protocol, link.case.host, folder) for protocol in PROTOCOLS] for link in links()]


# --- the judgement ---------------------------------------------------------------------------------------------------


def disagreements(link: Link, verdict: Verdict, answers: dict[str, str | None]) -> Iterator[str]:
    """Where the proof says one thing and the judges another, a sentence each."""
    refused = {judge: why for judge, why in answers.items() if why is not None}
    title = f"{link.name}, as a {link.side}: the proof says {verdict.outcome} ({verdict.rule or 'no rule'}), and"
    if verdict.outcome == "holds":
        yield from (f"{title} {judge} says {why}" for judge, why in refused.items())
    elif not refused:
        yield f"{title} all accept it"


def test_the_proof_says_what_java_and_openssl_do(every_java: Java, of_openssl: list[list[str | None]]) -> None:
    assert every_java.keytool is not None
    major = every_java.major or Keytool(every_java.keytool).major
    home = every_java.keytool.resolve().parents[1]
    if not jsse.library(home).exists():
        pytest.skip(f"there is no {jsse.library(home)}")
    answers = iter(jsse.judge(home, [each for link in links() for each in link.handshakes()]))
    wrong = []
    for link, by_openssl in zip(links(), of_openssl):
        said = {
            f"{judge} with {protocol}": next(each)
            for judge, each in (("Java", answers), ("OpenSSL", iter(by_openssl)))
            for protocol in PROTOCOLS
        }
        if link.case.oldest_java <= major:
            # What only an older Java refuses is no fault where there is none.
            wrong.extend(disagreements(link, link.verdict(major), said))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("link", links(), ids=lambda link: f"{link.name}, as a {link.side}")
def test_openssl_refuses_nothing_that_the_proof_says_will_hold(link: Link, of_openssl: list[list[str | None]]) -> None:
    """Also where no Java is."""
    verdict = link.verdict(link.case.oldest_java)
    assert verdict.rule == link.case.rule(link.side), verdict.reason
    if verdict.outcome == "holds":
        assert of_openssl[links().index(link)] == [None, None]


def test_both_kinds_of_disagreement_are_told() -> None:
    """The table would prove nothing if whatever the judges say were fine."""
    good = next(link for link in links() if link.name == "a leaf that is trusted itself")
    bad = next(link for link in links() if link.name == "nobody trusts the leaf")
    assert list(disagreements(good, good.verdict(11), {"Java": None, "OpenSSL": "client: no"})) == [
        "a leaf that is trusted itself, as a server: the proof says holds (no rule), and OpenSSL says client: no"
    ]
    assert list(disagreements(bad, bad.verdict(11), {"Java": None, "OpenSSL": None})) == [
        "nobody trusts the leaf, as a server: the proof says fails (untrusted), and all accept it"
    ]
    assert not list(disagreements(bad, bad.verdict(11), {"Java": "client: no", "OpenSSL": None}))
