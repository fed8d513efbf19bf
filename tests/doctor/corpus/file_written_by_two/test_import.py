import pathlib
import tempfile
import time

REPORT = pathlib.Path(tempfile.gettempdir()) / "report.txt"


def test_import():
    REPORT.write_text("import")
    time.sleep(0.02)
    assert REPORT.read_text() == "import"
