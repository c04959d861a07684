"""Nobody gets anything that is not theirs: every operation of the API is called as a stranger, without being listed here."""

import json
import re
from datetime import timedelta

import pytest
from django.db import connection, transaction

from daifa.api.tests.conftest import photo
from daifa.api.v1 import api
from daifa.domain.aftersales.commands import open_case
from daifa.domain.imports.models import ImportFile, ImportRow
from daifa.domain.purchasing import reminders
from daifa.domain.purchasing.models import PurchaseOrder, PurchaseRun
from daifa.domain.stores.models import Task
from daifa.flows.intake import path_of
from daifa.lib import bulk, clock

OPERATIONS = [
    (method, path, operation)
    for path, methods in api.get_openapi_schema(path_prefix="/api/v1/")["paths"].items()
    for method, operation in methods.items()
]
# What answers about the caller alone, or is the same for everybody who works here.
HIGHER = (
    "/api/v1/closing-evidence/", "/api/v1/comeback-papers/", "/api/v1/readmissions/{readmission_id}/content",
    "/api/v1/books", "/api/v1/case-files", "/api/v1/evidence", "/api/v1/privacy",
)  # fmt: skip
"""What a viewer may not even read."""
ABOUT_ME = {"/api/v1/me", "/api/v1/tokens", "/api/v1/stores", "/api/v1/tasks/today"}


@pytest.fixture
def things(shop, settings, tmp_path):
    """Path parameter → id of such a thing in the first store."""
    at = clock.now()
    order = bulk.fetch(
        """SELECT o.id FROM orders_order o JOIN shipping_parcel p ON p.order_id = o.id WHERE o.store_id = %s LIMIT 1""",
        (shop.first,),
    )[0][0]
    purchase = PurchaseOrder.objects.filter(store_id=shop.first).first()
    run = PurchaseRun.objects.create(
        store_id=shop.first, supplier_id=purchase.supplier_id, number=1, state="fixed", name="run.xlsx",
        content=b"PK", sha256="0" * 64, orders=1, rows=1, at=at,
    )  # fmt: skip
    PurchaseOrder.objects.filter(id=purchase.id).update(run=run)
    file = ImportFile.objects.create(
        kind="orders", store_id=shop.first, name="orders.csv", sha256="0" * 64, size=1, by="user:1", at=at
    )
    settings.MEDIA_ROOT = tmp_path
    path_of(file.sha256).parent.mkdir(parents=True)
    path_of(file.sha256).write_bytes(b"order number,sku\n1,A\n")
    row = ImportRow.objects.create(file=file, row=2, code="no_sku", message="Row without a SKU.", at=at)
    with transaction.atomic():
        line = bulk.fetch("SELECT min(id) FROM orders_orderline WHERE order_id = %s AND kind = 'goods'", (order,))[0][0]
        case = open_case(order_id=order, kind="return", reason="damaged", lines=[(line, 1)], note="", by="user:1", at=at)
    account = things_of_the_account(shop, order, purchase.supplier_id, at)
    task = Task.objects.create(
        store_id=shop.first, kind="order_changed", thing_kind="order", thing=order, opened_at=at
    )

    def one(table: str) -> int:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT min(id) FROM {table} WHERE store_id = %s", [shop.first])
            return cursor.fetchone()[0]

    asked = reminders.Asked(purchase.id, "late", 1, at, None)
    [reminder] = reminders.write_reminders(
        [reminders.NewReminder(shop.first, purchase.supplier_id, "", "Please ship", "Please ship.", [asked])], by="test", at=at
    )
    return {
        "order_id": order, "purchase_id": purchase.id, "run_id": run.id, "parcel_id": one("shipping_parcel"),
        "store_id": shop.first, "message_id": one("buyer_messages_message"), "import_id": file.id, "row_id": row.id,
        "task_id": task.id, "supplier_id": purchase.supplier_id, "token_id": 1, "number": 1,
        "case_id": case, "reminder_id": reminder,
        "variant_id": bulk.fetch("SELECT min(id) FROM catalog_variant")[0][0],
        "sample_id": a_sample(shop.first, purchase.supplier_id, at),
        **things_on_sale(shop.first, at),
        **account,
    }  # fmt: skip


