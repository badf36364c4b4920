"""Parameter formats: how weights and thresholds lie in files."""
