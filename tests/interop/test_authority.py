# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module authority: openssl, keytool and a linter of RFC 5280 judge what it signs and revokes."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import cryptography
import pytest
from ansible.module_utils import basic

from ansible_collections.mutual.tls.plugins.modules import authority, authority_info, keystore

from ..unit.authority.scenery import PASSPHRASE, csr
from ..unit.factory import DAY, NOW, PASSWORD, Issued, Keytool, issue, new_key, openssl

pytestmark = pytest.mark.codec

Run = Callable[..., dict[str, Any]]
CAS = [{"name": "system"}, {"name": "clients"}]
#: The release of the cryptography package from which on the linter must be there: it is in .venv, and not beside hosts' older ones.
NEWEST = 44
#: When a list of 30 days has ended.
LATER = NOW + 40 * DAY


@pytest.fixture()
def path(tmp_path: Path) -> Path:
    return tmp_path / "authority"


@pytest.fixture()
def run(path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run of a module's main(). Whatever comes of it, it says no secret."""
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)

    def main(module: ModuleType = authority, *, check: bool = False, fails: bool = False, **options: Any) -> dict[str, Any]:
        own = {"path": str(path)} if module is authority_info else {"path": str(path), "passphrase": PASSPHRASE, "authorities": CAS}
        settings = {"_ansible_check_mode": check, "_ansible_diff": True, "_ansible_remote_tmp": str(path.parent), "_ansible_no_log": False}
        given = options if module is keystore else {**own, **options}
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": {**given, **settings}}).encode())
        warned: list[str] = []
        monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _module, warning: warned.append(warning))
        with pytest.raises(SystemExit) as ended:
            module.main()
        said = capsys.readouterr().out
        result = json.loads(said)
        assert result.get("failed", False) == fails == bool(ended.value.code), result.get("msg")
        assert PASSPHRASE not in said
        assert "PRIVATE KEY" not in said
        return {**result, "warnings": warned}

    return main


def asks(name: str, *, ca: str = "system", key: Any = None, **given: Any) -> dict[str, Any]:
    """One request, as a task writes it."""
    request = csr(key if key is not None else new_key())
    return {
        "name": name,
        "authority": ca,
        "csr_content": request,
        "subject": f"CN={name}",
        "subject_alt_name": [f"DNS:{name}.test"],
        **given,
    }


def leaf(result: dict[str, Any], name: str) -> bytes:
    """The certificate that was signed, PEM."""
    pem: str = result["issued"][name]["chain_pem"]
    return (pem.partition("-----END CERTIFICATE-----\n")[0] + "-----END CERTIFICATE-----\n").encode()


def verdict(path: Path, certificate: bytes, *options: str, ca: str = "system-1") -> str:
    """What openssl says of a certificate below one of the CAs."""
    return openssl("verify", "-x509_strict", "-CAfile", path / f"{ca}.crt.pem", *options, stdin=certificate, check=False)


# --- certificates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [{}, {"key_type": "RSA"}, {"curve": "secp384r1"}, {"key_type": "Ed25519"}], ids=str)
def test_openssl_accepts_what_is_signed_and_nothing_else(run: Run, path: Path, kind: dict[str, str]) -> None:
    cas = [{**each, **kind} for each in CAS]
    signed = run(authorities=cas, requests=[asks("ec1"), asks("alice", ca="clients", usages=["client"])])
    for name, ca, purposes in (("ec1", "system-1", ["sslserver", "sslclient"]), ("alice", "clients-1", ["sslclient"])):
        for purpose in ("sslserver", "sslclient"):
            said = verdict(path, leaf(signed, name), "-purpose", purpose, ca=ca)
            assert ("stdin: OK" in said) == (purpose in purposes), said
        other = "clients-1" if ca == "system-1" else "system-1"
        assert "unable to get local issuer certificate" in verdict(path, leaf(signed, name), ca=other)
    assert "stdin: OK" in verdict(path, leaf(signed, "ec1"), "-verify_hostname", "ec1.test")
    assert "hostname mismatch" in verdict(path, leaf(signed, "ec1"), "-verify_hostname", "ec2.test")


