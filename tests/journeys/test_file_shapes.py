"""A file nobody knows: a person says what its columns are, and the next file of that shape needs nothing."""

from datetime import timedelta

import pytest

from daifa.domain.books.models import Expense
from daifa.domain.imports.models import ImportShape
from daifa.domain.orders.models import Order
from daifa.flows import file_shapes, intake
from daifa.lib.refusal import Refused
from tests import cast

pytestmark = pytest.mark.django_db
AT = cast.MORNING
STRANGE = (
    "Bestellung;Datum;Artikel;Stück;Preis;An;Straße;Ort;PLZ;Land\n"
    "{0}-1;03/04/2026;MUG;2;12,50;Ada Smith;1 High St;Leeds;LS1 1AA;GB\n"
    "{0}-2;05/04/2026;MUG;1;9,00;Bo Lee;2 High St;Leeds;LS1 1AA;GB\n"
)
FIELDS = ("number", "placed_at", "sku", "quantity", "unit_price", "name", "line1", "city", "postcode", "country")


@pytest.fixture
def shop(tmp_path, settings):
    settings.MEDIA_ROOT = tmp_path
    return cast.open_shop()


def receive(shop, content: bytes, *, kind="orders", name="x.csv", options=None, store=None):
    return intake.receive_file(
        kind=kind, name=name, content=content, store=store or shop.store, options=options, by=cast.BY, at=AT
    )


def read(file):
    return intake.read_file(file.pk, by=cast.BY, at=AT)


def test_said_once_it_is_known_for_the_next_file(shop):
    first = read(receive(shop, STRANGE.format("A").encode()))
    assert first.state == "refused" and "column is missing" in first.sentence
    look = file_shapes.look_at(first)
    assert look.header[:3] == ("Bestellung", "Datum", "Artikel") and look.missing == first.sentence
    assert look.rows[0][1][0] == "A-1"
    chosen = file_shapes.choose(first.pk, columns=dict(enumerate(FIELDS)), day_first=True, decimal_mark=",", by=cast.BY, at=AT)
    assert chosen.pk != first.pk, "what was refused stays refused"
    assert read(chosen).rows_used == 2
    order = Order.objects.get(number="A-1")
    assert (order.placed_at.month, order.total_amount, order.country) == (4, 25, "GB")

    following = receive(shop, STRANGE.format("B").encode(), options={"treat_as": "open"})
    assert file_shapes.recall(following.pk)
    following.refresh_from_db()
    assert following.options["mapping"]["number"] == "Bestellung" and following.options["treat_as"] == "open"
    assert read(following).rows_used == 2
    assert not file_shapes.recall(following.pk), "what was read stays as it was read"


def test_another_store_or_other_headings_are_another_shape(shop):
    file = receive(shop, STRANGE.format("A").encode())
    file_shapes.choose(file.pk, columns=dict(enumerate(FIELDS)), by=cast.BY, at=AT)
    from daifa.domain.stores.commands import add_store

    other = add_store(code="other", name="Other", currency="GBP", kind="own_site", by=cast.BY, at=AT)
    assert not file_shapes.recall(receive(shop, STRANGE.format("C").encode(), store=other).pk)
    assert not file_shapes.recall(receive(shop, STRANGE.format("C").replace("Artikel", "Ware").encode()).pk)
    named = receive(shop, STRANGE.format("D").encode(), options={"mapping": {"number": "Artikel"}, "decimal_mark": "."})
    assert not file_shapes.recall(named.pk), "what this file came with goes before what is remembered"


def test_a_mapping_that_leaves_something_out_or_names_it_twice_is_refused(shop):
    file = receive(shop, STRANGE.format("A").encode())
    for columns, says in (
        ({0: "number"}, "needed column is missing"),
        ({**dict(enumerate(FIELDS)), 5: "sku"}, "one column only"),
        ({**dict(enumerate(FIELDS)), 5: "nonsense"}, "no field"),
    ):
        with pytest.raises(Refused) as refused:
            file_shapes.choose(file.pk, columns=columns, by=cast.BY, at=AT)
        assert says in refused.value.sentence
    assert not ImportShape.objects.exists()
    done = read(receive(shop, cast.order_file(["1"])))
    with pytest.raises(Refused):
        file_shapes.choose(done.pk, columns={}, by=cast.BY, at=AT)


def test_a_column_recognised_wrongly_is_taken_out(shop):
    content = cast.order_file(["1"]).decode().replace("Title", "Item name").encode()
    file = receive(shop, content)
    look = file_shapes.look_at(file)
    fields = {place: name for name, place in look.columns.items()}
    columns = {place: fields.get(place, "") for place in range(len(look.header))}
    columns[look.columns["title"]] = ""
    chosen = file_shapes.choose(file.pk, columns=columns, by=cast.BY, at=AT)
    assert chosen.options["mapping"] == {"title": ""}, "only what differs from the headings' own word"
    assert read(chosen).rows_used == 2
    assert set(Order.objects.get().lines.values_list("title", flat=True)) == {""}
    # Put back as the headings say it, nothing is left to be remembered.
    again = receive(shop, content)
    file_shapes.choose(again.pk, columns={**columns, look.columns["title"]: "title"}, by=cast.BY, at=AT)
    assert not ImportShape.objects.exists()


def test_another_worksheet(shop):
    import io

    from daifa.lib.sheets import Column, Table, write_xlsx

    def sheet(name, rows):
        return Table(name, [Column(title) for title in rows[0]], rows[1:])

    buffer = io.BytesIO()
    write_xlsx(
        buffer,
        [sheet("Cover", [["Report", "Month"], ["Orders", "May"]]),
        sheet("Data", [["Order number", "Date", "SKU", "Quantity", "Price"], ["W1", "2026-03-01 10:00", "MUG", "1", "5"]])],
    )
    file = receive(shop, buffer.getvalue(), name="x.xlsx", options={"treat_as": "history"})
    assert file_shapes.look_at(file).worksheets == ("Cover", "Data")
    with pytest.raises(Refused):
        file_shapes.show_as(file.pk, worksheet="Nowhere", encoding="", by=cast.BY, at=AT)
    same = file_shapes.show_as(file.pk, worksheet="Data", encoding="", by=cast.BY, at=AT)
    assert same.pk == file.pk
    look = file_shapes.look_at(same)
    assert look.worksheet == "Data" and not look.missing
    fields = {place: name for name, place in look.columns.items()}
    chosen = file_shapes.choose(file.pk, columns=fields, worksheet="Data", by=cast.BY, at=AT)
    assert read(chosen).rows_used == 1
    following = receive(shop, buffer.getvalue(), name="y.xlsx", options={"treat_as": "history"})
    assert file_shapes.recall(following.pk)
    assert read(following).rows_used == 1


def test_expenses_too(shop):
    file = receive(shop, b"Tag,Art,Betrag\n2026-03-01,tools,5\n", kind="expenses")
    assert [one.name for one in file_shapes.fields_of("expenses")][:3] == ["date", "kind", "amount"]
    chosen = file_shapes.choose(file.pk, columns={0: "date", 1: "kind", 2: "amount"}, by=cast.BY, at=AT + timedelta(hours=1))
    assert read(chosen).rows_used == 1 and Expense.objects.get().amount == 5
