"""Settings of the project; production values come from the environment."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = os.environ.get("WAMPNODE_DEBUG", "1") == "1"
# Without DEBUG there is no default, so that Django refuses to start if the key is not set.
SECRET_KEY = os.environ.get("WAMPNODE_SECRET_KEY", "for-development-only" if DEBUG else "")
ALLOWED_HOSTS = [host for host in os.environ.get("WAMPNODE_ALLOWED_HOSTS", "").split(",") if host]

# The order matters: wamp_transport's runserver replaces Daphne's, which replaces the one of staticfiles.
INSTALLED_APPS = [
    "wamp_transport",
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "wampnode",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "wampnode.urls"
ASGI_APPLICATION = "wampnode.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
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
        "NAME": os.environ.get("WAMPNODE_DATABASE", BASE_DIR / "db.sqlite3"),
        # Several threads and processes share the file: writers wait for the lock, and do not block readers.
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL"},
    }
}
# Such as redis://localhost:6379/0. All processes that use the same server form one router.
REDIS = os.environ.get("WAMPNODE_REDIS")
if REDIS:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [REDIS]}}}
    WAMP_TRANSPORT = {"CLUSTER": {"NAME": "wampnode"}}
if CACHE := os.environ.get("WAMPNODE_CACHE", REDIS):
    # Such as redis://localhost:6379/1. Processes that share a cache count failed logins together.
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": CACHE}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation." + name}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
