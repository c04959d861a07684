"""The web server's entrance. Starts or adopts the embedded database when it is run by hand, without `daifa up`."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "daifa.config.settings")

from django.core.wsgi import get_wsgi_application

from daifa.config.database import ensure_database

ensure_database()
application = get_wsgi_application()
