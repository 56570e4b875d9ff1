"""What the team API takes and gives, by area."""
