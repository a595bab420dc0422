# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who takes part and who connects to whom; and every fault of an inventory, by host and variable."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError
from ansible_collections.mutual.tls.plugins.module_utils.plan.system import System, read_system

from .scenery import adapter, client, execution, host, platform, read, small


def refusal(inventory: dict[str, dict[str, Any]], **wishes: Any) -> list[str]:
    """The faults for which an inventory is refused."""
    with pytest.raises(InputError) as caught:
        read(inventory, **wishes)
    first, *faults = str(caught.value).splitlines()
    assert first == "The inventory cannot be carried out; nothing was touched."
    assert all(fault.startswith("  - ") for fault in faults)
    return [fault[4:] for fault in faults]


def links(system: System) -> list[str]:
    return [link.name for link in system.links()]


# --- faults ----------------------------------------------------------------------------------------------------------

ENDPOINT = {"name": "ec", "port": 6791}

# What host ec1 says, what of it is wrong, and the same without the fault.
HOST_FAULTS = {
    "unknown kind": (
        {"mtls_kind": "container"},
        "mtls_kind is 'container'; it is one of: platform, execution, service, gateway, client",
        {"mtls_kind": "service"},
    ),
    "no kind": (
        {"mtls_kind": None},
        "mtls_kind is 'None'; it is one of: platform, execution, service, gateway, client",
        {"mtls_kind": "execution"},
    ),
    "empty address": (
        {"mtls_address": "  "},
        "mtls_address is '  '; it is the name or address where the others reach this member",
        {"mtls_address": " ec1.example.test "},
    ),
    "address that is a number": (
        {"mtls_address": 10.1},
        "mtls_address is 10.1; it is the name or address where the others reach this member",
        {"mtls_address": "10.1"},
    ),
    "empty alias": (
        {"mtls_alias": " "},
        "mtls_alias is ' '; an alias has at least one character, and no control characters",
        {"mtls_alias": "container 1"},
    ),
    "null alias": (
        {"mtls_alias": None},
        "mtls_alias is ''; an alias has at least one character, and no control characters",
        {"mtls_alias": "none"},
    ),
    "alias with a line break": (
        {"mtls_alias": "ec1\n"},
        "mtls_alias is 'ec1\\n'; an alias has at least one character, and no control characters",
        {"mtls_alias": "éc1"},
    ),
    "no endpoints": (
        {"mtls_endpoints": []},
        "mtls_endpoints is empty; a member of the kind 'execution' runs at least one process",
        {"mtls_endpoints": [{"name": "ec"}]},
    ),
    "endpoints that are a number": (
        {"mtls_endpoints": 6791},
        "mtls_endpoints is 6791; it is a list like [{name: ec1, port: 6791}]",
        {"mtls_endpoints": [ENDPOINT]},
    ),
    "endpoints that are one endpoint": (
        {"mtls_endpoints": ENDPOINT},
        "mtls_endpoints is {'name': 'ec', 'port': 6791}; it is a list like [{name: ec1, port: 6791}]",
        {"mtls_endpoints": (ENDPOINT,)},
    ),
    "endpoint without name": (
        {"mtls_endpoints": [{"port": 6791}]},
        "an item of mtls_endpoints has no name; an item is written like {name: ec1, port: 6791}",
        {"mtls_endpoints": [{"name": 1, "port": 6791}]},
    ),
    "endpoint that is a port": (
        {"mtls_endpoints": [6791]},
        "an item of mtls_endpoints has no name; an item is written like {name: ec1, port: 6791}",
        {"mtls_endpoints": [ENDPOINT]},
    ),
    "port 0": (
        {"mtls_endpoints": [{"name": "ec", "port": 0}]},
        "the port of 'ec' in mtls_endpoints is 0; a port is a number from 1 to 65535",
        {"mtls_endpoints": [{"name": "ec", "port": 1}]},
    ),
    "port 65536": (
        {"mtls_endpoints": [{"name": "ec", "port": "65536"}]},
        "the port of 'ec' in mtls_endpoints is '65536'; a port is a number from 1 to 65535",
        {"mtls_endpoints": [{"name": "ec", "port": "65535"}]},
    ),
    "port that is a word": (
        {"mtls_endpoints": [{"name": "ec", "port": "rcp"}]},
        "the port of 'ec' in mtls_endpoints is 'rcp'; a port is a number from 1 to 65535",
        {"mtls_endpoints": [{"name": "ec", "port": "6791"}]},
    ),
    "port that is a switch": (
        {"mtls_endpoints": [{"name": "ec", "port": True}]},
        "the port of 'ec' in mtls_endpoints is True; a port is a number from 1 to 65535",
        {"mtls_endpoints": [{"name": "ec", "port": None}]},
    ),
    "port with a fraction": (
        {"mtls_endpoints": [{"name": "ec", "port": 6791.5}]},
        "the port of 'ec' in mtls_endpoints is 6791.5; a port is a number from 1 to 65535",
        {"mtls_endpoints": [ENDPOINT]},
    ),
    "two processes with one name": (
        {"mtls_endpoints": [ENDPOINT, {"name": "ec", "port": 6792}]},
        "mtls_endpoints has the name 'ec' more than once; each process has its own",
        {"mtls_endpoints": [ENDPOINT, {"name": "EC", "port": 6792}]},
    ),
    "two processes with one port": (
        {"mtls_endpoints": [ENDPOINT, {"name": "other", "port": "6791"}]},
        "mtls_endpoints has the port 6791 more than once; each process listens at its own",
        {"mtls_endpoints": [ENDPOINT, {"name": "other"}, {"name": "third"}]},
    ),
    "tier that nobody starts": (
        {"mtls_endpoints": [{**ENDPOINT, "tier": "exceution"}]},
        "the tier of 'ec' in mtls_endpoints is 'exceution'; for mediationzone it is one of: platform, service, execution",
        {"mtls_endpoints": [{**ENDPOINT, "tier": "service"}]},
    ),
}


