import socketserver
import threading

import pytest


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline())


class Server(socketserver.TCPServer):
    allow_reuse_address = True


@pytest.fixture(scope="session")
def address():
    with Server(("127.0.0.1", 45875), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address
        server.shutdown()
        thread.join()
