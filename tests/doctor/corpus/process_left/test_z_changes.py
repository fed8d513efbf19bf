import socket
import subprocess
import sys


def test_changes():
    code = "import socket, time; s = socket.socket(); s.bind(('127.0.0.1', 45873)); s.listen(); print(1, flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert child.stdout.readline()
