"""The web server's entrance. Starts or adopts the embedded database when it is run by hand, without `daifa up`."""

import gc
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "daifa.config.settings")

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from daifa.config.database import ensure_database
from daifa.lib.children import end_with_parent

end_with_parent()  # a killed server leaves no process behind that keeps the port
ensure_database()
application = get_wsgi_application()
# Pages are imported now and not by the first visitor; a mistake in one stops the server with its message.
_ = get_resolver().url_patterns
# What is loaded now stays as long as the server: looking through it for garbage would only hold up visitors.
gc.collect()
gc.freeze()
