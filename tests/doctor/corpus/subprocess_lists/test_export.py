import subprocess


def test_export():
    script = "mkdir -p exports; touch exports/one.csv; sleep 0.1; rm exports/one.csv"
    assert subprocess.run(["sh", "-c", script]).returncode == 0
