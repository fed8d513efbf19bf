import pathlib
import tempfile

CATALOGUE = pathlib.Path(tempfile.gettempdir()) / "catalogue.txt"


def test_writes():
    CATALOGUE.write_text("pear")
    assert CATALOGUE.exists()