def things_of_the_account(shop, order, supplier, at) -> dict:
    """Path parameter → id, of what watches the account of the first store."""
    from daifa.domain.cases import commands as cases
    from daifa.domain.cases.models import EvidencePack
    from daifa.domain.closing import commands, steps
    from daifa.domain.closing.models import ComebackPaper, ComebackStep, Readmission, StepEvidence
    from daifa.domain.compliance import risk_commands
    from daifa.domain.compliance.models import Risk
    from daifa.domain.policy.models import RuleOverride
    from daifa.domain.sourcing import commands as sourcing
    from daifa.domain.stores.models import Store
    from daifa.flows import close_store
    from daifa.lib import keeping

    picture = photo()
    how = {"by": "user:1", "at": at}
    store = Store.objects.get(pk=shop.first)
    late = cases.NewViolation("V-1", at, "late_dispatch", appeal_due_at=at + timedelta(days=1))
    [violation] = cases.add_violations([late], store=store, source="test", **how).added
    [complaint] = cases.open_complaints(
        [cases.NewComplaint("foreign_card", "A card of another platform.", at, "C-1")], store=store, source="test", **how
    ).added
    [file], refused = cases.attach_files(
        [("card.png", picture)], store_id=store.pk, thing_kind="complaint", thing=complaint, **how
    )
    assert refused == []
    notice = cases.open_infringement(
        cases.NewInfringement("N-1", at, "trademark"), store=store, source="test", **how
    )
    licence = cases.add_qualification(
        store=store, kind="business_licence", number="91", valid_from=at.date(), **how
    )
    pack = EvidencePack.objects.create(
        store=store, name="pack.zip", sha256=keeping.store("evidence", b"PK"), size=2, language="en", **how
    )
    agreement = sourcing.record_agreement(  # one to come: what is routed today goes by the other ones
        supplier_id=supplier, store_id=store.pk, valid_from=at.date() + timedelta(days=90), **how
    )
    [paper], _refused = sourcing.add_documents(agreement_id=agreement.pk, files=[("signed.png", picture)], **how)
    risk = Risk.objects.create(
        store=store, kind="foreign_trace", state="open", level="warn", count=1, base=40, line=3, found_at=at, seen_at=at
    )
    [plan_step] = risk_commands.plan_steps(store_id=store.pk, steps=[risk_commands.Step("focus")], **how)
    # One that may still be averted: the store goes on selling, as the other tests want it.
    closing = close_store.start(store_id=store.pk, scenario="no_traffic", reason="Nobody comes.", **how)
    closing_step = closing.steps.order_by("position").last()
    letter = keeping.keep(commands.FOLDER, picture, kinds=keeping.DOCUMENTS, most=10**6)
    evidence = StepEvidence.objects.create(
        step=closing_step, what="note", file_name="letter.png", sha256=letter.sha256, **how
    )
    back = Readmission.objects.create(
        store=store, closing=closing, state="planned", cause="Late.", started_at=at, started_by="user:1"
    )
    healing = ComebackStep.objects.create(readmission=back, code=steps.COMEBACK[0].code, position=1, due_on=at.date())
    proved = ComebackPaper.objects.create(
        step=healing, name="letter.png", media_type="image/png", sha256=letter.sha256, size=len(picture), **how
    )
    word = RuleOverride.objects.create(
        rule_id="xhs-ship-spot-domestic", store=store, reason="Read again.", valid_from=at.date(), **how
    )
    return {
        "violation_id": violation, "complaint_id": complaint, "file_id": file, "kind": "complaint", "thing_id": complaint,
        "appeal_id": cases.open_appeal(violation_id=violation, text="It was in time.", **how).pk, "infringement_id": notice.pk,
        "qualification_id": licence.pk, "pack_id": pack.pk, "agreement_id": agreement.pk, "paper_id": paper.pk,
        "risk_id": risk.pk, "plan_step_id": plan_step, "closing_id": closing.pk, "step_id": closing_step.pk,
        "evidence_id": evidence.pk, "readmission_id": back.pk, "comeback_id": healing.pk, "comeback_paper_id": proved.pk, "rule_id": word.rule_id,
        "word_id": word.pk, "email": bulk.fetch("SELECT email FROM orders_addressversion WHERE order_id = %s", (order,))[0][0],
    }  # fmt: skip


def a_sample(store: int, supplier: int, at) -> int:
    from daifa.domain.sourcing.samples import NewSample
    from daifa.flows.order_samples import want_sample

    return want_sample(NewSample(store, supplier, "1 Own Road", title="Mug"), by="user:1", at=at)


