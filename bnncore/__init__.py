"""bnncore."""
