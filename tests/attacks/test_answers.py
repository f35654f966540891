"""Attacks by values: plain data that is made to be handled badly by who reads it in the kernel."""

from __future__ import annotations

import pytest

from jupyter_sandbox.model.data import Record

from .conftest import Arena

POSING = """
import dataclasses
told = {"version": 3, "shape": (4,), "typestr": "<i8", "data": (0x1234567800, False)}
names = ["__array_interface__", "__array_struct__", "__dlpack__", "_repr_html_", "__class__", "values"]
answer = dataclasses.make_dataclass("Series", names)(*[told] * len(names))
"""


def test_a_value_that_poses_as_an_array_is_no_address_to_numpy(arena: Arena) -> None:
    numpy = pytest.importorskip("numpy")
    value = arena.attack(POSING).value
    assert type(value) is Record and "__array_interface__" in value.fields
    assert {name for name in value.fields if getattr(value, name, None) is value.fields[name]} == {"values"}
    assert numpy.asarray(value).dtype == object
