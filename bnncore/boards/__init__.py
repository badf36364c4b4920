"""Boards: which one this is, what keeps it from working, and where its bitstreams are.

``detection`` (which board), ``matching`` (which bitstream fits it), ``bitstream_files`` (its files, found or fetched),
``fetching`` (over the network) and ``fpga`` (the backend of that name).
"""
