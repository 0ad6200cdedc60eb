"""Concepts: standard ideas of the field, each worked through on an example small enough to follow by hand."""
