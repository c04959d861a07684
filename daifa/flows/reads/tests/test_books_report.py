"""The month's report on paper."""

import importlib.abc
import sys
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from daifa.domain.books.commands import NewEntry, post_entries
from daifa.domain.sourcing.models import Supplier
from daifa.domain.stores.models import Store
from daifa.flows.reads import books_report
from daifa.lib import pdf
from daifa.lib.refusal import Refused

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 5, 12, tzinfo=UTC)
MARCH = date(2026, 3, 9)


@pytest.fixture
def shop():
    shop = Store.objects.create(code="gifts", name="Gifts & <More>", currency="GBP", created_at=AT)
    factory = Supplier.objects.create(code="kiln", name="窑厂", currency="CNY", created_at=AT)
    post_entries(
        [
            NewEntry(shop.pk, "test", 1, AT, [("1100", "GBP", Decimal(80)), ("4000", "GBP", Decimal(-80))]),
            NewEntry(shop.pk, "expense", 2, AT, [("6000", "GBP", Decimal(20)), ("1000", "GBP", Decimal(-20))]),
            NewEntry(
                shop.pk, "purchase_accepted", 3, AT,
                [("1300", "GBP", Decimal(11)), ("9000", "GBP", Decimal(-11)), ("9000", "CNY", Decimal(100)),
                 ("2000", "CNY", Decimal(-100))],
                supplier_id=factory.pk,
            ),
        ],
        by="user:1",
    )  # fmt: skip
    return shop


def test_what_the_report_says(shop):
    page = books_report._contents([shop.pk], MARCH, "en", "")
    figures = {row["name"]: (row["amount"], row["share"]) for row in page["statement"]}
    assert figures["Sales"] == ("£80.00", "100.0 %")
    assert figures["Advertising"] == ("-£20.00", "-25.0 %")
    assert figures["Net profit"] == ("£60.00", "75.0 %")
    assert (page["month"], page["stores"]) == ("March 2026", "Gifts & <More>")
    balances, owed = page["tables"]
    assert [cell["text"] for cell in balances["rows"][0]] == ["1000 Bank", "-£20.00"]
    assert [[cell["text"] for cell in row] for row in owed["rows"]] == [["窑厂", "CN¥100.00"]]


def test_in_chinese(shop):
    from django.utils import translation

    with translation.override("zh-hans"):
        page = books_report._contents([shop.pk], MARCH, "zh-hans", "")
    assert page["month"] == "2026年3月"
    assert page["tables"][0]["rows"][0][0]["text"] == "1000 银行存款"


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_a_pdf_comes_out(shop, language):
    try:
        content = books_report.books_report_pdf([shop.pk], MARCH, language)
    except Refused as error:  # the machine lacks pango or a font, and the sentence says which package
        pytest.skip(error.sentence)
    assert content.startswith(b"%PDF-") and len(content) > 5_000


def test_an_empty_scope_still_has_a_report():
    page = books_report._contents([], MARCH, "en", "")
    assert page["stores"] == "" and all(row["share"] == "" for row in page["statement"])


def test_a_missing_font_names_its_package(shop, monkeypatch):
    pytest.importorskip("weasyprint", exc_type=OSError)
    pdf.has_chinese_font.cache_clear()
    monkeypatch.setattr(
        pdf.shutil, "which", lambda _name: "/bin/true"
    )  # a machine with no such font
    with pytest.raises(Refused, match="fonts-noto-cjk"):
        books_report.books_report_pdf([shop.pk], MARCH, "zh-hans")
    pdf.has_chinese_font.cache_clear()


def test_a_missing_library_names_its_packages(shop, monkeypatch):
    class NoPango(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path=None, target=None):
            if name == "weasyprint":
                raise OSError("cannot load library 'libpango-1.0-0'")

    monkeypatch.delitem(sys.modules, "weasyprint", raising=False)
    monkeypatch.setattr(sys, "meta_path", [NoPango(), *sys.meta_path])
    with pytest.raises(Refused, match=r"libpango-1\.0-0 libpangoft2-1\.0-0 libharfbuzz-subset0"):
        books_report.books_report_pdf([shop.pk], MARCH, "en")
