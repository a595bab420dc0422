# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module mutual.tls.handshake as Ansible runs it: a process of its own, with stores that keytool wrote."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from ansible_collections.mutual.tls.plugins.module_utils import x509
from ansible_collections.mutual.tls.plugins.module_utils.errors import MtlsError
from ansible_collections.mutual.tls.plugins.module_utils.tls.identity import common_name_of
from ansible_collections.mutual.tls.plugins.modules import handshake

PASSWORD = "correct-horse-battery"


# --- two members, made by keytool ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stores(keytool: Path, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """platform and ec1 hold each other's certificate; other holds a second key beside its own; trust holds no key."""
    folder = tmp_path_factory.mktemp("stores")

    def run(store: str, *arguments: str) -> None:
        # Each start of a JVM takes half a second: the first tier of its compiler is enough.
        command = [
            keytool,
            "-J-XX:TieredStopAtLevel=1",
            "-J-Xshare:auto",
            *arguments,
            "-keystore",
            f"{store}.p12",
            "-storepass",
            PASSWORD,
            "-noprompt",
        ]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)

    def generate(store: str, alias: str) -> None:
        run(store, "-genkeypair", "-alias", alias, "-keyalg", "EC", "-dname", f"CN={alias}.test", "-ext", "san=dns:" + alias + ".test")

    generate("platform", "platform")
    generate("ec1", "ec1")
    run("platform", "-exportcert", "-alias", "platform", "-rfc", "-file", "platform.pem")
    run("ec1", "-exportcert", "-alias", "ec1", "-rfc", "-file", "ec1.pem")
    run("platform", "-importcert", "-alias", "ec1", "-file", "ec1.pem")
    run("ec1", "-importcert", "-alias", "platform", "-file", "platform.pem")
    run("trust", "-importcert", "-alias", "platform", "-file", "platform.pem")
    (folder / "two.p12").write_bytes((folder / "ec1.p12").read_bytes())
    generate("two", "second")
    return SimpleNamespace(folder=folder, platform_pem=(folder / "platform.pem").read_text(), ec1_pem=(folder / "ec1.pem").read_text())


@pytest.fixture(scope="module")
def port(stores: SimpleNamespace):
    """The platform as a server: it serves its own key and trusts ec1 alone. The identity is taken out by cryptography."""
    key, certificate, _others = pkcs12.load_key_and_certificates((stores.folder / "platform.p12").read_bytes(), PASSWORD.encode())
    identity = stores.folder / "platform-identity.pem"
    identity.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity)
    context.load_verify_locations(cadata=stores.ec1_pem)
    context.verify_mode = ssl.CERT_REQUIRED
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)

        def serve() -> None:
            while not stop.is_set():
                try:
                    connection, _peer = listening.accept()
                    connection.settimeout(2)
                    with context.wrap_socket(connection, server_side=True) as secured:
                        while secured.recv(4096):
                            pass
                except OSError:
                    continue  # a client that was refused, or nobody came

        server = threading.Thread(target=serve)
        server.start()
        yield listening.getsockname()[1]
        stop.set()
        server.join()


# --- the module ------------------------------------------------------------------------------------------------------


