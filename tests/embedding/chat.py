"""What a visitor does with the widget, on a page or in a frame of one."""

from __future__ import annotations

from playwright.sync_api import FrameLocator, Locator, Page, expect

PATIENCE = 15_000  # Milliseconds for an answer, and for finding back after the network was away.


class Chat:
    """The widget on a page.

    Args:
        place: The page, or the frame.
    """

    def __init__(self, place: Page | FrameLocator) -> None:
        self._place = place

    def part(self, name: str) -> Locator:
        """A part by its data attribute."""
        return self._place.locator(f"refill-chat [data-{name}]")

    def open(self) -> None:
        """Open it with its button."""
        self.part("launcher").click()
        expect(self.part("panel")).to_be_visible()
        expect(self.part("text")).to_be_editable()

    def say(self, text: str) -> None:
        """Type a message and send it."""
        self.part("text").fill(text)
        self.part("text").press("Enter")

    @property
    def messages(self) -> Locator:
        """Everything that was said."""
        return self._place.locator("refill-chat .message")

    @property
    def answers(self) -> Locator:
        """What the bot said."""
        return self._place.locator("refill-chat .message.bot .bubble")

    def own(self, state: str = "") -> Locator:
        """What the visitor said; with a state (pending, queued, failed, stored) what is in it."""
        return self._place.locator(f"refill-chat .message.customer{state and f'[data-state={state}]'}")

    def expect_sent(self, *texts: str) -> None:
        """The visitor's messages are these, each stored, each once."""
        expect(self.own().locator(".bubble")).to_have_text(list(texts), timeout=PATIENCE)
        expect(self.own("stored")).to_have_count(len(texts), timeout=PATIENCE)

    def expect_answers(self, *texts: str) -> None:
        """The bot's messages contain these, in this order, and there are no others."""
        expect(self.answers).to_contain_text(list(texts), timeout=PATIENCE)
        expect(self.answers).to_have_count(len(texts))

    def ask(self, text: str, number: int = 1) -> None:
        """Say something and wait for the bot's answer, its so-manyth."""
        self.say(text)
        expect(self.answers.nth(number - 1)).to_be_visible(timeout=PATIENCE)
        expect(self.part("typing")).to_be_hidden(timeout=PATIENCE)
