# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one store says to one chain: the rule for each case of the table, and what is told of a refusal.

That the table is right, `tests/interop/test_proof_and_reality.py` shows with Java and OpenSSL.
"""

from __future__ import annotations

import pytest

from ansible_collections.mutual.tls.plugins.module_utils import chains
from ansible_collections.mutual.tls.plugins.module_utils.plan.verification import Anchors, Refusal, refusal

from .chain_cases import CLIENT, DAY, EXPIRED, NOW, SERVER, VALID, authority, make, table, with_chain


def judged(name: str, side: str) -> Refusal | None:
    case = table()[name]
    # As the presenter's keystore gives the chain: Java rebuilds it from a PKCS#12 file.
    chain = case.presented.chain if case.format == "jks" else chains.Pool(case.presented.chain).chain(case.presented.der)
    return refusal(chain, Anchors(case.anchors), side, NOW, host=case.host, asks=side == "client", oldest_java=case.oldest_java)


@pytest.mark.parametrize("name", table())
def test_each_case_is_refused_by_its_rule(name: str) -> None:
    case = table()[name]
    for side in case.sides:
        found = judged(name, side)
        assert (found.rule if found else "") == case.rule(side), f"as a {side}: {found}"


@pytest.mark.parametrize("name", [name for name, case in table().items() if case.server or case.client])
def test_each_bad_case_has_a_good_twin(name: str) -> None:
    case = table()[name]
    assert case.twin is not None
    twin = table()[case.twin]
    assert not any(twin.rule(side) for side in case.sides if case.rule(side))


def test_there_are_enough_of_both() -> None:
    bad = [case for case in table().values() if case.server or case.client]
    assert len(bad) >= 40
    assert len(table()) - len(bad) >= 30


def refused(chain: tuple[bytes, ...], *anchors: bytes, side: str = "server") -> Refusal:
    found = refusal(chain, Anchors(anchors), side, NOW)
    assert found is not None
    return found


def test_a_refusal_names_the_certificate_that_is_at_fault() -> None:
    root, expired = authority("root"), authority("root", valid=EXPIRED)
    between = authority("between", root, valid=EXPIRED)
    leaf, below_expired, below_between = make("leaf", root, valid=EXPIRED), make("leaf", expired), make("leaf", between)
    found = refused(leaf.chain, root.der)
    assert (found.place, found.certificate, found.remedy) == ("leaf", leaf.der, "renew it")
    found = refused(below_between.chain, root.der)
    assert (found.place, found.certificate, found.remedy) == ("presented", between.der, "present its successor")
    found = refused(below_expired.chain, expired.der)
    assert (found.place, found.certificate, found.remedy) == ("trusted", expired.der, "trust its successor instead")


def test_what_is_missing_between_leaf_and_anchor_is_named() -> None:
    root = authority("root")
    leaf = make("leaf", authority("between", root))
    assert "'CN=between' is missing" in refused(with_chain(leaf).chain, root.der).remedy
    assert refused(make("alone").chain, root.der).remedy == "trust it there"


def test_a_client_with_the_certificate_of_a_public_ca_is_told_why() -> None:
    root = authority("root")
    assert (
        "public CAs leave clientAuth out since 2026" in refused(make("leaf", root, usages=[SERVER]).chain, root.der, side="client").remedy
    )
    own = make("own", usages=[SERVER])
    assert refused(own.chain, own.der, side="client").remedy == "have one made with clientAuth, or without the extension"
    assert "2026" not in refused(make("leaf", root, usages=[CLIENT]).chain, root.der).remedy


def test_validity_ends_with_its_last_second() -> None:
    leaf = make("leaf")
    for moment, rule in ((VALID[0], ""), (VALID[0] - DAY, "not_yet_valid"), (VALID[1], "expired")):
        found = refusal(leaf.chain, Anchors([leaf.der]), "server", moment)
        assert (found.rule if found else "") == rule


def test_what_cannot_be_read_is_refused_and_hides_nothing() -> None:
    leaf = make("leaf")
    assert refused((b"\x30\x00",), leaf.der).rule == "unreadable"
    assert refusal((leaf.der, b"\x30\x00"), Anchors([b"\x30\x00", leaf.der]), "server", NOW) is None


def test_certificates_that_sign_each_other_end() -> None:
    one, two = authority("one"), authority("two")
    one_by_two, two_by_one = authority("one", two), authority("two", one)
    leaf = with_chain(make("leaf", one), one_by_two, two_by_one)
    assert refused(leaf.chain, authority("root").der).rule == "untrusted"


def test_a_client_is_judged_by_what_a_server_asks_for_only_where_it_asks() -> None:
    leaf = make("leaf", authority("root"))
    anchors = Anchors([leaf.der])
    assert refusal(leaf.chain, anchors, "client", NOW) is None
    found = refusal(leaf.chain, anchors, "client", NOW, asks=True)
    assert found is not None and found.rule == "not_asked_for" and "'CN=root'" in found.sentence
