"""What the API answers: pages, filters, shapes, errors, uploads, and what a person may do through it."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from daifa.domain.orders.models import Hold, Order
from daifa.domain.purchasing.models import PurchaseOrder
from daifa.domain.stores.models import Store
from daifa.lib import clock


def post(client, path, body, status=200):
    answer = client.post(path, json.dumps(body), content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


def test_pages_show_each_order_once_and_in_order(shop, as_user):
    client = as_user("boss")
    seen, after = [], ""
    for _page in range(20):
        page = client.get(f"/api/v1/orders?limit=7{after}").json()
        seen += page["items"]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert len(seen) == len({one["id"] for one in seen}) == 40
    assert [one["placed_at"] for one in seen] == sorted((one["placed_at"] for one in seen), reverse=True)
    assert {one["store_id"] for one in seen} == {shop.first, shop.second}


@pytest.mark.parametrize(
    "wrong",
    [
        "after=nonsense", "after=WyJ4IiwieSJd", "limit=0", "limit=500", "store_id=x", "store_id=99999999999999999999",
        "status=lost", "since=soon", "hold=bad%00", "q=%00",
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_422_in_the_one_shape(as_user, wrong):
    answer = as_user("owner").get(f"/api/v1/orders?{wrong}")
    assert answer.status_code == 422
    assert set(answer.json()) == {"code", "sentence", "field"}
    assert answer.json()["sentence"].endswith(".")


def test_filters_and_search_find_what_they_name(shop, as_user):
    client = as_user("boss")
    order = Order.objects.filter(status="delivered").order_by("id").first()
    line, parcel, purchase = order.lines.first(), order.parcels.first(), order.purchase_orders.first()

    def found(query):
        return [one["id"] for one in client.get(f"/api/v1/orders?limit=200&{query}").json()["items"]]

    for words in (order.number, parcel.number, parcel.number.lower(), purchase.reference, order.customer.ref):
        assert order.id in found(f"q={words}"), words
    assert order.id in found(f"q={line.sku}&status=delivered")
    assert order.id in found(f"q={line.sku.lower()}")
    assert order.id in found(f"q={order.customer.name.split()[-1].lower()}")
    assert order.id not in found(f"q={order.number}&status=new")
    assert found("q=nothing-like-this") == []
    assert found(f"store_id={shop.first}") == list(
        Order.objects.filter(store_id=shop.first).order_by("-placed_at", "-id").values_list("id", flat=True)
    )
    assert found(f"since={order.placed_at.isoformat().replace('+', '%2B')}")[-1] == order.id
    held = Hold.objects.filter(reason="out_of_stock", released_at=None).values_list("order_id", flat=True)
    assert sorted(found("hold=out_of_stock")) == sorted(held)


def test_a_search_for_what_half_the_orders_have_still_finds_them_all(shop, as_user, monkeypatch):
    """Above so many matches the list is walked instead of named by ids: the answer is the same."""
    client = as_user("boss")
    everything = {}
    for most in (5_000, 3):
        monkeypatch.setattr("daifa.domain.orders.queries.MOST_MATCHES", most)
        for query in ("q=5", "q=1", "q=me", "q=smith", "hold=out_of_stock", "q=5&status=delivered"):
            found = [one["id"] for one in client.get(f"/api/v1/orders?limit=200&{query}").json()["items"]]
            assert everything.setdefault(query, found) == found, query
    assert len(everything["q=5"]) == 40


def test_an_order_with_everything_that_hangs_on_it(shop, as_user):
    order = Order.objects.filter(status="delivered", store_id=shop.first).first()
    told = as_user("operator").get(f"/api/v1/orders/{order.id}").json()
    assert told["total"] == {"amount": f"{order.total_amount:.2f}", "currency": "GBP"}
    assert told["counters"]["ordered"] == told["counters"]["delivered"] == order.units
    assert len(told["lines"]) == 2
    assert {parcel["order_id"] for parcel in told["parcels"]} == {order.id}
    assert told["purchases"][0]["goods"]["currency"] == "CNY"
    assert told["addresses"][0]["city"] == "Leeds"
    subjects = [one["subject"] for one in told["timeline"]]
    assert subjects[-1] == "order"
    assert {"purchase_order", "parcel", "scan"} <= set(subjects)
    assert told["placed_at"].endswith("Z")


def test_holding_and_releasing(shop, as_user):
    client = as_user("operator")
    order = (
        Order.objects.filter(store_id=shop.first, open_holds=0)
        .exclude(status__in=["delivered", "cancelled"])
        .first()
    )
    if order is None:
        order = Order.objects.filter(store_id=shop.first, open_holds=0).first()
    assert post(client, "/api/v1/orders/hold", {"order_ids": [order.id], "note": "call first"})["done"] == [
        order.id
    ]
    assert post(client, "/api/v1/orders/hold", {"order_ids": [order.id]})["done"] == []
    order.refresh_from_db()
    assert order.open_holds == 1
    assert post(client, f"/api/v1/orders/{order.id}/holds/release", {})["done"] == [order.id]
    assert post(client, f"/api/v1/orders/{order.id}/holds/release", {})["done"] == []
    order.refresh_from_db()
    assert order.open_holds == 0
    elsewhere = Order.objects.filter(store_id=shop.second).first()
    post(client, "/api/v1/orders/hold", {"order_ids": [order.id, elsewhere.id]}, status=404)
    assert not Hold.objects.filter(order=order, released_at=None).exists(), "all or nothing"


def test_a_run_is_downloaded_confirmed_once_and_then_says_repeat(shop, as_user):
    from daifa.flows.place_purchases import fix_runs

    client, at = as_user("operator"), clock.now()
    ready = PurchaseOrder.objects.filter(store_id=shop.first).first()
    PurchaseOrder.objects.filter(id=ready.id).update(state="ready", placed_at=None)
    assert fix_runs(at=at, by="user:1", supplier_id=ready.supplier_id, store_id=shop.first)
    [run] = client.get("/api/v1/runs?state=fixed").json()["items"]
    first = client.get(f"/api/v1/runs/{run['id']}/file")
    assert first.content[:2] == b"PK"
    assert "REPEAT" not in first["Content-Disposition"]
    told = post(client, f"/api/v1/runs/{run['id']}/confirm", {})
    assert (told["placed"], told["run"]["state"]) == (1, "placed")
    assert post(client, f"/api/v1/runs/{run['id']}/confirm", {})["placed"] == 0
    second = client.get(f"/api/v1/runs/{run['id']}/file")
    assert second.content == first.content
    assert "REPEAT" in second["Content-Disposition"]
    post(client, f"/api/v1/runs/{run['id']}/settle", {"sent": True}, status=409)


def test_an_upload_is_read_by_the_worker_and_a_refused_row_can_be_mended(shop, as_user, settings, tmp_path):
    from daifa.flows.intake import read_file

    settings.MEDIA_ROOT = tmp_path
    client, store = as_user("operator"), Store.objects.get(id=shop.first)
    text = (
        "order number,date,sku,title,quantity,price,name,address,city,postcode,country\n"
        f"U1,2026-05-01 10:00,{shop.skus[0]},Mug,x,3.50,Ada Smith,1 High St,Leeds,LS1 1AA,GB\n"
        f"U2,2026-05-01 10:00,{shop.skus[0]},Mug,1,3.50,Ada Smith,1 High St,Leeds,LS1 1AA,GB\n"
    )
    upload = {
        "kind": "orders",
        "store": store.code,
        "treat_as": "open",
        "file": SimpleUploadedFile("o.csv", text.encode()),
    }
    answer = client.post("/api/v1/imports", upload)
    assert answer.status_code == 202, answer.content
    number = answer.json()["id"]
    assert answer.json()["state"] == "received"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT args->>'import_id' FROM procrastinate_jobs WHERE task_name = 'daifa.read_file'"
        )
        assert cursor.fetchall() == [(str(number),)]
    read_file(number, by=f"import:{number}", at=clock.now())
    told = client.get(f"/api/v1/imports/{number}").json()
    assert (told["state"], told["rows_in"], told["rows_refused"]) == ("done", 2, 1), told["sentence"]
    [row] = client.get(f"/api/v1/imports/{number}/rows?state=open").json()["items"]
    assert "is not a number" in row["sentence"]
    cells = [
        "U1",
        "2026-05-01 10:00",
        shop.skus[0],
        "Mug",
        "2",
        "3.50",
        "Ada Smith",
        "1 High St",
        "Leeds",
        "LS1 1AA",
        "GB",
    ]
    mended = post(client, f"/api/v1/imports/rows/{row['id']}/retry", {"cells": cells})
    assert mended["state"] == "retried"
    assert client.get("/api/v1/orders?q=U1").json()["items"][0]["counters"]["ordered"] == 2
    assert post(client, f"/api/v1/imports/rows/{row['id']}/retry", {}, status=409)["code"] == "row_settled"
    for missing, field in (({"kind": "orders"}, "store"), ({"kind": "offers"}, "supplier")):
        answer = as_user("boss").post(
            "/api/v1/imports", missing | {"file": SimpleUploadedFile("o.csv", b"a\n1\n")}
        )
        assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_columns_are_looked_at_and_chosen(shop, as_user, settings, tmp_path):
    from daifa.flows.intake import read_file

    settings.MEDIA_ROOT = tmp_path
    client, store = as_user("operator"), Store.objects.get(id=shop.first)
    text = f"Ref;Day;Ware;Pieces;Each\nM1;01/05/2026;{shop.skus[0]};2;3,50\n"

    def upload(**fields):
        file = SimpleUploadedFile("odd.csv", text.encode())
        return client.post("/api/v1/imports", {"kind": "orders", "store": store.code, "treat_as": "history", "file": file} | fields)

    answer = upload(read="false")
    number = answer.json()["id"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'daifa.read_file'")
        assert cursor.fetchone() == (0,)
    look = client.get(f"/api/v1/imports/{number}/columns").json()
    assert (look["headings"], look["columns"]) == (["Ref", "Day", "Ware", "Pieces", "Each"], [""] * 5)
    assert "missing" in look["missing"] and look["rows"][0][0] == "M1"
    assert as_user("viewer").get(f"/api/v1/imports/{number}/columns").json()["rows"] == []
    assert {"name": "sku", "label": "SKU", "needed": True} in look["fields"]
    address = f"/api/v1/imports/{number}/columns"
    chosen = {"columns": ["number", "placed_at", "sku", "quantity"], "day_first": True, "decimal_mark": ","}
    assert post(client, address, chosen, status=409)["code"] == "column_missing"
    chosen["columns"].append("unit_price")
    assert post(client, address, chosen, status=202)["id"] == number
    assert read_file(number, by="t", at=clock.now()).rows_used == 1
    assert post(client, address, chosen, status=409)["code"] == "already_read"
    following = upload().json()["id"]
    assert read_file(following, by="t", at=clock.now()).state == "done", "remembered by its headings"
    wrong = upload(mapping="[1]")
    assert (wrong.status_code, wrong.json()["field"]) == (422, "mapping")
    named = upload(mapping=json.dumps({"number": "Ware"})).json()["id"]
    assert "needed column" in read_file(named, by="t", at=clock.now()).sentence, "what came with it goes before"


def test_dispatch_files_are_taken_once_and_can_be_had_again(shop, as_user):
    from daifa.domain.shipping.models import DispatchNotice, Parcel

    client, address = as_user("operator"), f"/api/v1/stores/{shop.first}/dispatch-files"
    DispatchNotice.objects.filter(store_id=shop.first).delete()
    parcel = Parcel.objects.filter(store_id=shop.first).first()
    DispatchNotice.objects.create(store_id=shop.first, parcel=parcel, version=1, state="queued", at=clock.now())
    assert as_user("viewer").post(address).status_code == 403
    first = client.post(address + "?form=csv")
    assert first["Content-Type"].startswith("text/csv") and parcel.number in first.content.decode("utf-8-sig")
    assert int(first["X-Rows"]) > 0
    assert DispatchNotice.objects.get(parcel=parcel).state != "queued"
    assert client.post(address)["X-Rows"] == "0"
    [told] = client.get(address).json()
    again = client.get(f"{address}/{told['number']}/file?form=csv")
    assert again.content == first.content
    assert client.get(f"{address}/{told['number']}/file?form=xlsx").content[:2] == b"PK"
    assert client.get(f"{address}/999999/file").status_code == 409
    assert as_user("neighbour").get(f"{address}/{told['number']}/file").status_code == 404
    assert as_user("bookkeeper").get(f"{address}/{told['number']}/file").status_code == 403


def test_expenses_are_booked_once_for_one_key(shop, as_user):
    client = as_user("bookkeeper")
    expense = {
        "store_id": shop.first, "kind": "advertising", "amount": "12.50", "currency": "GBP", "date": "2026-05-02", "key": "a",
    }  # fmt: skip
    assert post(client, "/api/v1/books/expenses", expense, status=201)["already"] is False
    assert post(client, "/api/v1/books/expenses", expense)["already"] is True
    pnl = client.get("/api/v1/books/pnl?month=2026-05").json()
    assert pnl["advertising"] == {"amount": "12.50", "currency": "GBP"}
    assert pnl["net"]["amount"] == "-12.50"
    assert client.get("/api/v1/books/trial-balance").json()["is_balanced"] is True
    assert post(client, "/api/v1/books/expenses", expense | {"currency": "ZZZ", "key": "b"}, status=409)[
        "sentence"
    ]


def test_sentences_come_in_the_language_of_the_request(shop, as_user):
    client = as_user("owner")
    assert (
        client.get("/api/v1/orders/1", headers={"Accept-Language": "zh-hans"}).json()["sentence"]
        == "这里没有内容，或者您无权查看。"
    )


@pytest.mark.parametrize(
    ("who", "reads"), [("owner", True), ("operator", True), ("bookkeeper", False), ("viewer", False)]
)
def test_only_who_works_the_orders_reads_who_the_buyers_are(shop, as_user, who, reads):
    client = as_user(who)
    order = Order.objects.filter(store_id=shop.first).first()
    address = order.addresses.get()
    message = order.messages.first()
    message.body = f"Dear {address.name}"
    message.save()
    said = "".join(
        json.dumps(client.get(path).json(), ensure_ascii=False)
        for path in (
            "/api/v1/orders",
            f"/api/v1/orders/{order.id}",
            f"/api/v1/messages/{message.id}",
            "/api/v1/messages",
        )
    )
    for private in (address.name, address.line1, address.email):
        assert (private in said) is reads, private
