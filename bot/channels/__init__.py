"""Where people meet Refill."""
