# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who listens: real sockets of this and of other processes, with ps as the outside judge of their age."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.mutual.tls.plugins.module_utils import listeners
from ansible_collections.mutual.tls.plugins.module_utils.listeners import Listener, listener

pytestmark = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux has /proc/net/tcp")


def listening(host: str, *, v6only: bool = False) -> socket.socket:
    """A socket that listens on any port of *host*, as Java does it: IPv6 wherever it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    server = socket.socket(family)
    if family == socket.AF_INET6:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
    server.bind((host, 0))
    server.listen()
    return server


def has_ipv6() -> bool:
    try:
        listening("::1").close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@contextmanager
def child(program: str, *arguments: str, **options):
    """A Python process that runs *program* and prints a port; it is ended by its process id."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, **options
    )
    try:
        yield process, int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


LISTENS = """
import socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
input()
"""


@pytest.mark.parametrize(
    ("bound", "asked", "found"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "localhost", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("127.0.0.1", "0.0.0.0", True),
        ("127.0.0.1", "", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("0.0.0.0", "0.0.0.0", True),
        ("0.0.0.0", "no-such-host.invalid", True),
        ("127.0.0.1", "no-such-host.invalid", False),
        pytest.param("::1", "::1", True, marks=needs_ipv6),
        pytest.param("::1", "127.0.0.1", False, marks=needs_ipv6),
        pytest.param("::", "::1", True, marks=needs_ipv6),
        pytest.param("::", "127.0.0.1", True, marks=needs_ipv6),
        pytest.param("::ffff:127.0.0.1", "127.0.0.1", True, marks=needs_ipv6),
        pytest.param("0.0.0.0", "::1", False, marks=needs_ipv6),
    ],
)
def test_a_socket_of_this_process(bound, asked, found):
    with listening(bound) as server:
        who = listener(asked, server.getsockname()[1])
    assert (who and who.pid) == (os.getpid() if found else None)


def test_nobody_listens_where_a_connection_is_only_open():
    with listening("127.0.0.1") as server, socket.create_connection(server.getsockname()) as client:
        assert listener("127.0.0.1", client.getsockname()[1]) is None
        port = server.getsockname()[1]
    assert listener("127.0.0.1", port) is None


def test_the_start_of_a_process_that_started_now():
    before = time.time()
    with child(LISTENS) as (process, port):
        after = time.time()
        who = listener("127.0.0.1", port)
    assert who.pid == process.pid
    assert before - 0.1 <= who.started <= after + 0.1


def test_ps_says_the_same_of_this_process():
    with listening("127.0.0.1") as server:
        who = listener("127.0.0.1", server.getsockname()[1])
    age = subprocess.run(["ps", "-o", "etimes=", "-p", str(os.getpid())], capture_output=True, text=True, check=True).stdout
    assert abs((time.time() - who.started) - int(age)) < 2


def test_the_start_of_a_program_with_parentheses_in_its_name(tmp_path):
    program = LISTENS.replace("import socket", "import socket, pathlib; pathlib.Path('/proc/self/comm').write_text('a) S 1 (b c')")
    before = time.time()
    with child(program) as (process, port):
        assert Path(f"/proc/{process.pid}/comm").read_text() == "a) S 1 (b c\n"
        who = listener("127.0.0.1", port)
    assert who.pid == process.pid
    assert abs(who.started - before) < 2


def test_the_oldest_of_the_processes_that_share_a_socket():
    forks = LISTENS.replace("print(", "import os, time; time.sleep(0.1); worker = os.fork(); worker or time.sleep(60); print(")
    program = forks.replace("input()", "import sys; sys.stdin.readline(); os.kill(worker, 9); os.wait()")
    with child(program) as (process, port):
        who = listener("127.0.0.1", port)
        process.communicate("\n")
    assert who.pid == process.pid
    assert who.workers_started >= who.started + 0.1, "its worker was started later"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can have a worker of another user, and give a right away")
def test_workers_that_nobody_may_look_into_are_not_taken_for_none():
    """Root in a container without CAP_SYS_PTRACE: a server's own start says nothing of what its workers have loaded."""
    forks = LISTENS.replace("print(", "import os, time; worker = os.fork(); worker or (os.setuid(65534), time.sleep(60)); print(")
    program = forks.replace("input()", "import sys; sys.stdin.readline(); os.kill(worker, 9); os.wait()")
    look = (
        "import sys; from ansible_collections.mutual.tls.plugins.module_utils.listeners import listener; "
        "found = listener('127.0.0.1', int(sys.argv[1])); print(found.pid, found.workers_started)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for right, knows in (([], True), (["setpriv", "--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace"], False)):
        command = [*right, sys.executable, "-c", program]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            port = process.stdout.readline().strip()
            look_at = [*right, sys.executable, "-c", look, port]
            said = subprocess.run(look_at, capture_output=True, text=True, check=True, env=environment).stdout.split()
            process.communicate("\n")
        assert (said[0], said[1] != "None") == (str(process.pid), knows)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user, who may not look at our files")
def test_who_it_is_stays_unknown_without_the_right_to_look():
    # The first look loads what Python loads late: nobody may not read the folder that it is in.
    look = (
        "import os, sys; from ansible_collections.mutual.tls.plugins.module_utils.listeners import listener; "
        "ask = lambda: listener('127.0.0.1', int(sys.argv[1])); assert ask().pid == os.getppid(); "
        "os.setgroups([]); os.setgid(65534); os.setuid(65534); print(ask())"
    )
    with listening("127.0.0.1") as server:
        run = [sys.executable, "-c", look, str(server.getsockname()[1])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        said = subprocess.run(run, capture_output=True, text=True, check=True, env=environment).stdout
    assert said.strip() == "Listener(pid=None, started=None, workers_started=None)"


def test_many_endpoints_in_one_walk(monkeypatch):
    walks = []
    real = listeners._process_ids
    monkeypatch.setattr(listeners, "_process_ids", lambda proc: walks.append(1) or real(proc))
    servers = [listening("127.0.0.1") for _number in range(20)]
    endpoints = [("127.0.0.1", server.getsockname()[1]) for server in servers]
    found = listeners.listeners([*endpoints, ("127.0.0.3", endpoints[0][1])])
    for server in servers:
        server.close()
    assert [found[endpoint].pid for endpoint in endpoints] == [os.getpid()] * 20
    assert found["127.0.0.3", endpoints[0][1]] is None
    assert walks == [1]
    assert listeners.listeners([]) == {}


def test_without_proc_nobody_is_known(tmp_path):
    with listening("127.0.0.1") as server:
        endpoint = ("127.0.0.1", server.getsockname()[1])
        assert listeners.listeners([endpoint], proc=tmp_path / "proc") == {endpoint: None}


HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def pretended(tmp_path: Path, first_command: str) -> Path:
    """A /proc in which process 1 and process 77 hold the same socket on 0.0.0.0:8443."""
    shutil.rmtree(tmp_path / "proc", ignore_errors=True)
    net = tmp_path / "proc" / "net"
    net.mkdir(parents=True)
    (net / "tcp").write_text(
        HEADER + "   0: 00000000:20FB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0 100 0 0 10 0\n"
    )
    for pid, command in ((1, first_command), (77, "nginx: master")):
        folder = tmp_path / "proc" / str(pid) / "fd"
        folder.mkdir(parents=True)
        (folder / "3").symlink_to("socket:[4242]")
        (folder.parent / "stat").write_text(f"{pid} ({command}) S " + " ".join(["0"] * 18) + f" {pid * 100} 0 0\n")
    return tmp_path / "proc"


def test_systemd_hands_its_socket_to_a_service(tmp_path):
    endpoint = ("127.0.0.1", 8443)
    assert listeners.listeners([endpoint], proc=pretended(tmp_path, "systemd"))[endpoint].pid == 77
    # The twin: in a container the server itself may be the first process.
    assert listeners.listeners([endpoint], proc=pretended(tmp_path, "nginx"))[endpoint].pid == 1


def test_a_process_that_ends_while_we_look_is_nobody(tmp_path):
    proc = pretended(tmp_path, "nginx")
    for pid in ("1", "77"):
        (proc / pid / "stat").unlink()
    assert listeners.listeners([("127.0.0.1", 8443)], proc=proc) == {("127.0.0.1", 8443): Listener(None, None)}
