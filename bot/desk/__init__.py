"""What the team works with: the desk in a browser, and the HTTP API for other systems."""
