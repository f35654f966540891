"""Attacks by values: plain data that is made to be handled badly by who reads it in the kernel."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

from jupyter_sandbox.model.data import Record

from .conftest import Arena

POSING = """
import dataclasses
told = {"version": 3, "shape": (4,), "typestr": "<i8", "data": (0x1234567800, False)}
names = ["__array_interface__", "__array_struct__", "__dlpack__", "_repr_html_", "values"]
answer = dataclasses.make_dataclass("Series", names)(*[told] * len(names))
"""
READ = "import pickle, sys, numpy; print(numpy.asarray(pickle.load(sys.stdin.buffer)).dtype)"


def test_a_value_that_poses_as_an_array_is_no_address_to_numpy(arena: Arena) -> None:
    value = arena.attack(POSING).value
    assert type(value) is Record and "__array_interface__" in value.fields
    assert {name for name in value.fields if getattr(value, name, None) is value.fields[name]} == {"values"}
    # In another OS process, which a wrong answer would end.
    done = subprocess.run([sys.executable, "-c", READ], input=pickle.dumps(value), capture_output=True, check=False)
    if b"No module named 'numpy'" in done.stderr:
        pytest.skip("there is no numpy here")
    assert done.stdout == b"object\n", (done.returncode, done.stderr)
