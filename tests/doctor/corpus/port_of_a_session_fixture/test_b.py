import socket
import time


def test_b(address):
    time.sleep(0.2)
    with socket.create_connection(address) as client:
        client.sendall(b"b\n")
        assert client.recv(10) == b"b\n"
