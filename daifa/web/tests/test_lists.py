import csv
import io
import re

import pytest
from django.contrib.messages import get_messages

HTMX = {"HX-Request": "true", "HX-Target": "div#list"}


def things(response) -> list[str]:
    return re.findall(r">(thing\d\d)<", response.content.decode())


def follow(client, response, rel: str):
    address = re.search(rf'href="([^"]+)" rel="{rel}"', response.content.decode())
    return client.get("/sample/tasks/" + address[1].replace("&amp;", "&")) if address else None


def test_pages_forward_and_back_show_every_row_once(shop, as_):
    client = as_(shop.root)
    response, forward = client.get("/sample/tasks/"), []
    while response:
        forward.append(things(response))
        last, response = response, follow(client, response, "next")
    assert [len(rows) for rows in forward] == [20, 20, 20, 20, 10]
    seen = [row for rows in forward for row in rows]
    assert sorted(seen) == [f"thing{i:02d}" for i in range(90)]
    backward = []
    while response := follow(client, last, "prev"):
        backward.append(things(response))
        last = response
    assert backward == forward[-2::-1]


def test_rows_arriving_meanwhile_shift_nothing(shop, as_):
    from daifa.domain.stores.models import Task
    from daifa.web.tests.conftest import NOON

    client = as_(shop.root)
    first = client.get("/sample/tasks/")
    Task.objects.create(store=shop.gift, kind="late", thing_kind="thing99", thing=99, opened_at=NOON.replace(hour=13))
    second = follow(client, first, "next")
    assert not set(things(first)) & set(things(second))
    assert things(follow(client, second, "prev")) == things(first)


def test_filters_live_in_the_address_and_in_every_link(shop, as_):
    response = as_(shop.root).get("/sample/tasks/?kind=lost&open=1&sort=oldest")
    page = response.content.decode()
    assert len(things(response)) == 20
    assert all(int(thing[5:]) % 3 == 0 for thing in things(response))
    next_address = re.search(r'href="([^"]+)" rel="next"', page)[1]
    assert "kind=lost" in next_address and "open=1" in next_address and "sort=oldest" in next_address
    assert things(response)[0] == "thing87"
    assert 'href="?open=1&amp;sort=oldest"' in page  # the tab "All" keeps the other filters


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("?kind=nonsense", "“nonsense” is not one of the choices of Kind; all are shown."),
        ("?opened_from=22.11.2026", "“22.11.2026” is not a date; write it as 2026-11-22."),
    ],
)
def test_a_filter_that_means_nothing_is_said_and_left_out(shop, as_, address, sentence):
    response = as_(shop.root).get("/sample/tasks/" + address)
    assert sentence in response.content.decode()
    assert len(things(response)) == 20


@pytest.mark.parametrize("token", ["x", "%00", "W10", "WzEsMiwzXQ", "WyJhIiwiYiJd" * 50, "eyJhIjoxfQ"])
def test_an_edited_place_means_the_beginning(shop, as_, token):
    client = as_(shop.root)
    assert things(client.get(f"/sample/tasks/?after={token}")) == things(client.get("/sample/tasks/"))


def test_only_the_stores_of_the_person(shop, as_):
    client = as_(shop.people["viewer"])
    rows = things(client.get("/sample/tasks/"))
    assert rows and all(int(row[5:]) % 2 == 0 for row in rows)
    assert "义乌小店" not in client.get("/sample/tasks/").content.decode()


def test_the_store_chosen_in_the_top_bar_narrows_lists(shop, as_):
    client = as_(shop.root)
    client.post("/switch/store/", {"store": shop.yiwu.pk, "next": "/sample/tasks/"})
    assert all(int(row[5:]) % 2 == 1 for row in things(client.get("/sample/tasks/")))
    client.post("/switch/store/", {"store": ""})
    assert {int(row[5:]) % 2 for row in things(client.get("/sample/tasks/"))} == {0, 1}


def test_htmx_gets_the_table_only_and_the_clean_address(shop, as_):
    response = as_(shop.root).get("/sample/tasks/?q=&kind=late&open=", headers=HTMX)
    page = response.content.decode()
    assert "<html" not in page and 'id="list"' in page
    assert response["HX-Push-Url"] == "/sample/tasks/?kind=late"
    assert "HX-Request" in response["Vary"] and "no-store" in response["Cache-Control"]