def test_a_certificate_does_not_sign_further_ones(run: Run, path: Path) -> None:
    """Who holds a certificate of the CA makes no identities for others."""
    key = new_key()
    signed = run(requests=[asks("ec1", key=key)])
    holder = Issued(key, _der(leaf(signed, "ec1")))
    made = issue("platform1", by=holder, key_ids=True)
    (path / "chain.pem").write_bytes(leaf(signed, "ec1"))
    said = verdict(path, made.pem.encode(), "-untrusted", str(path / "chain.pem"))
    assert "OK" not in said
    assert re.search(r"invalid CA certificate|unsuitable certificate purpose|path length", said), said


def test_names_are_constrained_where_that_is_asked_for(run: Run, path: Path) -> None:
    cas = [{"name": "system", "permitted_names": ["DNS:example.test", "IP:192.0.2.0/24"]}]
    inside, outside = ["DNS:ec1.example.test", "IP:192.0.2.7"], ["DNS:ec1.elsewhere.test"]
    signed = run(authorities=cas, requests=[asks("ec1", subject_alt_name=inside), asks("ec2", subject_alt_name=outside)])
    assert "stdin: OK" in verdict(path, leaf(signed, "ec1"))
    assert "permitted subtree violation" in verdict(path, leaf(signed, "ec2"))


def test_a_renewed_ca_is_good_for_what_the_old_one_signed(run: Run, path: Path) -> None:
    old = run(requests=[asks("ec1")])
    (path / "old.pem").write_bytes((path / "system-1.crt.pem").read_bytes())
    renewed = run(authorities=[{"name": "system", "valid_for": "4000d", "renew_before": "3700d"}], requests=[asks("ec2")])
    assert [change["action"] for change in renewed["changes"]] == ["renew", "issue"]
    for result, name in ((old, "ec1"), (renewed, "ec2")):
        for ca in ("old.pem", "system-1.crt.pem"):
            assert "stdin: OK" in openssl("verify", "-x509_strict", "-CAfile", path / ca, stdin=leaf(result, name))


def test_the_next_generation_is_another_ca(run: Run, path: Path) -> None:
    old = run(requests=[asks("ec1")])
    new = run(authorities=[{"name": "system", "generation": 2}], requests=[asks("ec1")])
    assert "stdin: OK" in verdict(path, leaf(new, "ec1"), ca="system-2")
    for result, ca in ((old, "system-2"), (new, "system-1")):
        assert "unable to get local issuer certificate" in verdict(path, leaf(result, "ec1"), ca=ca)


def test_keytool_takes_the_chain_and_the_ca_into_a_store(run: Run, path: Path, java: Keytool) -> None:
    """Through the module keystore: a key made there, its request signed here, the chain installed there, and the CA trusted."""
    store = path.parent / "keys.p12"
    options = {"path": str(store), "password": PASSWORD, "identity": {"alias": "ec1", "key_type": "EC", "csr": True}}
    made = run(keystore, **options)
    signed = run(requests=[{**asks("ec1"), "csr_content": made["identity"]["csr"]}])
    ca = (path / "system-1.crt.pem").read_text()
    identity = {"alias": "ec1", "certificate_content": signed["issued"]["ec1"]["chain_pem"]}
    run(keystore, **{**options, "identity": identity, "trusted": [{"alias": "system-ca-1", "cert_content": ca}]})
    said = java("-list", "-v", "-keystore", store)
    assert "Certificate chain length: 2" in said
    assert "Entry type: trustedCertEntry" in said
    assert "Verified by system-ca-1 in keystore" in java("-printcrl", "-file", path / "system-1.crl.pem", "-keystore", store)
    assert "Make sure -keystore is correct" in java("-printcrl", "-file", path / "clients-1.crl.pem", "-keystore", store)


# --- revocation lists -------------------------------------------------------------------------------------------------


def test_openssl_refuses_who_is_revoked_and_nobody_else(run: Run, path: Path) -> None:
    signed = run(requests=[asks("ec1"), asks("ec2")])
    check = ("-crl_check", "-CRLfile", str(path / "system-1.crl.pem"))
    for name in ("ec1", "ec2"):
        assert "stdin: OK" in verdict(path, leaf(signed, name), *check)
    revoked = run(revoked=[{"name": "ec1", "reason": "key_compromise"}])
    assert [(change["entry"], change["action"]) for change in revoked["changes"]] == [("ec1", "revoke"), ("system 1", "list")]
    assert "certificate revoked" in verdict(path, leaf(signed, "ec1"), *check)
    assert "stdin: OK" in verdict(path, leaf(signed, "ec2"), *check)
    again = run(revoked=[{"name": "ec1", "reason": "key_compromise"}, {"name": "nobody"}])
    assert (again["changed"], again["changes"]) == (False, [])
    assert again["warnings"] == ["'nobody' is to be revoked, and this authority never issued a certificate to it."]


