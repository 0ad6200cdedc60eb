"""Supervision: what labels are worth that are wrong, uneven, or not there."""
