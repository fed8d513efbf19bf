"""Services outside: those that are named are reached at their address; the others are not, and it is said why."""

from __future__ import annotations

import contextlib
import os
import socket
import socketserver
import threading
import uuid
from collections.abc import Iterator

import pytest
from lab import Lab, open_folder


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while True:
            data = self.request.recv(65536)
            if not data:
                return
            self.request.sendall(data)


class Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True


class Udp(socketserver.ThreadingMixIn, socketserver.UDPServer):
    max_packet_size = 65_535


class Tcp6(Tcp):
    address_family = socket.AF_INET6


class Unix(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


@contextlib.contextmanager
def echoing(server: socketserver.BaseServer) -> Iterator[socketserver.BaseServer]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


CLIENT = """
    import os, socket, threading
    import pytest

    def echo(sock, size=300_000):
        data = os.urandom(size)
        def send():
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        thread = threading.Thread(target=send)
        thread.start()
        got = b""
        while True:
            more = sock.recv(65536)
            if not more:
                break
            got += more
        thread.join()
        sock.close()
        return got == data

    PORT = int(os.environ["SERVICE_PORT"])
"""


def test_a_port_at_its_address(lab: Lab, method: str) -> None:
    lab.write(
        "test_a.py",
        CLIENT
        + """
    @pytest.mark.parametrize("n", range(12))
    def test_it(n):
        assert echo(socket.create_connection(("127.0.0.1", PORT)))
    """,
    )
    with echoing(Tcp(("127.0.0.1", 0), Echo)) as service:
        port = str(service.server_address[1])
        lab.settings(f'kinds = ["ports"]\nexpose = ["127.0.0.1:{port}"]')
        run = lab.run("-n3", "--start-method", method, env={"SERVICE_PORT": port})
    assert (run.ret, run.counts) == (0, {"passed": 12}), run.out + run.err


def test_every_kind_of_address(lab: Lab) -> None:
    lab.write(
        "test_a.py",
        CLIENT
        + """
    def test_v6(): assert echo(socket.create_connection(("::1", int(os.environ["V6_PORT"]))))
    def test_name(): assert echo(socket.create_connection(("localhost", PORT)))
    def test_other_network(): assert echo(socket.create_connection((os.environ["SERVICE_HOST"], PORT)))
    def test_abstract():
        sock = socket.socket(socket.AF_UNIX)
        sock.connect("\\0" + os.environ["ABSTRACT"])
        assert echo(sock)
    def test_path():
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(os.environ["PLACE"])
        assert echo(sock)
    def test_file(): assert open(os.environ["FILE"]).read() == "outside"
    """,
    )
    abstract = f"outpace-{uuid.uuid4().hex}"
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(open_folder())
        place, file = folder / "socket", folder / "file"
        file.write_text("outside")
        tcp = stack.enter_context(echoing(Tcp(("0.0.0.0", 0), Echo)))
        tcp6 = stack.enter_context(echoing(_v6()))
        stack.enter_context(echoing(Unix(f"\0{abstract}", Echo)))
        stack.enter_context(echoing(Unix(str(place), Echo)))
        place.chmod(0o777)
        port, port6, host = tcp.server_address[1], tcp6.server_address[1], _own_address()
        exposed = [f"localhost:{port}", f"[::1]:{port6}", f"{host}:{port}", f"@{abstract}", str(place), str(file)]
        lab.settings(f'kinds = ["ports", "tmp", "files"]\nexpose = {exposed}')
        env = {"SERVICE_PORT": str(port), "V6_PORT": str(port6), "SERVICE_HOST": host, "ABSTRACT": abstract}
        run = lab.run("-n2", env={**env, "PLACE": str(place), "FILE": str(file)})
    assert (run.ret, run.counts) == (0, {"passed": 6}), run.out + run.err


def test_datagrams(lab: Lab, method: str) -> None:
    """Where they are exposed; else whoever waits for an answer is told why there is none."""
    lab.write(
        "test_a.py",
        """
        import os, socket
        import pytest

        PORT, OTHER = int(os.environ["SERVICE_PORT"]), int(os.environ["OTHER_PORT"])

        def ask(port, data):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.settimeout(60)
                sock.connect(("127.0.0.1", port))
                sock.send(data)
                return sock.recv(70_000)

        @pytest.mark.parametrize("n", range(12))
        def test_it(n):
            assert ask(PORT, str(n).encode() * 20_000) == str(n).encode() * 20_000

        def test_its_own():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.bind(("127.0.0.1", OTHER))

        def test_not_exposed():
            ask(OTHER, b"x")

        def test_elsewhere():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.sendto(b"x", ("192.0.2.1", 53))
        """,
    )

    class Back(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, sock = self.request
            sock.sendto(data, self.client_address)

    with echoing(Udp(("127.0.0.1", 0), Back)) as service, echoing(Udp(("127.0.0.1", 0), Back)) as other:
        port = str(service.server_address[1])
        lab.settings(f'kinds = ["ports"]\nexpose = ["127.0.0.1:{port}/udp"]')
        env = {"SERVICE_PORT": port, "OTHER_PORT": str(other.server_address[1])}
        run = lab.run("-n3", "--start-method", method, env=env)
    assert (run.ret, run.counts) == (1, {"passed": 13, "failed": 2}), run.out + run.err
    assert " ".join(run.out.split()).count(f'"HOST:PORT/udp", "@abstract"]. Exposed: 127.0.0.1:{port}/udp.') == 2


def test_sockets_that_are_not_exposed(lab: Lab) -> None:
    """Of each kind: at once, with the setting."""
    abstract = f"outpace-{uuid.uuid4().hex}"
    lab.write(
        "test_a.py",
        f"""
        import os, socket

        def connect(place):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(place)

        def test_abstract(): connect("\\0{abstract}")
        def test_path(): connect(os.environ["PLACE"])
        def test_tcp(): socket.create_connection(("127.0.0.1", int(os.environ["SERVICE_PORT"])))
        def test_tcp_elsewhere(): socket.create_connection(("192.0.2.1", 80))
        """,
    )
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(open_folder())
        place = folder / "socket"
        stack.enter_context(echoing(Unix(f"\0{abstract}", Echo)))
        stack.enter_context(echoing(Unix(str(place), Echo)))
        tcp = stack.enter_context(echoing(Tcp(("127.0.0.1", 0), Echo)))
        lab.settings('kinds = ["ports", "tmp"]')
        run = lab.run("-n2", env={"PLACE": str(place), "SERVICE_PORT": str(tcp.server_address[1])})
    assert (run.ret, run.counts) == (1, {"failed": 4}), run.out + run.err
    text = " ".join(run.out.split())
    assert text.count('expose = ["HOST:PORT", "HOST:PORT/udp", "@abstract"]. Nothing is exposed.') == 3
    assert text.count('expose = ["/path/of/the.sock"]. Nothing is exposed.') == 1


def _v6() -> Tcp:
    try:
        return Tcp6(("::1", 0), Echo)
    except OSError:
        pytest.skip("no IPv6 here")


def _own_address() -> str:
    """An address of this machine that is not its loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
        sock.connect(("192.0.2.1", 9))
        address: str = sock.getsockname()[0]
        if not address.startswith("127."):
            return address
    pytest.skip("this machine has a loopback only")


def test_a_host_name_is_known_inside(one_lab: Lab) -> None:
    name = socket.gethostname()
    try:
        socket.getaddrinfo(name, None)
    except OSError:
        pytest.skip("this machine does not know its own name")
    one_lab.write(
        "test_a.py",
        CLIENT
        + """
    def test_it(): assert echo(socket.create_connection((os.environ["SERVICE_HOST"], PORT)))
    def test_the_others_are_still_known(): assert socket.gethostbyname("localhost") == "127.0.0.1"
    """,
    )
    with echoing(Tcp(("0.0.0.0", 0), Echo)) as service:
        port = service.server_address[1]
        one_lab.settings(f'kinds = ["ports"]\nexpose = ["{name}:{port}"]')
        run = one_lab.run("-n2", env={"SERVICE_PORT": str(port), "SERVICE_HOST": name})
    assert (run.ret, run.counts) == (0, {"passed": 2}), run.out + run.err


def test_a_worker_that_crashed_leaves_its_successor_the_service(one_lab: Lab) -> None:
    one_lab.write(
        "test_a.py",
        CLIENT
        + """
    @pytest.mark.parametrize("n", range(10))
    def test_it(n):
        sock = socket.create_connection(("127.0.0.1", PORT))
        if n == 3:
            os._exit(7)
        assert echo(sock)
    """,
    )
    with echoing(Tcp(("127.0.0.1", 0), Echo)) as service:
        port = str(service.server_address[1])
        one_lab.settings(f'kinds = ["ports"]\nexpose = ["127.0.0.1:{port}"]')
        run = one_lab.run("-n2", env={"SERVICE_PORT": port})
    assert (run.ret, run.counts) == (1, {"failed": 1, "passed": 9}), run.out + run.err


def test_a_name_that_nobody_knows_ends_the_run(one_lab: Lab) -> None:
    one_lab.write("test_a.py", "def test_it(): pass\n")
    one_lab.settings('kinds = ["ports"]\nexpose = ["nobody.invalid:1"]')
    run = one_lab.run("-n2")
    assert run.ret == 4 and "nobody.invalid:1" in run.err, run.out + run.err


NOTE = "This worker has its own loopback and no other network (--isolate=ports)*expose =*"


@pytest.mark.parametrize(
    "body",
    [
        'socket.create_connection(("127.0.0.1", PORT))',
        'socket.create_connection(("192.0.2.1", 80))',
        'socket.getaddrinfo("service.example", 80)',
        'urllib.request.urlopen("http://service.example/")',
        'subprocess.run(["sh", "-c", "echo curl: Connection refused >&2; exit 7"], check=True)',
        'raise RuntimeError("driver: could not translate host name")',
    ],
)
def test_what_is_not_exposed_fails_at_once_and_the_report_says_why(one_lab: Lab, body: str) -> None:
    source = f"""
        import os, socket, subprocess, urllib.request
        PORT = int(os.environ["SERVICE_PORT"])
        def test_it():
            {body}
        def test_other():
            assert 0
    """
    one_lab.write("test_a.py", source)
    with echoing(Tcp(("127.0.0.1", 0), Echo)) as service:
        env = {"SERVICE_PORT": str(service.server_address[1])}
        run = one_lab.run("-n2", "--isolate=ports", env=env)
        assert run.counts == {"failed": 2}, run.out
        run.match("*outpace: isolated*", NOTE)
        assert run.out.count("outpace: isolated") == 1, run.out
        without = one_lab.run("-n2", env=env)
        without.no_match("*outpace: isolated*")


@pytest.mark.parametrize("body", ["os.chown(tmp_path, 1, 1)", "os.setuid(12345)", "os.setgroups([5])"])
def test_what_a_user_namespace_cannot_do_is_told(one_lab: Lab, body: str) -> None:
    if not one_lab.user.prefix and os.getuid() == 0:
        pytest.skip("root needs no user namespace")
    one_lab.write("test_a.py", f"import os\ndef test_it(tmp_path):\n    {body}\n")
    run = one_lab.run("-n2", "--isolate=ipc")
    run.match("*outpace: isolated*", "This worker is in a user namespace of its own (--isolate=ipc)*")


def test_a_folder_that_cannot_be_moved_is_told(one_lab: Lab) -> None:
    one_lab.write(
        "test_a.py",
        "import os\ndef test_it():\n    os.rename('/tmp/outpace-sandbox-y', '/dev/shm/outpace-sandbox-y')\n",
    )
    one_lab.write("conftest.py", "def pytest_runtest_setup(): open('/tmp/outpace-sandbox-y', 'w').close()\n")
    run = one_lab.run("-n2", "--isolate=tmp")
    run.match("*outpace: isolated*", "This worker's folders are mounts of its own (--isolate=tmp)*")


def test_a_plugins_connection_to_the_controller(one_lab: Lab, method: str) -> None:
    pytest.importorskip("pytest_rerunfailures")
    one_lab.write(
        "test_a.py",
        """
        import os, pathlib
        def test_flaky(tmp_path_factory):
            mark = tmp_path_factory.getbasetemp().parent / "tried"
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), 9)
        def test_other(): pass
        """,
    )
    run = one_lab.run("-n2", "--isolate=ports", "--reruns=2", "--start-method", method)
    assert run.ret == 0 and "2 passed, 1 rerun" in run.out, run.out + run.err
