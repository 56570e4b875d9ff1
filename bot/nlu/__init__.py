"""Rasa graph components. They run in Rasa's own runtime (Python 3.10) and import nothing else of `bot`."""
