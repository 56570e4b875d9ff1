"""Invitations: short messages beside the chat's button, that a rule, a play or the website opens at the right moment.

`rules` reads those of `refill.toml`, `made` keeps those other systems and people send. `offers` decides which of them a
page of a visitor gets: whom they are for and how often is decided here, so that nothing of it reaches a browser. Pages,
seconds and the limits of anonymous browsers are judged in the browser (`bot/channels/webchat/widget/invitations.js`).
`outcomes` keeps what identified customers did with them, and counts it.
"""
