"""Version 1: `api` with every router. What it offers is written down in docs/openapi.json, which a test keeps current.

An endpoint may be added and a field may be added to an answer; nothing is renamed or taken away within a version.
"""

from ninja import NinjaAPI

from daifa.api import errors
from daifa.api.caller import AUTH
from daifa.api.shapes import CarefulParser
from daifa.api.v1 import (
    aftersales,
    agreements,
    books,
    case_files,
    clocks,
    closing,
    complaints,
    evidence,
    exit_index,
    health,
    imports,
    infringements,
    listings,
    messages,
    orders,
    parcels,
    privacy,
    purchases,
    qualifications,
    risks,
    rules,
    samples,
    sourcing,
    stores,
    tokens,
    violations,
)

api = NinjaAPI(
    title="daifa",
    version="1",
    description=(
        "Runs a shop that holds no stock. Every answer is about the stores the caller may see; what lies outside does "
        "not exist (404). Lists are read page by page: send `next` back as `after`. Money is text with its currency, "
        "moments are ISO 8601 with their zone. Whatever goes wrong has the shape {code, sentence, field}."
    ),
    urls_namespace="api-v1",
    auth=AUTH,
    parser=CarefulParser(),
    docs_url=None,  # its page would load scripts from elsewhere
    openapi_url="/openapi.json",
)
errors.install(api)
for module in (
    stores, orders, purchases, parcels, sourcing, listings, agreements, samples, imports, messages, aftersales, clocks, health, risks, rules,
    violations, complaints, infringements, qualifications, case_files, evidence, closing, exit_index, privacy, books, tokens,
):  # fmt: skip
    api.add_router("", module.router)
