import pathlib
import tempfile

CATALOGUE = pathlib.Path(tempfile.gettempdir()) / "catalogue.txt"


def test_reads():
    assert CATALOGUE.read_text() == "pear"
