"""Articles, their index, and the decision to answer, to clarify or to hand off."""
