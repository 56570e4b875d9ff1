"""Who works with Refill: people, what they may do, how they sign in; tokens of other systems; who did what."""
