"""Files that customers and people of the team send: checked, kept in the database, given back safely."""
