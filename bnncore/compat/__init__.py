"""Old packages' names on top of the registry, so that code written for them still runs."""
