"""Details, forms, panels, buttons."""

import json
import re

import pytest


def test_a_detail_page_shows_facts_panels_and_what_happened(shop, as_):
    page = as_(shop.people["operator"]).get(f"/sample/tasks/{shop.tasks[0].pk}/").content.decode()
    for words in ("Task ", "Opened", "22 Nov 12:00", "Attention", "Others", "What happened", "because", "operator"):
        assert words in page


def test_a_page_of_one_store_tells_the_time_by_its_clock(shop, as_):
    """Rows too that do not say whose they are; another store, first in the list, has another clock."""
    page = as_(shop.root).get(f"/sample/tasks/{shop.tasks[1].pk}/").content.decode()
    assert page.count("22 Nov 20:00") == 2 and "22 Nov 12:00" not in page


def test_a_thing_of_a_foreign_store_is_not_there(shop, as_):
    foreign = shop.tasks[1].pk
    assert as_(shop.people["owner"]).get(f"/sample/tasks/{foreign}/").status_code == 404
    assert as_(shop.root).get(f"/sample/tasks/{foreign}/").status_code == 200
    assert as_(shop.root).get("/sample/tasks/999999/").status_code == 404


def test_a_button_not_allowed_shows_the_sentence_escaped(shop, as_):
    page = as_(shop.people["viewer"]).get(f"/sample/tasks/{shop.tasks[0].pk}/").content.decode()
    assert page.count("Your role may look but not act here.") == 2  # as a title, and for screen readers
    assert "It was &lt;shipped&gt; already" in page
    assert 'action="/sample/close/"' not in page


def test_a_button_allowed_posts_with_its_fields(shop, as_):
    task = shop.tasks[0]
    page = as_(shop.people["operator"]).get(f"/sample/tasks/{task.pk}/").content.decode()
    form = re.search(r'<form method="post" action="/sample/close/".*?</form>', page, re.S)[0]
    assert f'name="ids" value="{task.pk}"' in form and 'data-confirm="Really?"' in form
    assert "csrfmiddlewaretoken" in form and f'value="/sample/tasks/{task.pk}/"' in form


def test_a_form_shows_each_error_at_its_field(shop, as_):
    client = as_(shop.people["owner"])
    address = f"/sample/stores/{shop.gift.pk}/"
    page = client.get(address).content.decode()
    assert "Rename Gift Shop" in page and page.count('class="form-check-input"') == 2
    missing = client.post(address, {"name": ""})
    assert missing.status_code == 422 and "This field is required." in missing.content.decode()
    taken = client.post(address, {"name": "taken"}).content.decode()
    assert "A store of this name exists already." in taken and 'value="taken"' in taken
    assert "The store is closed." in client.post(address, {"name": "closed"}).content.decode()


def test_a_form_saves_with_actor_and_goes_on(shop, as_):
    owner = shop.people["owner"]
    response = as_(owner).post(f"/sample/stores/{shop.gift.pk}/", {"name": "New"}, follow=True)
    shop.gift.refresh_from_db()
    assert shop.gift.name == f"New user:{owner.pk}"
    assert response.redirect_chain == [("/sample/tasks/", 302)] and "Saved." in response.content.decode()


def test_a_form_for_owners_only(shop, as_):
    address = f"/sample/stores/{shop.gift.pk}/"
    refused = as_(shop.people["operator"]).get(address)
    assert refused.status_code == 403 and "Only an owner may do this." in refused.content.decode()
    assert as_(shop.people["owner"]).get(f"/sample/stores/{shop.yiwu.pk}/").status_code == 404


def test_a_store_one_may_see_but_not_act_in_is_forbidden_not_missing(shop, as_):
    from daifa.domain.stores.models import StoreAccess

    owner = shop.people["owner"]
    StoreAccess.objects.create(user=owner, store=shop.yiwu, role="viewer")
    refused = as_(owner).get(f"/sample/stores/{shop.yiwu.pk}/")
    assert refused.status_code == 403 and "Only an owner may do this." in refused.content.decode()


def test_a_page_sees_only_stores_in_which_the_need_is_met(shop, as_):
    from daifa.domain.stores.models import StoreAccess

    keeper = shop.people["bookkeeper"]
    StoreAccess.objects.create(user=keeper, store=shop.yiwu, role="viewer")
    page = as_(keeper).get("/sample/books/").content.decode()
    assert f">{shop.gift.pk}<" in page and str(shop.yiwu.pk) not in re.findall(r'small mt-1">([^<]*)<', page)[0].split(", ")
    assert as_(shop.people["operator"]).get("/sample/books/").status_code == 403


def test_a_charts_figures_are_data_not_script(shop, as_):
    page = as_(shop.people["bookkeeper"]).get("/sample/books/").content.decode()
    data = re.search(r'<script id="chart-data" type="application/json">(.*?)</script>', page, re.S)[1]
    assert json.loads(data)["series"][0]["values"] == [1.0, 2.0]
    assert "£2.00" in page and "Sales &lt;/script&gt;" in page


def test_progress_polls_while_it_runs_and_reloads_once_done(shop, as_):
    client = as_(shop.root)
    running = client.get("/sample/progress/?done=5")
    assert 'hx-trigger="every 2s"' in running.content.decode() and "HX-Refresh" not in running
    done = client.get("/sample/progress/?done=10")
    assert "hx-trigger" not in done.content.decode() and done["HX-Refresh"] == "true"


@pytest.mark.parametrize("tone", ["", "primary", "danger", "warning", "ghost"])
def test_every_style_of_button_draws(rf, tone):
    from django.template import Context, Template

    from daifa.web.kit import ActionButton

    html = Template("{% load kit %}{% button one %}").render(
        Context({"one": ActionButton("Do", "/x/", icon="x", style=tone), "request": rf.get("/")})
    )
    assert "/x/" in html and "sprite.svg#x" in html