def things_on_sale(store: int, at) -> dict:
    """Path parameter → id, of a listing of a store, its publication and the file that is in."""
    from daifa.domain.catalog.models import ListingFile, ListingVariant, Publication, Variant

    variant = Variant.objects.order_by("id").first()
    listing = ListingVariant.objects.create(store_id=store, sku="on-sale", variant=variant, currency="GBP", created_at=at)
    file = ListingFile.objects.create(store_id=store, number=1, state="fixed", layout="general", name="x.xlsx", content=b"PK", sha256="0" * 64,
                                      listing_count=1, rows=1, by="user:1", at=at)  # fmt: skip
    one = Publication.objects.create(store_id=store, product_id=variant.product_id, action="publish", state="filed", file=file,
                                     listings=[listing.pk], content={"title": "Mug", "variants": []}, digest="0" * 64, by="user:1", at=at)  # fmt: skip
    return {"listing_id": listing.pk, "publication_id": one.pk, "listing_file_id": file.pk}


def body_of(operation, things) -> dict:
    """A body that passes the schema, about things of the first store."""
    given = {
        "draft_listings": {"store_id": things["store_id"], "products": ["x"]},
        "ask_to_publish": {"ids": [things["listing_id"]]},
        "withdraw_listings": {"ids": [things["listing_id"]], "action": "pause"},
        **{f"{step}_publications": {"ids": [things["publication_id"]], "reason": "x"} for step in ("approve", "return", "withdraw")},
        "make_listing_file": {"store_id": things["store_id"]},
        "settle_listing_file": {"uploaded": True},
        **{f"{step}_cases": {"case_ids": [things["case_id"]], "reason": "x"} for step in ("approve", "refuse", "expire", "close")},
        "choose_columns": {"columns": ["number"]},
        "receive_return": {"lines": [{"line_id": 1, "units": 1, "outcome": "damaged"}]},
        "refund_case": {"amount": "1", "no_claim_reason": "goodwill"},
        "hold_orders": {"order_ids": [things["order_id"]]},
        "add_store": {"code": "new", "name": "New", "currency": "GBP"},
        "add_supplier": {"code": "new", "name": "New", "currency": "CNY"},
        "add_expense": {"store_id": things["store_id"], "kind": "tools", "amount": "5", "currency": "GBP", "date": "2026-05-01", "key": "k"},
        "pay_supplier": {"store_id": things["store_id"], "supplier_id": things["supplier_id"], "amount": "5", "currency": "CNY",
                         "date": "2026-05-01", "key": "k"},
        "add_token": {"name": "mine"},
        "settle_run": {"sent": True},
        **bodies_of_the_account(things),
    }  # fmt: skip
    return next((body for name, body in given.items() if operation["operationId"].endswith(f"_{name}")), {})


def bodies_of_the_account(things) -> dict:
    """Operation → a body about what watches the account of the first store."""
    store, moment, day = things["store_id"], "2026-05-01T10:00:00Z", "2026-05-01"
    person = {"email": things["email"] or "nobody@example.org"}
    return {
        "set_dispatch_mode": {"mode": "spot"},
        "say_word": {"store_id": store, "reason": "Read again."},
        "record_violation": {"store_id": store, "reference": "V-2", "notified_at": moment},
        "set_deadline": {"due_at": moment},
        "correct_points": {"points": "1", "reason": "Shown there."},
        "add_consequence": {"kind": "warning", "from_at": moment},
        "name_orders": {"orders": ["4711"]},
        "lift_violation": {"reason": "Taken back."},
        "open_appeal": {"text": "It was in time."},
        "answer_appeal": {"outcome": "lost"},
        "move_deposit": {"kind": "paid_in", "amount": "1", "at": moment, "reference": "D-1"},
        "require_deposit": {"amount": "1", "valid_from": day},
        "open_complaint": {"store_id": store, "kind": "late", "opened_at": moment},
        "close_complaints": {"complaint_ids": [things["complaint_id"]]},
        "answer_complaint": {"answer": "Sorry."},
        "settle_complaint": {"outcome": "explained"},
        "note_finding": {"finding": "breach"},
        "open_infringement": {"store_id": store, "reference": "N-2", "right": "patent", "notified_at": moment},
        "step_infringement": {"to": "conceded"},
        "record_right": {"store_id": store, "skus": ["A"], "right": "copyright", "basis": "own", "valid_from": day},
        "add_qualification": {"store_id": store, "kind": "other", "number": "1", "valid_from": day},
        "withdraw_qualification": {"on": day},
        "make_pack": {"store_id": store, "case_kind": "violation", "case_id": things["violation_id"]},
        "record_agreement": {"store_id": store, "supplier_id": things["supplier_id"], "valid_from": day},
        "edit_agreement": {"valid_from": day},
        "end_agreement": {"last_day": day},
        "record_entrustment": {"signed_on": day, "store_id": store},
        "want_sample": {"store_id": store, "supplier_id": things["supplier_id"], "send_to": "1 Own Road", "title": "Mug"},
        "number_sample": {"number": "SF1234567890123"},
        "record_affiliate_check": {"followers": 10, "is_adult": True, "is_clean": False},
        "judge_sample": {"passed": False, "verdict": "Chipped."},
        "cancel_sample": {"reason": "Too dear."},
        "settle_risk": {"state": "explained", "note": "A sample."},
        "plan_step": {"kind": "focus"},
        "move_step": {"state": "doing"},
        "ask_first": {"supplier_id": things["supplier_id"]},
        "book_late_entries": {"reason": "The platform's letter."},
        "set_standing": {"standing": "warned"},
        "start_closing": {"reason": "Enough."},
        "withdraw_closing": {"reason": "We stay."},
        "undo_step": {"note": "Too early."},
        "leave_out_step": {"note": "Not needed."},
        "set_status_page": {"is_on": True},
        "plan_readmission": {"cause": "Late."},
        "prove_comeback_step": {"proof": "Shown."},
        "apply_for_readmission": {"healed": "All."},
        "answer_readmission": {"admitted": True},
        "give_up_readmission": {"reason": "No."},
        "look_for_person": person, "export_person": person, "release_person": person,
        "erase_person": person | {"confirm": True}, "hold_person": person | {"reason": "Court."},
        "set_retention": {"data": ["contact"], "at_least": 0, "at_most": 1, "source": "me", "store_id": store},
    }  # fmt: skip