def run_module(*, check_mode: bool = False, **arguments) -> tuple[dict, str]:
    """What the module returns in a process of its own, and all that it wrote."""
    wishes = {"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_check_mode": check_mode, "_ansible_remote_tmp": "/tmp"}}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    # As Ansible does it: options come on standard input, never on the command line. ansible-core 2.19 wants a profile named.
    program = (
        "import sys; from ansible.module_utils import basic; "
        "basic._ANSIBLE_ARGS = sys.stdin.buffer.read(); basic._ANSIBLE_PROFILE = 'legacy'; "
        "from ansible_collections.mutual.tls.plugins.modules.handshake import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        input=json.dumps(wishes),
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.stderr == ""
    return json.loads(done.stdout), done.stdout


def with_defaults(spec: dict, given: dict | None) -> dict | None:
    """Options as AnsibleModule hands them over."""
    if given is None:
        return None
    options = {name: given.get(name, option.get("default")) for name, option in spec.items()}
    for name, option in spec.items():
        if "options" in option:
            several = option["type"] == "list"
            inner = [with_defaults(option["options"], each) for each in options[name]] if several else None
            options[name] = inner if several else with_defaults(option["options"], options[name])
    return options


def call(**arguments) -> dict:
    """What the module returns, in this process: a new one takes half a second."""
    try:
        return handshake.handshake(with_defaults(handshake.argument_spec(), arguments))
    except MtlsError as error:
        return {"failed": True, "msg": str(error), **error.details}


def probe(port: int, name: str, **wishes) -> dict:
    return {"name": name, "host": "127.0.0.1", "port": port, **wishes}


def own(stores: SimpleNamespace, store: str = "ec1", **wishes) -> dict:
    return {"path": str(stores.folder / f"{store}.p12"), "password": PASSWORD, **wishes}


def matrix(port: int) -> list[dict]:
    return [
        probe(port, "ec1", server_name="platform.test"),
        probe(port, "nobody", present="nothing", expect="refused"),
        probe(port, "stranger", present="stranger", expect="refused"),
    ]


@pytest.mark.parametrize("check_mode", [False, True])
def test_the_member_is_accepted_and_nobody_else(stores, port, check_mode):
    done, text = run_module(keystore=own(stores), probes=matrix(port), check_mode=check_mode)
    assert not done.get("failed"), done
    assert done["changed"] is False
    assert done["unexpected"] == []
    assert [(each["name"], each["outcome"], each["refused_by"], each["reason"]) for each in done["results"]] == [
        ("ec1", "accepted", None, None),
        ("nobody", "refused", "server", "certificate_required"),
        ("stranger", "refused", "server", "unknown_ca"),
    ]
    assert done["results"][0] == {
        "name": "ec1",
        "host": "127.0.0.1",
        "port": port,
        "present": "keystore",
        "expect": "accepted",
        "outcome": "accepted",
        "refused_by": None,
        "as_expected": True,
        "reason": None,
        "protocol": "TLSv1.3",
        "cipher": done["results"][0]["cipher"],
        "peer_sha256": x509.sha256(ssl.PEM_cert_to_DER_cert(stores.platform_pem)),
        "peer_certificate": ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(stores.platform_pem)),
    }
    assert PASSWORD not in text
    assert "PRIVATE KEY" not in text


WRONG = """4 of 5 handshakes did not end as expected:
- nobody (127.0.0.1:{port}, presenting nothing) was expected to be accepted, but it was refused by the server: certificate_required
- member (127.0.0.1:{port}, presenting keystore) was expected to be refused, but it was accepted (TLSv1.3)
- name (127.0.0.1:{port}, presenting keystore) was expected to be refused, but it was given up by the client, which does not accept \
the server: Hostname mismatch, certificate is not valid for 'other.test'.
- down (127.0.0.1:{closed}, presenting keystore) was expected to be refused, but it could not be made: Connection refused"""


def unlike_expected(port: int) -> tuple[list[dict], int]:
    with socket.create_server(("127.0.0.1", 0)) as once:
        closed = once.getsockname()[1]
    return [
        probe(port, "good"),
        probe(port, "nobody", present="nothing"),
        probe(port, "member", expect="refused"),
        probe(port, "name", server_name="other.test", expect="refused"),
        probe(closed, "down", expect="refused"),
    ], closed


def test_every_probe_that_differs_is_named(stores, port):
    wishes, closed = unlike_expected(port)
    done, _text = run_module(keystore=own(stores), probes=wishes)
    assert done["failed"]
    assert done["msg"] == WRONG.format(port=port, closed=closed)
    assert done["unexpected"] == ["nobody", "member", "name", "down"]
    assert [each["as_expected"] for each in done["results"]] == [True, False, False, False, False]


def test_a_report_does_not_fail(stores, port):
    wishes, _closed = unlike_expected(port)
    done = call(keystore=own(stores), probes=wishes, report_only=True)
    assert not done.get("failed")
    assert done["unexpected"] == ["nobody", "member", "name", "down"]


def test_trust_can_be_given_instead_of_the_stores(stores, port):
    done = call(keystore=own(stores), trust_content=[stores.platform_pem], probes=matrix(port))
    assert done["unexpected"] == []
    # The twin: the store would trust the platform, and is not asked.
    done = call(keystore=own(stores), trust_content=[stores.ec1_pem], probes=[probe(port, "ec1")])
    assert done["unexpected"] == ["ec1"]
    assert (done["results"][0]["refused_by"], done["results"][0]["reason"]) == ("client", "self-signed certificate")


def test_without_a_store(stores, port):
    done = call(trust_content=[stores.platform_pem], probes=matrix(port)[1:])
    assert done["unexpected"] == []