def test_empty_and_nothing_found_say_different_things(shop, as_):
    from daifa.domain.stores.models import Task

    client = as_(shop.root)
    nothing = client.get("/sample/tasks/?q=zzz").content.decode()
    assert "Nothing in this list fits the search and the filters." in nothing
    Task.objects.all().delete()
    empty = client.get("/sample/tasks/").content.decode()
    assert "Tasks appear by themselves." in empty and ">Help<" in empty


def test_counts_are_exact_when_small_and_estimated_beyond(shop, as_):
    from daifa.domain.stores.models import Task

    client = as_(shop.root)
    assert "90 in all" in client.get("/sample/tasks/").content.decode()
    Task.objects.bulk_create(
        Task(store=shop.gift, kind="late", thing_kind="more", thing=1000 + i, opened_at=task.opened_at)
        for i, task in enumerate(shop.tasks)
    )
    assert "about " in client.get("/sample/tasks/").content.decode()


def test_cells_are_escaped(shop, as_):
    shop.tasks[0].thing_kind = "<b>x</b>&"
    shop.tasks[0].save()
    page = as_(shop.root).get("/sample/tasks/").content.decode()
    assert "&lt;b&gt;x&lt;/b&gt;&amp;" in page and "<b>x</b>" not in page


def test_the_csv_holds_every_row_and_no_formula(shop, as_):
    shop.tasks[0].thing_kind = "=1+1"
    shop.tasks[0].save()
    response = as_(shop.root).get("/sample/tasks/?format=csv")
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["Task", "Store", "Opened", "Due", "At stake", "At stake (currency)", "Marks"]
    assert len(rows) == 91
    assert rows[2][:3] == ["'=1+1", "Gift Shop", "2026-11-22T12:00:00+00:00"]
    assert rows[1][:3] == ["thing01", "义乌小店", "2026-11-22T20:00:00+08:00"]  # each store in its own time


def test_the_workbook_holds_the_filtered_rows(shop, as_):
    from openpyxl import load_workbook

    response = as_(shop.root).get("/sample/tasks/?format=xlsx&kind=lost")
    sheet = load_workbook(io.BytesIO(b"".join(response.streaming_content))).active
    assert sheet.max_row == 31
    assert "attachment" in response["Content-Disposition"] and ".xlsx" in response["Content-Disposition"]


def test_bulk_buttons_only_for_those_who_may(shop, as_):
    client = as_(shop.people["viewer"])
    assert 'name="ids"' not in client.get("/sample/tasks/").content.decode()
    client = as_(shop.people["operator"])
    page = client.get("/sample/tasks/").content.decode()
    assert 'name="ids"' in page and "Close them" in page and ">Go<" not in page


def test_a_bulk_post_acts_and_says_what_it_refused(shop, as_):
    client = as_(shop.people["operator"])
    mine, foreign = shop.tasks[0], shop.tasks[1]
    response = client.post(
        "/sample/close/",
        {"ids": [mine.pk, foreign.pk, "x", "-1", mine.pk], "reason": "seen", "next": "/sample/tasks/?open=1"},
    )
    assert response.status_code == 302 and response.url == "/sample/tasks/?open=1"
    said = [str(message) for message in get_messages(response.wsgi_request)]
    assert said == ["1 closed. seen", f"Task {foreign.pk} is not there."]
    foreign.refresh_from_db()
    assert foreign.closed_at is None


@pytest.mark.parametrize("address", ["//evil.invalid/", "https://evil.invalid/", "javascript:alert(1)", "\\\\evil"])
def test_next_never_leaves_this_server(shop, as_, address):
    response = as_(shop.people["operator"]).post("/sample/close/", {"next": address})
    assert response.url == "/sample/tasks/"


def test_a_list_asks_few_questions(shop, as_, django_assert_max_num_queries):
    client = as_(shop.root)
    client.get("/sample/tasks/")
    with django_assert_max_num_queries(8):  # session, user, stores, roles, rows, count
        client.get("/sample/tasks/")