QUERIES = {"pnl": "month=2026-05", "plan-steps": "situation=orders", "missing-qualifications": "category=food"}
FILES = {"/api/v1/case-files/{kind}/{thing_id}": "files", "/api/v1/agreements/{agreement_id}/papers": "papers",
         "/api/v1/samples/{sample_id}/photos": "photos", "/api/v1/comeback-steps/{comeback_id}/papers": "papers"}


def call(client, method, path, operation, things):
    address = re.sub(r"\{(\w+)\}", lambda found: str(things[found[1]]), path)
    if method == "get":
        return client.get(f"{address}?{QUERIES.get(path.rsplit('/', 1)[1], '')}")
    for upload, field in FILES.items():
        if path == upload:
            from django.core.files.uploadedfile import SimpleUploadedFile

            return client.post(address, {field: SimpleUploadedFile("a.pdf", b"%PDF-1.4")})
    if path == "/api/v1/imports":
        from django.core.files.uploadedfile import SimpleUploadedFile

        return client.post(
            address,
            {"kind": "orders", "store": "bench-1", "file": SimpleUploadedFile("o.csv", b"a,b\n1,2\n")},
        )
    return client.post(address, json.dumps(body_of(operation, things)), content_type="application/json")


def breaches_of(check) -> list[str]:
    """`check(method, path, operation)` of every operation: what it says is wrong, with the operation's name."""
    found = []
    for method, path, operation in OPERATIONS:
        wrong = check(method, path, operation)
        if wrong:
            found.append(f"{method.upper()} {path}: {wrong}")
    return found


def test_every_operation_is_called_here():
    assert len(OPERATIONS) > 35


def test_nobody_without_a_login_gets_anything(client, shop, things):
    def check(method, path, operation):
        answer = call(client, method, path, operation, things)
        if answer.status_code != 401 or answer.json()["code"] != "unauthenticated":
            return f"{answer.status_code} {answer.content[:200]}"
        return None

    assert breaches_of(check) == []


def test_whoever_works_no_store_gets_nothing(shop, things, as_user):
    client = as_user("stranger")

    def check(method, path, operation):
        answer = call(client, method, path, operation, things)
        if path.startswith("/api/v1/tokens"):
            return None if answer.status_code == 401 else "tokens are given out by session only"
        if path in ABOUT_ME and method == "get":
            said = answer.json()
            nothing = said in ([], {"items": [], "next": None}) or said.get("stores") == []
            return None if nothing else answer.content
        if answer.status_code == 200:
            return None if answer.json() in ([], {"items": [], "next": None}) else answer.content
        # A door that says "you may not" about one thing has already said that the thing is there.
        if answer.status_code == 404 or (answer.status_code == 403 and "{" not in path):
            return None
        return f"{answer.status_code} {answer.content[:200]}"

    assert breaches_of(check) == []


