"""The life of customers between the problems: accounts, their signals, the second question."""
