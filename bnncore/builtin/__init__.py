"""What bnncore offers through the same hooks as anybody's plugin."""