@pytest.mark.parametrize(("wrong", "sentence"), [case[:2] for case in HOST_FAULTS.values()], ids=HOST_FAULTS)
def test_fault_of_a_host_names_it_and_the_variable(wrong: dict[str, Any], sentence: str) -> None:
    inventory = small()
    inventory["ec1"].update(wrong)
    assert refusal(inventory) == [f"host 'ec1': {sentence}"]


@pytest.mark.parametrize("right", [case[2] for case in HOST_FAULTS.values()], ids=HOST_FAULTS)
def test_host_without_that_fault_is_read(right: dict[str, Any]) -> None:
    inventory = small()
    inventory["ec1"].update(right)
    assert list(read(inventory).members) == list(inventory)


def test_empty_ansible_host_is_no_address() -> None:
    inventory = {**small(), "ec3": {"mtls_kind": "execution", "ansible_host": "", "mtls_endpoints": [ENDPOINT]}}
    assert refusal(inventory) == ["host 'ec3': mtls_address is ''; it is the name or address where the others reach this member"]


@pytest.mark.parametrize(
    "aliases",
    [{"EC1": {}}, {"other": {"mtls_alias": "eC1"}}, {"Ec1": {"mtls_alias": "EC1"}}],
    ids=["two names", "an alias and a name", "an alias that spells the name"],
)
def test_aliases_that_differ_in_case_only_collide(aliases: dict[str, dict[str, Any]]) -> None:
    inventory = small()
    for name, more in aliases.items():
        inventory[name] = execution("192.0.2.9", **more)
    assert refusal(inventory) == [
        (
            f"hosts 'ec1' and '{next(iter(aliases))}' have the same alias 'ec1' in keystores, which do not tell upper from lower case; "
            "give one another mtls_alias"
        )
    ]


def test_another_alias_ends_the_collision() -> None:
    system = read({**small(), "EC1": execution("192.0.2.9", mtls_alias="EC1-b")})
    assert [member.alias for member in system.members.values()] == ["platform1", "ec1", "ec2", "desktop1", "ec1-b"]


def test_a_system_needs_a_platform() -> None:
    inventory = small()
    del inventory["platform1"]
    assert refusal(inventory) == ["no member has mtls_kind 'platform'; the system needs at least one"]


def test_a_system_needs_a_platform_that_is_not_revoked() -> None:
    assert refusal(small(), revoked=["platform1"]) == [
        "mtls_revoked names every platform ('platform1'); the system needs at least one that is not revoked"
    ]
    two = {**small(), "platform2": platform("192.0.2.8")}
    assert not read(two, revoked=["platform1"]).members["platform2"].revoked


