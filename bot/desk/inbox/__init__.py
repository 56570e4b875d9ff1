"""The pages people work in: the list of cases, the conversation, signals, saved replies; kept live."""

from bot.desk.inbox import filters as filters  # Their templates use them.
