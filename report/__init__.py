"""Results to PDF and HTML. Knows results only: neither torch, nor analyses, nor lab."""
