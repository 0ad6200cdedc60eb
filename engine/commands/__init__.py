"""The commands, a file each; `common` has what they share. Heavy imports stand inside functions."""
