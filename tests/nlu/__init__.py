"""Tests of `bot.nlu`, which runs in Rasa's own runtime."""
