"""Settings. All that differs between machines comes from the environment; docs/deploy.md lists the names."""

from __future__ import annotations

import contextlib
import secrets
from datetime import timedelta
from pathlib import Path

import environ
from csp.constants import NONE, SELF

from chad_site import embedded
from chad_site.embedded.errors import as_sentences

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent
CHAD_HOME = Path(env("CHAD_HOME", default=str(BASE_DIR / "var"))).resolve()


def kept_secret(name: str) -> str:
    """A secret of this instance, made at first use and kept in CHAD_HOME."""
    path = CHAD_HOME / name
    with as_sentences(CHAD_HOME):
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f"{name}.{secrets.token_hex(4)}.part")
            draft.touch(mode=0o600)
            draft.write_text(secrets.token_urlsafe(50))
            with contextlib.suppress(FileExistsError):  # another process was first: then its secret is the one
                path.hardlink_to(draft)
            draft.unlink()
        return path.read_text()


SECRET_KEY = env("SECRET_KEY", default="") or kept_secret("secret-key")
DEBUG = env.bool("CHAD_DEBUG", default=False)
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", *env.list("CHAD_ALLOWED_HOSTS", default=[])]
CSRF_TRUSTED_ORIGINS = env.list("CHAD_TRUSTED_ORIGINS", default=[])
# Behind a proxy that ends TLS: cookies over https only, and the proxy's word on the scheme is believed.
BEHIND_TLS = env.bool("CHAD_BEHIND_TLS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS else None

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "csp",
    "drf_spectacular",
    "recordings",
    "annotation",
    "ml_worker",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "chad_site.languages.ReadersLanguage",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "annotation.returning.ByIdAlone",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "chad_site.urls"
WSGI_APPLICATION = "chad_site.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "annotation.roles.roles",
                "annotation.studies.study_bar",
            ],
        },
    },
]

# --- database: embedded unless DATABASE_URL names a server

if env("DATABASE_URL", default=""):
    DATABASES = {"default": env.db("DATABASE_URL")}
else:
    DATABASES = {"default": embedded.postgres_settings(CHAD_HOME)}
    DATABASES["default"]["NAME"] = env("CHAD_DATABASE_NAME", default=DATABASES["default"]["NAME"])
DATABASES["default"]["CONN_MAX_AGE"] = 60
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True  # a restarted database costs nobody an error
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- jobs: the rows that matter are in the database; the broker only says "look"

CELERY_BROKER_URL = env("CELERY_BROKER_URL", default="") or embedded.redis_url(CHAD_HOME)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "ordinary"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# A message lost with its worker comes back after this many seconds; the heartbeat of the job row is quicker.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "socket_connect_timeout": 2,
    # A page that tells the workers to look does not wait for a broker that is away.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.1,
}
CELERY_BEAT_SCHEDULE_FILENAME = str(CHAD_HOME / "run" / "schedule")
CELERY_BEAT_SCHEDULE = {
    f"{queue} work": {
        "task": "ml_worker.work",
        "args": [queue],
        "schedule": 5.0,
        "options": {"queue": queue, "expires": 5},
    }
    for queue in ("ordinary", "heavy")
}
# Searches: a look every other second takes again what a killed process had, and keeps the index in use open.
CELERY_BEAT_SCHEDULE["searches"] = {
    "task": "ml_worker.answer_searches",
    "schedule": 2.0,
    "options": {"queue": "search", "expires": 2},
}
# A search in shards: so many parts of the index, each with a worker of its own queue (chad_site/celery.py); 1: one
# process searches all. Who answers waits so long for them, seconds.
SEARCH_SHARDS = env.int("CHAD_SEARCH_SHARDS", default=1)
SHARD_LIMIT_S = env.float("CHAD_SHARD_LIMIT_S", default=5.0)
CELERY_BEAT_SCHEDULE |= {
    f"shard {number}": {
        "task": "ml_worker.open_shard",
        "args": [number, SEARCH_SHARDS],
        "schedule": 2.0,
        "options": {"queue": f"shard-{number}", "expires": 2},
    }
    for number in range(SEARCH_SHARDS if SEARCH_SHARDS > 1 else 0)
}
# Only their replies are results: they come back by the broker, and nobody wants them later.
CELERY_RESULT_BACKEND = CELERY_BROKER_URL if CELERY_BROKER_URL.startswith("redis") else "rpc://"
CELERY_RESULT_EXPIRES = 60
CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS = {"retry_policy": {"max_retries": 5}}
CELERY_BEAT_SCHEDULE["old searches"] = {
    "task": "ml_worker.forget_searches",
    "schedule": 300.0,
    "options": {"queue": "ordinary", "expires": 300},
}
CELERY_BEAT_SCHEDULE["tidy"] = {"task": "ml_worker.tidy", "schedule": 86_400.0, "options": {"queue": "ordinary"}}
# How many jobs that nobody waits for (covers, say) may run at once on the workers of the ordinary queue.
UNHURRIED_JOBS = env.int("CHAD_UNHURRIED_JOBS", default=1)

