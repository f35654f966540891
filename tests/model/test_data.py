"""An object of a sandbox is its fields to who asks for them, and nothing to libraries that ask how to handle it."""

from __future__ import annotations

import copy
import ctypes
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from IPython.core.formatters import DisplayFormatter

from jupyter_sandbox.model.data import Record

ASKED = [
    "__array_interface__", "__array_struct__", "__array__", "__array_priority__", "__array_ufunc__", "__dlpack__",
    "__dlpack_device__", "__cuda_array_interface__", "__dataframe__", "__arrow_c_array__", "__arrow_c_stream__",
    "__geo_interface__", "__fspath__", "__index__", "__iter__", "__len__", "__length_hint__", "__call__", "__wrapped__",
    "__class__", "__dict__", "__mro_entries__", "__reduce_ex__", "__getstate__", "__deepcopy__", "__html__",
    "_repr_html_", "_repr_mimebundle_", "_ipython_display_", "_repr_javascript_", "_as_parameter_", "_fields",
    "_ipython_canary_method_should_not_exist_", "_render_traceback_", "_series", "_x",
]  # fmt: skip
FORGED = Record("evil.Series", {**{name: {"version": 3, "data": (4096, False)} for name in ASKED}, "values": [1]})


@pytest.mark.parametrize("name", ASKED)
def test_a_field_that_libraries_ask_for_is_read_from_the_fields_alone(name: str) -> None:
    assert FORGED.fields[name] == {"version": 3, "data": (4096, False)}
    assert getattr(FORGED, name, None) != FORGED.fields[name]


def test_other_fields_are_attributes_and_an_error_says_where_the_rest_is() -> None:
    assert FORGED.values == [1]
    with pytest.raises(AttributeError, match=r"read it as \.fields\['_x'\]"):
        FORGED._x  # noqa: B018
    with pytest.raises(AttributeError, match="has no field 'y'; it has __array_interface__"):
        FORGED.y  # noqa: B018


def test_python_handles_it_as_any_value() -> None:
    assert copy.deepcopy(FORGED) == FORGED == pickle.loads(pickle.dumps(FORGED)) == copy.copy(FORGED)
    assert type(FORGED) is Record and isinstance(FORGED, Record)
    refusing: list[Callable[[Any], object]] = [len, iter, hash, int, ctypes.c_void_p]
    for refused in refusing:
        with pytest.raises(TypeError):
            refused(FORGED)


def test_a_notebook_shows_its_text_and_nothing_that_it_says_of_itself() -> None:
    shown, _ = DisplayFormatter().format(FORGED)  # type: ignore[no-untyped-call]
    assert set(shown) == {"text/plain"}


READ = """
import numpy as np, pandas as pd
from jupyter_sandbox.model.data import Record
told = {"version": 3, "shape": (4,), "typestr": "<i8", "data": (0x1234567800, False)}
names = ["__array_interface__", "__array_struct__", "__cuda_array_interface__", "__array__", "__dlpack__"]
names += ["__dataframe__", "dtype", "shape", "strides", "ndim", "size", "data", "values", "ctypes", "keys", "to_numpy"]
for name in names:
    value = Record("Series", {name: told})
    arrays = (np.asarray, np.array, np.dtype, np.sum, np.frombuffer, np.from_dlpack)
    for read in (*arrays, pd.Series, pd.DataFrame, pd.Index):
        try:
            print(name, read.__name__, type(read(value)).__name__)
        except Exception as error:
            print(name, read.__name__, type(error).__name__)
assert np.asarray(Record("Series", {"__array_interface__": told})).dtype == object
print("alive")
"""


def test_numpy_and_pandas_read_no_memory_for_it() -> None:
    pytest.importorskip("pandas")
    done = subprocess.run([sys.executable, "-c", READ], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.endswith("alive\n"), (done.returncode, done.stdout, done.stderr)
