"""What a message carries beside its question: topics, signals, urgency, sentiment, and the words that show it."""
