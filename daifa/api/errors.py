"""One shape for everything that goes wrong: {"code", "sentence", "field"}.

`code` is for programs and stays; `sentence` is for people, in the language of the request; `field` names the part of
the request it is about, "" for the whole.
"""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import NinjaAPI, Schema
from ninja.errors import AuthenticationError, AuthorizationError, HttpError, ValidationError

from daifa.lib.refusal import Refused

log = logging.getLogger(__name__)


class ErrorOut(Schema):
    """What went wrong."""

    code: str
    sentence: str
    field: str = ""


ERRORS = {400: ErrorOut, 401: ErrorOut, 403: ErrorOut, 404: ErrorOut, 409: ErrorOut, 422: ErrorOut}
"""What any endpoint may answer besides its own; `response={200: …, **ERRORS}`."""


class Problem(Exception):
    """An endpoint's own refusal."""

    def __init__(self, status: int, code: str, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.status, self.code, self.sentence, self.field = status, code, sentence, field


def not_found() -> Problem:
    """For what is not there and for what the caller may not see: both look the same."""
    return Problem(404, "not_found", _("There is nothing here, or you may not see it."))


def forbidden(sentence: str = "") -> Problem:
    return Problem(403, "forbidden", sentence or _("Your role does not allow this. Ask an owner."))


def install(api: NinjaAPI) -> None:
    """Answer every exception in the one shape."""

    def answer(request: HttpRequest, status: int, code: str, sentence: str, field: str = "") -> HttpResponse:
        response = api.create_response(
            request, {"code": code, "sentence": sentence, "field": field}, status=status
        )
        if status == 401:
            response["WWW-Authenticate"] = 'Bearer realm="daifa"'
        return response

    @api.exception_handler(Problem)
    def problem(request: HttpRequest, error: Problem) -> HttpResponse:
        return answer(request, error.status, error.code, error.sentence, error.field)

    @api.exception_handler(Refused)
    def refused(request: HttpRequest, error: Refused) -> HttpResponse:
        return answer(request, 409, error.code, error.sentence, error.field)

    @api.exception_handler(ValidationError)
    def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
        first: dict[str, Any] = error.errors[0] if error.errors else {}
        # The place begins with where it was (query, path, body, form) and the argument's name in the program.
        place = [str(step) for step in first.get("loc", ())][1:]
        if len(place) > 1 and first.get("loc", ("",))[0] in ("body", "form"):
            place = place[1:]
        return answer(
            request,
            422,
            "invalid",
            _("This part of the request cannot be used: %(why)s.")
            % {"why": str(first.get("msg", "")).rstrip(".")},
            ".".join(place),
        )

    @api.exception_handler(Http404)
    def missing(request: HttpRequest, error: Http404) -> HttpResponse:
        return problem(request, not_found())

    @api.exception_handler(PermissionDenied)
    def denied(request: HttpRequest, error: PermissionDenied) -> HttpResponse:
        return problem(request, forbidden(str(error)))

    @api.exception_handler(AuthorizationError)
    def unauthorised(request: HttpRequest, error: AuthorizationError) -> HttpResponse:
        return problem(request, forbidden())

    @api.exception_handler(AuthenticationError)
    def stranger(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
        return answer(request, 401, "unauthenticated", _("Log in, or send a valid API token."))

    @api.exception_handler(HttpError)
    def http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
        code = {400: "unreadable", 403: "forbidden", 404: "not_found"}.get(error.status_code, "error")
        sentence = _("The request cannot be read as JSON.") if error.status_code == 400 else str(error)
        return answer(request, error.status_code, code, sentence)

    @api.exception_handler(Exception)
    def broken(request: HttpRequest, error: Exception) -> HttpResponse:
        # The formatter keeps rows and SQL out of the log.
        log.error("%s %s failed", request.method, request.path, exc_info=error)
        return answer(
            request,
            500,
            "server_error",
            _("Something is wrong on our side. It is in the log; try again later."),
        )