def test_a_faulty_platform_is_not_called_missing() -> None:
    inventory = small()
    inventory["platform1"]["mtls_address"] = ""
    assert refusal(inventory) == ["host 'platform1': mtls_address is ''; it is the name or address where the others reach this member"]


@pytest.mark.parametrize("name", ["EC1", "Container-7"])
def test_revoking_another_spelling_revokes_nobody_and_is_refused(name: str) -> None:
    inventory = small()
    inventory["ec2"]["mtls_alias"] = "container-7"
    other = "ec1" if name == "EC1" else "ec2"
    assert refusal(inventory, revoked=[name]) == [
        f"mtls_revoked names '{name}', which is no member but is the alias of host '{other}'; to revoke that, write '{other}'"
    ]
    assert read(inventory, revoked=[other]).members[other].revoked
    assert read(inventory, revoked=["EC1-b"]).revoked == ("EC1-b",), "a name that is no member any more"


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ({"trust_model": "web"}, "mtls_trust_model is 'web'; for mediationzone it is one of: pairwise, shared, authority"),
        ({"client_auth": "requested"}, "mtls_client_auth is 'requested'; for mediationzone it is one of: none, required"),
    ],
)
def test_what_the_product_cannot_do_is_refused(wish: dict[str, str], sentence: str) -> None:
    assert refusal(small(), **wish) == [sentence]


def test_what_another_product_can_do_is_not() -> None:
    product = adapter(name="other", client_auth=["none", "requested", "required"], trust_models=["pairwise"])
    assert read(small(), product=product, client_auth="requested").client_auth == "requested"
    assert refusal(small(), product=product, trust_model="shared") == ["mtls_trust_model is 'shared'; for other it is one of: pairwise"]


def test_all_faults_are_in_one_message() -> None:
    inventory = {
        "p": host("platform", "", {"name": "platform", "port": "x"}),
        "a": {"mtls_kind": "exec", "mtls_address": " ", "mtls_alias": "\t", "mtls_endpoints": "ec"},
        "b": host("service", "192.0.2.7"),
        "B": client("192.0.2.8"),
    }
    faults = refusal(inventory, trust_model="none", client_auth="optional", revoked=["p"])
    assert [fault.split(" is ")[0].split(" names ")[0] for fault in faults] == [
        "mtls_trust_model",
        "mtls_client_auth",
        "host 'p': mtls_address",
        "host 'p': the port of 'platform' in mtls_endpoints",
        "host 'a': mtls_kind",
        "host 'a': mtls_address",
        "host 'a': mtls_alias",
        "host 'a': mtls_endpoints",
        "host 'b': mtls_endpoints",
        "hosts 'b' and 'B' have the same alias 'b' in keystores, which do not tell upper from lower case; give one another mtls_alias",
        "mtls_revoked",
    ]


# --- defaults --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "address"),
    [
        ({"mtls_address": "mtls.test", "ansible_host": "ssh.test"}, "mtls.test"),
        ({"ansible_host": "ssh.test"}, "ssh.test"),
        ({}, "desktop9"),
    ],
)
def test_address_comes_from_ansible_host_and_then_from_the_name(variables: dict[str, str], address: str) -> None:
    system = read({**small(), "desktop9": {"mtls_kind": "client", **variables}})
    assert system.members["desktop9"].address == address


def test_defaults_of_a_member() -> None:
    member = read({**small(), "Desktop9": {"mtls_kind": "client"}}).members["Desktop9"]
    assert (member.alias, member.endpoints, member.source_address, member.revoked) == ("desktop9", (), None, False)


def test_tier_of_a_process_is_its_members_kind() -> None:
    inventory = {**small(), "sc1": host("service", "192.0.2.6", {"name": "sc1", "port": "6792"}, {"name": "web", "tier": "platform"})}
    first, second = read(inventory).members["sc1"].endpoints
    assert (first.name, first.port, first.tier) == ("sc1", 6792, "service")
    assert (second.name, second.port, second.tier) == ("web", None, "platform")


# --- links -----------------------------------------------------------------------------------------------------------


