"""The OpenAPI document as text: `python -m daifa.api.document > docs/openapi.json` after a change of the API."""

import json


def document() -> str:
    """The whole document, sorted, so that a change shows as a small difference."""
    from daifa.api.v1 import api

    schema = api.get_openapi_schema(path_prefix="/api/v1/")
    return json.dumps(schema, indent=1, ensure_ascii=False, sort_keys=True, default=str) + "\n"


if __name__ == "__main__":
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "daifa.config.settings")
    django.setup()
    print(document(), end="")
