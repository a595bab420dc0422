# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Profiles: what fits one, what does not and why, and what a file is written under."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.mutual.tls.plugins.module_utils import mac, pbe, pkcs12, profiles
from ansible_collections.mutual.tls.plugins.module_utils.entries import Algorithm, PrivateKeyEntry, Protection
from ansible_collections.mutual.tls.plugins.module_utils.keystore import Store

from .factory import PASSWORD, issue

pytestmark = pytest.mark.codec

NAMES = pytest.mark.parametrize("name", profiles.PROFILES)
PARTS = pytest.mark.parametrize(
    ("part", "said"), [("mac", "MAC is"), ("keys", "keys are under"), ("certificates", "certificates are under")]
)


def wished(name: str) -> Protection:
    return profiles.PROFILES[name].protection


def misfits(name: str, found: Protection) -> list[str]:
    return list(profiles.misfits(name, found))


def with_iterations(found: Protection, part: str, more: int) -> Protection:
    algorithm = getattr(found, part)
    return replace(found, **{part: Algorithm(algorithm.name, algorithm.iterations + more)})


@NAMES
def test_every_profile_is_written_and_fits_itself(name: str) -> None:
    issued = issue("x")
    store = Store.empty().put(PrivateKeyEntry("x", issued.pkcs8, issued.chain)).contents
    found = pkcs12.read(pkcs12.write(store, PASSWORD, wished(name), now=0), PASSWORD).protection
    assert found == wished(name)
    assert misfits(name, found) == []
    assert profiles.profile_of(found) == name
    assert profiles.to_write(name, found) == found
    assert [other for other in profiles.PROFILES if other != name and not misfits(other, found)] == []


@NAMES
def test_every_profile_says_who_reads_it_and_when_to_choose_it(name: str) -> None:
    profile = profiles.PROFILES[name]
    assert profile.name == name
    assert profile.readers
    assert profile.purpose.endswith(".")
    assert profile.protection.mac is not None
    assert profile.protection.mac.name in (mac.SHA1, mac.SHA256, mac.PBMAC1)
    assert {profile.protection.keys, profile.protection.certificates} <= {
        Algorithm(pbe.AES_256, 10_000),
        Algorithm(pbe.DESEDE, 50_000),
    }


@NAMES
@PARTS
def test_fewer_iterations_are_made_more(name: str, part: str, said: str) -> None:
    found = with_iterations(wished(name), part, -1)
    should, has = getattr(wished(name), part), getattr(found, part)
    assert misfits(name, found) == [
        f"its {said} {has.name} with {has.iterations} iterations where the profile '{name}' has {should.iterations}"
    ]
    assert profiles.to_write(name, found) == wished(name)
    assert profiles.profile_of(found) == "other"


@NAMES
@PARTS
def test_more_iterations_fit_and_are_kept(name: str, part: str, said: str) -> None:
    found = with_iterations(wished(name), part, 1)
    assert misfits(name, found) == []
    assert profiles.to_write(name, found) == found
    assert profiles.profile_of(found) == name


@NAMES
@PARTS
@pytest.mark.parametrize("other", ["PBEWithSHA1AndRC2_40", "PBEWithHmacSHA512AndAES_256", "HmacPBESHA512"])
def test_another_algorithm_is_replaced_with_as_many_iterations(name: str, part: str, said: str, other: str) -> None:
    found = replace(wished(name), **{part: Algorithm(other, 1_000_000)})
    assert misfits(name, found) == [f"its {said} {other} where the profile '{name}' has {getattr(wished(name), part).name}"]
    should = replace(wished(name), **{part: Algorithm(getattr(wished(name), part).name, 1_000_000)})
    assert profiles.to_write(name, found) == should
    assert misfits(name, should) == []


@NAMES
def test_several_algorithms_for_one_thing_are_replaced(name: str) -> None:
    should = wished(name).keys
    assert should is not None
    mixed = f"{should.name}, PBEWithSHA1AndRC2_40"
    found = replace(wished(name), keys=Algorithm(mixed, 1_000_000))
    assert misfits(name, found) == [f"its keys are under {mixed} where the profile '{name}' has {should.name}"]
    assert profiles.to_write(name, found) == replace(wished(name), keys=Algorithm(should.name, 1_000_000))


@NAMES
def test_of_several_counts_the_fewest_are_judged_and_the_most_are_written(name: str) -> None:
    should = wished(name).keys
    assert should is not None
    few = replace(wished(name), keys=Algorithm(should.name, 1, 1_000_000))
    assert misfits(name, few) == [f"its keys are under {should.name} with 1 iterations where the profile '{name}' has {should.iterations}"]
    assert profiles.to_write(name, few) == replace(wished(name), keys=Algorithm(should.name, 1_000_000))
    enough = replace(wished(name), keys=Algorithm(should.name, should.iterations, 1_000_000))
    assert misfits(name, enough) == []


@NAMES
def test_what_is_not_there_is_no_misfit_but_the_mac(name: str) -> None:
    """Certificates that are not encrypted are public, and a store without keys protects none."""
    assert misfits(name, Protection(mac=wished(name).mac)) == []
    assert misfits(name, Protection()) == ["it has no MAC, so nobody would notice if it were changed"]
    assert profiles.to_write(name, Protection()) == wished(name)


def test_each_fault_is_named() -> None:
    weak = Protection(Algorithm("HmacPBESHA1", 1), Algorithm("PBEWithSHA1AndDESede", 1), Algorithm("PBEWithSHA1AndRC2_40", 1))
    assert misfits("default", weak) == [
        "its MAC is HmacPBESHA1 where the profile 'default' has HmacPBESHA256",
        "its keys are under PBEWithSHA1AndDESede where the profile 'default' has PBEWithHmacSHA256AndAES_256",
        "its certificates are under PBEWithSHA1AndRC2_40 where the profile 'default' has PBEWithHmacSHA256AndAES_256",
    ]
    assert misfits("java8", weak)[:2] == [
        "its MAC is HmacPBESHA1 with 1 iterations where the profile 'java8' has 100000",
        "its keys are under PBEWithSHA1AndDESede with 1 iterations where the profile 'java8' has 50000",
    ]
    assert profiles.profile_of(weak) == "other"
