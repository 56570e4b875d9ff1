"""Work for people: escalations, and how to reach the customer."""
