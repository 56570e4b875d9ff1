"""Pages of administration: own settings, people, tokens, webhooks, deliveries, audit log."""
