"""From a name to records: who offers it, read from metadata, and what its plugin says of it.

Data flows ``index`` (metadata, by the table ``kinds``) -> ``registry`` (one name, one owner) -> ``host`` (one plugin,
its hooks) -> ``resolve`` (the records that one classifier is made of, and who supplies each).
Nothing here imports numpy, PIL, cffi or pynq.
"""
