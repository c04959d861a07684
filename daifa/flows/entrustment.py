"""The entrustment of personal data as a paper ready to be signed: our words, filled with both names and what is handed over.

It says what Personal Information Protection Law art. 21 and GDPR art. 28 ask such a paper to say. Which data go to the
supplier is read from the map of buyers' data, so that the paper and the program cannot differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.template import Context, Engine
from django.utils import translation
from django.utils.translation import gettext as _

from daifa.domain.sourcing.models import Agreement
from daifa.domain.sourcing.queries import supplier_with_id
from daifa.domain.stores.models import Store
from daifa.lib import regions
from daifa.lib.pdf import FONTS, pdf_of
from daifa.lib.refusal import Refused

LANGUAGES = ("zh-hans", "en")
CLAIM_DAYS = 30
"""Days after delivery for which the supplier keeps the data where no claim window was agreed."""
BLANK = "＿" * 12

FIELDS: dict[tuple[str, str], tuple[str, str]] = {
    ("orders.AddressVersion", "name"): ("the recipient's name", "收件人姓名"),
    ("orders.AddressVersion", "line1"): ("street and house number", "详细地址"),
    ("orders.AddressVersion", "line2"): ("street and house number", "详细地址"),
    ("orders.AddressVersion", "city"): ("city", "城市"),
    ("orders.AddressVersion", "region"): ("province or region", "省份或地区"),
    ("orders.AddressVersion", "postcode"): ("postcode", "邮编"),
    ("orders.AddressVersion", "phone"): ("phone number", "电话号码"),
    ("orders.AddressVersion", "email"): ("e-mail address, where a carrier asks for it", "电子邮箱（仅在承运商要求时）"),
    ("orders.AddressVersion", "raw"): ("the address as the sales channel gave it", "销售渠道提供的原始地址"),
    ("orders.AddressVersion", "token"): ("the sales channel's code in place of the recipient", "销售渠道以代码替代的收件人信息"),
    ("orders.Order", "note"): ("what the buyer asked for when ordering", "买家下单备注"),
    ("orders.OrderLine", "title"): ("the goods ordered, with a wording for personalised goods", "所购商品（含定制字样）"),
    ("purchasing.PurchaseRun", "content"): ("the same data in purchase workbooks", "采购表中的上述信息"),
}
"""(model, column) of the map that a supplier may see → how the paper names it."""


class Clause(NamedTuple):
    heading: str
    sentences: tuple[str, ...]


class Paper(NamedTuple):
    """An entrustment in one language: title, the parties, its clauses, and the places to sign."""

    language: str
    title: str
    parties: tuple[tuple[str, str], ...]
    clauses: tuple[Clause, ...]
    signing: tuple[tuple[str, str], ...]  # (party, what to fill in)


def handed_over(language: str) -> list[str]:
    """The data a supplier is given, in words, as the map of buyers' data has them."""
    side = _side(language)
    return list(dict.fromkeys(words[side] for words in FIELDS.values()))


def paper_for(
    *, supplier_id: int, store_ids: Sequence[int], language: str, at: datetime, our_name: str = ""
) -> Paper:
    """The paper for a supplier and these stores. `our_name`: who entrusts, as on the licence; else a line to fill in.

    Raises `Refused` where there is no such supplier or no store.
    """
    supplier = supplier_with_id(supplier_id)
    stores = list(Store.objects.filter(pk__in=list(store_ids)).order_by("name"))
    if supplier is None or not stores:
        raise Refused(_("There is no such supplier, or no store to make it out for."), code="not_found")
    if supplier.source == "consumer_platform":
        raise Refused(
            _("%(supplier)s is a shop on a consumer platform: no paper makes it a place for buyers' addresses.")
            % {"supplier": supplier.name},
            code="consumer_platform",
        )
    agreed = (
        Agreement.objects.filter(supplier=supplier, claim_days__isnull=False).exclude(valid_until__lt=at.date()).order_by("-id").first()
    )
    side = _side(language)
    given = {
        "data": ("; ", "；")[side].join(handed_over(language)), "days": agreed.claim_days if agreed else CLAIM_DAYS,
        "country": _country(supplier.country, side),
    }  # fmt: skip
    clauses = tuple(
        Clause(f"{number}. {heading[side]}", tuple(sentence[side] % given for sentence in sentences))
        for number, (heading, sentences) in enumerate(_CLAUSES, 1)
    )
    names = (", ", "、")[side].join(store.name for store in stores)
    colon = (": ", "：")[side]
    sign = (("name and position", "date", "signature and seal"), ("姓名与职务", "日期", "签字盖章"))[side]
    ours, theirs = (("Party A, who entrusts", "Party B, who processes"), ("甲方（委托方）", "乙方（受托方）"))[side]
    return Paper(
        "zh-hans" if side else "en",
        ("Entrustment of personal data", "个人信息委托处理协议")[side],
        (
            (ours, our_name.strip() or BLANK),
            (("Stores of party A", "甲方店铺")[side], names),
            (theirs, supplier.name),
            (("Place of processing", "处理地点")[side], _country(supplier.country, side)),
        ),
        clauses,
        tuple((party, f"{words}{colon}{BLANK}") for party in (ours, theirs) for words in sign),
    )  # fmt: skip


