"""Attacks that wait to be looked at: code of the user's where a sandbox is drawn or takes a result from outside."""

from __future__ import annotations

import pytest

from jupyter_sandbox.model.sandbox import SandboxStatus

from .conftest import Arena

LIMITS = {"handler_budget": 500, "max_runtime": 60_000}
ACT = """
from jupyter_sandbox.otp import Child, GenServer, Supervisor
def act():
    {act}
async def hold(self):
    {hold}
    await self.sleep(10 ** 6)
"""
ACTS = {
    "raises": "raise RuntimeError('hostile')",
    "leaves": "raise SystemExit(9)",
    "hangs": "while True: pass",
}
LOOKED_AT = {
    "a description of the state": """
class Descriptor:
    def __get__(self, instance, owner): act()
class Looked(GenServer):
    state_text = Descriptor()
    def init(self, _): return 0
""",
    "a version that is none": """
class Number:
    def __int__(self): act()
class Looked(GenServer):
    __sandbox_version__ = Number()
    def init(self, _): return 0
""",
    "the name of a module": """
class Name(str):
    def __format__(self, spec): act()
    def __str__(self): act()
class Looked(GenServer):
    def init(self, _): return 0
Looked.__module__ = Name("m")
""",
    "a name of its class's class": """
class Meta(type(GenServer)):
    def __getattribute__(cls, name):
        if name in ("state_text", "__sandbox_version__", "__name__", "__qualname__"): act()
        return super().__getattribute__(name)
class Looked(GenServer, metaclass=Meta):
    def init(self, _): return 0
""",
    "the id of a child": """
class Id(str):
    def __format__(self, spec): act()
    def __str__(self): act()
    def __repr__(self): act()
class Kid(GenServer):
    def init(self, _): return 0
class Looked(Supervisor):
    def init(self, _): return [Child(Kid, 0, id=Id("kid"))]
""",
}
OUTSIDE = {
    "its size": ("__sizeof__", "await self.outside(lambda: Value())"),
    "its class": ("__class__", "await self.outside(lambda: Value())"),
    "the class of what is to be done": ("__class__", "await self.outside(Value())"),
}


def goes_on(arena: Arena, name: str) -> None:
    sandbox = arena.manager.get(name)
    assert arena.alive(sandbox) and sandbox.status is SandboxStatus.RUNNING
    assert "Camp/ticker" in {process.key for process in sandbox.tree().processes}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("looked_at", LOOKED_AT)
def test_looking_at_a_sandbox_runs_nothing_of_it(arena: Arena, looked_at: str, act: str) -> None:
    sandbox = arena.attacker(limits=LIMITS)
    source = ACT.format(act=ACTS[act], hold="await self.start_link(Looked, 0)") + LOOKED_AT[looked_at]
    sandbox.watch(20)
    assert arena.attack(f"{source}\nself.spawn(hold)", sandbox).error is None
    arena.until(lambda: len(sandbox.tree().processes) > 4, "nothing more is drawn")
    goes_on(arena, sandbox.name)
    assert not any("ran longer" in alert for alert in sandbox.info().alerts)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("asked", OUTSIDE)
def test_what_comes_from_outside_is_asked_nothing(arena: Arena, asked: str, act: str) -> None:
    sandbox = arena.attacker(limits=LIMITS)
    method, hold = OUTSIDE[asked]
    value = f"class Value:\n    {'@property' if method == '__class__' else ''}\n    def {method}(self): act()\n"
    source = ACT.format(act=ACTS[act], hold=hold) + value
    assert arena.attack(f"{source}\nself.spawn(hold)", sandbox).error is None
    assert arena.attempt("import time; time.sleep(0.1); answer = 1", sandbox) == 1
    goes_on(arena, sandbox.name)


TOLD = {
    "a stream in place of ours": """
class Tee:
    def write(self, text): pass
    def flush(self): act()
sys.stdout = Tee()
""",
    "a profiler": "sys.setprofile(lambda *_: act() if 'loop.py' in _[0].f_code.co_filename else None)",
}


@pytest.mark.parametrize("told", TOLD)
def test_what_hangs_between_two_callbacks_is_broken_and_told(arena: Arena, told: str) -> None:
    sandbox = arena.attacker(limits=LIMITS)
    source = (
        f"import sys, time\nbegun = []\ndef act():\n    begun.append(1)\n    while len(begun) < 3: pass\n{TOLD[told]}"
    )
    arena.attack(source, sandbox)
    arena.until(lambda: any("ran longer than 500 ms" in text for text in sandbox.info().alerts), "nobody tells of it")


@pytest.mark.parametrize("act", ["raise RuntimeError('hostile')", "raise SystemExit(9)", "raise KeyboardInterrupt"])
def test_what_raises_between_two_callbacks_costs_nobody_anything(arena: Arena, act: str) -> None:
    sandbox = arena.attacker(limits=LIMITS)
    source = f"import sys\nclass Tee:\n    def write(self, text): pass\n    def flush(self): {act}\nsys.stdout = Tee()"
    assert arena.attack(source, sandbox).error is None
    goes_on(arena, sandbox.name)


NEVER_TOLD = {
    "its text": "class Bad(Exception):\n    def __str__(self):\n        while True: pass\nraise Bad()",
    "its traceback": (
        "class Again:\n    tb_lineno, tb_frame = 1, __import__('sys')._getframe()\n"
        "    tb_next = property(lambda self: self)\n"
        "class Bad(Exception):\n    __traceback__ = property(lambda self: Again())\nraise Bad"
    ),
    "its name": (
        "class Meta(type):\n    @property\n    def __name__(cls):\n        while True: pass\n"
        "class Bad(Exception, metaclass=Meta): pass\nraise Bad"
    ),
}


@pytest.mark.parametrize("part", NEVER_TOLD)
def test_a_cell_whose_error_never_says_what_it_is_is_an_error_of_the_cell(arena: Arena, part: str) -> None:
    sandbox = arena.attacker(limits=LIMITS)
    told = arena.watch(lambda: sandbox.exec(NEVER_TOLD[part]))
    assert "Bad" in str(told.error) and not told.killed
    goes_on(arena, sandbox.name)


@pytest.mark.parametrize("part", NEVER_TOLD)
def test_code_whose_error_never_says_what_it_is_is_refused_with_its_name_or_its_place(arena: Arena, part: str) -> None:
    """It is tried out in a sandbox of its own, which is ended when its text hangs."""
    sandbox = arena.attacker(limits=LIMITS)
    told = arena.watch(lambda: sandbox.load({"bad.py": NEVER_TOLD[part]}))
    assert ("hangs at bad.py line 3 in __str__" if part == "its text" else "Bad") in str(told.error) and not told.killed
    goes_on(arena, sandbox.name)