# Where the index of songs lies: memory-mapped by every process that searches, so a disk of their own machine is best.
INDEX_FOLDER = CHAD_HOME / "index"
# What finds the nearest windows of a hum's: faiss, in that folder, or pgvector, in the database.
INDEX_ENGINE = env("CHAD_INDEX", default="faiss")

# --- storage: a folder, or S3 (and what speaks its protocol) when a bucket is named

if env("CHAD_STORAGE_BUCKET", default=""):
    default_storage = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": env("CHAD_STORAGE_BUCKET"),
            "endpoint_url": env("CHAD_STORAGE_ENDPOINT", default=None),
            "region_name": env("CHAD_STORAGE_REGION", default=None),
            "default_acl": None,
            "file_overwrite": False,
            "querystring_auth": True,
        },
    }
else:
    default_storage = {
        "BACKEND": "recordings.storage.DurableFileSystemStorage",
        "OPTIONS": {
            "location": str(CHAD_HOME / "storage"),
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        },
    }
STORAGES = {
    "default": default_storage,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# --- releases

# The address of this instance, such as https://chad.example.org, for texts that are read elsewhere; may be empty.
SITE_ADDRESS = env("CHAD_ADDRESS", default="").rstrip("/")
# Who publishes, and where to write to: an e-mail address or a page.
PUBLISHER = env("CHAD_PUBLISHER", default="CHAD")
CONTACT = env("CHAD_CONTACT", default="")
# Such as 10.5072: releases then name the DOI <prefix>/chad.<version>, to be registered with their datacite.json.
RELEASE_DOI_PREFIX = env("CHAD_DOI_PREFIX", default="")
# The audio in one shard of a release. A new size holds for releases that are frozen from then on.
RELEASE_SHARD_BYTES = env.int("CHAD_RELEASE_SHARD_BYTES", default=250_000_000)

# The largest take or file a page accepts. A take of 60 s at 192 kHz and 24 bit is 35 MB;
# a song of an hour as FLAC 400 MB.
MAX_TAKE_BYTES = 40_000_000
MAX_IMPORT_BYTES = 700_000_000
# The largest hum that is searched for: 15 s of stereo at 192 kHz and 24 bit are 17 MB.
MAX_SEARCH_BYTES = 20_000_000
# All hums of searches together, which are kept for an hour: beyond that the oldest go at once. A hum from the page has
# 0.7 MB.
MOST_SEARCH_STORE_BYTES = env.int("CHAD_SEARCH_STORE_BYTES", default=2_000_000_000)
DATA_UPLOAD_MAX_MEMORY_SIZE = 5_000_000  # form fields; files stream to disk
FILE_UPLOAD_PERMISSIONS = 0o600

# --- pages

STATIC_URL = "static/"
STATIC_ROOT = CHAD_HOME / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "chad_site" / "locale"]
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600  # who chose a language keeps it
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "media-src": [SELF, "blob:"],
        "worker-src": [SELF],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["chad_site.parsers.SafeJSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["annotation.limits.Calls"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "chad_site.errors.as_sentence",
    # Whose address counts: the proxy's word on it where there is one, else the connection's own.
    "NUM_PROXIES": 1 if BEHIND_TLS else 0,
}

# --- the public calls as OpenAPI, at /api/v1/schema

SPECTACULAR_SETTINGS = {
    "TITLE": "CHAD",
    "DESCRIPTION": "Hum, and find the song.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "PREPROCESSING_HOOKS": ["annotation.views.search_schema.only_public"],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "AUTHENTICATION_WHITELIST": [],
    "COMPONENT_SPLIT_REQUEST": True,
}

