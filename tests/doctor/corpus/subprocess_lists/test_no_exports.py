import subprocess
import time


def test_no_exports():
    for _ in range(3):
        assert subprocess.run(["sh", "-c", "mkdir -p exports; ls exports"], capture_output=True).stdout == b""
        time.sleep(0.02)
