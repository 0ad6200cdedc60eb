"""What experiments share; knows nothing of studies or reports."""
