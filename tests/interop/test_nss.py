# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module nss_database: NSS's own certutil says what is there, and its client tstclnt connects to a server of OpenSSL with it."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ansible_collections.mutual.tls.plugins.module_utils import keystore as keystore_core
from ansible_collections.mutual.tls.plugins.module_utils import nss, x509
from ansible_collections.mutual.tls.plugins.module_utils.entries import PrivateKeyEntry, TrustedCertEntry
from ansible_collections.mutual.tls.plugins.modules import nss_database

from ..unit.factory import PASSWORD, Issued, issue, new_key

pytestmark = pytest.mark.skipif(
    shutil.which("pk12util") is None, reason="NSS's programs are not there (Debian: apt-get install libnss3-tools)"
)

Run = Callable[..., dict[str, Any]]
NICKNAME = "example console"


@pytest.fixture(scope="module")
def cas() -> dict[str, Issued]:
    return {name: issue(f"mutual.tls {name} CA", ca=True, usages=None) for name in ("system", "clients")}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def write(path: Path, leaf: Issued, *trusted: Issued, issuer: Issued | None = None) -> None:
    """A keystore with a key, its chain, and whom it trusts."""
    chain = (leaf.der, *([issuer.der] if issuer is not None else []))
    store = keystore_core.Store.empty().put(PrivateKeyEntry("desktop1", x509.to_pkcs8(leaf.key), chain))
    for number, each in enumerate(trusted, start=1):
        store = store.put(TrustedCertEntry(f"system-ca-{number}", each.der))
    path.write_bytes(keystore_core.serialize_store(store, PASSWORD, store_format="pkcs12", profile="default"))


