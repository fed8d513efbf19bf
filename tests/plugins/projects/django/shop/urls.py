from django.contrib.auth.decorators import login_required
from django.http import JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import path

from shop.models import Order, Product


def products(request):
    return JsonResponse({"products": list(Product.objects.order_by("name").values_list("name", flat=True))})


def product(request, name):
    found = get_object_or_404(Product, name=name)
    return JsonResponse({"name": found.name, "price": found.price})


@login_required(login_url="/login")
def my_orders(request):
    return JsonResponse({"orders": Order.objects.filter(buyer=request.user).count()})


urlpatterns = [
    path("products/", products),
    path("products/<str:name>/", product),
    path("orders/", my_orders),
]
