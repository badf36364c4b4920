"""Boards: which one this is, what keeps it from working, and where its bitstreams are.

``detection`` (which board), ``bitstreams`` (files found or fetched), ``fetching`` (over the network),
``backend`` (the backend ``fpga``) and ``checkup`` (the board's part of ``bnncore doctor``).
"""
