"""Pages that call and publish, and a signal that does."""

from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.core.exceptions import SynchronousOnlyOperation
from django.db import transaction
from django.db.models.signals import post_save
from django.http import HttpResponse
from django.urls import path

from wamp_transport import api


def announce(instance, created, **kwargs):
    """A new user is told of, as any receiver of a signal would do it."""
    if created:
        api.publish("com.site.user.created", instance.username)


post_save.connect(announce, sender=User)


def add(request):
    return HttpResponse(api.call("com.shop.add", int(request.GET["a"]), int(request.GET["b"])))


async def aadd(request):
    return HttpResponse(await api.acall("com.shop.add", int(request.GET["a"]), int(request.GET["b"])))


async def wrapped(request):
    return HttpResponse(await sync_to_async(api.call)("com.shop.add", int(request.GET["a"]), int(request.GET["b"])))


async def blocked(request):
    try:
        api.call("com.shop.add", 1, 2)
    except SynchronousOnlyOperation as fault:
        return HttpResponse(f"SynchronousOnlyOperation: {fault}")
    return HttpResponse("no")


def create(request):
    try:
        with transaction.atomic():
            User.objects.create(username=request.GET["name"])
            if "fail" in request.GET:
                raise LookupError
    except LookupError:
        return HttpResponse("rolled back")
    return HttpResponse("created")


async def acreate(request):
    await sync_to_async(User.objects.create)(username=request.GET["name"])
    return HttpResponse("created")


urlpatterns = [
    path("sync/", add),
    path("async/", aadd),
    path("wrapped/", wrapped),
    path("blocked/", blocked),
    path("create/", create),
    path("acreate/", acreate),
]
