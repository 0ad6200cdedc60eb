"""What runs things: cells, their records, and whether a result is still what the code would make."""
