"""The page. It shows what is there; what happens afterwards it hears."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie

from .models import Product


@ensure_csrf_cookie
def shop(request: HttpRequest) -> HttpResponse:
    """All products, and for who has logged in the orders."""
    is_keeper = request.user.has_perm("shop.change_order")
    return render(request, "shop/shop.html", {"products": Product.objects.all(), "is_keeper": is_keeper})
