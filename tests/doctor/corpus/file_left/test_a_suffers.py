import pathlib
import tempfile

DRAFT = pathlib.Path(tempfile.gettempdir()) / "draft.txt"


def test_suffers():
    assert not DRAFT.exists()
