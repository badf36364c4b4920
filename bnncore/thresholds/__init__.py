"""Batch normalisation as integer thresholds, exactly; for training and importing alike, without PyTorch."""
