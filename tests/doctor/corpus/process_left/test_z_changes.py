import subprocess
import sys

CODE = """
import socket, time
server = socket.socket()
server.bind(("127.0.0.1", 45873))
server.listen()
print("ready", flush=True)
time.sleep(60)
"""


def test_changes():
    child = subprocess.Popen([sys.executable, "-c", CODE], stdout=subprocess.PIPE)
    assert child.stdout.readline()
