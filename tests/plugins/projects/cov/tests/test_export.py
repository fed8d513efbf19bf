import subprocess
import sys

from ledger import export


def test_as_csv():
    assert export.as_csv([(1, 2), (3, 4)]) == "1,2\n3,4"


def test_program():
    done = subprocess.run(
        [sys.executable, "-m", "ledger.export"], input="ann 500\nbob 5\n", capture_output=True, text=True, check=True
    )
    assert done.stdout == "ann,500,large\nbob,5\n"
