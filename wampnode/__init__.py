"""A Django project that runs the app. It contains settings, the ASGI entry point, URLs and a demo page."""
