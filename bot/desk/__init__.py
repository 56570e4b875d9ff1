"""What the team works with: tags and their corrections, accounts and their signals."""
