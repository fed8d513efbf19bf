"""A template or worker that does what its input says, with nothing but the standard library.

Its first argument is the version it claims; its input names how it behaves.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import socket
import struct
import sys
import time

HELLO, COLLECTED, READY, RESULT, ASK, EVENT, BYE = 64, 65, 66, 67, 68, 69, 70
INIT, GRANT, SHUTDOWN, RUN = 96, 98, 100, 101
TESTS = 6
LANE = 64


class Worker:
    def __init__(self) -> None:
        self.socket = socket.socket(fileno=int(os.environ["OUTPACE_SOCKET"]))
        self.descriptors: list[int] = []
        self.position = 0

    def send(self, kind: int, payload: bytes = b"") -> None:
        self.socket.sendall(struct.pack("<I2sBB", len(payload), b"OP", 1, kind) + payload)

    def receive(self) -> tuple[int, bytes]:
        length, _, _, kind = struct.unpack("<I2sBB", self._exactly(8))
        return kind, self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece, descriptors, _, _ = socket.recv_fds(self.socket, count - len(data), 1)
            if not piece:
                os._exit(0)
            self.descriptors += descriptors
            data += piece
        return data

    def main(self) -> None:
        self.send(HELLO, json.dumps({"version": sys.argv[1]}).encode())
        kind, payload = self.receive()
        assert kind == INIT
        self.words = memoryview(mmap.mmap(self.descriptors.pop(), 0)).cast("I")
        self.lane = struct.unpack_from("<I", payload)[0] * LANE // 4
        self.behaviour = payload[4:].decode()
        if self.behaviour == "slow start":
            time.sleep(0.7)
        self.collect()
        while self.receive()[0] != RUN:
            pass
        self.send(READY, struct.pack("<i", os.getpid()) + self.behaviour.encode())
        while self.run_grant():
            pass
        self.send(BYE)

    def collect(self) -> None:
        head = json.dumps({"unsafe_to_fork": [], "groups": []}).encode()
        ids = [b"test_a.py::t%d" % number for number in range(TESTS)]
        lengths = struct.pack(f"<I{TESTS}I", TESTS, *map(len, ids))
        self.send(COLLECTED, struct.pack("<I", len(head)) + head + lengths + b"".join(ids))

    def run_grant(self) -> bool:
        self.send(ASK, struct.pack("<II", self.position, 0))
        kind, payload = self.receive()
        if kind == GRANT:
            first, *items = struct.unpack(f"<{len(payload) // 4}I", payload)
            for position, item in enumerate(items, first):
                self.words[self.lane + 1] = position + 1
                if position >= self.words[self.lane]:
                    self.words[self.lane + 1] = position
                    break
                self.position = position + 1
                self.run(item)
        return kind != SHUTDOWN

    def run(self, item: int) -> None:
        self.words[self.lane + 3] = 2
        self.send(RESULT, struct.pack("<IIId", item, 0, 0, 0.0))
        getattr(self, "do_" + self.behaviour.replace(" ", "_"), lambda: None)()
        self.words[self.lane + 3] = 0
        finished = struct.pack("<IIId", item, 1, 0, 0.001)
        self.send(RESULT, finished)
        if self.behaviour == "report twice":
            self.send(RESULT, finished)

    def do_hang(self) -> None:
        time.sleep(600)

    def do_crash(self) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)

    def do_write_garbage(self) -> None:
        self.socket.sendall(b"GET / HTTP/1.1\r\n\r\n")
        time.sleep(600)

    def do_write_half_a_frame(self) -> None:
        self.socket.sendall(struct.pack("<I2sBB", 1000, b"OP", 1, RESULT) + b"x" * 10)
        os._exit(3)

    def do_close_the_socket(self) -> None:
        self.socket.close()
        time.sleep(600)

    def do_leave_an_orphan(self) -> None:
        """It is in a session of its own and keeps the socket open."""
        if os.fork() == 0:
            os.setsid()
            time.sleep(600)
        os._exit(4)

    def do_flood(self) -> None:
        for number in range(400):
            self.send(EVENT, struct.pack("<I", number) + bytes(1 << 16))


Worker().main()
