"""/healthz: 200 "ok" when this server can ask its database, else 503. Says nothing else, so it needs no login."""

from django.db import DatabaseError, connection
from django.http import HttpResponse


def health(request):
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return HttpResponse("no database\n", status=503, content_type="text/plain")
    return HttpResponse("ok\n", content_type="text/plain", headers={"Cache-Control": "no-store"})
