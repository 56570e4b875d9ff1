"""What somebody hostile writes, sends or keeps, on every surface, in a real browser."""
