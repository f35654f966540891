"""A flavour is what sandboxes have imported before their code runs; each has its zygote and memory to count from."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_sandbox.isolation import exec_zygote
from jupyter_sandbox.isolation.exec_zygote import FLAGS, search_path
from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.manager.sandbox import Sandbox
from jupyter_sandbox.manager.zygotes import IDLE_KEPT
from jupyter_sandbox.model import flavour as flavours
from jupyter_sandbox.model.errors import PreimportFailed, SandboxError, UsageError
from jupyter_sandbox.model.flavour import Flavour
from jupyter_sandbox.model.sandbox import SandboxStatus

from ..waiting import until
from .test_spares import children, filled

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxManager]:
    """A manager of one test alone, with a folder of modules on the search path."""
    monkeypatch.syspath_prepend(str(tmp_path))
    with SandboxManager(store=":memory:") as manager:
        yield manager


def parent(sandbox: Sandbox) -> object:
    return sandbox.exec("import os; os.getppid()")


def has(sandbox: Sandbox, *modules: str) -> object:
    """Which of them were there before anybody imported them."""
    return sandbox.exec(f"import sys; [name for name in {modules!r} if name in sys.modules]")


def test_each_flavour_has_a_zygote_and_sandboxes_of_one_flavour_share_it(own: SandboxManager) -> None:
    plain, other = own.create("plain"), own.create("other", preimport=["colorsys"])
    same = own.create("same", preimport="colorsys")
    assert parent(other) == parent(same) != parent(plain)
    assert (has(plain, "colorsys"), has(other, "colorsys")) == ([], ["colorsys"])
    assert [info.flavour for info in own.list()] == ["plain", "plain+colorsys", "plain+colorsys"]
    assert other.info().protection == plain.info().protection


def test_code_is_tried_out_in_the_flavour_of_its_sandbox(own: SandboxManager) -> None:
    source = "import sys\nassert 'colorsys' in sys.modules\n"
    own.create("painter", preimport=["colorsys"], code={"paint.py": source})
    with pytest.raises(SandboxError, match="AssertionError"):
        own.create("plain", code={"paint.py": source})


def test_a_restart_a_restore_and_a_step_back_keep_the_flavour(own: SandboxManager) -> None:
    painter = own.create("painter", preimport=["colorsys"])
    painter.snapshot("s")
    painter.restart()
    assert has(painter, "colorsys") == ["colorsys"]
    painter.restore("s")
    assert has(painter, "colorsys") == ["colorsys"]
    painter.pause()
    painter.back(1)
    painter.resume()
    assert has(painter, "colorsys") == ["colorsys"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"flavour": "vanilla"}, "flavour 'vanilla' is not known. Known: plain, sci. Other modules: preimport="),
        ({"preimport": ["json;os"]}, "preimport 'json;os' is not valid: give names of modules"),
        ({"preimport": ""}, "preimport '' is not valid"),
        ({"preimport": [7]}, "preimport 7 is not valid"),
        ({"preimport": 7}, "give a list of module names"),
        ({"preimport": [f"m{n}" for n in range(60)]}, "give at most 50 modules, not 60"),
        (
            {"preimport": ["no_such_module"]},
            "'no_such_module' is not valid: no such module .*pip install no_such",
        ),
    ],
)
def test_what_cannot_be_is_said_in_one_line_and_nothing_is_left(
    own: SandboxManager, options: dict[str, object], text: str
) -> None:
    with pytest.raises(UsageError, match=text):
        own.create("x", **options)  # type: ignore[arg-type]
    assert own.list() == []
    assert own.create("x").id == 1


def test_a_module_that_raises_is_named_and_once_it_is_corrected_it_works(own: SandboxManager, tmp_path: Path) -> None:
    (tmp_path / "own_tools.py").write_text("1 / 0")
    with pytest.raises(PreimportFailed, match=r"'plain\+own_tools' .*: the import of own_tools failed: .*Zero"):
        own.create("x", preimport=["own_tools"])
    assert own.list() == []
    (tmp_path / "own_tools.py").write_text("seven = 7")
    assert own.create("x", preimport=["own_tools"]).exec("import own_tools; own_tools.seven") == 7


@pytest.mark.parametrize("name", ["beside_tools.py", "beside_tools/__init__.py"])
def test_a_module_beside_the_notebook_is_none_to_be_installed(
    own: SandboxManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "work" / name).parent.mkdir(parents=True)
    (tmp_path / "work" / name).write_text("raise SystemError('imported')")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.syspath_prepend("")
    with pytest.raises(UsageError) as caught:
        own.create("x", preimport=["no_such_module", "beside_tools.part"])
    assert str(caught.value).startswith("preimport 'beside_tools.part' is not valid: it is in the working folder")
    assert "%%sandbox module" in str(caught.value) and "pip" not in str(caught.value)


def test_what_a_flavour_lacks_is_named_with_how_to_install_it(
    own: SandboxManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flavours, "NAMED", {"plain": (), "sci": ("json", "no_such_pandas")})
    monkeypatch.setattr("jupyter_sandbox.manager.zygotes.NAMED", flavours.NAMED)
    with pytest.raises(UsageError) as caught:
        own.create("x", flavour="sci")
    assert str(caught.value) == (
        "flavour 'sci' needs json and no_such_pandas, and there is no no_such_pandas on the search path: "
        "install what is missing: %pip install no_such_pandas"
    )


def test_memory_counts_above_the_empty_sandbox_of_the_flavour(own: SandboxManager, tmp_path: Path) -> None:
    (tmp_path / "heavy.py").write_text("ballast = [bytearray(1_000_000) for _ in range(60)]")
    light = own.create("light", preimport=["heavy"], limits={"max_memory": 20_000_000})
    assert light.info().memory < 5_000_000
    assert light.exec("import heavy; kept = bytearray(b'x') * 12_000_000; len(kept) + len(heavy.ballast)") == 12_000_060
    with pytest.raises(SandboxError):
        light.exec("len(bytearray(30_000_000))")


def test_a_zygote_that_dies_is_noticed_and_mended_and_other_flavours_do_not_care(own: SandboxManager) -> None:
    plain, painter = own.create("plain"), own.create("painter", preimport=["colorsys"])
    filled(own)
    flavour, before = Flavour.of(preimport="colorsys"), parent(plain)
    zygotes = own._zygotes
    assert zygotes is not None
    pid = zygotes.of(flavour).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: painter.status is SandboxStatus.CRASHED)
    until(lambda: zygotes.of(flavour).pid not in (None, pid))
    filled(own)
    assert len(children(own, flavour)) == 2, "spares of the new zygote"
    assert parent(plain) == before and plain.exec("1 + 1") == 2
    painter.restart()
    assert has(painter, "colorsys") == ["colorsys"] and parent(painter) == zygotes.of(flavour).pid


def test_zygotes_of_flavours_that_nobody_uses_are_ended_but_for_the_newest(own: SandboxManager) -> None:
    modules = ("colorsys", "wave", "quopri", "stringprep")[: IDLE_KEPT + 2]
    pids = []
    for module in modules:
        sandbox = own.create(module, preimport=[module])
        pids.append(int(str(parent(sandbox))))
        own.destroy(module)
    until(lambda: sum(Path(f"/proc/{pid}/fd").exists() for pid in pids) == IDLE_KEPT)
    assert Path(f"/proc/{pids[-1]}/fd").exists()


def test_nobody_waits_for_a_zygote_that_takes_its_time_to_end(
    own: SandboxManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one does whose guests' memory Linux gives back slowly."""
    monkeypatch.setattr(exec_zygote, "PATIENCE_S", 60.0)
    plain, pids = own.create("plain"), []
    for module in ("colorsys", "wave", "quopri")[: IDLE_KEPT + 1]:
        sandbox = own.create(module, preimport=[module])
        pids.append(int(str(parent(sandbox))))
        if len(pids) > IDLE_KEPT:
            os.kill(pids[0], signal.SIGSTOP)
        own.destroy(module)
    assert plain.exec("1 + 1") == 2
    assert own.create("other").exec("1 + 1") == 2
    assert Path(f"/proc/{pids[0]}/fd").exists(), "it was waited for"
    os.kill(pids[0], signal.SIGCONT)
    own.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_numpy_and_pandas_work_in_the_profile_that_closes_everything(own: SandboxManager) -> None:
    sandbox = own.create("lab", flavour="sci")
    assert has(sandbox, "numpy", "pandas") == ["numpy", "pandas"]
    plain = own.create("plain").info().protection
    assert sandbox.info().protection == plain
    assert sandbox.exec(
        "import numpy as np, pandas as pd, io\n"
        "frame = pd.DataFrame({'a': np.arange(1000), 'b': np.random.rand(1000)}, "
        "                     index=pd.date_range('2024', periods=1000))\n"
        "again = pd.read_csv(io.StringIO(frame.to_csv()), index_col=0, parse_dates=True).tz_localize('Europe/Paris')\n"
        "x = np.linalg.solve(np.eye(50) * 2, np.ones(50)); frame.to_pickle('frame.pkl')\n"
        "(int(again.a.sum()), float(x.sum()), len(pd.read_pickle('frame.pkl').resample('ME').mean()))"
    ) == (499500, 25.0, 33)
    assert sandbox.info().memory < 30_000_000


