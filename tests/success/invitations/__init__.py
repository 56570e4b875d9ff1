"""Tests of `bot.success.invitations`."""
