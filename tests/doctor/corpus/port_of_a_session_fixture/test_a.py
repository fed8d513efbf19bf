import socket
import time


def test_a(address):
    time.sleep(0.2)
    with socket.create_connection(address) as client:
        client.sendall(b"a\n")
        assert client.recv(10) == b"a\n"
