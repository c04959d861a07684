"""Django settings, all from the environment. Every variable is explained in docs/operate/install.md."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from daifa.config import database
from daifa.config.home import base_url, home, secret_key

PACKAGE = Path(__file__).resolve().parent.parent


def flag(name: str, default: bool = False) -> bool:
    return os.environ.get(name, "1" if default else "0").strip().lower() in ("1", "true", "yes", "on")


def words(name: str) -> list[str]:
    return [word.strip() for word in os.environ.get(name, "").split(",") if word.strip()]


# --- The installation -------------------------------------------------------------------------------------------

DAIFA_HOME = home()
DEBUG = flag("DAIFA_DEBUG")
SECRET_KEY = secret_key()
BASE_URL = base_url()
_base = urlsplit(BASE_URL)
ALLOWED_HOSTS = [*words("DAIFA_ALLOWED_HOSTS"), "localhost", "127.0.0.1", "[::1]"]
if _base.hostname and _base.hostname not in ALLOWED_HOSTS:
    ALLOWED_HOSTS.append(_base.hostname)
CSRF_TRUSTED_ORIGINS = [f"{_base.scheme}://{_base.netloc}"]

# --- Parts ------------------------------------------------------------------------------------------------------

# From the ground up: a subject may use those before it in this list (checked by Import Linter, see pyproject.toml).
SUBJECTS = (
    "people", "history", "stores", "policy", "books", "imports", "catalog", "sourcing", "customers", "orders", "fulfilment",
    "purchasing", "shipping", "messages", "aftersales", "compliance",
    "cases", "privacy", "exit_index", "closing",
)  # fmt: skip

INSTALLED_APPS = [
    "daifa.web",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "django_htmx",
    "pgtrigger",
    "pghistory",
    "procrastinate.contrib.django",
    *(f"daifa.domain.{subject}" for subject in SUBJECTS),
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "daifa.web.security.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "pghistory.middleware.HistoryMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

ROOT_URLCONF = "daifa.config.urls"
WSGI_APPLICATION = "daifa.config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [PACKAGE / "web" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- Data -------------------------------------------------------------------------------------------------------

# Only describes the server. Who needs a running one calls database.ensure_database() first.
DATABASES = {"default": database.django_settings()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "daifa"}}

MEDIA_ROOT = (
    DAIFA_HOME / "files"
)  # served by no address of its own: every file goes through a page that asks who you are
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700

STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True  # no collectstatic step: the package is the source
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_MAX_AGE = 0 if DEBUG else 3600

# Where the subjects find what stands above them: which reactions a fact owes, and how a worker is woken.
DAIFA_WIRING = "daifa.flows.reactions.names_by_fact"
DAIFA_WAKE = "daifa.worker.wake.wake"
# Training and demonstrations: the platform's side of closings as a stand-in (`daifa platform`, the page /platform/).
DAIFA_PLATFORM_SIDE = flag("DAIFA_PLATFORM_SIDE")
DAIFA_READ_FILE = "daifa.worker.wake.read_file"

PGHISTORY_MIDDLEWARE_METHODS = ("POST", "PUT", "PATCH", "DELETE")
PROCRASTINATE_IMPORT_PATHS = ["daifa.worker.jobs", "daifa.worker.schedule"]
PROCRASTINATE_WORKER_DEFAULTS = {"update_heartbeat_interval": 5, "stalled_worker_timeout": 20}

# --- People -----------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "people.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGOUT_REDIRECT_URL = "/account/login/"
ACCOUNT_ADAPTER = "daifa.web.accounts.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = None
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "daifa"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# --- Language and time ------------------------------------------------------------------------------------------

LANGUAGE_CODE = os.environ.get("DAIFA_LANGUAGE", "en")
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
LOCALE_PATHS = [PACKAGE / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# --- Mail -------------------------------------------------------------------------------------------------------

EMAIL_HOST = os.environ.get("SMTP_HOST", "")
EMAIL_PORT = int(os.environ.get("SMTP_PORT") or 587)
EMAIL_HOST_USER = os.environ.get("SMTP_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("SMTP_PASSWORD", "")
EMAIL_USE_SSL = flag("SMTP_SSL", default=EMAIL_PORT == 465)
EMAIL_USE_TLS = flag("SMTP_STARTTLS", default=not EMAIL_USE_SSL) and not EMAIL_USE_SSL
EMAIL_TIMEOUT = 30
DEFAULT_FROM_EMAIL = os.environ.get("SMTP_FROM", "daifa@localhost")
EMAIL_FILE_PATH = DAIFA_HOME / "mail"
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'filebased'}.EmailBackend"

# --- Security ---------------------------------------------------------------------------------------------------

_https = _base.scheme == "https"
SESSION_COOKIE_NAME = "daifa_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = _https
SESSION_COOKIE_AGE = 14 * 24 * 3600
CSRF_COOKIE_NAME = "daifa_csrf"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = _https
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
X_FRAME_OPTIONS = "DENY"
if flag("DAIFA_TRUST_PROXY"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CONTENT_SECURITY_POLICY = {
    "default-src": "'self'",
    "script-src": "'self'",
    # Widths of bars are style attributes; style sheets come from this server only.
    "style-src": "'self'",
    "style-src-attr": "'unsafe-inline'",
    "img-src": "'self' data:",
    "font-src": "'self' data:",
    "connect-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}

# --- Logs: plain lines, no SQL, no rows -------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {
            "()": "daifa.config.logs.RowlessFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s: %(message)s",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": os.environ.get("DAIFA_LOG_LEVEL", "INFO")},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
        "django.db.backends": {"level": "WARNING"},
        "django.template": {"level": "INFO"},
        "procrastinate": {"level": "WARNING"},
        "procrastinate.blueprints": {"level": "ERROR"},  # warns of `python -m daifa.worker`, which is meant
        "asyncio": {"level": "WARNING"},
        "fontTools": {"level": "WARNING"},
        "weasyprint": {"level": "ERROR"},
    },
}
