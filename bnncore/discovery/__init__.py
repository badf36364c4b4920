"""From a name to records: who offers it, read from metadata, and what its plugin says of it.

Data flows ``index`` (metadata) -> ``registry`` (one name, one owner) -> ``host`` (one plugin, its hooks) -> records.
Nothing here imports numpy, PIL, cffi or pynq.
"""
