"""Read the number of a case from what a customer writes."""

from __future__ import annotations

import re

_NOUN = (
    r"(?:case|ticket|request|kay[ıi]t\w*|kayd\w*|talep\w*|taleb\w*|bilet\w*|vaka\w*"
    r"|服务单|工单|单号|案例|เคส|เรื่อง|ตั๋ว|หมายเลข)"
)
_SIGN = r"(?:number|no|nr|num|numara\w*|号码|编号|号|หมายเลข|เลขที่|ที่|id)"
_NUMBER = r"(?P<number>\d{1,9})(?![\d.,:]*\d)"
_AFTER_NOUN = re.compile(rf"{_NOUN}\W{{0,3}}(?:{_SIGN}\W{{0,3}}){{0,2}}{_NUMBER}", re.IGNORECASE)
_AFTER_SIGN = re.compile(rf"(?:#|№)\s?{_NUMBER}")
_BEFORE_NOUN = re.compile(
    rf"(?<!\d)(?P<number>\d{{1,9}})\s*(?:numaral[ıi]|nolu|no['’]lu|号\s*{_NOUN}|号服务单)", re.IGNORECASE
)


def mentioned(text: str) -> int | None:
    """The number of the case a text names: `case 12`, `#12`, `12 numaralı kayıt`, `工单号 12`; None if it names none.

    Other numbers, as in "two tills" or "since 9:30", are none.
    """
    for pattern in (_AFTER_SIGN, _AFTER_NOUN, _BEFORE_NOUN):
        found = pattern.search(text)
        if found:
            return int(found["number"])
    return None