def _country(code: str, side: int) -> str:
    """A country by its name in the paper's language; a line to fill in where none is known."""
    with translation.override(("en", "zh-hans")[side]):
        return regions.country(code) if code else BLANK


def as_text(**asked: object) -> str:
    """The paper as plain text, to be copied or mailed; arguments as of `paper_for`."""
    paper = paper_for(**asked)  # type: ignore[arg-type]
    colon = "：" if paper.language == "zh-hans" else ": "
    blocks = [paper.title, "\n".join(f"{name}{colon}{value}" for name, value in paper.parties)]
    blocks += ["\n".join((clause.heading, *clause.sentences)) for clause in paper.clauses]
    blocks.append("\n".join(f"{party} · {line}" for party, line in paper.signing))
    return "\n\n".join(blocks) + "\n"


def as_pdf(**asked: object) -> bytes:
    """The paper as a PDF to be printed and signed; arguments as of `paper_for`. Raises `Refused` where none can be made."""
    paper = paper_for(**asked)  # type: ignore[arg-type]
    page = Engine().from_string(_PAGE).render(Context({"paper": paper, "halves": (paper.signing[:3], paper.signing[3:])}))
    return pdf_of(page, language=paper.language)


def file_name(supplier_code: str, language: str, ending: str) -> str:
    return f"entrustment-{supplier_code}-{('en', 'zh')[_side(language)]}.{ending}"


def _side(language: str) -> int:
    return int(language.lower().startswith("zh"))