def test_shared_generators_of_numpy_differ_between_sandboxes_and_follow_the_seed(own: SandboxManager) -> None:
    draw = "import numpy; (float(numpy.random.rand()), float(numpy.random.default_rng().random()))"
    one, two = own.create(flavour="sci").exec(draw), own.create(flavour="sci").exec(draw)
    assert isinstance(one, tuple) and isinstance(two, tuple) and not {*one} & {*two}
    again = [own.create(flavour="sci", seed=5).exec(draw) for _ in range(2)]
    assert again[0][0] == again[1][0]  # type: ignore[index]


DICE = """
import ctypes, random
alone = random.Random()
listed = {"one": [random.Random(), (random.Random(),)]}
class Own(random.Random):
    def seed(self, *words):
        super().seed(1)
class Table:
    kept = Own()
    def __init__(self):
        self.dice = random.Random()
table = Table()
def closed(dice=random.Random()):
    return dice.random()
def make():
    hidden = random.Random()
    return lambda: hidden.random()
drawn = make()
half = random.Random()
half.gauss(0, 1)
token = random.random()
def throw():
    ones = [alone, *listed["one"][:1], *listed["one"][1], Table.kept, table.dice]
    return [*(one.random() for one in ones), closed(), drawn(), half.gauss(0, 1), ctypes.CDLL(None).rand()]
"""
NUMPY_DICE = """
import numpy as np
generators = [np.random.default_rng(), *map(np.random.Generator, (np.random.MT19937(), np.random.Philox()))]
old = np.random.RandomState()
old.normal()
other = np.random.RandomState(np.random.PCG64())
def throw():
    return [float(one.random()) for one in (*generators, other)] + [float(old.normal()), float(old.random())]
"""


