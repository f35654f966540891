"""Sources of every kind become a bundle of modules, or one clear error; nothing is parsed or run on the way."""

from __future__ import annotations

import marshal
import os
import py_compile
import zipfile
from pathlib import Path

import pytest

from jupyter_sandbox.code import tree
from jupyter_sandbox.code.gather import gather
from jupyter_sandbox.code.sources import CellSource, CompiledSource, FilesSource, FolderSource
from jupyter_sandbox.model.code import ModuleCode
from jupyter_sandbox.model.errors import CompileError, UsageError

COUNTER = "n = 1\n"


def names(source: object) -> list[str]:
    return [module.name for module in gather(source).modules]


def pyc(folder: Path, name: str, source: str = COUNTER) -> Path:
    text = folder / f"{name}.py"
    text.write_text(source)
    target = folder / "out" / f"{name}.pyc"
    py_compile.compile(str(text), str(target), doraise=True)
    return target


def zipped(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def test_a_cell_becomes_one_module_with_the_name_ipython_gave_the_cell() -> None:
    bundle = gather(CellSource("counter", COUNTER, "<ipython-input-3-abc>", first_line=2))
    module = bundle.modules[0]
    assert (module.name, module.file, module.first_line, module.source) == (
        "counter",
        "<ipython-input-3-abc>",
        2,
        COUNTER,
    )
    assert module.code == b"", "the kernel must not compile"
    assert bundle.origin == "cell"


def test_a_cell_may_define_a_module_inside_a_package() -> None:
    assert names(CellSource("shop.counter", COUNTER)) == ["shop.counter"]


@pytest.mark.parametrize("name", ["", "a b", "1x", "class", "a..b", "json", "jupyter_sandbox.model", "__main__", "a/b"])
def test_a_name_that_cannot_be_a_module_is_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        gather(CellSource(name, COUNTER))
    assert "module" in str(caught.value)


def test_hostile_source_is_carried_as_text_and_not_parsed() -> None:
    assert gather(CellSource("counter", "((((" * 10_000)).modules[0].source.startswith("((((")


def test_a_map_of_files_becomes_modules_named_by_their_paths() -> None:
    bundle = gather({"shop/__init__.py": "", "shop/counter.py": COUNTER, "main.py": ""})
    assert [(m.name, m.is_package) for m in bundle.modules] == [
        ("shop", True),
        ("shop.counter", False),
        ("main", False),
    ]
    assert bundle.modules[1].file == "shop/counter.py"


def test_a_folder_without_init_in_the_map_needs_no_module_of_its_own() -> None:
    assert names({"shop/deep/counter.py": COUNTER}) == ["shop.deep.counter"]


@pytest.mark.parametrize("file", ["../up.py", "/etc/x.py", "a\\b.py", "a.txt", "__init__.py", "my-file.py", "a\0.py"])
def test_a_file_name_that_leaves_the_map_or_names_no_module_is_refused(file: str) -> None:
    with pytest.raises(UsageError):
        gather({file: COUNTER})


def test_two_files_for_one_module_are_refused() -> None:
    with pytest.raises(UsageError, match="two files"):
        gather({"shop.py": "", "shop/__init__.py": ""})


@pytest.mark.parametrize("code", [None, 7, [], object(), {"a.py": 7}, ("x",)])
def test_code_of_an_unknown_kind_is_invalid_code_type(code: object) -> None:
    with pytest.raises(CompileError) as caught:
        gather(code)
    assert caught.value.kind == "invalid_code_type"


def test_a_text_needs_the_name_of_its_module() -> None:
    assert names_of_text("counter") == ["counter"]
    with pytest.raises(UsageError, match="name of its module"):
        gather(COUNTER)


def names_of_text(module: str) -> list[str]:
    return [m.name for m in gather(COUNTER, module).modules]


def test_an_empty_map_says_what_to_give() -> None:
    with pytest.raises(CompileError, match="at least one") as caught:
        gather(FilesSource({}))
    assert caught.value.kind == "load_error"


def test_a_folder_is_read_without_tests_setup_hidden_and_other_files(tmp_path: Path) -> None:
    for name in ["shop/__init__.py", "shop/a.py", "setup.py", "tests/test_a.py", ".hidden/x.py", "notes.md", "a-b.py"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(COUNTER)
    assert names(FolderSource(tmp_path)) == ["shop", "shop.a"]
    assert gather(tmp_path).modules[1].file == str(tmp_path / "shop/a.py")


def test_the_src_folder_of_a_project_is_where_its_modules_begin(tmp_path: Path) -> None:
    (tmp_path / "src/shop").mkdir(parents=True)
    (tmp_path / "src/shop/a.py").write_text(COUNTER)
    (tmp_path / "tool.py").write_text(COUNTER)
    assert names(tmp_path) == ["shop.a"]


def test_one_python_file_is_a_module(tmp_path: Path) -> None:
    (tmp_path / "counter.py").write_text(COUNTER)
    assert names(tmp_path / "counter.py") == ["counter"]


def test_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="check the path"):
        gather(tmp_path / "nothing")


def test_a_symbolic_link_in_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.py").symlink_to("/etc/passwd")
    with pytest.raises(CompileError, match="symbolic link") as caught:
        gather(tmp_path)
    assert caught.value.kind == "load_error"


def test_a_linked_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(COUNTER)
    (tmp_path / "loop").symlink_to(tmp_path)
    assert names(tmp_path) == ["a"]


def test_bytes_that_are_no_utf8_point_at_the_place(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"x = 1\ny = '\xff'\n")
    with pytest.raises(CompileError) as caught:
        gather(tmp_path)
    assert caught.value.kind == "compilation_failed"
    assert (caught.value.diagnostics[0].line, caught.value.diagnostics[0].column) == (2, 6)


def test_a_source_that_is_too_large_is_refused_before_it_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "MAX_FILES", 2)
    with pytest.raises(CompileError, match="too large"):
        gather({f"m{n}.py": "" for n in range(3)})


