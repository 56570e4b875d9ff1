"""Refill: a conversational support bot with escalation to the support and success teams."""

__version__ = "0.1.0"
