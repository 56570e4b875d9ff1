"""Files in conversations."""