def test_a_pyc_file_is_loaded_without_being_unmarshalled(tmp_path: Path) -> None:
    module = gather(pyc(tmp_path, "counter")).modules[0]
    assert (module.name, module.source) == ("counter", "")
    assert marshal.loads(module.code).co_names == ("n",)


def test_a_map_of_compiled_modules_is_loaded(tmp_path: Path) -> None:
    data = pyc(tmp_path, "counter").read_bytes()
    bundle = gather(CompiledSource(modules={"shop": data, "shop.counter": data}))
    assert [(m.name, m.is_package) for m in bundle.modules] == [("shop", True), ("shop.counter", False)]
    assert names({"counter": data}) == ["counter"]


def test_a_pyc_from_a_pycache_folder_gets_its_module_name(tmp_path: Path) -> None:
    data = pyc(tmp_path, "counter").read_bytes()
    (tmp_path / "counter.cpython-311.pyc").write_bytes(data)
    assert names(tmp_path / "counter.cpython-311.pyc") == ["counter"]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("shop/__pycache__/front.cpython-311.pyc", data)
    assert names(tmp_path / "a.zip") == ["shop.front"]


def test_a_pyc_of_another_python_is_a_load_error_that_says_so(tmp_path: Path) -> None:
    data = pyc(tmp_path, "counter").read_bytes()
    with pytest.raises(CompileError, match="another Python") as caught:
        gather({"counter": b"\x00\x01\r\n" + data[4:]})
    assert caught.value.kind == "load_error"


@pytest.mark.parametrize("data", [b"", b"hello", b"\0" * 100])
def test_bytes_that_are_no_pyc_are_a_load_error(data: bytes) -> None:
    with pytest.raises(CompileError) as caught:
        gather({"counter": data})
    assert caught.value.kind == "load_error"


def test_a_wheel_is_read_in_memory_and_its_metadata_left_out(tmp_path: Path) -> None:
    wheel = zipped(
        tmp_path / "shop-1.0-py3-none-any.whl",
        {
            "shop/__init__.py": "",
            "shop/a.py": COUNTER,
            "shop/data.txt": "x",
            "shop-1.0.dist-info/METADATA": "Name: shop",
        },
    )
    bundle = gather(wheel)
    assert [m.name for m in bundle.modules] == ["shop", "shop.a"]
    assert bundle.modules[1].file == "shop-1.0-py3-none-any.whl/shop/a.py"
    assert sorted(os.listdir(tmp_path)) == [wheel.name]


@pytest.mark.parametrize("name", ["../evil.py", "/evil.py", "a/../../evil.py", "..\\evil.py", "fast.so"])
def test_an_archive_with_a_path_that_leads_out_or_an_extension_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CompileError) as caught:
        gather(zipped(tmp_path / "a.zip", {"ok.py": "", name: COUNTER}))
    assert caught.value.kind == "load_error"


def test_a_symbolic_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("secret.py")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(CompileError, match="symbolic link"):
        gather(tmp_path / "a.zip")


def test_a_zip_bomb_is_refused_even_when_its_directory_lies(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.py", b"#" * (tree.MAX_FILE_BYTES + 1))
    with pytest.raises(CompileError, match="too large"):
        gather(path)
    data = bytearray(path.read_bytes())
    at = data.find(b"PK\x01\x02") + 24
    data[at : at + 4] = (10).to_bytes(4, "little")
    path.write_bytes(bytes(data))
    with pytest.raises(CompileError) as caught:
        gather(path)
    assert caught.value.kind == "load_error"


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 broken", b"x" * 1000])
def test_a_broken_archive_is_a_load_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.whl").write_bytes(data)
    with pytest.raises(CompileError) as caught:
        gather(tmp_path / "a.whl")
    assert caught.value.kind == "load_error"


def test_the_same_text_has_the_same_digest_and_another_text_another() -> None:
    first, same, other = (gather(CellSource("a", text)).modules[0] for text in ("n = 1", "n = 1", "n = 2"))
    assert first.digest == same.digest != other.digest


def test_a_text_beside_its_pyc_wins_in_an_archive(tmp_path: Path) -> None:
    data = pyc(tmp_path, "a").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.py", COUNTER)
        archive.writestr("__pycache__/a.cpython-311.pyc", data)
    modules: tuple[ModuleCode, ...] = gather(tmp_path / "a.zip").modules
    assert [(m.name, m.source) for m in modules] == [("a", COUNTER)]


def test_a_map_that_holds_no_text_says_which_file() -> None:
    for odd in ({"a.py": "n = 1", "b.py": 5}, {"a.py": "n = 1", "b.py": b"n = 1"}):
        with pytest.raises(CompileError) as caught:
            gather(odd)
        assert caught.value.kind == "invalid_code_type"
        assert str(caught.value).startswith("'b.py' is given as ")
    with pytest.raises(UsageError, match=r"file 'b.py' is not valid: it holds int, not text"):
        gather(FilesSource({"b.py": 5}))  # type: ignore[dict-item]


def test_what_tools_put_into_a_folder_is_not_the_program(tmp_path: Path) -> None:
    for path in ("counter.py", "env/lib/six.py", "node_modules/katex/fonts.py", "__pycache__/x.py", ".hidden/y.py"):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(COUNTER)
    (tmp_path / "env" / "pyvenv.cfg").touch()
    assert names(FolderSource(tmp_path)) == ["counter"]
