"""Pages that raise what would end more than their request."""

import asyncio
import sys

from asgiref.sync import sync_to_async
from django.http import HttpResponse
from django.urls import path

KINDS = {"exit": SystemExit, "interrupt": KeyboardInterrupt, "stop": StopIteration, "generator": GeneratorExit}


def fail(request, kind):
    raise KINDS[kind]


async def afail(request, kind):
    await asyncio.sleep(0)
    raise KINDS[kind]


async def in_thread(request, kind):
    await sync_to_async(fail)(request, kind)


async def own_task(request):
    async def leave():
        sys.exit(1)

    await asyncio.wait([asyncio.create_task(leave())])
    return HttpResponse("still there")


async def own_callback(request):
    asyncio.get_running_loop().call_soon(sys.exit, 1)
    await asyncio.sleep(0)
    return HttpResponse("still there")


urlpatterns = [
    path("sync/<kind>/", fail),
    path("async/<kind>/", afail),
    path("thread/<kind>/", in_thread),
    path("task/", own_task),
    path("callback/", own_callback),
    path("hello/", lambda request: HttpResponse("hello")),
]
