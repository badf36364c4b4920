"""What a machine says of itself: ``doctor``, ``explain`` and ``benchmark``, and what each of them found."""
