"""The sample catalogue and the suppliers' price lists, made from what an order file sold.

Products take SKU and description from the file and the median of their prices by units sold; everything about suppliers is invented.
Most goods have one to three sources. A few of the less sold ones are made to fail on purpose, one reason each, so that
every kind of hold can be seen.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from math import gcd
from statistics import median
from typing import Any, NamedTuple

from daifa.flows.sample_shop.seed import between, choice, digits, share

CENT = Decimal("0.01")


class Good(NamedTuple):
    """What the file says of a SKU. `units` were sold in all; `pack` is the greatest common divisor of the quantities."""

    sku: str
    title: str
    price: Decimal
    lines: int
    units: int
    pack: int
    is_rare: bool  # among the less sold half


class SampleSupplier(NamedTuple):
    """A made-up supplier. `rate` is roughly his currency for one unit of the file's, only to invent likely prices."""

    code: str
    name: str
    currency: str
    rate: Decimal
    country: str
    language: str
    kind: str
    delivery: str
    parcel_freight: Decimal
    handling_days: int
    ships_to: tuple[str, ...]
    carrier: str
    prefix: str  # of his waybill numbers
    reply: str  # how he answers: run (our workbook filled in), zh, en (his own columns)
    goods: str  # words by which he is the first choice
    note: str = ""


EUROPE = ("GB", "IE", "DE", "FR", "NL", "BE", "ES", "IT", "PT", "AT", "DK", "SE", "FI", "PL", "NO", "CH")

SUPPLIERS = (
    SampleSupplier("yiwu-craft", "义乌彩云工艺品厂", "CNY", Decimal("9.1"), "CN", "zh-hans", "workbook", "mail", Decimal(6), 2, (),
                   "云途物流", "YT", "run", "CERAMIC|CANDLE|T-LIGHT|CHRISTMAS|DECORATION|HEART|FRAME|SIGN|HANGING|STAR|ANTIQUE|VINTAGE|RETROSPOT|METAL|WOOD"),
    SampleSupplier("ningbo-home", "宁波四季家居用品有限公司", "CNY", Decimal("9.1"), "CN", "zh-hans", "workbook", "download", Decimal(8), 3, (),
                   "燕文物流", "UG", "zh", "MUG|CUP|TEA|CAKE|BOWL|JAR|KITCHEN|TIN|LUNCH|BAKING|SPOON"),
    SampleSupplier("shenzhen-light", "Shenzhen Lumen Lighting Co.", "USD", Decimal("1.27"), "CN", "en", "workbook", "mail", Decimal("1.20"), 2, (),
                   "4PX", "4PX", "en", "LAMP|CLOCK|ALARM|RADIO|WATCH|BATTERY|LANTERN"),
    SampleSupplier("leeds-trade", "Leeds Trade Gifts Ltd", "GBP", Decimal(1), "GB", "en", "workbook", "mail", Decimal("1.10"), 1, ("GB", "IE"),
                   "Royal Mail", "RM", "en", "SOAP|TOWEL|UMBRELLA|DOORMAT"),
    SampleSupplier("bristol-glass", "Bristol Glass & Print", "GBP", Decimal(1), "GB", "en", "workbook", "download", Decimal("1.40"), 2, EUROPE,
                   "DPD", "1550", "en", "GLASS|VASE|NOTEBOOK|GIFT WRAP|TISSUE"),
    SampleSupplier("jaipur-textile", "Jaipur Block Print Co.", "USD", Decimal("1.27"), "IN", "en", "workbook", "mail", Decimal("1.50"), 3, (),
                   "Delhivery", "DL", "en", "CUSHION|APRON|CLOTH|QUILT|FELT|SCARF|PURSE|SHOPPER"),
    SampleSupplier("try-out", "Scripted Supplier (stand-in)", "GBP", Decimal(1), "GB", "en", "fake", "download", Decimal("0.90"), 1, (),
                   "Parcelforce", "PF", "run", "PUPPET|MAGIC|PUZZLE|SKETCH"),
    SampleSupplier("guangzhou-paper", "广州纸艺坊", "CNY", Decimal("9.1"), "CN", "zh-hans", "workbook", "mail", Decimal(5), 2, (),
                   "云途物流", "YT", "zh", "", "no agreement on purpose: goods only he has are held"),
    SampleSupplier("hanoi-lacquer", "Hanoi Lacquer Works", "VND", Decimal(32000), "VN", "en", "workbook", "mail", Decimal(20000), 3, (),
                   "VNPost", "VN", "en", "", "no published exchange rate on purpose: goods only he has are held"),
)  # fmt: skip
BY_CODE = {supplier.code: supplier for supplier in SUPPLIERS}
USUAL = tuple(s for s in SUPPLIERS if s.goods)
MAIN = (BY_CODE["yiwu-craft"], BY_CODE["ningbo-home"])
_CANNOT_BE_ALONE = ("leeds-trade", "try-out")  # one ships to two countries only, the other misbehaves