_CLAUSES: tuple[tuple[tuple[str, str], tuple[tuple[str, str], ...]], ...] = (
    (("Purpose", "处理目的"), (
        ("Party A sells goods to buyers; party B ships them to the buyers on party A's orders. Party B processes buyers' data for this alone: "
         "to pick, pack, label and hand over the parcel, to answer about its carriage, and to settle returns and claims of that order.",
         "甲方向买家销售商品，乙方按甲方订单直接向买家发货。乙方处理买家个人信息仅限于此目的：拣货、包装、打印面单、交付承运、答复该订单的物流查询以及办理该订单的退货与索赔。"),
        ("Party B acts on party A's recorded orders and instructions only, and tells party A at once where it holds an instruction to break the law.",
         "乙方仅按甲方有记录的订单与指示处理；认为指示违法的，应立即告知甲方。"),
    )),
    (("Duration", "委托期限"), (
        ("From the day both have signed for as long as party B ships for party A. It ends with the last order; the duties of return and deletion and of silence go on.",
         "自双方签署之日起，至乙方不再为甲方发货之日止。最后一单履行完毕即终止，返还删除义务与保密义务继续有效。"),
    )),
    (("Way and kind of data", "处理方式与个人信息种类"), (
        ("Persons concerned: buyers and recipients of party A's orders. Kind of data: %(data)s. No payment data and no identity papers are handed over.",
         "涉及对象：甲方订单的买家与收件人。个人信息种类：%(data)s。不包含支付信息与身份证件信息。"),
        ("Way: party A sends purchase workbooks or orders through its system; party B reads, prints waybills and keeps them in order of shipment. "
         "Where the sales channel masks the recipient, party B uses the channel's own e-waybill and makes no attempt to learn who it is.",
         "处理方式：甲方以采购表或系统推送订单，乙方读取、打印面单并按单留存。销售渠道对收件人脱敏的，乙方使用该渠道电子面单，不得尝试还原。"),
        ("Not allowed: any use of its own, such as cards, leaflets, calls, messages or adding buyers as contacts; lists or statistics of buyers; passing on or selling.",
         "禁止：用于乙方自身目的，包括放置卡片传单、致电、发送信息、添加买家好友；整理买家名单或画像；转让、出售。"),
    )),
    (("Protection", "保护措施"), (
        ("Only named staff who need the data for shipping may read them; they are bound to silence. Computers and files have passwords; the data do not go into group chats, "
         "private phones or private cloud drives. Spoilt waybills and old workbooks are destroyed so that nobody can read them.",
         "仅限发货所必需的指定人员接触，并签有保密义务。电脑与文件设密码；不得发至群聊、私人手机或私人网盘。作废面单与旧采购表应销毁至无法辨认。"),
        ("If data are lost, leaked or altered, party B stops it, tells party A without delay and at the latest within 24 hours (what happened, whose data, what was done), "
         "and helps party A to tell the authority and the persons.",
         "发生泄露、篡改、丢失的，乙方应立即补救并不迟于24小时通知甲方（发生了什么、涉及何人、已采取的措施），并协助甲方报告主管部门、告知个人。"),
    )),
    (("No further entrusting", "不得转委托"), (
        ("Party B lets nobody else process the data without party A's prior consent in writing; whoever is consented to takes over the same duties, and party B answers for him. "
         "The carrier named on the waybill receives what the waybill needs.",
         "未经甲方事先书面同意，乙方不得转委托他人处理；经同意的受托人承担同等义务，乙方对其行为负责。面单所载承运商仅接收运单所需信息。"),
        ("The data stay in the place of processing named above (%(country)s); they go to another country only with party A's prior consent in writing and as the law allows.",
         "个人信息保存于上述处理地点（%(country)s）；未经甲方事先书面同意并符合法律规定，不得向其他国家或地区提供。"),
    )),
    (("Return and deletion", "返还与删除"), (
        ("Party B deletes or returns the data of an order %(days)d days after its delivery, when no claim on it is open, and keeps no copy; "
         "at the end of this entrustment, or where it is void or withdrawn, all of them. It confirms this in writing when asked. "
         "What a law obliges it to keep is locked away and used for nothing else.",
         "订单签收满%(days)d日且无未结索赔的，乙方应删除或返还该订单个人信息，不留副本；委托终止、无效、被撤销或解除时，全部返还或删除。经甲方要求书面确认。法律要求保存的部分应封存，不作他用。"),
    )),
    (("Rights of the persons", "协助响应个人权利"), (
        ("A person who turns to party B is referred to party A the same day; party B helps to find, correct or erase the data within 3 working days.",
         "个人向乙方提出查询、更正、删除等请求的，乙方当日转交甲方，并在3个工作日内协助办理。"),
    )),
    (("Supervision", "监督"), (
        ("Party A may ask how the data are kept and look into it, on the spot or by documents and photos; party B answers within 3 working days, keeps a record of "
         "who handles the data, and puts right what is found.",
         "甲方有权询问、检查个人信息的保管情况（现场或以文件、照片方式）；乙方在3个工作日内答复，保留经手人员记录，并整改发现的问题。"),
        ("Breach of this entrustment is breach of the supply: party A may stop sending orders at once, and party B bears the damage it caused.",
         "违反本协议视为违反供货约定：甲方可立即停止推送订单，乙方承担由此造成的损失。"),
    )),
)  # fmt: skip

_PAGE = (
    """<!doctype html><html lang="{{ paper.language }}"><head><meta charset="utf-8"><title>{{ paper.title }}</title><style>
@page { size: A4; margin: 20mm 20mm; @bottom-right { content: counter(page) " / " counter(pages); font-size: 8pt; color: #667382 } }
body { font-family: """
    + FONTS
    + """; font-size: 10pt; line-height: 1.55; color: #182433 }
h1 { font-size: 17pt; margin: 0 0 6mm; text-align: center } h2 { font-size: 11pt; margin: 5mm 0 1mm; break-after: avoid } p { margin: 0 0 1.5mm }
table { width: 100%; border-collapse: collapse } td { padding: 1.2mm 2mm 1.2mm 0; vertical-align: top } .parties td:first-child { width: 42mm; color: #667382 }
.sign { margin-top: 10mm; break-inside: avoid } .sign td { width: 50%; line-height: 2.4 }
</style></head><body>
<h1>{{ paper.title }}</h1>
<table class="parties">{% for name, value in paper.parties %}<tr><td>{{ name }}</td><td>{{ value }}</td></tr>{% endfor %}</table>
{% for clause in paper.clauses %}<h2>{{ clause.heading }}</h2>{% for sentence in clause.sentences %}<p>{{ sentence }}</p>{% endfor %}{% endfor %}
<table class="sign"><tr>{% for half in halves %}<td>{% for party, line in half %}{% if forloop.first %}<b>{{ party }}</b><br>{% endif %}{{ line }}<br>{% endfor %}</td>{% endfor %}</tr></table>
</body></html>"""
)