@pytest.mark.parametrize(("source", "modules"), [(DICE, []), (NUMPY_DICE, ["numpy"])])
def test_generators_that_modules_made_differ_between_sandboxes_and_follow_the_seed(
    own: SandboxManager, tmp_path: Path, source: str, modules: list[str]
) -> None:
    if modules:
        pytest.importorskip(modules[0])
    (tmp_path / "dice.py").write_text(source)
    throw, preimport = "import dice; dice.throw()", [*modules, "dice"]
    with SandboxManager(store=":memory:") as other:
        thrown = [
            manager.create(seed=seed, preimport=preimport).exec(throw)
            for manager, seed in ((own, 5), (own, 5), (other, 5), (own, 6), (own, None), (own, None))
        ]
    assert thrown[0] == thrown[1] == thrown[2], "also in another kernel"
    numbers = [number for one in (thrown[0], *thrown[3:]) for number in one]  # type: ignore[attr-defined]
    assert len(set(numbers)) == len(numbers), "and no two generators are alike"


def test_a_step_back_meets_the_numbers_that_were_drawn_then(own: SandboxManager, tmp_path: Path) -> None:
    (tmp_path / "dice.py").write_text(DICE)
    source = (
        "import dice\nfrom jupyter_sandbox.otp import GenServer, Reply\nclass Thrower(GenServer):\n"
        "    def init(self, _):\n        return []\n"
        "    def handle_call(self, request, caller, state):\n        return Reply(None, [*state, dice.throw()])\n"
    )
    sandbox = own.create(preimport=["dice"], code={"thrower.py": source}, main="thrower.Thrower")
    for _ in range(3):
        sandbox.call("Thrower", "throw")
    before = sandbox.state("Thrower")
    sandbox.pause()
    sandbox.back(1)
    then = sandbox.state("Thrower")
    assert isinstance(before, list) and then == before[: len(then)] and 2 <= len(then) <= 3  # type: ignore[arg-type]


def test_what_was_drawn_while_it_was_imported_is_the_same_in_all(own: SandboxManager, tmp_path: Path) -> None:
    (tmp_path / "dice.py").write_text(DICE)
    assert len({own.create(preimport=["dice"]).exec("import dice; dice.token") for _ in range(3)}) == 1


def test_without_modules_of_others_there_is_nothing_to_seed_at_the_beginning() -> None:
    program = (
        "from jupyter_sandbox.guest import warm\nfrom jupyter_sandbox.guest.main import Program\n"
        "from jupyter_sandbox.isolation import forker\nprint(Program()._guest.reseed.__name__)"
    )
    path = f"import sys; sys.path[:] = {search_path(sys.path)!r} + sys.path\n"
    ran = subprocess.run([sys.executable, *FLAGS, "-c", path + program], capture_output=True, text=True, check=True)
    assert ran.stdout == "<lambda>\n"


@pytest.mark.parametrize("module", ["numpy", "pandas"])
def test_a_late_import_that_does_not_fit_names_the_flavour_and_the_sandbox_goes_on(
    own: SandboxManager, module: str
) -> None:
    plain = own.create("plain")
    with pytest.raises(SandboxError, match=rf"importing {module} needs \d+ MB of memory.*--flavour sci"):
        plain.exec(f"import {module}")
    with pytest.raises(SandboxError, match=r"--flavour sci"):
        plain.load(f"import {module}", "analysis")
    assert plain.exec("try:\n    import numpy\nexcept ImportError:\n    numpy = None\nnumpy") is None
    roomy = own.create("roomy", limits={"max_memory": 200_000_000})
    assert roomy.exec(f"import {module}; {module}.__name__") == module
