"""Nothing that is loaded can run code: pickles are read by a machine of our own, which runs nothing."""

from __future__ import annotations

import ast
from pathlib import Path

import bnnhw

import bnncore

SOURCES = [path for package in (bnncore, bnnhw) for path in Path(str(package.__file__)).parent.rglob("*.py")]


def calls(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {each.arg: ast.unparse(each.value) for each in node.keywords}


def test_no_module_imports_pickle():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules = {name.partition(".")[0] for name in names}
            assert not {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve"} & modules, path


def test_every_load_of_arrays_and_tensors_refuses_pickles():
    found = 0
    for path in SOURCES:
        for function, keywords in calls(path):
            if function == "np.load":
                found += 1
                assert keywords.get("allow_pickle", "False") == "False", path
            if function == "torch.load":
                found += 1
                assert keywords.get("weights_only") == "True", path
    assert found
