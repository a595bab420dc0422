# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules keystore and keystore_info: check, do, check again, do again, change, check; and what they leave as it is.

keytool says what came of it. Most calls are made in this process, by the modules' own main(); those where the process itself is
of interest are made by ``ansible``.
"""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mutual.tls.plugins.module_utils import der, derivation, x509
from ansible_collections.mutual.tls.plugins.module_utils import keystore as core
from ansible_collections.mutual.tls.plugins.modules import keystore, keystore_info

from ..unit.factory import (
    CERT_BAG,
    DAY,
    NOW,
    PASSWORD,
    Keytool,
    cert_bag,
    encrypted_safe,
    issue,
    key_bag,
    pem,
    pfx,
)
from .rhythm import DESKTOP, IDENTITY, PLATFORM, TRUST, Call, actions, rhythm


def test_from_nothing_to_a_store_and_on(call: Call, java: Keytool, path: Path) -> None:
    made = rhythm(call, [("ec1", "create"), ("platform", "trust")], identity=IDENTITY, trusted=TRUST)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    listed = java.list(path)
    assert {alias: (each.type, each.sha256) for alias, each in listed.items()} == {
        "ec1": ("PrivateKeyEntry", (made["identity"]["sha256"],)),
        "platform": ("trustedCertEntry", (PLATFORM.sha256,)),
    }
    assert made["diff"]["before"] == ""
    assert made["diff"]["after"] == (
        f"ec1: {made['identity']['sha256']} (create: there is no private key under this alias)\n"
        f"platform: {PLATFORM.sha256} (trust: it is not in the store)\n"
    )
    assert made["reasons"] == ["ec1: there is no private key under this alias", "platform: it is not in the store"]
    assert made["trusted"]["platform"]["sha256"] == PLATFORM.sha256
    assert x509.pem_to_der(made["identity"]["chain_pem"], "it")[0] == core.open_store(str(path), PASSWORD).key_entry("ec1").chain[0]

    # A change of trust leaves the identity alone.
    other = [{"alias": "platform", "cert_content": DESKTOP.pem}, {"alias": "desktop", "cert_content": DESKTOP.pem}]
    changed = rhythm(call, [("platform", "replace_trusted"), ("desktop", "trust")], identity=IDENTITY, trusted=other)
    assert changed["identity"] == made["identity"]
    assert changed["diff"]["before"] == f"platform: {PLATFORM.sha256}\n"

    # Another name is another certificate for the same key.
    renewed = rhythm(call, [("ec1", "renew")], identity={**IDENTITY, "subject_alt_name": ["DNS:new.test"]})
    assert renewed["identity"]["sha256"] != made["identity"]["sha256"]
    old, new = (x509.public_key_of(x509.pem_to_der(each["identity"]["chain_pem"], "it")[0]) for each in (made, renewed))
    assert old == new
    assert "DNS:new.test" in str(renewed["store"])

    # Purging removes what nobody names, and no key.
    rhythm(call, [("desktop", "distrust")], trusted=[{"alias": "platform", "cert_content": DESKTOP.pem}], purge_trusted=True)
    assert sorted(java.list(path)) == ["ec1", "platform"]

    # A raised generation is another key.
    replaced = rhythm(call, [("ec1", "replace")], identity={**IDENTITY, "generation": 2})
    assert replaced["identity"]["subject"] == "CN=ec1,O=Example,OU=generation 2"

    rhythm(call, [("platform", "distrust")], trusted=[{"alias": "platform", "state": "absent"}])
    rhythm(call, [("*", "remove")], state="absent")
    assert not path.exists()


def test_a_proof_names_the_member(call: Call) -> None:
    made = call(identity=IDENTITY, member="ec1")
    certificate = x509.pem_to_der(made["identity"]["chain_pem"], "it")[0]
    x509.check_possession(made["proof"], "ec1", certificate)
    with pytest.raises(x509.TrustError):
        x509.check_possession(made["proof"], "ec2", certificate)


# --- copies, backups, files ------------------------------------------------------------------------------------------


def test_a_copy_is_byte_for_byte(call: Call, java: Keytool, path: Path, tmp_path: Path) -> None:
    call(identity=IDENTITY, trusted=TRUST)
    content = call(keystore_info, return_content=True)["content"]
    original = path.read_bytes()
    assert base64.b64decode(content) == original
    path.unlink()
    rhythm(call, [("*", "copy")], copy_content=content)
    assert path.read_bytes() == original
    # Another store of the same password is replaced; one of another password is not, unless it is said.
    call(identity=IDENTITY, trusted=[*TRUST, {"alias": "x", "cert_content": DESKTOP.pem}])
    rhythm(call, [("*", "copy")], copy_content=content)
    assert path.read_bytes() == original
    foreign = tmp_path / "foreign.p12"
    java("-genkeypair", "-keystore", foreign, "-alias", "a", "-keyalg", "EC", "-dname", "CN=a", password="another password")
    path.write_bytes(foreign.read_bytes())
    assert "the password is wrong" in call(fails=True, copy_content=content)["msg"]
    assert actions(call(copy_content=content, old_password="another password")) == [("*", "copy")]
    assert path.read_bytes() == original


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("!!!!", "'copy_content' is not base64: "),
        (
            base64.b64encode(pfx(cert_bag(PLATFORM.der, "a", trusted=True), password="another")).decode(),
            "'copy_content' cannot be read: the password",
        ),
        (base64.b64encode(b"text").decode(), "'copy_content' cannot be read: it is no keystore of a known kind"),
        ("", "'copy_content' cannot be read: it is empty"),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_what_is_no_copy_is_refused(call: Call, path: Path, content: str, message: str, check: bool) -> None:
    assert call(fails=True, check=check, copy_content=content)["msg"].startswith(message)
    assert not path.exists()


def test_what_is_removed_is_listed_before(call: Call, path: Path) -> None:
    made = call(identity=IDENTITY, trusted=TRUST)
    sha256 = {entry["alias"]: entry["sha256"] for entry in made["store"]["entries"]}
    for check in (True, False):
        gone = call(state="absent", check=check)
        assert gone["diff"]["before"] == f"ec1: {sha256['ec1']}\nplatform: {sha256['platform']}\n"
        assert gone["diff"]["after"] == ""
    assert not path.exists()


def test_a_change_of_the_mode_alone_has_its_reason(call: Call, path: Path) -> None:
    call(identity=IDENTITY)
    path.chmod(0o640)
    done = rhythm(call, [("*", "attributes")], identity=IDENTITY, mode="0600")
    assert done["reasons"] == ["*: its mode is 0640 where 0600 is wished"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_directory_that_another_task_may_still_make_is_a_warning_in_check_mode(call: Call, tmp_path: Path) -> None:
    target = str(tmp_path / "later" / "keys")
    promised = call(check=True, path=target, identity=IDENTITY)
    assert promised["changed"] is True
    assert f"The directory {tmp_path}/later of the keystore does not exist" in str(promised["warnings"])
    assert call(fails=True, path=target, identity=IDENTITY)["msg"].startswith(f"The directory {tmp_path}/later of the keystore")


def test_a_pipe_is_no_keystore_and_is_not_waited_for(call: Call, path: Path) -> None:
    os.mkfifo(path)
    for module in (keystore, keystore_info):
        said = call(module, fails=True)["msg"]
        assert said == f"The operating system refused: It is no regular file ({path})."


def test_a_backup_is_the_file_as_it_was(call: Call, path: Path) -> None:
    assert "backup_file" not in call(identity=IDENTITY, backup=True)
    before = path.read_bytes()
    assert "backup_file" not in call(identity=IDENTITY, backup=True)
    kept = Path(call(trusted=TRUST, backup=True)["backup_file"])
    assert kept.read_bytes() == before
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    removed = Path(call(state="absent", backup=True)["backup_file"])
    assert x509.sha256(PLATFORM.der) in json.dumps(call(keystore_info, path=str(removed)))


def test_the_files_mode_is_kept_or_as_wished(call: Call, path: Path) -> None:
    call(identity=IDENTITY)
    path.chmod(0o640)
    call(trusted=TRUST)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert call(check=True, mode="0600")["changed"] is True
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert call(mode="0600")["changed"] is True
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert call(mode="0600")["changed"] is False


def test_what_is_not_managed_is_kept(call: Call, java: Keytool, path: Path) -> None:
    """A store that keytool made, with a secret key in it."""
    java("-genkeypair", "-keystore", path, "-alias", "mine", "-keyalg", "EC", "-dname", "CN=mine")
    java("-genseckey", "-keystore", path, "-alias", "secret", "-keyalg", "AES", "-keysize", "256")
    before = java.list(path)
    call(identity=IDENTITY, trusted=TRUST, purge_trusted=True)
    after = java.list(path)
    assert {alias: after[alias] for alias in before} == before
    assert sorted(set(after) - set(before)) == ["ec1", "platform"]


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        pytest.param(
            {"trusted": [{"alias": "a", "cert_content": pem(PLATFORM.der, DESKTOP.der)}]},
            "'cert_content' of the alias 'a' holds 2 certificates, and one is trusted under one alias: "
            "give each an alias of its own in 'trusted'.",
            id="two-certificates-under-one-alias",
        ),
        pytest.param(
            {"trusted": [*TRUST, {"alias": "PLATFORM", "cert_content": DESKTOP.pem}]},
            "'trusted' names the alias 'platform' 2 times; Java does not tell upper from lower case.",
            id="aliases-that-differ-by-case",
        ),
        pytest.param(
            {"identity": IDENTITY, "trusted": [{"alias": "ec1", "cert_content": DESKTOP.pem}]},
            "The alias 'ec1' is wished for the identity and for a trusted certificate; each needs one of its own.",
            id="one-alias-for-the-identity-and-a-certificate",
        ),
        pytest.param(
            {"trusted": [{"alias": "", "cert_content": DESKTOP.pem}]},
            "'trusted.alias' is ''; an alias is a text of at least one printable character.",
            id="empty-alias",
        ),
        pytest.param(
            {"trusted": [{"alias": "a", "cert_content": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}]},
            "'cert_content' of the alias 'a' holds what is no certificate: a certificate cannot be read: ",
            id="no-certificate",
        ),
        pytest.param({"trusted": [{"alias": "a"}]}, "state is present but all of the following are missing: cert_content", id="no-content"),
        pytest.param({"identity": {**IDENTITY, "key_type": "RSA", "key_size": 1024}}, "'key_size' is 1024; ", id="small-key"),
        pytest.param(
            {"identity": {**IDENTITY, "certificate_content": PLATFORM.pem}},
            "There is no private key under the alias 'ec1' ",
            id="chain-without-key",
        ),
        pytest.param(
            {"copy_content": "", "trusted": TRUST}, "parameters are mutually exclusive: copy_content|trusted", id="copy-and-trust"
        ),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_wishes_that_cannot_be_carried_out(call: Call, path: Path, wishes: dict[str, Any], message: str, check: bool) -> None:
    assert call(fails=True, check=check, **wishes)["msg"].startswith(message)
    assert not path.exists()


def test_the_directory_must_be_there(call: Call, tmp_path: Path) -> None:
    refused = call(fails=True, path=str(tmp_path / "absent" / "keys"), identity=IDENTITY)
    assert refused["msg"] == f"The directory {tmp_path}/absent of the keystore does not exist; make it first, owned by the product's user."


def test_an_alias_of_the_other_kind_is_refused(call: Call) -> None:
    call(identity=IDENTITY, trusted=TRUST)
    assert "is a private key in this store" in call(fails=True, trusted=[{"alias": "EC1", "cert_content": DESKTOP.pem}])["msg"]
    assert "is a trusted certificate in this store" in call(fails=True, identity={**IDENTITY, "alias": "platform"})["msg"]


# --- keystore_info ---------------------------------------------------------------------------------------------------


def test_info_says_what_is_there(call: Call, java: Keytool, path: Path) -> None:
    absent = call(keystore_info)
    assert (absent["present"], absent["entries"]) == (False, [])
    call(identity=IDENTITY, trusted=TRUST)
    said = call(keystore_info)
    assert (said["present"], said["format"], said["profile"], said["changed"]) == (True, "pkcs12", "default", False)
    assert "content" not in said
    assert {entry["alias"]: (entry["sha256"],) for entry in said["entries"]} == {
        alias: each.sha256 for alias, each in java.list(path).items()
    }
    assert "the password is wrong" in call(keystore_info, fails=True, password="the wrong password")["msg"]


# --- as Ansible runs it ----------------------------------------------------------------------------------------------

GOOD = pfx(key_bag(PLATFORM.pkcs8, "p", b"Time 1"), cert_bag(PLATFORM.der, "p", b"Time 1"), cert_bag(DESKTOP.der, "d", trusted=True))
TOO_MANY = der.sequence(
    der.sequence(der.sequence(der.oid("2.16.840.1.101.3.4.2.1"), der.null()), der.octet_string(bytes(32))),
    der.octet_string(bytes(20)),
    der.integer(derivation.MAX_ITERATIONS + 1),
)
RC4 = der.sequence(der.oid("1.2.840.113549.1.12.1.1"), der.sequence(der.octet_string(bytes(8)), der.integer(2048)))
BROKEN = {
    "sealed-under-another-password": (
        pfx(cert_bag(DESKTOP.der, "d", trusted=True), password="another"),
        "the password is wrong, or the store was damaged",
    ),
    "truncated": (GOOD[:-1], "the store is cut short"),
    "flipped": (GOOD[:300] + bytes([GOOD[300] ^ 1]) + GOOD[301:], "its MAC does not hold"),
    "jceks": (b"\xce\xce\xce\xce\0\0\0\2\0\0\0\0" + bytes(20), "it is a JCEKS file and only PKCS#12 and JKS are supported"),
    "pem": (PLATFORM.pem.encode(), "it is a PEM file, no keystore: hand its certificates in as trusted.cert_content"),
    "empty": (b"", "it is empty, so no keystore"),
    "text": (b"keystore.password=x\n", "it is no keystore of a known kind"),
    "rc4": (pfx(safes=[encrypted_safe(RC4)]), "the encrypted safe is protected with pbeWithSHAAnd128BitRC4"),
    "iterations": (pfx(mac=TOO_MANY), "the MAC asks for 5000001 iterations; 1 to 5000000 are accepted"),
    "malformed": (pfx(der.sequence(der.oid(CERT_BAG))), "a bag should have 2 to 3 parts and has 1"),
}


def ansible(
    folder: Path, module: str, arguments: dict[str, Any], hosts: dict[str, dict[str, Any]], *options: str
) -> tuple[int, dict[str, Any], str]:
    """An ad-hoc run on hosts that are all this one: its exit code, each host's result, all that was printed."""
    inventory = folder / "inventory.json"
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory.write_text(json.dumps({"all": {"hosts": {name: {**local, **more} for name, more in hosts.items()}}}))
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible", "all", "-i", inventory, "-m", module, "-a", json.dumps(arguments), *options],
        env={
            **os.environ,
            "ANSIBLE_HOME": str(folder / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
            # Where a checkout is linked; an installed collection is found without.
            **({"ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"]} if "ANSIBLE_COLLECTIONS_PATH" in os.environ else {}),
        },
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    blocks = re.findall(r"^([\w-]+) \| (?:CHANGED|SUCCESS|FAILED!) => (\{.*?^\})", done.stdout, re.MULTILINE | re.DOTALL)
    return done.returncode, {name: json.loads(text) for name, text in blocks}, done.stdout + done.stderr


