"""The number of a case in what a customer writes."""

from __future__ import annotations

import pytest

from bot.handoff.case_number import mentioned


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("how is case 12?", 12),
        ("Case number 12", 12),
        ("case no. 12 please", 12),
        ("any news on #15", 15),
        ("ticket #48213", 48213),
        ("12 numaralı kaydım ne durumda", 12),
        ("48213 nolu talep", 48213),
        ("kaydım 12", 12),
        ("工单号 48213 现在什么情况", 48213),
        ("服务单 12 怎么样了", 12),
        ("7号服务单处理好了吗", 7),
        ("เคสหมายเลข 12 เป็นไงบ้าง", 12),
        ("เรื่องหมายเลข ๑๒ ถึงไหนแล้ว", 12),
    ],
)
def test_number(text: str, number: int) -> None:
    assert mentioned(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "any news on my case?",
        "i wrote 2 days ago",
        "my request since 9:30",
        "in my case 2.5 percent",
        "CR-20931",
        "12",
    ],
)
def test_no_number(text: str) -> None:
    assert mentioned(text) is None
