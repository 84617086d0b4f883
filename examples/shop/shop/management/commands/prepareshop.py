"""``manage.py prepareshop``: create products, customers and a shopkeeper."""

from django.contrib.auth.models import Group, Permission, User
from django.core.management.base import BaseCommand

from shop.models import Product
from wamp_transport.models import UserRole

PRODUCTS = [
    ("green-tea", "Green tea", "6.90", 12),
    ("ink", "Blue ink", "7.25", 8),
    ("notebook", "Notebook", "4.50", 20),
    ("pencils", "Six pencils", "3.80", 15),
    ("lamp", "Desk lamp", "39.00", 3),
    ("teapot", "Teapot", "24.50", 5),
]
PASSWORD = "shop"


class Command(BaseCommand):
    """Create what is missing. It is safe to run this again."""

    help = "Create products and the users ann and joe (customers) and kim (shopkeeper), password: shop"

    def handle(self, *args: object, **options: object) -> None:
        """Create the products, users, group and role."""
        products = [Product(sku=sku, name=name, price=price, stock=stock) for sku, name, price, stock in PRODUCTS]
        Product.objects.bulk_create(products, ignore_conflicts=True)  # sends no signals, so no events are published
        keepers, _ = Group.objects.get_or_create(name="shopkeepers")
        keepers.permissions.set(Permission.objects.filter(content_type__app_label="shop"))
        for name in ("ann", "joe", "kim"):
            user, is_new = User.objects.get_or_create(username=name, defaults={"is_staff": name == "kim"})
            if is_new:
                user.set_password(PASSWORD)
                user.save()
        User.objects.get(username="kim").groups.add(keepers)
        UserRole.objects.get_or_create(kind="group", group=keepers, defaults={"role": "keeper"})
        self.stdout.write("The shop is ready. Log in as ann or joe (customers) or kim (shopkeeper), password: shop")
