"""Tracking files and the words of carriers."""

from datetime import UTC, datetime

import pytest

from daifa.connectors.contract import RowProblem
from daifa.connectors.manual.codes import (
    TRACKING_WORDS,
    country_code,
    order_status,
    reply_status,
    tracking_status,
)

from .files import records


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("Delivered", "delivered"),
        ("已签收", "delivered"),
        ("【杭州市】快件已由本人签收，签收人：张三", "delivered"),
        ("Your parcel has been delivered", "delivered"),
        ("未签收", "attempt_failed"),
        ("派送不成功：收件人不在", "attempt_failed"),
        ("Delivery attempt made", "attempt_failed"),
        ("Could not be delivered", "attempt_failed"),
        ("快件即将派送，请准备签收", "unknown"),
        ("Will be delivered tomorrow", "unknown"),
        ("Out for Delivery", "out_for_delivery"),
        ("【上海】派件中", "out_for_delivery"),
        ("In Transit", "in_transit"),
        ("快件已到达【上海转运中心】", "in_transit"),
        ("in_transit", "in_transit"),
        ("已揽收", "handed_over"),
        ("已放入快递柜，请凭取件码取件", "pickup_ready"),
        ("快件已退回，退回签收", "returned_to_sender"),
        ("拒收", "returned_to_sender"),
        ("Returned to sender", "returned_to_sender"),
        ("快件丢失", "lost"),
        ("疑难件", "exception"),
        ("Customs hold", "exception"),
        ("Label created", "announced"),
        ("Parcel teleported", "unknown"),
        ("", "unknown"),
    ],
)
def test_words(words, status):
    assert tracking_status(words) == status


def test_every_listed_word_means_what_the_list_says():
    for status, words in TRACKING_WORDS.items():
        for word in words:
            assert tracking_status(word) == status, word
    assert len({word for words in TRACKING_WORDS.values() for word in words}) == sum(
        len(w) for w in TRACKING_WORDS.values()
    )


def test_a_tracking_file():
    text = (
        "运单号,时间,状态,地点,快递公司\n"
        "\tyt1234567890123,2026-01-05 10:00,已揽收,杭州,圆通\n"
        "YT1234567890123,2026-01-07 10:00 +0800,神秘状态,上海,圆通\n"
        ",2026-01-05 10:00,已揽收,杭州,圆通\n"
        "YT2,someday,已揽收,杭州,圆通\n"
        "1.2E+12,2026-01-05 10:00,已揽收,杭州,圆通\n"
        "YT3,2026-01-05 10:00,,杭州,圆通\n"
    )
    first, odd, *rest = records("tracking", text)
    assert (first.number, first.status, first.place, first.carrier) == (
        "YT1234567890123",
        "handed_over",
        "杭州",
        "圆通",
    )
    assert (odd.status, odd.raw_status, odd.at) == (
        "unknown",
        "神秘状态",
        datetime(2026, 1, 7, 2, tzinfo=UTC),
    )
    assert all(isinstance(row, RowProblem) for row in rest)
    assert [row.code for row in rest] == ["empty", "not_a_date", "scientific_notation", "empty"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("United Kingdom", "GB"), ("EIRE", "IE"), ("RSA", "ZA"), ("USA", "US"), ("Korea", "KR"), ("英国", "GB"), ("德国", "DE"),
        ("中国", "CN"), ("香港", "HK"), ("gb", "GB"), ("Hong Kong", "HK"), ("Deutschland", "DE"), ("Channel Islands", ""),
        ("Unspecified", ""), ("European Community", ""), ("West Indies", ""), ("Narnia", ""), ("", ""), ("XX", ""),
        ("Czech Republic", "CZ"), ("United Arab Emirates", "AE"), ("Lebanon", "LB"), ("UK", "GB"),
    ],
)  # fmt: skip
def test_countries(words, code):
    assert country_code(words) == code


def test_words_of_orders_and_replies():
    assert [order_status(w) for w in ("交易成功", "等待买家付款", "Paid", "交易关闭", "", "weird")] == [
        "completed", "unpaid", "paid", "cancelled", "", "unknown",
    ]  # fmt: skip
    assert [reply_status(w) for w in ("接单", "OK", "不缺货", "缺货两天", "", "maybe")] == [
        "accepted", "accepted", "unknown", "refused", "", "unknown",
    ]  # fmt: skip
