import subprocess
import sys
import time
import urllib.request


def test_shop(tmp_path):
    (tmp_path / "who").write_text("shop")
    command = [sys.executable, "-m", "http.server", "45874", "--bind", "127.0.0.1"]
    server = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                answer = urllib.request.urlopen("http://127.0.0.1:45874/who", timeout=5).read()
                break
            except OSError:
                time.sleep(0.02)
        assert answer == b"shop"
    finally:
        server.kill()
        server.wait()
