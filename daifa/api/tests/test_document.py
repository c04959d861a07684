"""The OpenAPI document is current, and nothing that follows it or breaks it makes the API fail."""

from pathlib import Path

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from daifa.api.document import document
from daifa.api.v1 import api
from daifa.domain.people.commands import issue_api_token

CHECKED_IN = Path(__file__).resolve().parents[3] / "docs" / "openapi.json"
FEW = settings(
    max_examples=10,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_the_document_is_current():
    assert CHECKED_IN.read_text() == document(), (
        "The API has changed: python -m daifa.api.document > docs/openapi.json"
    )


def test_every_operation_says_what_it_does():
    for path, methods in api.get_openapi_schema(path_prefix="/api/v1/")["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description"), f"{method} {path} has no docstring"


@pytest.fixture
def fuzzed(shop, settings):
    """(operations, headers of the owner of the installation)"""
    settings.ALLOWED_HOSTS = ["*"]
    # As Django's own test client does: the connection of the test outlives a request.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", get_wsgi_application())
    _row, token = issue_api_token(shop.people["boss"], name="fuzz", by="user:0", at=timezone.now())
    yield [found.ok() for found in schema.get_all_operations()], {"Authorization": f"Bearer {token}"}
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.slow
@pytest.mark.parametrize(
    "mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["following", "breaking"]
)
def test_no_request_makes_it_fail(fuzzed, shop, mode):
    operations, headers = fuzzed
    assert len(operations) > 35
    tried = 0
    for operation in operations:

        @FEW
        @given(
            case=operation.as_strategy(generation_mode=mode),
            real=st.one_of(st.none(), st.integers(0, 3)),
        )
        def send(case, real):
            nonlocal tried
            tried += 1
            if real is not None and case.path_parameters and mode is GenerationMode.POSITIVE:
                # Things that are there, so that more is reached than "not found".
                case.path_parameters = {
                    name: shop.orders[real]
                    if name == "order_id"
                    else real + shop.first
                    if name == "store_id"
                    else real + 1
                    for name in case.path_parameters
                }
            with transaction.atomic():
                answer = case.call(headers=headers)
            checks = [not_a_server_error]
            if mode is GenerationMode.POSITIVE:
                checks += [response_schema_conformance, status_code_conformance]
            case.validate_response(answer, checks=checks)

        send()
    assert tried >= len(operations)
