"""A shop on a Chinese platform that journeys of closing play in: its orders delivered, its calendar in their hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from django.conf import settings
from django.db import connection

from daifa.domain.books.commands import NewPayment, pay_suppliers
from daifa.domain.books.queries import balances_of_suppliers
from daifa.domain.cases.commands import NewMove, move_deposit
from daifa.domain.closing import queries
from daifa.domain.closing.models import Closing, ClosingStep
from daifa.domain.history.commands import ensure_months
from daifa.domain.privacy.commands import Kept, set_retention
from daifa.domain.privacy.places import CLASSES
from daifa.domain.stores.commands import edit_store
from daifa.domain.stores.models import Store
from daifa.flows import close_store, platform_side
from daifa.flows.close_store import Given
from daifa.flows.work import work_until_idle
from tests import cast

BY = cast.BY


@dataclass
class Story:
    """A shop and the moment it is in; every step of a journey moves the moment on."""

    shop: cast.Shop
    at: datetime
    closing: Closing | None = None

    @property
    def store(self) -> Store:
        return self.shop.store

    def until(self, day: date | str, hour: int = 4) -> None:
        """Live on to that day (04:00 UTC is noon in China): everything due is done on the way."""
        day = date.fromisoformat(day) if isinstance(day, str) else day
        moment = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
        assert moment >= self.at, f"{moment} has passed: it is {self.at}"
        self.at = moment
        ensure_months(self.at.date(), self.at.date())
        work_until_idle(at=self.at)
        close_store.sweep(at=self.at)
        platform_side.sweep(at=self.at)

    def later(self, **how: int) -> None:
        self.at += timedelta(**how)

    def days(self) -> dict[str, date]:
        self.closing.refresh_from_db()
        return {day.code: day.on for day in queries.days_of(self.closing, at=self.at)}

    def step(self, code: str) -> ClosingStep:
        return ClosingStep.objects.get(closing=self.closing, code=code)

    def do(self, *codes: str, **given: object) -> None:
        for code in codes:
            close_store.do_step(self.step(code).pk, Given(**given), by=BY, at=self.at)
        work_until_idle(at=self.at)

    def state(self, code: str) -> str:
        return self.step(code).state

    def life(self) -> tuple[str, str]:
        return queries.lifecycle(self.store.pk), queries.standing(self.store.pk)

    def end(self, *, returned: str) -> None:
        """The way from a closed store to the archive: money, export, deposit, shredding, lock."""
        self.pay_suppliers()
        self.do("suppliers_settled")
        self.do("settlement", amount=self.proceeds())
        self.do("export")
        self.until(self.days()["deposit"])
        self.do("deposit_back", note="as the platform's letter says", amount=Decimal(returned))
        self.do("shred", "books_locked", "archive")
        self.closing.refresh_from_db()

    def pay_suppliers(self) -> None:
        """Everything owed is paid, in the currency it is owed in."""
        wanted = [
            NewPayment(self.store.pk, supplier, owed, currency, self.at.date(), "", f"pay-{supplier}-{currency}")
            for supplier, currency, owed in balances_of_suppliers([self.store.pk])
        ]
        assert not pay_suppliers(wanted, by=BY, at=self.at).refused

    def proceeds(self) -> Decimal:
        return next(money.amount for money in queries.proceeds_due(self.store.pk))


def open_story(numbers: list[str], *, deposit: str = "1000.00") -> Story:
    """A store on Xiaohongshu, its deposit paid in, these orders delivered and told of."""
    shop = cast.open_shop()
    edit_store(
        store_id=shop.store.pk, channel="xiaohongshu", country="CN", timezone="Asia/Shanghai", reply_to="help@gifts.example.com", by=BY,
        at=cast.MORNING,
    )
    shop.store.refresh_from_db()
    move_deposit(
        [NewMove("paid_in", Decimal(deposit), cast.MORNING, reference="D-1")], store=shop.store, by=BY, at=cast.MORNING
    )
    at = cast.whole_loop(shop, numbers) if numbers else cast.MORNING
    return Story(shop, at)


def answer_retention(story: Story) -> None:
    """The owner has said how long buyers' data are kept: ninety days after the order at least."""
    set_retention(
        [Kept(data, 90, None, "our own answer", story.store.pk) for data in CLASSES if data != "backups"], by=BY, at=story.at
    )


def places_of(word: str) -> list[str]:
    """Tables and files in which a word still stands."""
    found = []
    for table in connection.introspection.table_names():
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE %s', [f"%{word}%"])
            if cursor.fetchone()[0]:
                found.append(table)
    for top in (Path(settings.MEDIA_ROOT), Path(settings.EMAIL_FILE_PATH)):
        found += [str(path) for path in top.rglob("*") if path.is_file() and word.encode() in path.read_bytes()]
    return found
