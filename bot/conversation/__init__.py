"""Conversations and their messages: stored first, answered in order, read by number."""
