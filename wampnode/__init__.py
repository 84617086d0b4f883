"""A Django project that runs the app: settings, ASGI entry and URLs, no logic."""