def test_a_store_without_a_key_lends_its_trust(stores, port):
    done = call(keystore=own(stores, "trust"), probes=matrix(port)[1:])
    assert done["unexpected"] == []
    done = call(keystore=own(stores, "trust"), probes=matrix(port))
    assert done["msg"].startswith(f"The identity to present cannot be taken from {stores.folder}/trust.p12: the store holds 0 private keys")


def test_the_alias_chooses_the_identity(stores, port):
    def outcome(**choice):
        return call(keystore=own(stores, "two", **choice), probes=matrix(port)[:1])

    assert outcome(alias="EC1")["unexpected"] == []
    assert outcome(alias="second")["results"][0]["reason"] == "unknown_ca"
    assert "the store holds 2 private keys" in outcome()["msg"]
    assert "the alias 'third'" in outcome(alias="third")["msg"]


def test_a_wrong_password_is_said_and_not_shown(stores, port):
    done, text = run_module(keystore={**own(stores), "password": "wrong-password-123"}, probes=matrix(port))
    assert done["failed"]
    assert f"{stores.folder}/ec1.p12" in done["msg"]
    assert "wrong-password-123" not in text


def test_a_store_that_is_not_there_is_said(stores, port):
    done = call(keystore=own(stores, "absent"), probes=matrix(port))
    assert done["msg"] == f"There is no keystore at {stores.folder}/absent.p12."


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"probes": [{}, {}]}, "'probes' has more than one probe with the name p; each name is given once."),
        ({"workers": 0}, "'workers' is 0; at least 1 is needed."),
        ({"probes": [{"port": 65536}]}, "The probe 'p' has the port 65536; ports are 1 to 65535."),
        ({"probes": [{"timeout": 0}]}, "The probe 'p' has a timeout of 0 s; at least 1 is needed."),
        (
            {"probes": [{"present": "keystore"}]},
            "'keystore' is needed: the probe 'p' presents its identity. 'present: nothing' needs none.",
        ),
        ({"trust_content": None}, "'keystore' or 'trust_content' is needed: they say which servers are trusted."),
        ({"trust_content": ["none"]}, "item 1 of 'trust_content' holds no PEM certificate (-----BEGIN CERTIFICATE-----)."),
    ],
)
def test_wishes_that_cannot_be_carried_out(stores, wishes, message):
    wishes = {"trust_content": [stores.platform_pem], "probes": [{}], **wishes}
    wishes["probes"] = [{**probe(1, "p"), "present": "nothing", **each} for each in wishes["probes"]]
    done = call(**wishes)
    assert done["failed"]
    assert done["msg"] == message


# --- inside ----------------------------------------------------------------------------------------------------------


def test_the_stranger_takes_the_members_name(stores):
    def name(**arguments):
        options = with_defaults(handshake.argument_spec(), {**arguments, "probes": [probe(1, "p", present="stranger")]})
        [made] = handshake.probes(options, handshake.party(options))
        return common_name_of(made.identity.chain[0])

    assert name(keystore=own(stores)) == "ec1.test"
    assert name(keystore=own(stores, "trust")) == "stranger"
    assert name(trust_content=[stores.platform_pem]) == "stranger"


def test_the_own_certificate_is_trusted_as_java_does(stores):
    who = handshake.party(with_defaults(handshake.argument_spec(), {"keystore": own(stores), "probes": []}))
    assert sorted(who.trusted) == sorted(ssl.PEM_cert_to_DER_cert(pem) for pem in (stores.platform_pem, stores.ec1_pem))


def described(spec: dict) -> dict:
    """An argument specification in the words of DOCUMENTATION."""
    return {
        name: {
            **{key: value[key] for key in ("type", "required", "default", "choices", "elements") if key in value},
            **({"suboptions": described(value["options"])} if "options" in value else {}),
        }
        for name, value in spec.items()
    }


def without_descriptions(options: dict) -> dict:
    return {
        name: {
            **{key: value for key, value in option.items() if key not in ("description", "suboptions")},
            **({"suboptions": without_descriptions(option["suboptions"])} if "suboptions" in option else {}),
        }
        for name, option in options.items()
    }


def test_the_documentation_says_what_the_module_takes_and_returns(stores, port):
    assert described(handshake.argument_spec()) == without_descriptions(yaml.safe_load(handshake.DOCUMENTATION)["options"])
    done, _text = run_module(keystore=own(stores), probes=matrix(port))
    returns = yaml.safe_load(handshake.RETURN)
    assert set(done) - {"changed", "invocation"} == set(returns)
    assert set(done["results"][0]) == set(returns["results"]["contains"])
