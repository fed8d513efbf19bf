import pathlib
import time

OUT = pathlib.Path(__file__).parent / "out.csv"


def export(rows):
    with OUT.open("w") as file:
        for row in rows:
            file.write(row + "\n")
    time.sleep(0.02)
    return OUT.read_text().splitlines()