def test_ansible_fails_on_what_is_no_store_of_ours_and_leaves_it_alone(tmp_path: Path) -> None:
    """All at once: each start of Ansible takes a second. Every file, and the name of the cause beside the file's."""
    hosts = {}
    for name, (data, _message) in BROKEN.items():
        (tmp_path / f"{name}.p12").write_bytes(data)
        hosts[name] = {"store": str(tmp_path / f"{name}.p12"), "secret": PASSWORD}
    wishes = {"path": "{{ store }}", "password": "{{ secret }}", "identity": IDENTITY, "trusted": TRUST, "backup": True}
    code, results, printed = ansible(tmp_path, "mutual.tls.keystore", wishes, hosts)
    assert code == 2, printed
    assert sorted(results) == sorted(BROKEN), printed
    for name, (data, message) in BROKEN.items():
        said = results[name]["msg"]
        assert said.startswith(f"The keystore {tmp_path}/{name}.p12 cannot be read: "), said
        assert message in said
        assert said.endswith(" It was left as it is.")
        assert (tmp_path / f"{name}.p12").read_bytes() == data
    assert PASSWORD not in printed
    assert "Traceback" not in printed
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([*(f"{name}.p12" for name in BROKEN), "ansible", "inventory.json"])


def test_ansible_makes_a_store_and_shows_no_secret(tmp_path: Path, java: Keytool) -> None:
    path = tmp_path / "keys.p12"
    wishes = {"path": str(path), "password": "{{ secret }}", "identity": IDENTITY, "trusted": TRUST}
    code, results, printed = ansible(tmp_path, "mutual.tls.keystore", wishes, {"ec1": {"secret": PASSWORD}}, "--diff", "-vvv")
    assert code == 0, printed
    assert results["ec1"]["changed"] is True
    assert sorted(java.list(path)) == ["ec1", "platform"]
    assert f"+platform: {PLATFORM.sha256} (trust: it is not in the store)" in printed
    assert "PRIVATE KEY" not in printed
    assert PASSWORD not in printed
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_ansible_shows_what_a_person_should_know(tmp_path: Path) -> None:
    """As a process of its own: within another that also has Ansible's controller, a module's warnings go elsewhere."""
    (tmp_path / "keys.p12").write_bytes(pfx(cert_bag(issue("ending", ends=NOW + DAY).der, "ending", trusted=True)))
    wishes = {"path": str(tmp_path / "keys.p12"), "password": "{{ secret }}"}
    code, _results, printed = ansible(tmp_path, "mutual.tls.keystore_info", wishes, {"ec1": {"secret": PASSWORD}})
    assert code == 0, printed
    assert "keys.p12: the certificate under the alias 'ending' ends on " in " ".join(printed.split())
