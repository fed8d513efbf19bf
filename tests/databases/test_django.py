"""Django makes a database for each worker and rolls its tests back by itself. That it does so here as well."""

from __future__ import annotations

import outcomes
import pytest
from conftest import Postgres
from project import Project

pytest.importorskip("pytest_django")
pytest.importorskip("django")


def test_django_on_postgresql(project: Project, postgres: Postgres) -> None:
    project.write("pytest.ini", "[pytest]\nDJANGO_SETTINGS_MODULE = site_settings\n")
    project.write("shop/__init__.py", "")
    project.write(
        "shop/models.py",
        """
        from django.db import models

        class Item(models.Model):
            name = models.CharField(max_length=20, unique=True)
        """,
    )
    project.files(
        site_settings=f"""
        SECRET_KEY = "x"
        INSTALLED_APPS = ["shop"]
        USE_TZ = True
        DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
        DATABASES = {{
            "default": {{
                "ENGINE": "django.db.backends.postgresql",
                "NAME": "{postgres.name}",
                "USER": "app",
                "HOST": "127.0.0.1",
                "PORT": "{postgres.cluster.port}",
            }}
        }}
        """,
        test_shop="""
        import time
        import pytest
        from django.db import connection, transaction
        from shop.models import Item

        @pytest.mark.django_db
        @pytest.mark.parametrize("n", range(4))
        def test_rolled_back(n):
            Item.objects.create(name="one")
            time.sleep(0.05)
            assert Item.objects.count() == 1

        @pytest.mark.django_db(transaction=True)
        @pytest.mark.parametrize("n", range(4))
        def test_committed(n):
            with transaction.atomic():
                Item.objects.create(name="one")
            time.sleep(0.05)
            assert Item.objects.count() == 1
            assert connection.settings_dict["NAME"].startswith("test_")
        """,
    )
    quiet = ("-p", "no:asyncio", "-p", "no:anyio")
    serial = project.run("-n0", *quiet, record=True, limit=240)
    assert serial.ret == 0, serial.out
    for method in ("fork", "spawn"):
        parallel = project.run("-n3", *quiet, "--start-method", method, record=True, limit=240)
        assert parallel.ret == 0, parallel.out
        assert outcomes.outcome_table(parallel.recorded) == outcomes.outcome_table(serial.recorded)
    assert postgres.cluster.databases() == [postgres.name]