def test_the_owner_of_another_store_gets_nothing_of_this_one(shop, things, as_user):
    client = as_user("neighbour")

    def check(method, path, operation):
        answer = call(client, method, path, operation, things)
        if path.startswith("/api/v1/tokens"):
            return None if answer.status_code == 401 else "tokens are given out by session only"
        if path.startswith("/api/v1/privacy") and method == "post":
            # She may look for people in her own store; there is nobody of the first one in it.
            said = answer.json()
            nobody = answer.status_code == 200 and said["orders"] == said["places"] == said["customers"] == []
            return None if nobody or answer.status_code in (404, 409) else f"{answer.status_code} {answer.content[:200]}"
        if re.search(r"/(suppliers|offers|variants|rules)", path) and "store_id" not in path and method == "get":
            return None if answer.status_code == 200 else f"shared, but {answer.status_code}"
        if "{" in path:
            return None if answer.status_code == 404 else f"{answer.status_code} {answer.content[:200]}"
        if method == "post":
            return (
                None if answer.status_code in (403, 404) else f"{answer.status_code} {answer.content[:200]}"
            )
        if answer.status_code != 200:
            return f"{answer.status_code} {answer.content[:200]}"
        return "shows the other store" if f'"store_id": {shop.first},' in answer.content.decode() else None

    assert breaches_of(check) == []
    assert {order["store_id"] for order in client.get("/api/v1/orders").json()["items"]} == {shop.second}
    for filtered in ("orders", "purchases", "parcels", "messages"):
        assert client.get(f"/api/v1/{filtered}?store_id={shop.first}").json()["items"] == []


def test_a_viewer_changes_nothing_and_reads_no_books(shop, things, as_user):
    client = as_user("viewer")

    def check(method, path, operation):
        answer = call(client, method, path, operation, things)
        if path.startswith("/api/v1/tokens"):
            expected = 401
        elif method == "post" or path.startswith(HIGHER) or path.endswith(("/entries", "/late-entries", "/file")):
            expected = 403
        else:
            expected = 200
        return None if answer.status_code == expected else f"{answer.status_code} {answer.content[:200]}"

    assert breaches_of(check) == []


@pytest.mark.parametrize(
    ("who", "path", "status"),
    [
        ("operator", "/api/v1/books/trial-balance", 403),
        ("bookkeeper", "/api/v1/books/trial-balance", 200),
        ("owner", "/api/v1/books/trial-balance", 200),
        ("bookkeeper", "/api/v1/runs/{run_id}/file", 403),
        ("operator", "/api/v1/runs/{run_id}/file", 200),
        ("operator", "/api/v1/orders/{order_id}/entries", 403),
        ("bookkeeper", "/api/v1/orders/{order_id}/entries", 200),
    ],
)
def test_roles(shop, things, as_user, who, path, status):
    assert as_user(who).get(path.format(**things)).status_code == status


def test_a_session_needs_the_csrf_token(shop, things):
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(shop.people["operator"])
    address = "/api/v1/orders/hold"
    body = json.dumps({"order_ids": [things["order_id"]]})
    refused = client.post(address, body, content_type="application/json")
    assert refused.status_code == 403
    assert "CSRF" in refused.json()["sentence"]
    client.cookies["daifa_csrf"] = "a" * 32
    let_in = client.post(address, body, content_type="application/json", headers={"X-CSRFToken": "a" * 32})
    assert let_in.status_code == 200
    assert let_in.json()["done"] == [things["order_id"]]
    assert client.get("/api/v1/me").json()["username"] == "operator"


def test_tokens_are_given_out_by_session_and_stop_when_taken_back(shop, client):
    client.force_login(shop.people["viewer"])
    made = client.post("/api/v1/tokens", json.dumps({"name": "till"}), content_type="application/json")
    assert made.status_code == 201
    bearer = {"Authorization": f"Bearer {made.json()['token']}"}
    client.logout()
    assert client.get("/api/v1/me", headers=bearer).json()["username"] == "viewer"
    assert client.get("/api/v1/tokens", headers=bearer).status_code == 401
    client.force_login(shop.people["viewer"])
    assert "token" not in client.get("/api/v1/tokens").json()[0]
    number = made.json()["id"]
    assert client.post(f"/api/v1/tokens/{number}/revoke").json() == {"done": [number], "refused": []}
    client.logout()
    assert client.get("/api/v1/me", headers=bearer).status_code == 401
    client.force_login(shop.people["owner"])
    assert client.post(f"/api/v1/tokens/{number}/revoke").status_code == 404
