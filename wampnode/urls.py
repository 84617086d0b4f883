"""URLs of the project: the demo page and the admin."""

from django.contrib import admin
from django.urls import path

from .demo import DemoPage

urlpatterns = [
    path("", DemoPage.as_view(), name="demo"),
    path("admin/", admin.site.urls),
]
