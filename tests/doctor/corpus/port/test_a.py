import socket
import time


def test_a():
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 45871))
        server.listen()
        time.sleep(0.2)
