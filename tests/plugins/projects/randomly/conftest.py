import json

import pytest


@pytest.fixture(scope="session", autouse=True)
def note_seed(request, worker_id):
    seed = request.config.getoption("randomly_seed")
    with open("seeds.jsonl", "a") as notes:
        notes.write(json.dumps({"worker": worker_id, "seed": seed}) + "\n")


@pytest.fixture
def dice():
    import random

    return random.randint(1, 10**9)
