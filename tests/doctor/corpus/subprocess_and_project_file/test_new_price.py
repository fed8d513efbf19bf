import subprocess


def test_new_price():
    script = "cp prices.txt $TMPDIR/old; echo 20 > prices.txt; sleep 0.1; cat prices.txt; cat $TMPDIR/old > prices.txt"
    assert subprocess.check_output(["sh", "-c", script], text=True).strip() == "20"
