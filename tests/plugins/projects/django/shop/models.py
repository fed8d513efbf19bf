from django.conf import settings
from django.db import models


class Product(models.Model):
    name = models.CharField(max_length=40, unique=True)
    price = models.PositiveIntegerField()
    stock = models.IntegerField(default=0)


class Order(models.Model):
    buyer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    product = models.ForeignKey(Product, on_delete=models.PROTECT)
    quantity = models.PositiveIntegerField()
    paid = models.BooleanField(default=False)
