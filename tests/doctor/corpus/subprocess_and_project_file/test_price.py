import subprocess
import time


def test_price():
    for _ in range(3):
        assert subprocess.check_output(["cat", "prices.txt"], text=True).strip() == "10"
        time.sleep(0.02)
