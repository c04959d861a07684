"""The side bar: groups that fold, what waits in them, and the search that leads to a section."""

import re

import pytest
from django.urls import reverse

from daifa.domain.stores.commands import NewTask, open_tasks
from daifa.domain.stores.models import Store, StoreAccess
from daifa.flows.reads.today import TASKS
from daifa.lib import clock
from daifa.web.kit import navigation
from daifa.web.pages import waiting

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(client, django_user_model):
    """(client, store) of somebody who owns a store."""
    user = django_user_model.objects.create_user("keeper", password="a-long-password-9")
    store = Store.objects.create(code="one", name="One", currency="GBP", created_at=clock.now())
    StoreAccess.objects.create(user=user, store=store, role="owner")
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    client.cookies["django_language"] = "en"
    return client, store


def groups(page: str) -> dict[str, tuple[bool, str]]:
    """Name of a group → (whether it is open, its HTML)."""
    found = re.findall(r'<details data-group="(\w+)"( open)?>(.*?)</details>', page, re.S)
    return {name: (bool(opened), inner) for name, opened, inner in found}


def test_every_section_is_a_link_in_its_group_and_nothing_is_lost(owner):
    page = owner[0].get(reverse("web:orders")).content.decode()
    shown = set(re.findall(r'href="([^"]+)"', re.search(r'<nav aria-label="Sections">.*?</nav>', page, re.S)[0]))
    for one in navigation.SECTIONS:
        for section in one.inside or (one,):
            url = navigation.address(section.name)
            if url and not section.installation:
                assert url in shown, f"{section.name} cannot be reached"
    # A group is one click away from being seen, a section in it the second.
    assert set(groups(page)) == {one.name for one in navigation.SECTIONS if one.inside}


def test_the_group_of_the_page_is_open_and_what_was_left_open_stays(owner):
    client, _store = owner
    first = groups(client.get(reverse("web:violations")).content.decode())
    assert {name for name, (is_open, _inner) in first.items() if is_open} == {"selling", "compliance"}
    assert 'aria-current="page"' in first["compliance"][1]
    client.cookies[navigation.COOKIE] = "-settings"
    page = groups(client.get(reverse("web:violations")).content.decode())
    assert {name for name, (is_open, _inner) in page.items() if is_open} == {"settings", "compliance"}
    client.cookies[navigation.COOKIE] = "-"
    page = groups(client.get(reverse("web:books")).content.decode())
    assert not any(is_open for is_open, _inner in page.values())
    life = groups(client.get(reverse("web:store_life", args=[_store.pk])).content.decode())
    assert [name for name, (is_open, _inner) in life.items() if is_open] == ["ending"], "a life ends with closing, not in the settings"
    client.cookies[navigation.COOKIE] = "-<script>.nonsense..\"x"
    assert client.get(reverse("web:books")).status_code == 200


def test_groups_fold_without_a_script_and_by_keyboard(owner):
    page = owner[0].get(reverse("web:orders")).content.decode()
    for _is_open, inner in groups(page).values():
        assert inner.lstrip().startswith('<summary class="nav-link">'), "a summary takes Enter and Space by itself"


def test_what_waits_stands_beside_the_section_and_its_group(owner):
    client, store = owner
    other = Store.objects.create(code="two", name="Two", currency="GBP", created_at=clock.now())
    tasks = [
        NewTask("violation_to_appeal", store.pk, "violation", number, {"reference": "V", "kind": "other"}) for number in (1, 2)
    ]
    tasks += [NewTask("complaint_to_answer", store.pk, "complaint", 1, {"reference": "C", "kind": "late"})]
    tasks += [NewTask("violation_to_appeal", other.pk, "violation", 3, {"reference": "V", "kind": "other"})]
    open_tasks(tasks, at=clock.now())
    inner = groups(client.get(reverse("web:books")).content.decode())["compliance"][1]
    head, *sections = inner.split("<li")
    assert re.search(r'group-count"[^>]*>3<', head), "of her own store only"
    numbers = {re.search(r'href="([^"]+)"', one)[1]: re.search(r"badge[^>]*>(\d+)<", one) for one in sections}
    assert numbers[reverse("web:violations")][1] == "2" and numbers[reverse("web:complaints")][1] == "1"
    assert numbers[reverse("web:rules")] is None


def test_every_kind_of_task_leads_to_a_section():
    known = {section.name for one in navigation.SECTIONS for section in (one, *one.inside)}
    assert set(waiting.OF_KIND.values()) <= known
    unknown = set(waiting.OF_THING.values()) - known
    assert not {name for name in unknown if navigation.address(name)}, "a page that is no section"
    assert set(waiting.OF_KIND) - {"held", "clock"} <= set(TASKS)


@pytest.mark.parametrize("words", ["Compliance", "合规"])
def test_the_search_knows_the_groups_in_both_languages(owner, words):
    page = owner[0].get(reverse("web:search"), {"q": words}).content.decode()
    for name in ("violations", "clocks", "rules", "store_health"):
        assert f'href="{reverse(f"web:{name}")}"' in re.sub(r"<aside.*?</aside>", "", page, flags=re.S), name


@pytest.mark.parametrize("words", ["Qualific", "资质"])
def test_the_search_goes_straight_to_the_only_section_found(owner, words):
    answer = owner[0].get(reverse("web:search"), {"q": words})
    assert (answer.status_code, answer.url) == (302, reverse("web:qualifications"))


def test_the_search_shows_nobody_a_section_that_is_not_hers(client, django_user_model):
    user = django_user_model.objects.create_user("looker", password="a-long-password-9")
    store = Store.objects.create(code="one", name="One", currency="GBP", created_at=clock.now())
    StoreAccess.objects.create(user=user, store=store, role="viewer")
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    page = client.get(reverse("web:search"), {"q": "Settings"}).content.decode()
    assert reverse("web:people") not in page and reverse("web:stores") in page
