"""What a release holds, as it stood at one moment: rows, facts and texts, copied in the database."""
