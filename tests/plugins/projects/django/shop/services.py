from django.db import transaction
from django.db.models import F

from shop.models import Order, Product


class OutOfStock(Exception):
    pass


def buy(buyer, product, quantity):
    with transaction.atomic():
        order = Order.objects.create(buyer=buyer, product=product, quantity=quantity)
        changed = Product.objects.filter(pk=product.pk, stock__gte=quantity).update(stock=F("stock") - quantity)
        if not changed:
            raise OutOfStock(product.name)
    return order
