import json
import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def note_database(django_db_setup, worker_id):
    from django.db import connection

    with open("databases.jsonl", "a") as notes:
        name = os.path.basename(str(connection.settings_dict["NAME"]))
        notes.write(json.dumps({"worker": worker_id, "name": name, "pid": os.getpid()}) + "\n")


@pytest.fixture
def lamp(db):
    from shop.models import Product

    return Product.objects.create(name="lamp", price=30, stock=5)


@pytest.fixture
def ann(django_user_model):
    return django_user_model.objects.create_user("ann", password="secret")
