"""Who answers this message? Messages are stored, then answered one at a time and in order within a conversation.

Any number of processes do this on one database. Who stores a message answers it; what a process leaves behind that dies
is taken up by the others, or by itself when it is back, once its leases have run out.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from sqlalchemy.exc import OperationalError

from bot.conversation.delivery import Delivery
from bot.conversation.models import BOT, is_person
from bot.conversation.records import Outcome, Snapshot, StoredMessage
from bot.conversation.store import ConversationStore
from bot.conversation.tagging import Tagging
from bot.dialogue.replies import Replies
from bot.dialogue.turn import Answered, Choice, Contact, Escalate, Offer, TurnContext, TurnResult
from bot.errors import DialogueError, EncoderError, InvalidInput, Overloaded, StorageError
from bot.knowledge.question import leans
from bot.language import detect
from bot.settings import LANGUAGES
from bot.success.second_question import Policy
from bot.tagging.tags import Tagged

logger = logging.getLogger(__name__)

_ASK_PERSON = "/request_human"
_CANCEL_FORM = "/stop"
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0
# A turn whose outcome cannot be kept is tried so often again.
_RETRIES = 2
# A comparison is for what is learnt from it; no reply waits longer for it.
_COMPARE_SECONDS = 1.0


class Dialogue(Protocol):
    """What the service needs of Rasa."""

    async def respond(
        self, sender: str, context: TurnContext, payload: str | None, slots: dict[str, str]
    ) -> TurnResult:
        """See `bot.dialogue.client.RasaClient.respond`."""


def clean_text(text: str, max_length: int) -> str:
    """A message fit to be stored: line ends as \\n, no control characters but tabs, no lone surrogates.

    Raises:
        InvalidInput: Nothing is left, or it is too long.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode("utf-8")
    text = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) != "Cc").strip()
    if not text:
        raise InvalidInput(
            "The message is empty.", "Write some text, or take one of the choices offered.", rule="message_empty"
        )
    if len(text) > max_length:
        raise InvalidInput(
            f"The message has {len(text):,} characters; at most {max_length:,} are allowed.",
            "Shorten it, or send it in parts.",
            rule="message_long",
            count=len(text),
            most=max_length,
        )
    return text


