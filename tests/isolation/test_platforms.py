"""Other operating systems than Linux: what is had there is told, and where nothing can be had that is said at once."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType

import pytest

import jupyter_sandbox
import jupyter_sandbox.manager
from jupyter_sandbox import __main__ as program
from jupyter_sandbox.isolation import confined, doctor, landlock, layers, recheck, system
from jupyter_sandbox.model import platforms
from jupyter_sandbox.model.boot import Boot
from jupyter_sandbox.model.errors import Unsupported
from jupyter_sandbox.model.limits import Limits
from jupyter_sandbox.model.platforms import require_platform, what_is_less
from jupyter_sandbox.model.protection import Layer, Protection


def execute_again(module: ModuleType) -> None:
    """As its first import does. No reload, which is refused while there is a manager."""
    spec = module.__spec__
    assert spec is not None and spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


@pytest.mark.parametrize("platform", ["win32", "cygwin", "emscripten"])
def test_where_nothing_can_be_forked_one_line_says_what_to_do(platform: str) -> None:
    with pytest.raises(Unsupported, match=r"there are no sandboxes on .* use WSL") as caught:
        require_platform(platform)
    assert "\n" not in str(caught.value)


def test_windows_is_told_before_anything_is_loaded_that_it_does_not_have(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(platforms.require_platform, "__defaults__", ("win32", ""))
    with pytest.raises(Unsupported, match="Windows cannot fork"):
        _ = jupyter_sandbox.SandboxManager
    with pytest.raises(Unsupported, match="Windows cannot fork"):
        jupyter_sandbox.load_ipython_extension(None)
    assert program.main(["doctor"]) == 2 and "Windows cannot fork" in capsys.readouterr().out


@pytest.mark.parametrize("flags", ["t", "td"])
def test_a_free_threaded_python_is_told_before_anything_is_loaded_to_be_the_other_build(
    flags: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(platforms.require_platform, "__defaults__", ("linux", flags))
    with pytest.raises(Unsupported, match=r"free-threaded build .* use the ordinary build, python3") as caught:
        jupyter_sandbox.load_ipython_extension(None)
    assert "\n" not in str(caught.value)
    with pytest.raises(Unsupported, match="free-threaded"):
        _ = jupyter_sandbox.SandboxManager
    with pytest.raises(Unsupported, match="free-threaded"):  # on the way to jupyter_sandbox.control, too
        execute_again(jupyter_sandbox.manager)
    assert program.main(["doctor"]) == 2 and "free-threaded" in capsys.readouterr().out


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the layers see on a Mac."""
    monkeypatch.setattr(system, "LINUX", False)
    monkeypatch.setattr(system.sys, "platform", "darwin")
    system._libc.cache_clear()
    yield
    system._libc.cache_clear()


def test_a_mac_gets_the_layers_that_it_can_have(mac: None) -> None:
    found = layers.layers_for(Boot("x"), parent=1, keep=(), environment={})
    assert [layer.name for layer in found] == [
        "session", "environment", "closed_files", "rlimits", "landlock", "seccomp",
    ]  # fmt: skip
    assert layers.resource.RLIMIT_DATA not in layers.rlimits_for(Limits(), 0, 0)
    assert landlock.version() == 0


def test_layers_of_linux_say_on_a_mac_that_they_need_linux(mac: None) -> None:
    files = confined.Landlock(Boot("x"), ())
    told = layers.protect([files, confined.Seccomp(Boot("x"), files)], Boot("x"))
    assert told.profile == "off", "the layers of basic were not asked for here"
    assert [layer.reason for layer in told.layers] == ["it needs Linux, not darwin"] * 2
    with pytest.raises(Unsupported, match="this needs Linux, not darwin"):
        system.set_no_new_privs()


def test_nothing_counts_as_verified_where_nobody_can_be_asked(mac: None) -> None:
    names = ("session", "environment", "closed_files", "rlimits", "seccomp")
    claim = Protection("strict", tuple(Layer(name, True, True, True) for name in names))
    told = recheck.verify_from_outside(1, claim, Boot("x"))
    assert told.profile == "basic" and not any(layer.verified for layer in told.layers)
    doubtful = replace(claim, layers=(Layer("session", True, True, False, "still in another"), *claim.layers[1:]))
    assert recheck.verify_from_outside(1, doubtful, Boot("x")).profile == "off"
    assert all("cannot be seen from outside" in layer.reason for layer in told.layers)


def test_the_doctor_says_what_is_less_there(mac: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platforms.what_is_less, "__defaults__", ("darwin",))
    assert any("macOS: profile basic" in line for line in doctor.machine())
    assert what_is_less("linux") == ""
