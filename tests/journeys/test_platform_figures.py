"""Figures of the platforms' dashboards from a file, on the page and on the command line; old ones come back on Today."""

from __future__ import annotations

import io
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse

from daifa.domain.compliance.models import ReportedFigure
from daifa.domain.people.models import User
from daifa.domain.stores.models import StoreAccess
from daifa.flows.read_figures import read_figures, template
from daifa.flows.reads.today import today
from daifa.lib import clock
from daifa.lib.sheets import SheetRefused
from tests import bought_orders

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    return bought_orders.store(
        "red", channel="xiaohongshu", kind="marketplace", country="CN", currency="CNY", timezone="Asia/Shanghai"
    )


def read(tmp_path, text, shop, at, name="figures.csv"):
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return read_figures(file, name=name, store=shop, by="user:1", at=at)


def test_rows_are_taken_or_say_why_and_the_same_file_changes_nothing(shop, tmp_path):
    at = clock.now()
    day = at.date() - timedelta(days=1)
    text = (
        "店铺,指标,数值,分子,分母,统计天数,截止日期,来源\n"
        f"red,回复率,85.2%,,,7,{day},千帆-服务\n"
        f",shop score,4.8,,,,{day},千帆首页\n"
        f",passive_service_conversations,,2,,7天,{day},\n"
        f",late_dispatch_rate,,3,120,1,{day},\n"
        f"blue,reply_rate,80,,,7,{day},\n"
        f",好评率,80,,,7,{day},\n"
        f",shop_score,4.8%,,,,{day},\n"
        f",reply_rate,many,,,7,{day},\n"
        ",reply_rate,80,,,7,,\n"
        f",reply_rate,,5,,7,{day},\n"
        f",reply_rate,101,,,7,{day},\n"
        ",,,,,,,\n"
    )
    done = read(tmp_path, text, shop, at)
    assert (done.rows_in, done.added, done.known) == (11, 4, 0)
    assert [one.row for one in done.refused] == [6, 7, 8, 9, 10, 11, 12]
    sentences = [one.sentence() for one in done.refused]
    for sentence, part in zip(sentences, ["is about blue", "know no figure “好评率”", "is a share", "", "for which day", "no figure: neither", "no possible figure"], strict=True):
        assert part in sentence and "%(" not in sentence
    kept = {one.metric: one for one in ReportedFigure.objects.all()}
    assert (kept["reply_rate"].value, kept["reply_rate"].seen_in, kept["reply_rate"].source) == (Decimal("85.2"), "千帆-服务", "file:figures.csv")
    assert (kept["late_dispatch_rate"].value, kept["late_dispatch_rate"].part, kept["late_dispatch_rate"].base) == (Decimal("2.5"), 3, 120)
    good = "".join(line for n, line in enumerate(text.splitlines(True)) if n < 5)
    assert read(tmp_path, good, shop, at).is_repeat
    assert read(tmp_path, good.replace("85.2%", "86%"), shop, at).replaced == 1
    assert ReportedFigure.objects.count() == 5
    with pytest.raises(SheetRefused, match="no column for"):
        read(tmp_path, "metric,value\nreply_rate,80\n", shop, at)


def test_the_empty_table_is_read_back(shop, tmp_path):
    at = clock.now()
    text = template(shop, at=at)
    assert read(tmp_path, text, shop, at).rows_in == 0, "nobody filled it in"
    filled = text.replace("reply_rate,replies,,", "reply_rate,replies,81,")
    assert read(tmp_path, filled, shop, at).added == 1
    assert ReportedFigure.objects.get().window_days == 7


@pytest.fixture
def enter(client, shop):
    def as_role(role: str, language: str = "en"):
        user = User.objects.create_user(f"{role}-{language}", language=language)
        StoreAccess.objects.create(user=user, store=shop, role=role)
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        client.cookies["django_language"] = language
        return client

    return as_role


def body(response, status: int = 200) -> str:
    assert response.status_code == status
    return response.content.decode()


def test_a_person_enters_it_sees_it_and_is_asked_again(enter, shop):
    at = clock.now()
    old = str((at.astimezone(ZoneInfo(shop.timezone)) - timedelta(days=12)).date())
    add = reverse("web:store_figure_add_of", args=[shop.pk, "reply_rate"])
    said = {"metric": "reply_rate", "value": "78.5", "window_days": "7", "ended_on": old, "seen_in": "Qianfan, service"}
    assert enter("viewer").post(add, said).status_code == 403
    operator = enter("operator")
    assert 'value="reply_rate" selected' in body(operator.get(add))
    assert operator.post(add, said).status_code == 302
    assert "known already" in body(operator.post(add, said), 422)
    assert "Enter the figure" in body(operator.post(add, {**said, "value": ""}), 422)
    assert "17 of 20 is 85.00 %" in body(operator.post(add, {**said, "part": "17", "base": "20"}), 422)
    page = body(operator.get(reverse("web:store_health_of", args=[shop.pk])))
    assert "The platform says" in page and "78.5 %" in page and "12 days old: look again" in page
    (todo,) = [one for one in today([shop.pk], at=at) if one.kind == "figures_stale"]
    assert "12 days old" in todo.sentence and todo.thing == shop.pk
    assert "12 days old" in body(operator.get(reverse("web:today")))
    assert operator.post(add, {**said, "ended_on": str(at.date()), "value": "79"}).status_code == 302
    assert not [one for one in today([shop.pk], at=at) if one.kind == "figures_stale"]
    history = body(operator.get(reverse("web:store_figures", args=[shop.pk])))
    assert "78.5 %" in history and "Qianfan, service" in history
    row = ReportedFigure.objects.order_by("id").last()
    assert "79 %" in body(operator.get(reverse("web:store_figure", args=[row.pk])))
    assert operator.post(reverse("web:store_figure_withdraw", args=[row.pk])).status_code == 302
    assert "counts no more" in body(operator.get(reverse("web:store_figures", args=[shop.pk])))
    chinese = body(enter("owner", "zh-hans").get(reverse("web:store_health_of", args=[shop.pk])))
    assert "平台显示" in chinese and "请重新查看" in chinese


def test_a_file_on_the_page(enter, shop):
    day = clock.now().date()
    operator = enter("operator")
    url = reverse("web:store_figures_read", args=[shop.pk])
    assert "shop_score" in body(operator.get(url))
    table = operator.get(reverse("web:store_figures_template", args=[shop.pk]))
    assert "reply_rate" in table.content.decode()

    def send(text):
        file = io.BytesIO(text.encode())
        file.name = "f.csv"
        return body(operator.post(url, {"file": file}, follow=True))

    good = f"metric,value,until\nshop_score,4.7,{day}\n"
    assert "1 figure is new" in send(good)
    assert "known already; nothing has changed" in send(good)
    page = send(good + f"nonsense,1,{day}\n")
    assert "Row 3" in page and "know no figure “nonsense”" in page
    assert "no column" in send("a,b\n1,2\n")
