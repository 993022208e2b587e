"""What was foretold, in words: for a terminal, as Markdown, for machines."""