FLAWS = (
    "unmapped", "proposed", "no_agreement", "out_of_stock", "too_dear", "no_rate", "vanishes", "one_country", "odd_pack",
)  # fmt: skip
FLAWED = 0.06  # of the rare goods


def goods_of(lines: Iterable[Any]) -> list[Good]:
    """Every SKU bought as goods or sample at a price, in the order of SKUs. `lines` are the connectors' records."""
    prices: dict[str, list[tuple[Decimal, int]]] = defaultdict(list)
    titles: dict[str, Counter[str]] = defaultdict(Counter)
    packs: dict[str, int] = defaultdict(int)
    units: Counter[str] = Counter()
    for line in lines:
        if line.kind != "goods":
            continue
        if line.unit_price > 0:
            prices[line.sku].append((line.unit_price, line.quantity))
        titles[line.sku][line.title] += 1
        units[line.sku] += line.quantity
        packs[line.sku] = gcd(packs[line.sku], line.quantity)
    usual = median([len(found) for found in prices.values()] or [0])
    return [
        Good(
            sku=sku,
            title=_title(max(titles[sku].items(), key=lambda item: (item[1], item[0]))[0]) or sku,
            price=_usual_price(prices[sku]).quantize(CENT),
            lines=len(prices[sku]),
            units=units[sku],
            pack=packs[sku],
            is_rare=len(prices[sku]) <= usual,
        )
        for sku in sorted(prices)
    ]


def _usual_price(sold: list[tuple[Decimal, int]]) -> Decimal:
    """The price at or below which half of the units were sold: few dear single pieces do not raise it."""
    half, passed = sum(units for _, units in sold) / 2, 0
    for price, units in sorted(sold):
        passed += units
        if passed >= half:
            return price
    raise ValueError("Nothing was sold.")


def _title(text: str) -> str:
    """`PINK CHERRY LIGHTS` → `Pink Cherry Lights`; digits and short units stay as they are."""
    text = re.sub(r"\s+", " ", text).strip()
    if text != text.upper():
        return text
    return re.sub(r"[A-Z][A-Z']{2,}", lambda word: word[0].capitalize(), text)


def flaw_of(good: Good) -> str:
    """The reason for which this good is made to fail, "" for nearly all."""
    return choice(FLAWS, good.sku, "flaw") if good.is_rare and share(good.sku, "flawed?") < FLAWED else ""


def products_csv(goods: Iterable[Good], currency: str) -> bytes:
    """A product file. SKUs with the same digits (79323P, 79323W) are variants of one product."""
    families: dict[str, list[Good]] = defaultdict(list)
    for good in goods:
        families[re.sub(r"[A-Za-z]+$", "", good.sku) or good.sku].append(good)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["Handle", "SKU", "Title", "Option", "Price", "Currency", "Weight (g)"])
    for stem, members in families.items():
        for good in members:
            option = f"Design:{good.title}" if len(members) > 1 else ""
            weight = between(40, 900, good.sku, "weight")
            writer.writerow([stem, good.sku, members[0].title, option, good.price, currency, weight])
    return out.getvalue().encode()


class Source(NamedTuple):
    """One supplier's offer of one good. `named` says whether his list names our SKU."""

    good: Good
    supplier: SampleSupplier
    rank: int
    pack: int
    cost: Decimal  # per supplier unit, his currency
    freight: Decimal
    named: bool
    flaw: str


