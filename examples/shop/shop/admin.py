"""Products and orders in the admin. Changes appear on all open pages."""

from django.contrib import admin

from .models import Order, Product


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):
    list_display = ["name", "sku", "price", "stock"]
    list_editable = ["price", "stock"]


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ["pk", "customer", "product", "quantity", "status", "placed_at"]
    list_filter = ["status"]
