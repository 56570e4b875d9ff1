"""Rasa: the process beside us, the turns we ask it for, what it may tell us to do."""