class ConversationService:
    """Takes messages in, has them answered, stores the replies.

    Args:
        store: Where everything is kept.
        dialogue: Answers while the bot owns a conversation.
        replies: The bot's sentences for when the dialogue fails.
        delivery: Told of everything new.
        segment_turns: Turns after which Rasa's sender id is rotated.
        max_length: Longest message, in characters.
        max_waiting: Messages that may wait before new ones are refused.
        concurrency: Conversations answered at the same time.
        foresee: Called in a thread with each text as it comes in, so that what its turn will need (its vector) is
            made while it is being stored.
        asks_again: Whether a question (the second) says the same as an earlier one.
        tag: What a text in a language carries; called in a thread once the text's turn is over.
        second_question: When to ask one, once a message's tags are known; None for never.
        deadline: Seconds a turn may take; then a person takes over.
        look: Seconds between two looks for messages that other processes left behind.
    """

    def __init__(
        self,
        store: ConversationStore,
        dialogue: Dialogue,
        replies: Replies,
        delivery: Delivery,
        segment_turns: int = 8,
        max_length: int = 4000,
        max_waiting: int = 500,
        concurrency: int = 8,
        foresee: Callable[[str], object] | None = None,
        asks_again: Callable[[str, str], bool] | None = None,
        tag: Callable[[str, str], Tagged] | None = None,
        second_question: Policy | None = None,
        deadline: float = 10.0,
        look: float = 2.0,
    ) -> None:
        self._store = store
        self._dialogue = dialogue
        self._replies = replies
        self._delivery = delivery
        self._segment_turns = segment_turns
        self._max_length = max_length
        self._max_waiting = max_waiting
        self._slots = asyncio.Semaphore(concurrency)
        self._foresee = foresee
        self._asks_again = asks_again
        self._tagging = Tagging(store, tag, self._after_tagging) if tag else None
        self._second_question = second_question
        self._deadline = deadline
        self._look = look
        self._looking: asyncio.Task[None] | None = None
        self._foreseen: set[asyncio.Task[object]] = set()
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._waiting = 0
        self._stopping = False

    async def start(self) -> None:
        """Go on with what was waiting when the process ended, and look after what other processes leave behind."""
        await self._take_up()
        self._looking = asyncio.create_task(self._keep_looking(), name="look for waiting messages")
        if self._tagging:
            self._tagging.start()

    async def _take_up(self) -> None:
        before = self._waiting
        counted = await asyncio.to_thread(self._store.count_waiting)
        if self._waiting == before:  # Else it was counted while messages came or were answered.
            self._waiting = counted
        for conversation_id in await asyncio.to_thread(self._store.waiting):
            if conversation_id not in self._workers:
                self._wake(conversation_id)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(self._look)
            try:
                await self._take_up()
            except Exception:
                # The database failed; the workers say so, and the next look may find it well again.
                logger.exception("Waiting messages could not be looked for")

    async def stop(self, seconds: float) -> None:
        """Finish turns and tags under way, for at most so many seconds; what remains is taken up at the next start."""
        self._stopping = True
        end = time.monotonic() + seconds
        if self._looking:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        unfinished = list(self._workers)
        workers = list(self._workers.values())
        if workers:
            _, late = await asyncio.wait(workers, timeout=seconds)
            for worker in late:
                worker.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for conversation_id in unfinished:
            await asyncio.to_thread(self._store.give_back, conversation_id)
        if self._tagging:
            await self._tagging.stop(max(0.0, end - time.monotonic()))

    async def create(self, channel: str, audience: str = "public", language: str | None = None) -> tuple[str, str]:
        """Make a conversation; returns its id and the secret that opens it."""
        return await asyncio.to_thread(self._store.create, channel, audience, language or LANGUAGES[0])

    async def post(
        self,
        conversation_id: str,
        client_id: str,
        text: str = "",
        payload: str | None = None,
        files: Sequence[str] = (),
    ) -> tuple[StoredMessage, bool]:
        """Store a customer's message and have it answered; (it, whether it is new).

        Args:
            conversation_id: Of a conversation the caller may write to.
            client_id: The sender's own id for the message.
            text: What was written; not used with a payload, and not needed with files.
            payload: A choice the bot offered in this conversation.
            files: Ids of files the customer has uploaded for it.

        Raises:
            InvalidInput: The text breaks a rule, or the choice was not offered.
            Overloaded: Too many messages wait.
        """
        content: dict[str, Any] = {}
        if payload is not None:
            found = await asyncio.to_thread(self._store.offered, conversation_id, payload)
            if found is None:
                raise InvalidInput("That choice was not offered in this conversation.", "Write a message instead.")
            text, offered_queue = found
            content = {"payload": payload}
            if offered_queue:
                content["offered_queue"] = offered_queue
        else:
            text = "" if files and not text.strip() else clean_text(text, self._max_length)
        if self._stopping:
            raise Overloaded("The server is about to stop.", "Send it again in a few seconds.")
        if self._waiting >= self._max_waiting:
            raise Overloaded("Too many messages are waiting.", "Send it again in a few seconds.")
        if payload is None and text and self._foresee and not self._foreseen:
            self._begin_early(text, self._foresee)
        message, new = await asyncio.to_thread(
            self._store.add_customer_message, conversation_id, client_id, text, content, files
        )
        if new:
            self._waiting += 1
            self._wake(conversation_id)
            if self._stopping:
                # The stop began while it was being stored: nobody here answers it.
                await asyncio.to_thread(self._store.give_back, conversation_id)
        return message, new

    def _begin_early(self, text: str, foresee: Callable[[str], object]) -> None:
        """One text at a time: under load this would only take the processor from the turns under way."""
        task: asyncio.Task[object] = asyncio.create_task(asyncio.to_thread(foresee, text))
        self._foreseen.add(task)

        def done(finished: asyncio.Task[object]) -> None:
            self._foreseen.discard(finished)
            if not finished.cancelled() and (error := finished.exception()):
                # The turn meets the same error and deals with it.
                logger.warning("A message's vector could not be made early: %s", error)

        task.add_done_callback(done)

    def _wake(self, conversation_id: str) -> None:
        if self._stopping:
            return
        if conversation_id in self._workers:
            self._again.add(conversation_id)
            return
        task = asyncio.create_task(self._work(conversation_id), name=f"conversation {conversation_id}")
        self._workers[conversation_id] = task

        def done(_: asyncio.Task[None]) -> None:
            del self._workers[conversation_id]
            if conversation_id in self._again:
                self._again.discard(conversation_id)
                self._wake(conversation_id)

        task.add_done_callback(done)

    async def _work(self, conversation_id: str) -> None:
        """Answer a conversation's messages until none waits."""
        pause = _FIRST_PAUSE
        failures = 0
        while not self._stopping:
            try:
                # Turns that hang may have taken all slots: the wait for one counts as part of the turn.
                end = self._end_of_turn()
                if not await self._slot(end):
                    if not await self._answer_next(conversation_id, end):
                        return
                    continue
                try:
                    while not self._stopping and await self._answer_next(conversation_id, end, failures > _RETRIES):
                        pause = _FIRST_PAUSE
                        failures = 0
                        end = self._end_of_turn()
                finally:
                    self._slots.release()
                return
            except Exception as error:
                # Mostly the database failed. The message is kept, so it is tried again until it is answered.
                logger.exception("Conversation %s is tried again in %g s", conversation_id, pause)
                failures += not isinstance(error, (OperationalError, StorageError))
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _end_of_turn(self) -> float:
        """When a turn that begins now must be over, by the event loop's clock."""
        return asyncio.get_running_loop().time() + self._deadline

    async def _slot(self, end: float) -> bool:
        """Take one of the slots for turns; False when none came free in time."""
        try:
            async with asyncio.timeout_at(end):
                return await self._slots.acquire()
        except TimeoutError:
            return False

    async def _answer_next(self, conversation_id: str, end: float, hopeless: bool = False) -> bool:
        """Answer the oldest message that waits; False if there is none, or another process is at work.

        Args:
            conversation_id: Whose.
            end: When a person takes over, by the event loop's clock.
            hopeless: What the dialogue made of it could not be kept, again and again: a person takes over.
        """
        found = await asyncio.to_thread(self._store.next_waiting, conversation_id)
        if found is None:
            return False
        message, snapshot = found
        self._delivery.notify(conversation_id, typing=not is_person(snapshot.owner))
        try:
            outcome = await self._turn(message, snapshot, end, hopeless)
            if self._asks_again and any(isinstance(effect, Answered) for effect in outcome.effects):
                asks_again = await self._compare(message, self._asks_again)
                outcome = replace(outcome, asks_again=asks_again)
            stored = await asyncio.to_thread(self._store.finish_turn, message, snapshot.owner_version, outcome)
        finally:
            self._delivery.notify(conversation_id, typing=False)
        if stored is None:
            return True
        self._waiting = max(0, self._waiting - 1)
        if self._tagging:
            self._tagging.add(message, outcome.language)
        return True

    async def _after_tagging(self, message: StoredMessage, tagged: Tagged) -> None:
        """What follows once a message's tags are known, also long after it when it was tagged at a later start."""
        if self._second_question is None:
            return
        await asyncio.to_thread(self._store.ask_second_question, message, self._second_question, self._replies.reply)

    async def _compare(self, message: StoredMessage, asks_again: Callable[[str, str], bool]) -> bool:
        """Whether a message that was typed asks what was asked shortly before.

        The customer has an answer: it must not be lost, or be late, for what would be learnt from it.
        """

        def compare() -> bool:
            earlier = self._store.question_before(message)
            return earlier is not None and asks_again(earlier, message.text)

        if message.content.get("payload") or not message.text:
            return False
        try:
            return await asyncio.wait_for(asyncio.to_thread(compare), _COMPARE_SECONDS)
        except (EncoderError, TimeoutError) as error:
            logger.warning("Message %s of %s was not compared: %s", message.number, message.conversation_id, error)
            return False

    async def _turn(self, message: StoredMessage, snapshot: Snapshot, end: float, hopeless: bool) -> Outcome:
        """Ask whoever answers; a dialogue that fails means a person."""
        payload = message.content.get("payload") or _typed_choice(message.text, snapshot.last_bot)
        # A name or a time is no sign of a language.
        keep = payload or (snapshot.last_bot and _asks_for_detail(_choices(snapshot.last_bot.content)))
        language = snapshot.language if keep else detect(message.text, snapshot.language)
        if is_person(snapshot.owner):
            return Outcome((), language=language)
        if not message.text:
            return self._files_alone(snapshot)
        if hopeless:
            return self._unavailable(snapshot, language)
        slots = {f"contact_{part}": value for part, value in (snapshot.contact or {}).items()}
        sender = f"{snapshot.id}.{snapshot.segment}"
        try:
            async with asyncio.timeout_at(end):
                context = await self._context(message, snapshot, language, payload or "")
                result = await self._dialogue.respond(sender, context, payload, slots)
        except TimeoutError:
            logger.error("Turn %s of %s took more than %g s", message.number, snapshot.id, self._deadline)
            return self._unavailable(snapshot, language)
        except DialogueError as error:
            logger.error("Turn %s of conversation %s failed: %s", message.number, snapshot.id, error)
            return self._unavailable(snapshot, language)
        except Exception:
            # Whatever went wrong, the customer must not be left without an answer.
            logger.exception("Turn %s of conversation %s failed", message.number, snapshot.id)
            return self._unavailable(snapshot, language)
        asking = any(_asks_for_detail(reply.choices) for reply in result.replies)
        rotate = snapshot.segment_turns + 1 >= self._segment_turns and not asking
        return Outcome(result.replies, result.effects, language, rotate)

    def _files_alone(self, snapshot: Snapshot) -> Outcome:
        """Say once that files are for people, and offer one; those who wait for a person know."""
        reply = self._replies.reply("utter_files_alone", snapshot.language)
        told = snapshot.owner != BOT or (snapshot.last_bot is not None and snapshot.last_bot.text == reply.text)
        return Outcome(() if told else [reply], language=snapshot.language)

    def _unavailable(self, snapshot: Snapshot, language: str) -> Outcome:
        """Tell the customer at once that a person takes over; Rasa begins a new segment when it is back."""
        if snapshot.case and snapshot.case.open:
            reply = self._replies.reply("utter_already_handed_off", language)
            text = reply.text.replace("{case_number}", str(snapshot.case.number))
            return Outcome([reply.model_copy(update={"text": text})], (), language, rotate=True)
        reply = self._replies.reply("utter_bot_unavailable", language)
        effects = [Escalate(queue="support", reason="bot_unavailable")]
        return Outcome([reply], effects, language, rotate=True)

    async def _context(self, message: StoredMessage, snapshot: Snapshot, language: str, payload: str) -> TurnContext:
        text, article_id = message.text, None
        if payload.startswith("/choose_article"):
            article_id = json.loads(payload.removeprefix("/choose_article"))["article_id"]
            text = await asyncio.to_thread(self._store.last_question, snapshot.id, message.number) or text
        before = None
        if not payload and leans(text):
            before = snapshot.handoff.before or await asyncio.to_thread(self._store.question_before, message)
        last = snapshot.last_bot.content if snapshot.last_bot else {}
        offered_queue = message.content.get("offered_queue") or last.get("offered_queue") or "support"
        second_question = last.get("second_question")
        if payload:
            # A choice answers the question it stands below, whatever was said since.
            second_question = await asyncio.to_thread(self._store.stage_of_choice, snapshot.id, payload)
        return TurnContext(
            text=text,
            before=before,
            language=language,
            audience="internal" if snapshot.audience == "internal" else "public",
            misses=snapshot.misses,
            offer="second_question" if second_question else _offer(last),
            offered_queue=offered_queue,
            second_question=second_question,
            article_id=article_id,
            case=snapshot.case,
            cases=snapshot.handoff.cases,
            people=snapshot.handoff.people,
            back_from_person=snapshot.handoff.back_from_person,
            contact=Contact.model_validate(snapshot.contact) if snapshot.contact else None,
        )


def _choices(content: dict[str, Any]) -> list[Choice]:
    """The choices a stored message offers."""
    return [Choice.model_validate(choice) for choice in content.get("choices", [])]


def _typed_choice(text: str, last_bot: StoredMessage | None) -> str | None:
    """The payload of the second question's choice that was typed instead of taken."""
    if last_bot is None or "second_question" not in last_bot.content:
        return None
    typed = text.strip(" .!").casefold()
    return next((c.payload for c in _choices(last_bot.content) if c.label.casefold() == typed), None)


def _asks_for_detail(choices: Sequence[Choice]) -> bool:
    """Whether a message with these choices is a question of the contact form: only those can be skipped."""
    return any(choice.payload == _CANCEL_FORM for choice in choices)


def _offer(content: dict[str, Any]) -> Offer:
    """What a bot's message asked, for a "yes" or "no" that follows."""
    if any(choice.payload == _ASK_PERSON for choice in _choices(content)):
        return "person"
    if content.get("decision") == "clarify":
        return "choice"
    return "answer" if content.get("decision") == "answer" else "none"
