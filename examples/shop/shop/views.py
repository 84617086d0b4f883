"""The page of the shop. It shows the current data; later changes arrive over WAMP."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie

from .models import Product


@ensure_csrf_cookie
def shop(request: HttpRequest) -> HttpResponse:
    """Show all products, and the orders to users who are logged in."""
    is_keeper = request.user.has_perm("shop.change_order")
    return render(request, "shop/shop.html", {"products": Product.objects.all(), "is_keeper": is_keeper})