# --- limits: how often (annotation/limits.py); "off" for none

LIMITS = {
    # by address
    "guests": env("CHAD_GUEST_RATE", default="60/hour"),
    "sign-up": env("CHAD_SIGN_UP_RATE", default="60/hour"),
    "sign-in-address": env("CHAD_SIGN_IN_ADDRESS_RATE", default="60/10min"),
    "study": env("CHAD_STUDY_RATE", default="60/hour"),
    # by the name that is tried; more than twice what one address may try, so that nobody alone keeps a name out
    "sign-in-name": env("CHAD_SIGN_IN_NAME_RATE", default="150/10min"),
    # by person, and by address of who is not signed in: a hum makes some five searches, a school has one address
    "searches": env("CHAD_SEARCH_RATE", default="300/min"),
    "search-calls": env("CHAD_SEARCH_CALL_RATE", default="3000/min"),
    # reports on released versions; then of one version by one address, which is one report; and those of all strangers
    # together, as each takes reviewers' time
    "reports": env("CHAD_REPORT_RATE", default="30/hour"),
    "report-again": env("CHAD_REPORT_AGAIN_RATE", default="1/30day"),
    "strangers-reports": env("CHAD_STRANGERS_REPORTS_RATE", default="100/day"),
    # by person
    "calls": env("CHAD_CALL_RATE", default="600/min"),
    "tasks": env("CHAD_TASK_RATE", default="60/min"),
    "takes": env("CHAD_TAKE_RATE", default="240/hour"),
    "verdicts": env("CHAD_VERDICT_RATE", default="60/min"),
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "filters": {"refused in a line": {"()": "chad_site.refusals.RefusedInALine"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {"chad": {"level": "INFO"}, "django.request": {"filters": ["refused in a line"]}},
}

# --- the domain's few numbers that an instance may set

SLOTS_PER_FRAGMENT = env.int("CHAD_SLOTS_PER_FRAGMENT", default=7)
VERDICTS_TO_SETTLE = env.int("CHAD_VERDICTS_TO_SETTLE", default=2)
# Whether rounds of training and mining begin by themselves: after so many newly accepted hums and cover fragments, or
# after so many days with a few of them. How many findings of which the machine is sure people are asked about in each,
# and how long a round waits for verdicts.
ROUNDS_SCHEDULED = env.bool("CHAD_ROUNDS_SCHEDULED", default=True)
ROUND_AFTER_NEW = env.int("CHAD_ROUND_AFTER_NEW", default=200)
ROUND_AFTER_DAYS = env.int("CHAD_ROUND_AFTER_DAYS", default=14)
ROUND_AUDITED = env.int("CHAD_ROUND_AUDITED", default=20)
ROUND_WAITS_DAYS = env.int("CHAD_ROUND_WAITS_DAYS", default=7)
# Whether items of known truth are mixed into the double-check.
CONTROL_ITEMS = env.bool("CHAD_CONTROL_ITEMS", default=True)
# A folder with htdemucs as safetensors; without it the weight-free separation is used.
DEMUCS_WEIGHTS = env("CHAD_DEMUCS_WEIGHTS", default="")


# Where a video is fetched by its id, and by which of yt-dlp's readers; nothing else is ever fetched.
VIDEO_ADDRESS = env("CHAD_VIDEO_ADDRESS", default="https://www.youtube.com/watch?v={id}")
VIDEO_EXTRACTORS = env.list("CHAD_VIDEO_EXTRACTORS", default=["youtube"])
# Seconds between two downloads, and between two calls of a search or of a look whether videos are still there.
VIDEO_PAUSE_S = env.float("CHAD_VIDEO_PAUSE_S", default=10.0)
CALL_PAUSE_S = env.float("CHAD_CALL_PAUSE_S", default=2.0)
# How often the video site is asked for covers, and how many videos one question gives at most.
SEARCHES_AN_HOUR = env.int("CHAD_SEARCHES_AN_HOUR", default=60)
SEARCH_RESULTS = env.int("CHAD_SEARCH_RESULTS", default=30)
# Whether a video is still there is looked at again after so long.
AVAILABILITY_EVERY = timedelta(days=env.int("CHAD_AVAILABILITY_DAYS", default=30))