def test_everybody_connects_to_the_platform_and_it_to_the_containers() -> None:
    assert links(read(small())) == [
        "ec1 -> platform1:6790",
        "ec2 -> platform1:6790",
        "desktop1 -> platform1:6790",
        "platform1 -> ec1:6791",
        "platform1 -> ec2:6791",
    ]


def test_several_platforms_are_linked_with_all_and_with_each_other() -> None:
    system = read({"p1": platform(), "ec1": execution("192.0.2.2"), "p2": platform("192.0.2.8"), "d": client("192.0.2.5")})
    assert links(system) == [
        "ec1 -> p1:6790",
        "p2 -> p1:6790",
        "d -> p1:6790",
        "p1 -> ec1:6791",
        "p2 -> ec1:6791",
        "p1 -> p2:6790",
        "ec1 -> p2:6790",
        "d -> p2:6790",
    ]
    partners = {name: [partner.name for partner in system.partners(member)] for name, member in system.members.items()}
    assert partners == {"p1": ["ec1", "p2", "d"], "ec1": ["p1", "p2"], "p2": ["p1", "ec1", "d"], "d": ["p1", "p2"]}


def test_partners_are_those_that_have_a_link_with_the_member() -> None:
    """The two are found in different ways, so each is held against the other."""
    inventory = {**small(), "p2": platform("192.0.2.8"), "gw": host("gateway", "192.0.2.9", {"name": "gw"})}
    system = read(inventory)
    linked: dict[str, set[str]] = {name: set() for name in system.members}
    for link in system.links():
        linked[link.client].add(link.server)
        linked[link.server].add(link.client)
    assert {name: {partner.name for partner in system.partners(member)} for name, member in system.members.items()} == linked
    assert [link for member in system.members.values() for link in system.links_from(member)] == sorted(
        system.links(), key=lambda link: list(inventory).index(link.client)
    )


def test_revoked_members_have_no_link_and_no_partner() -> None:
    system = read(small(), revoked=["ec1"])
    assert [name for name in links(system) if "ec1" in name] == []
    assert [partner.name for partner in system.partners(system.members["platform1"])] == ["ec2", "desktop1"]
    assert [link.name for link in system.links_from(system.members["ec1"])] == ["ec1 -> platform1:6790"], "those it would have"


def test_an_endpoint_without_port_has_no_link() -> None:
    inventory = small()
    inventory["ec1"]["mtls_endpoints"] = [{"name": "ec"}, {"name": "ec-b", "port": 6795}, {"name": "ec-c", "port": 6796}]
    assert [name for name in links(read(inventory)) if "-> ec1" in name] == ["platform1 -> ec1:6795", "platform1 -> ec1:6796"]


# --- the trust model shared ------------------------------------------------------------------------------------------


def test_shared_members_present_the_platforms_key_and_people_their_own() -> None:
    system = read({**small(), "p2": platform("192.0.2.8"), "gw": host("gateway", "192.0.2.9", {"name": "gw"})}, trust_model="shared")
    keys = {name: (system.holds_copy(member), system.key_alias(member)) for name, member in system.members.items()}
    assert keys == {
        "platform1": (False, "platform1"),
        "ec1": (True, "platform1"),
        "ec2": (True, "platform1"),
        "desktop1": (False, "desktop1"),
        "p2": (True, "platform1"),
        "gw": (True, "platform1"),
    }


def test_pairwise_members_present_their_own_key() -> None:
    system = read({**small(), "ec3": execution("192.0.2.9", mtls_alias="Three")})
    keys = [(system.holds_copy(member), system.key_alias(member)) for member in system.members.values()]
    assert keys == [(False, alias) for alias in ("platform1", "ec1", "ec2", "desktop1", "three")]


def test_a_revoked_platform_lends_nobody_its_key() -> None:
    system = read({**small(), "platform2": platform("192.0.2.8")}, trust_model="shared", revoked=["platform1"])
    assert system.shared_source().name == "platform2"
    assert system.key_alias(system.members["ec1"]) == "platform2"


def test_wishes_are_kept() -> None:
    system = read_system(small(), adapter(), trust_model="pairwise", client_auth="none", revoked=["gone"], purge_trusted=True)
    assert (system.client_auth, system.revoked, system.purge_trusted) == ("none", ("gone",), True)
