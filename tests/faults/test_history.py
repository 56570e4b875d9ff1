"""The judge of the fault tests sees what is wrong: otherwise their silence would mean nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.faults.history import Acknowledged, Happening, History, Said, Witness, answers, verdict


def good() -> tuple[History, Witness]:
    """Two questions with answers, one to a person, one more answer of the bot."""
    messages = [
        Said(1, "customer", "a", "One?"),
        Said(2, "bot", None, "1", "one"),
        Said(3, "customer", "b", "Two?"),
        Said(4, "customer", "c", "A person!"),
        Said(5, "bot", None, "2", "two"),
        Said(6, "agent", "x", "Here I am."),
        Said(7, "customer", "d", "Thanks"),
        Said(8, "bot", None, "Was it good?", turn=False),
        Said(9, "customer", "e", "One?"),
        Said(10, "bot", None, "1", "one"),
    ]
    events = [Happening(number, message=number) for number in range(1, 6)]
    events += [Happening(6, visible=False), Happening(7, owner="agent"), Happening(8, message=6)]
    events += [Happening(9, message=7), Happening(10, owner="bot")]
    events += [Happening(number + 3, message=number) for number in range(8, 11)]
    sent = [Acknowledged(m.client_id or "", m.text, m.number) for m in messages if m.author == "customer"]
    history = History(messages, events)
    return history, Witness(sent, ["x"], [history.visible, history.visible])


def test_a_good_history_has_nothing_wrong() -> None:
    history, witness = good()
    assert verdict(history, witness) == []
    assert answers(history) == {"One?": {"one"}, "Two?": {"two"}}


def _lost(history: History, witness: Witness) -> History:
    witness.sent.append(Acknowledged("f", "Three?", 11))
    return history


def _doubled(history: History, witness: Witness) -> History:
    twin = Said(11, "customer", "e", "One?")
    answer = Said(12, "bot", None, "1")
    events = [*history.events, Happening(14, message=11), Happening(15, message=12)]
    return replace(history, messages=[*history.messages, twin, answer], events=events)


def _swapped(history: History, witness: Witness) -> History:
    messages = list(history.messages)
    messages[2], messages[3] = replace(messages[3], number=3), replace(messages[2], number=4)
    return replace(history, messages=messages)


def _unanswered(history: History, witness: Witness) -> History:
    return replace(history, messages=history.messages[:-1], events=history.events[:-1])


def _answered_twice(history: History, witness: Witness) -> History:
    messages = [*history.messages, Said(11, "bot", None, "1", "one")]
    messages += [Said(12, "bot", None, "1", "one"), Said(13, "bot", None, "1", "one")]
    more = [Happening(number + 3, message=number) for number in (11, 12, 13)]
    return replace(history, messages=messages, events=[*history.events, *more])


def _talked_over(history: History, witness: Witness) -> History:
    messages = list(history.messages)
    messages[7] = replace(messages[7], turn=True)
    return replace(history, messages=messages, events=[e for e in history.events if e.owner != "bot"])


def _gap(history: History, witness: Witness) -> History:
    return replace(history, events=[replace(e, number=e.number + (e.number > 9)) for e in history.events])


def _message_without_event(history: History, witness: Witness) -> History:
    return replace(history, events=[*history.events[:-1], Happening(13)])


def _reply_lost(history: History, witness: Witness) -> History:
    witness.by_agents.append("y")
    return history


def _missed(history: History, witness: Witness) -> History:
    witness.read[1] = [number for number in witness.read[1] if number != 8]
    return history


def _twice(history: History, witness: Witness) -> History:
    witness.read[1] = [1, *witness.read[1]]
    return history


def _out_of_order(history: History, witness: Witness) -> History:
    witness.read[0] = [2, 1, *witness.read[0][2:]]
    return history


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_lost, "the customer was told"),
        (_doubled, "the customer was told"),
        (_swapped, "the customer was told"),
        (_unanswered, "nobody answered"),
        (_answered_twice, "nobody waits for"),
        (_talked_over, "talks over a person"),
        (_gap, "are numbered"),
        (_message_without_event, "10 messages have 9 events"),
        (_reply_lost, "people were told"),
        (_missed, r"missed \[8\]"),
        (_twice, r"twice \[1\]"),
        (_out_of_order, "reader 0 got"),
    ],
)
def test_what_is_wrong_is_seen(spoil: object, said: str) -> None:
    history, witness = good()
    assert callable(spoil)
    found = verdict(spoil(history, witness), witness)
    with pytest.raises(AssertionError, match=said):
        assert not found, "; ".join(found)


def test_a_message_that_waits_is_not_answered() -> None:
    history, witness = good()
    assert verdict(replace(history, waiting=1), witness) == ["1 messages wait"]


def test_swapped_answers_are_seen() -> None:
    history, _ = good()
    messages = list(history.messages)
    messages[4] = replace(messages[4], article="one")
    messages[1] = replace(messages[1], article="two")
    assert answers(History(messages, history.events)) == {"One?": {"two"}, "Two?": {"one"}}
