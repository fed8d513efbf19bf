import pytest
from django.db import IntegrityError, connection
from django.db.models import ProtectedError

from shop.models import Order, Product
from shop.services import OutOfStock, buy


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["lamp", "desk", "chair"])
def test_every_test_starts_empty(name):
    assert Product.objects.count() == 0
    Product.objects.create(name=name, price=1)


def test_buy(ann, lamp):
    buy(ann, lamp, 2)
    lamp.refresh_from_db()
    assert lamp.stock == 3


def test_buy_too_many(ann, lamp):
    with pytest.raises(OutOfStock):
        buy(ann, lamp, 6)
    assert Order.objects.count() == 0


def test_unique_name(lamp):
    with pytest.raises(IntegrityError):
        Product.objects.create(name="lamp", price=1)


def test_wrong_stock(lamp):
    assert lamp.stock == 6


def test_sold_products_stay(ann, lamp):
    buy(ann, lamp, 1)
    with pytest.raises(ProtectedError):
        lamp.delete()


def test_no_access_without_mark():
    Product.objects.count()


def test_queries(lamp, django_assert_num_queries):
    with django_assert_num_queries(1):
        list(Product.objects.all())


def test_too_many_queries(lamp, django_assert_num_queries):
    with django_assert_num_queries(1):
        list(Product.objects.all())
        Product.objects.count()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", range(3))
def test_transaction(number):
    assert Product.objects.count() == 0
    Product.objects.create(name="committed", price=number)
    assert not connection.in_atomic_block


@pytest.mark.skip(reason="no warehouse")
def test_warehouse(lamp):
    raise AssertionError
