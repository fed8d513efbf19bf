import subprocess

SCRIPT = """
set -e
mkdir "$TMPDIR/build"
echo app > "$TMPDIR/build/out"
sleep 0.1
cat "$TMPDIR/build/out"
rm -r "$TMPDIR/build"
"""


def test_app():
    done = subprocess.run(["sh", "-c", SCRIPT], capture_output=True, text=True)
    assert done.stdout.strip() == "app", done.stderr
