"""Settings of the example: an ordinary Django project with WAMP. For development only."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = True
SECRET_KEY = "an example has no secrets"
ALLOWED_HOSTS = ["*"]

INSTALLED_APPS = [
    "wamp_transport",
    "daphne",
    "shop",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

# --- WAMP -------------------------------------------------------------------------------------------------------------
# You can also edit this in the admin, or keep it in a config.json. Everything that no rule allows is forbidden.

SHOP = "com.example.shop."


def rule(name: str, *actions: str, match: str = "exact") -> dict[str, object]:
    """Return a permission for these actions on a URI of the shop, or on all URIs that begin with it."""
    return {"uri": SHOP + name, "match": match, "allow": dict.fromkeys(actions, True)}


LOOKING = [rule("catalogue", "call"), rule("product.", "subscribe", match="prefix")]
BUYING = [*LOOKING, rule("buy", "call"), rule("orders", "call"), rule("my_order.", "subscribe", match="prefix")]
KEEPING = [*BUYING, rule("ship", "call"), rule("restock", "call"), rule("order.", "subscribe", match="prefix")]

WAMP_TRANSPORT = {
    "CONFIG": {
        "version": 2,
        "workers": [
            {
                "type": "router",
                "realms": [
                    {
                        "name": "shop",
                        "roles": [
                            {"name": "visitor", "permissions": LOOKING},
                            {"name": "customer", "permissions": BUYING},
                            {"name": "keeper", "permissions": KEEPING},
                        ],
                    }
                ],
                "transports": [
                    {
                        "type": "web",
                        "endpoint": {"type": "tcp", "port": 8000, "interface": "127.0.0.1"},
                        "paths": {
                            "ws": {
                                "type": "websocket",
                                "auth": {
                                    # Logged-in users are customers; the table "Roles of Django users" makes keepers.
                                    "django-session": {"default-role": "customer"},
                                    "anonymous": {"type": "static", "role": "visitor"},
                                },
                            }
                        },
                    }
                ],
            }
        ],
    }
}

# --- the other settings are as in any project -------------------------------------------------------------------------

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "project.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("SHOP_DATABASE", BASE_DIR / "shop.sqlite3"),
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
