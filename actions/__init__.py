"""Rasa's custom actions: thin, one per file. They read a turn's context and say what should happen."""

from __future__ import annotations

from collections.abc import Callable

from rasa_sdk.executor import ActionExecutor

from actions.answer import ActionAnswer
from actions.case_status import ActionCaseStatus
from actions.did_not_help import ActionDidNotHelp
from actions.hand_off import ActionHandOff
from actions.insulted import ActionInsulted
from actions.offer_success import ActionOfferSuccess
from actions.save_contact import ActionSaveContact
from actions.second_answer import ActionSecondAnswer
from actions.skip_contact import ActionSkipContact
from actions.solved import ActionSolved
from actions.validate_contact_form import ValidateContactForm
from bot.knowledge.answer import Answerer


def create_executor(answerer: Callable[[], Answerer]) -> ActionExecutor:
    """An executor that knows all actions.

    Args:
        answerer: Gives the answerer in force, so that a new index is taken up at once.
    """
    executor = ActionExecutor()
    for action in (
        ActionAnswer(answerer),
        ActionCaseStatus(),
        ActionDidNotHelp(),
        ActionHandOff(),
        ActionInsulted(),
        ActionOfferSuccess(),
        ActionSaveContact(),
        ActionSecondAnswer(),
        ActionSkipContact(),
        ActionSolved(),
        ValidateContactForm(),
    ):
        executor.register_action(action)
    return executor
