import json
import urllib.request

import pytest
from django.core import mail
from django.test import TestCase

from shop.models import Product
from shop.services import buy


def test_empty_list(client, db):
    assert client.get("/products/").json() == {"products": []}


def test_list(client, lamp):
    assert client.get("/products/").json() == {"products": ["lamp"]}


def test_missing_product(client, db):
    assert client.get("/products/none/").status_code == 404


def test_login_needed(client, db):
    assert client.get("/orders/").status_code == 302


def test_my_orders(client, ann, lamp):
    buy(ann, lamp, 1)
    client.force_login(ann)
    assert client.get("/orders/").json() == {"orders": 1}


def test_settings_are_put_back(settings):
    settings.SECRET_KEY = "changed"


def test_settings(settings):
    assert settings.SECRET_KEY == "only for tests"


def test_mail(mailoutbox):
    mail.send_mail("bought", "a lamp", "shop@shop.invalid", ["ann@shop.invalid"])
    assert [message.subject for message in mailoutbox] == ["bought"]


@pytest.mark.parametrize("price", [3, 4])
def test_live_server(live_server, price, transactional_db):
    Product.objects.create(name="desk", price=price)
    with urllib.request.urlopen(f"{live_server.url}/products/desk/") as answer:
        assert json.load(answer) == {"name": "desk", "price": price}


class TestOldStyle(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.product = Product.objects.create(name="rug", price=9)

    def test_price(self):
        self.assertEqual(Product.objects.get().price, 9)

    def test_fails(self):
        self.assertContains(self.client.get("/products/"), "carpet")
