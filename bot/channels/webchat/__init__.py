"""The website chat: its API, the demo page, the help pages."""