@lru_cache(maxsize=8192)
def sources_of(good: Good) -> tuple[Source, ...]:
    """Who sells this good to us, first choice first."""
    flaw = flaw_of(good)
    if flaw == "no_agreement":
        sellers = [BY_CODE["guangzhou-paper"]]
    elif flaw == "no_rate":
        sellers = [BY_CODE["hanoi-lacquer"]]
    elif flaw == "one_country":
        sellers = [BY_CODE["leeds-trade"]]
    else:
        sellers = _sellers(good)
        if flaw in ("vanishes", "odd_pack", "unmapped", "proposed"):
            sellers = sellers[-1:]
    found = []
    for rank, supplier in enumerate(sellers, 1):
        pack = 7 if flaw == "odd_pack" else 1
        if (
            not flaw
            and rank == 1
            and len(sellers) > 1
            and good.pack % 6 == 0
            and share(good.sku, "pack") < 0.6
        ):
            pack = 12 if good.pack % 12 == 0 else 6
        part = Decimal(between(350, 520, good.sku, "cost")) / 1000 + Decimal(rank - 1) * Decimal("0.04")
        if flaw == "too_dear":
            part = Decimal(between(1050, 1400, good.sku, "cost")) / 1000
        cost = good.price * part * supplier.rate * pack * (Decimal("0.96") if pack > 1 else 1)
        freight = cost * Decimal(between(0, 4, good.sku, supplier.code, "freight")) / 100
        found.append(
            Source(
                good, supplier, rank, pack, max(cost.quantize(CENT), CENT), freight.quantize(CENT),
                flaw not in ("unmapped", "proposed"), flaw,
            )
        )  # fmt: skip
    return tuple(found)


def _sellers(good: Good) -> list[SampleSupplier]:
    words = good.title.upper()
    first = next((s for s in USUAL if re.search(rf"\b(?:{s.goods})", words)), None)
    sellers = [
        first or MAIN[share(good.sku, "first") < 0.15]
    ]  # a shop buys most of its range from one or two
    chance = share(good.sku, "backups")
    for place in range((chance > 0.12) + (chance > 0.6)):
        others = [s for s in USUAL if s not in sellers]
        sellers.append(choice(others, good.sku, "backup", place))
    if all(seller.code in _CANNOT_BE_ALONE for seller in sellers):
        sellers.append(
            choice([s for s in USUAL if s.code not in _CANNOT_BE_ALONE], good.sku, "backup for sure")
        )
    return sellers


def offers_csv(goods: Iterable[Good], supplier: SampleSupplier, week: int) -> bytes:
    """The supplier's full price list of that week: prices drift a little, stock is counted anew.

    Goods that are made to vanish stand in the list of week 0 only.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["Supplier SKU", "Title", "Price", "Currency", "Our SKU", "Pack", "Freight", "Stock", "Lead days", "Rank", "Ships to"]
    )  # fmt: skip
    for good in goods:
        for source in sources_of(good):
            if source.supplier is not supplier or (source.flaw == "vanishes" and week > 0):
                continue
            drift = (
                Decimal(100 + between(-2, 2, good.sku, supplier.code, week, "drift")) / 100
                if week
                else Decimal(1)
            )
            writer.writerow(
                [
                    supplier_sku(source), good.title, max((source.cost * drift).quantize(CENT), CENT), supplier.currency,
                    good.sku if source.named else "", source.pack, source.freight, _stock(source, week),
                    supplier.handling_days, source.rank, "/".join(supplier.ships_to),
                ]
            )  # fmt: skip
    return out.getvalue().encode()


def supplier_sku(source: Source) -> str:
    """The supplier's own number for the good; equal to ours where that is what goes wrong."""
    if source.flaw == "proposed":
        return source.good.sku
    number = digits(10, source.good.sku, source.supplier.code, "number")
    return f"{source.supplier.code[:2].upper()}-{number[:4]}-{number[4:]}"


def _stock(source: Source, week: int) -> int:
    if source.flaw == "out_of_stock":
        return 0
    names = (source.good.sku, source.supplier.code, week, "stock")
    if source.rank == 1 and len(sources_of(source.good)) > 1 and share(*names, "low?") < 0.02:
        return between(0, 6, *names)
    enough = max(300, source.good.units // 4)
    return max(1, between(enough, enough * 4, *names) // source.pack)
