"""Bring articles from elsewhere into the knowledge base, as often as wanted: sources read, `run` merges and writes."""
