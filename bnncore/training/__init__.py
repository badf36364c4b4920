"""Training: from labelled images to integer parameters. Needs the extra ``[train]`` (PyTorch).

Data flows ``bnncore.datasets`` (labelled images) -> ``recipe`` (what to do, declared) -> ``loop`` (with
``augment``, ``network``, ``quantizers``) -> ``export`` (exact integer thresholds) -> ``bnncore.formats``.
"""