@pytest.fixture
def run(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """A run of the module's main(). Whatever comes of it, it says no secret."""
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    home.mkdir()

    def main(*, check: bool = False, fails: bool = False, **options: Any) -> dict[str, Any]:
        own = {"keystore": {"path": str(tmp_path / "keys"), "password": PASSWORD}, "name": NICKNAME, "home": str(home)}
        settings = {"_ansible_check_mode": check, "_ansible_diff": True, "_ansible_remote_tmp": str(tmp_path), "_ansible_no_log": False}
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": {**own, **options, **settings}}).encode())
        with pytest.raises(SystemExit) as ended:
            nss_database.main()
        printed = capsys.readouterr().out
        result: dict[str, Any] = json.loads(printed)
        assert bool(ended.value.code) is fails, result
        shown = json.dumps({name: value for name, value in result.items() if name != "invocation"})
        assert PASSWORD not in shown and "PRIVATE KEY" not in shown
        return result

    umask = os.umask(0o022)
    try:
        yield main
    finally:
        os.umask(umask)  # the module sets that of its process, which is ours here


def done(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(change["action"], change["entry"]) for change in result["changes"]]


def certutil(database: Path, *words: str) -> str:
    return subprocess.run(["certutil", "-d", f"sql:{database}", *words], capture_output=True, text=True, check=False).stdout


def fingerprints(database: Path) -> set[str]:
    """Of all that has a key, as certutil and openssl have it."""
    found = set()
    lines = [line for line in certutil(database, "-L").splitlines() if line.rstrip().endswith("u,u,u")]
    for nickname in {line.rpartition("  ")[0].strip() for line in lines}:
        for pem in re.findall(r"-----BEGIN.*?-----END CERTIFICATE-----", certutil(database, "-L", "-a", "-n", nickname), re.DOTALL):
            command = ["openssl", "x509", "-noout", "-fingerprint", "-sha256"]
            printed = subprocess.run(command, input=pem, capture_output=True, text=True, check=True).stdout
            found.add(printed.strip().rpartition("=")[2].replace(":", "").lower())
    return found


@contextmanager
def server(tmp_path: Path, cas: dict[str, Issued]) -> Iterator[int]:
    """An OpenSSL that wants a certificate of the clients' CA; its port."""
    leaf = issue("localhost", by=cas["system"], san=["localhost"])
    key = leaf.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "server.pem").write_bytes(x509.der_to_pem(leaf.der).encode() + key)
    (tmp_path / "clients.pem").write_text(x509.der_to_pem(cas["clients"].der))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", "server.pem", "-CAfile", "clients.pem"]
    command += ["-Verify", "3", "-verify_return_error", "-www"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            for _attempt in range(200):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield port
        finally:
            running.terminate()


def is_let_in(database: Path, port: int) -> bool:
    """Whether NSS's own client gets the page with what is in the database, and trusts the server by that."""
    client = ["tstclnt", "-d", f"sql:{database}", "-h", "localhost", "-p", str(port), "-V", "tls1.2:tls1.3", "-4"]
    with subprocess.Popen(client, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
        try:
            said, _none = running.communicate(b"GET / HTTP/1.0\r\n\r\n", timeout=3)
        except subprocess.TimeoutExpired:  # it waits for more, whatever it got
            running.kill()
            said, _none = running.communicate()
    return b"HTTP/1.0 200" in said


def test_a_browser_has_what_the_keystore_has(run: Run, tmp_path: Path, home: Path, cas: dict[str, Issued]) -> None:
    leaf = issue("desktop1", by=cas["clients"])
    write(tmp_path / "keys", leaf, cas["system"], issuer=cas["clients"])
    database = home / ".pki" / "nssdb"
    promised = run(check=True)
    assert not database.exists()
    made = run()
    assert promised["changes"] == made["changes"]
    assert done(made) == [("create", str(database)), ("trust", "(example console) system-ca-1"), ("install", NICKNAME)]
    assert fingerprints(database) == {x509.sha256(leaf.der)} == {made["sha256"]}
    assert re.search(r"^\(example console\) system-ca-1 +C,, *$", certutil(database, "-L"), re.MULTILINE)
    assert {path.stat().st_mode & 0o077 for path in (database, *database.iterdir())} == {0}
    again = run()
    assert (again["changed"], again["changes"]) == (False, [])
    with server(tmp_path, cas) as port:
        assert is_let_in(database, port)
        without = nss.Database(str(tmp_path / "without"))
        without.create()
        without.trust("ca", cas["system"].der)
        assert not is_let_in(Path(without.path), port)


@pytest.mark.parametrize("kind", ["EC", "RSA"])
def test_another_certificate_takes_the_place_of_the_one_before(
    run: Run, tmp_path: Path, home: Path, cas: dict[str, Issued], kind: str
) -> None:
    former, leaf = (issue("desktop1", by=cas["clients"], key=new_key(kind)) for _time in range(2))
    database = home / ".pki" / "nssdb"
    write(tmp_path / "keys", former, cas["system"], issuer=cas["clients"])
    run()
    other = issue("another CA", ca=True, usages=None)
    write(tmp_path / "keys", leaf, other, issuer=cas["clients"])
    made = run()
    assert done(made) == [
        ("distrust", "(example console) system-ca-1"),
        ("trust", "(example console) system-ca-1"),
        ("remove", NICKNAME),
        ("install", NICKNAME),
    ]
    assert fingerprints(database) == {x509.sha256(leaf.der)}
    assert x509.sha256(former.der) in made["diff"]["after"]
    assert len(nss.Database(str(database)).keys()) == 1, "the key before is gone, too"
    assert not run()["changed"]


def test_a_run_that_died_is_finished_by_the_next(run: Run, tmp_path: Path, home: Path, cas: dict[str, Issued]) -> None:
    """Old and new are both there, under one nickname."""
    former, leaf = (issue("desktop1", by=cas["clients"]) for _time in range(2))
    database = nss.Database(str(home / ".pki" / "nssdb"))
    for each in (leaf, former):
        write(tmp_path / "keys", each, issuer=cas["clients"])
        if not database.exists():
            database.create()
        store = keystore_core.open_store(str(tmp_path / "keys"), PASSWORD)
        database.install(nss.Wanted(store.key_entry(None), NICKNAME))
    assert len(database.keys()) == 2
    write(tmp_path / "keys", leaf, issuer=cas["clients"])
    assert done(run()) == [("remove", NICKNAME), ("install", NICKNAME)]
    assert fingerprints(Path(database.path)) == {x509.sha256(leaf.der)}
    assert not run()["changed"]


def test_what_is_somebody_elses_stays(run: Run, tmp_path: Path, home: Path, cas: dict[str, Issued]) -> None:
    """Of the same name from another company's CA, and what its user trusts."""
    company = issue("company CA", ca=True, usages=None)
    theirs = issue("desktop1", by=company)
    database = nss.Database(str(home / ".pki" / "nssdb"))
    database.create()
    database.install(nss.Wanted(PrivateKeyEntry("x", x509.to_pkcs8(theirs.key), (theirs.der,)), "theirs"))
    subprocess.run(
        ["certutil", "-d", f"sql:{database.path}", "-A", "-n", "company", "-t", "C,,", "-a"],
        input=x509.der_to_pem(company.der),
        text=True,
        check=True,
    )
    for number in range(2):
        leaf = issue("desktop1", by=cas["clients"])
        write(tmp_path / "keys", leaf, cas["system"], issuer=cas["clients"])
        assert run()["changed"], number
    assert database.keys() == {nss.key_id(theirs.der), nss.key_id(leaf.der)}
    assert not run()["changed"]
    assert run(state="absent")["changed"]
    assert database.keys() == {nss.key_id(theirs.der)}
    assert re.search(r"^company +C,,", certutil(Path(database.path), "-L"), re.MULTILINE)
    assert "(example console)" not in certutil(Path(database.path), "-L")
    assert not run(state="absent")["changed"]


@pytest.mark.parametrize("place", [".mozilla/firefox", ".config/mozilla/firefox"])
def test_firefoxs_profiles_are_found_and_a_password_is_asked_for(
    run: Run, tmp_path: Path, home: Path, cas: dict[str, Issued], place: str
) -> None:
    profile = home / place / "abc.default-release"
    profile.mkdir(parents=True)
    (profile.parent / "never.used").mkdir()
    listed = [
        "[Install4F]\nDefault=abc.default-release",
        "[Profile1]\nIsRelative=1\nPath=never.used",
        "[Profile0]\nPath=abc.default-release",
    ]
    (profile.parent / "profiles.ini").write_text("\n".join([*listed, "[General]\nVersion=2\n"]))
    (tmp_path / "word").write_text("primary\n")
    subprocess.run(["certutil", "-d", f"sql:{profile}", "-N", "-f", str(tmp_path / "word")], check=True)
    leaf = issue("desktop1", by=cas["clients"])
    write(tmp_path / "keys", leaf, cas["system"], issuer=cas["clients"])
    refused = run(fails=True)
    assert "give its password (database_password)" in refused["msg"]
    assert str(profile) in refused["msg"]
    made = run(database_password="primary")
    assert made["databases"] == [str(home / ".pki" / "nssdb"), str(profile)]
    assert "primary" not in json.dumps(made["changes"])
    assert re.search(rf"^{NICKNAME} +u,u,u", certutil(profile, "-L", "-f", str(tmp_path / "word")), re.MULTILINE)
    assert not run(database_password="primary")["changed"]


@pytest.mark.parametrize(
    ("break_it", "why"),
    [("password", "password"), ("alias", "no entry|alias"), ("programs", "There is no program 'certutil'.*libnss3-tools")],
)
def test_what_cannot_be_done_changes_nothing(
    run: Run, tmp_path: Path, home: Path, cas: dict[str, Issued], monkeypatch: pytest.MonkeyPatch, break_it: str, why: str
) -> None:
    write(tmp_path / "keys", issue("desktop1", by=cas["clients"]), issuer=cas["clients"])
    given = {"path": str(tmp_path / "keys"), "password": PASSWORD}
    if break_it == "password":
        given["password"] = "another word"
    elif break_it == "alias":
        given["alias"] = "desktop2"
    else:
        monkeypatch.setenv("PATH", str(tmp_path))
    failed = run(fails=True, keystore=given)
    assert re.search(why, failed["msg"]), failed["msg"]
    assert not list(home.rglob("cert9.db"))


def test_a_renewal_of_the_same_key_is_installed_each_time(run: Run, tmp_path: Path, home: Path, cas: dict[str, Issued]) -> None:
    """Two certificates of one key, also where a run died after the key was out."""
    key = new_key()
    database = nss.Database(str(home / ".pki" / "nssdb"))
    for number in range(3):
        leaf = issue("desktop1", by=cas["clients"], key=key)
        write(tmp_path / "keys", leaf, issuer=cas["clients"])
        if number == 1:
            subprocess.run(["certutil", "-d", f"sql:{database.path}", "-F", "-k", nss.key_id(leaf.der)], check=True)
        assert run()["changed"]
        assert fingerprints(Path(database.path)) == {x509.sha256(leaf.der)}
        assert not run()["changed"]


def test_a_certificate_of_another_generation_takes_its_place(run: Run, tmp_path: Path, home: Path, cas: dict[str, Issued]) -> None:
    """Both its subject and its CA's name the generation."""
    for generation in (1, 2, 3):
        own = "" if generation == 1 else f",OU=generation {generation}"
        ca = issue("mutual.tls clients CA", subject=x509.parse_name(f"CN=mutual.tls clients CA{own}"), ca=True, usages=None)
        leaf = issue("desktop1", subject=x509.parse_name(f"CN=desktop1,O=Example{own}"), by=ca)
        write(tmp_path / "keys", leaf, issuer=ca)
        run()
        assert fingerprints(home / ".pki" / "nssdb") == {x509.sha256(leaf.der)}
        assert not run()["changed"]


def test_two_systems_leave_each_other_alone(run: Run, tmp_path: Path, cas: dict[str, Issued]) -> None:
    for name, ca in (("one", cas["system"]), ("two", cas["clients"])):
        leaf = issue(f"desktop of {name}", by=cas["clients"])
        write(tmp_path / f"keys of {name}", leaf, ca, issuer=cas["clients"])
    stores = {name: {"path": str(tmp_path / f"keys of {name}"), "password": PASSWORD} for name in ("one", "two")}
    assert [run(name=name, keystore=store)["changed"] for name, store in (*stores.items(), *stores.items())] == [True, True, False, False]


def test_a_wrong_password_changes_nothing(run: Run, tmp_path: Path, home: Path, cas: dict[str, Issued]) -> None:
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    (tmp_path / "word").write_text("primary\n")
    subprocess.run(["certutil", "-d", f"sql:{database}", "-N", "-f", str(tmp_path / "word")], check=True)
    write(tmp_path / "keys", issue("desktop1", by=cas["clients"]), cas["system"], issuer=cas["clients"])
    assert "give its password" in run(fails=True, database_password="another")["msg"]
    assert certutil(database, "-L").count("u,u,u") == certutil(database, "-L").count("(example console)") == 0


def test_somebody_elses_home_is_left_alone(
    run: Run, tmp_path: Path, home: Path, cas: dict[str, Issued], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "keys", issue("desktop1", by=cas["clients"]), issuer=cas["clients"])
    assert "cannot be looked at" in run(fails=True, home=str(tmp_path / "no such home"))["msg"]
    mine = nss_database.os.geteuid()
    monkeypatch.setattr(nss_database.os, "geteuid", lambda: mine + 1)
    assert "is another user's" in run(fails=True)["msg"]
    assert not list(home.iterdir())


def test_the_placeholder_of_a_key_goes_when_somebody_has_signed_for_it(
    home: Path, tmp_path: Path, run: Run, cas: dict[str, Issued]
) -> None:
    """It has the same subject, so the same nickname, and another issuer."""
    key = new_key()
    write(tmp_path / "keys", issue("desktop1", key=key))
    run()
    leaf = issue("desktop1", by=cas["clients"], key=key)
    write(tmp_path / "keys", leaf, issuer=cas["clients"])
    assert run()["changed"]
    assert fingerprints(home / ".pki" / "nssdb") == {x509.sha256(leaf.der)}
    assert not run()["changed"]
