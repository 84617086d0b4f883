"""URLs of the project: the admin, and the demo page where it is switched on."""

from django.contrib import admin
from django.urls import path

urlpatterns = [
    path("admin/", admin.site.urls),
]
