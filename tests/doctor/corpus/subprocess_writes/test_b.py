import subprocess


def test_b():
    script = 'echo b > "$TMPDIR/answer"; sleep 0.1; cat "$TMPDIR/answer"'
    assert subprocess.check_output(["sh", "-c", script], text=True).strip() == "b"
