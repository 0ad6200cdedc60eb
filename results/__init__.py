"""The contract between analyses and reports, and the record of what was measured."""
