"""Outgoing work for other systems: written with the change that causes it, delivered until it is or is given up."""
