import subprocess


def test_a():
    script = 'echo a > "$TMPDIR/answer"; sleep 0.1; cat "$TMPDIR/answer"'
    assert subprocess.check_output(["sh", "-c", script], text=True).strip() == "a"