def test_a_list_ends_when_it_says_so(run: Run, path: Path) -> None:
    """An expired list is an outage: what reads it accepts nobody."""
    signed = run(requests=[asks("ec1")])
    check = ("-crl_check", "-CRLfile", str(path / "system-1.crl.pem"), "-attime", str(int(LATER.timestamp())))
    assert "CRL has expired" in verdict(path, leaf(signed, "ec1"), *check)
    (found,) = (each for each in run(authority_info)["authorities"] if each["name"] == "system")
    end = openssl("crl", "-noout", "-nextupdate", "-in", path / "system-1.crl.pem", "-dateopt", "iso_8601")
    assert end.strip() == "nextUpdate=" + found["crl"]["next_update"].replace("T", " ")


# --- RFC 5280, judged by a linter -------------------------------------------------------------------------------------


def lint(program: str, *words: str | Path) -> str:
    """What pkilint finds that is worse than a notice; empty when there is nothing."""
    found = shutil.which(program, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if found is None:
        assert int(cryptography.__version__.partition(".")[0]) < NEWEST, (
            f"{program} (of pkilint) is not installed: requirements-dev.txt has it"
        )
        pytest.skip("pkilint needs a newer cryptography package than this one")
    done = subprocess.run([found, "lint", *map(str, words)], capture_output=True, text=True, check=False)
    assert not done.stderr, done.stderr
    return done.stdout.strip()


def test_a_linter_finds_nothing(run: Run, path: Path) -> None:
    kinds = [{"name": "system"}, {"name": "clients", "key_type": "RSA", "permitted_names": ["DNS:example.test"]}]
    alice = asks("alice", ca="clients", usages=["client"], subject_alt_name=["DNS:alice.example.test"])
    signed = run(authorities=kinds, requests=[asks("ec1"), asks("ec2", key=new_key("RSA")), alice])
    run(authorities=kinds, revoked=[{"name": "ec1", "reason": "superseded"}, {"name": "ec2"}])
    for name in ("ec1", "ec2", "alice"):
        (path / f"{name}.pem").write_bytes(leaf(signed, name))
        assert lint("lint_pkix_cert", "-s", "WARNING", path / f"{name}.pem") == ""
    for name in ("system", "clients"):
        assert lint("lint_pkix_cert", "-s", "WARNING", path / f"{name}-1.crt.pem") == ""
        assert lint("lint_crl", "-t", "CRL", "-p", "PKIX", "-s", "WARNING", path / f"{name}-1.crl.pem") == ""
    chain = ("lint_pkix_signer_signee_cert_chain", "-s", "WARNING")
    assert lint(*chain, path / "system-1.crt.pem", path / "ec1.pem") == ""
    assert lint(*chain, path / "clients-1.crt.pem", path / "ec1.pem") != "", "the linter sees when a chain is none"


def test_the_linter_finds_what_is_missing(path: Path) -> None:
    path.mkdir()
    (path / "plain.pem").write_text(issue("a CA without identifiers", ca=True).pem)
    assert "pkix.certificate_skid_ca_missing" in lint("lint_pkix_cert", "-s", "WARNING", path / "plain.pem")


# --- when it dies, and when there are several ------------------------------------------------------------------------


def arguments(path: Path, **options: Any) -> str:
    """What Ansible hands to a module."""
    given = {"path": str(path), "passphrase": PASSPHRASE, "authorities": CAS, **options}
    return json.dumps({"ANSIBLE_MODULE_ARGS": {**given, "_ansible_remote_tmp": str(path.parent), "_ansible_no_log": False}})


def start(path: Path, **options: Any) -> subprocess.Popen[str]:
    """The module as a process of its own."""
    program = (
        "import sys\nfrom ansible.module_utils import basic\n"
        "basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = sys.stdin.buffer.read(), 'legacy'\n"
        "from ansible_collections.mutual.tls.plugins.modules import authority\nauthority.main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(arguments(path, **options))
    process.stdin.close()
    process.stdin = None
    return process


def test_whenever_it_is_killed_what_was_answered_is_in_the_ledger(run: Run, path: Path) -> None:
    run()
    answered = []
    begun = time.monotonic()
    whole = start(path, requests=[asks("first")])
    whole.communicate(timeout=60)
    length = time.monotonic() - begun
    for number in range(12):
        process = start(path, requests=[asks(f"ec{number}-{each}") for each in range(20)], revoked=[{"name": f"ec{number - 1}-0"}])
        time.sleep(length * (0.4 + 0.06 * number))
        process.send_signal(signal.SIGKILL)
        said = process.communicate(timeout=60)[0]
        if said:
            answered.extend(each["sha256"] for each in json.loads(said)["issued"].values())
    ledger = [json.loads(line) for line in (path / "ledger.jsonl").read_bytes().split(b"\n")[:-1] if line]
    assert set(answered) <= {line["sha256"] for line in ledger}
    after = run(requests=[asks("last")], revoked=[{"name": "first"}])
    assert "stdin: OK" in verdict(path, leaf(after, "last"), "-crl_check", "-CRLfile", str(path / "system-1.crl.pem"))
    listed = openssl("crl", "-noout", "-text", "-in", path / "system-1.crl.pem")
    revoked = {line["serial"] for line in ledger if line["state"] == "revoked"}
    serials = {each.lower().lstrip("0") for each in re.findall(r"Serial Number: ([0-9A-F]+)", listed)}
    assert revoked <= serials
    for each in path.iterdir():
        if each.name.startswith(".mutual-tls-") and each.stat().st_mode & 0o777 != 0o600:
            # It was about to take its place: a certificate or a list, whole, which is for everybody. A key never is.
            assert re.fullmatch(rb"-----BEGIN (CERTIFICATE|X509 CRL)-----\n[^-]+-----END \1-----\n", each.read_bytes())


def test_several_at_once_lose_nothing(path: Path) -> None:
    """The first of them makes the CAs, and all of the others use those."""

    def one(number: int) -> dict[str, Any]:
        said, wrong = start(path, requests=[asks(f"ec{number}")]).communicate(timeout=120)
        assert said, wrong
        result: dict[str, Any] = json.loads(said)
        assert "issued" in result, result
        return result

    with ThreadPoolExecutor(max_workers=6) as pool:
        results = list(pool.map(one, range(6)))
    assert sum(change["action"] == "create" for result in results for change in result["changes"]) == len(CAS)
    ledger = [json.loads(line) for line in (path / "ledger.jsonl").read_text().splitlines()]
    assert {line["name"] for line in ledger} == {"system CA", "clients CA", *(f"ec{number}" for number in range(6))}
    for number, result in enumerate(results):
        assert "stdin: OK" in verdict(path, leaf(result, f"ec{number}"))


# --- what a task sees -------------------------------------------------------------------------------------------------


def test_check_mode_says_what_the_run_does(run: Run, path: Path) -> None:
    requests = [asks("ec1")]
    promised = run(check=True, requests=requests)
    assert not path.exists()
    done = run(requests=requests)
    assert [change for change in done["changes"] if change["action"] != "list"] == promised["changes"]
    assert promised["diff"]["after"] in done["diff"]["after"]
    assert promised["issued"] == {}
    assert (run()["changed"], run(check=True)["changed"]) == (False, False)


def test_a_request_that_is_refused_is_named_and_the_task_fails(run: Run, path: Path) -> None:
    said = run(fails=True, requests=[asks("ec1"), {**asks("ec2"), "csr_content": "nothing"}])["msg"]
    assert said.startswith("Nothing was signed, because the request of 'ec2' is refused: it cannot be read")
    assert run(authority_info)["authorities"] == []


def test_a_passphrase_that_would_be_masked_everywhere_is_refused(run: Run) -> None:
    said = run(fails=True, passphrase="ec-of-the-north", requests=[asks("ec-of-the-north-1")])["msg"]
    assert said == "'passphrase' is a part of a path, a name or an alias: choose one that is no such word."


def _der(pem: bytes) -> bytes:
    return base64.b64decode(b"".join(pem.split(b"\n")[1:-2]))
