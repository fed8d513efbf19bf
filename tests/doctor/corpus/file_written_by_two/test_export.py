import pathlib
import tempfile
import time

REPORT = pathlib.Path(tempfile.gettempdir()) / "report.txt"


def test_export():
    REPORT.write_text("export")
    time.sleep(0.02)
    assert REPORT.read_text() == "export"
