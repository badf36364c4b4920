"""From a name to records: who offers it, read from metadata, and what its plugin says of it.

Data flows ``metadata_folders`` -> ``installed`` (each distribution's metadata, read by itself) -> ``index`` (its entry
points, by the table ``kinds``, and what the ``blocklist`` forbids of them) -> ``registry`` (one name, one owner) ->
``host`` (one plugin, its hooks) -> ``resolve`` (the records that one classifier is made of, and who supplies each).
Nothing here imports numpy, PIL, cffi or pynq.
"""
