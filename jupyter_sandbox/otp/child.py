"""Child specifications of supervisors and the check of their fields. Rules: Erlang's and Elixir's supervisors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, overload

import msgspec

from ..model.errors import UsageError
from ..model.given import LONGEST_WAIT_MS
from ..model.text import short_text
from . import backoff
from .child_keys import key_of
from .hints import Argument, Behaviour

RESTARTS: Final = ("permanent", "transient", "temporary")
KINDS: Final = ("worker", "supervisor")


class SpecError(UsageError):
    """A child specification or a supervisor flag is wrong; ``reason`` is OTP's term for it."""

    def __init__(self, reason: Any, hint: str) -> None:
        super().__init__("child specification", reason, hint=hint, kind="bad_child_spec")
        self.reason = reason


class Child(msgspec.Struct, frozen=True):
    """How a supervisor starts, restarts and stops one child: ``Child(Counter, 0, name="front")``.

    ``module`` is the behaviour's class and ``argument`` what its init gets.
    ``id`` is the name, else the class's name. Fields left out are the class's
    own (``restart``, ``shutdown_ms``, ``type``). ``shutdown_ms`` is milliseconds,
    None to wait for ever, or ``"brutal_kill"``. ``start`` replaces the usual way
    of starting: ``async def start(self, argument)`` that returns a pid.

    >>> from jupyter_sandbox.otp import Child, GenServer, Node, Spec, Supervisor, get_childspec
    >>> class Database(GenServer):
    ...     pass
    >>> class Top(Supervisor):
    ...     def init(self, address):
    ...         return [Child(Database, address, name="db", shutdown_ms=30_000, restart="transient")]
    >>> async def main(self):
    ...     child = await get_childspec(self, await self.start(Top, "host:5432"), "db")
    ...     return child.argument, child.restart, child.shutdown_ms, child.type, child.modules
    >>> Node().run_function(main)
    ('host:5432', 'transient', 30000, 'worker', ['Database'])
    """

    module: Any = None
    argument: Any = None
    name: Any = None
    id: Any = msgspec.UNSET
    restart: Any = msgspec.UNSET
    shutdown_ms: Any = msgspec.UNSET
    type: Any = msgspec.UNSET
    significant: Any = False
    modules: Any = msgspec.UNSET
    start: Any = None
    timeout_ms: int | None = None
    extra: tuple[Any, ...] = ()
    """What ``start_child`` gave a dynamic child besides ``argument``."""
    backoff: Any = None
    """**Not in OTP**: a ``Backoff`` delays the restarts of this child more and more. None: at once, as in OTP."""
    keep_state: Any = False
    """**Not in OTP**: after a crash the new process begins with ``init_from(argument, last_state)``, not ``init``.

    The last state is what the callback that crashed left of it. It is offered
    once: if ``init_from`` fails, the next attempt calls ``init``. A class
    without ``init_from`` begins with ``init``, as in OTP.
    """

    if TYPE_CHECKING:  # a checker compares the argument with what the class's init takes

        @overload
        def __init__(self, module: Behaviour[None], *, name: Any = ..., **fields: Any) -> None: ...
        @overload
        def __init__(
            self, module: Behaviour[Argument], argument: Argument, name: Any = ..., *fields: Any, **more: Any
        ) -> None: ...
        @overload
        def __init__(self, *, start: Callable[..., Any], **fields: Any) -> None: ...
        def __init__(self, *args: Any, **fields: Any) -> None: ...

    def settled(self, auto_shutdown: Any = None) -> Child:
        """With every field filled in. Raises SpecError with OTP's reason for a bad one.

        ``auto_shutdown`` is the flag of the supervisor it is for, None if that is not known.
        """
        module = self.module
        if module is None and self.start is None:
            raise SpecError("missing_start", "give the class of the child: Child(Counter, 0)")
        unset = msgspec.UNSET
        kind, restart, shutdown_ms, id, modules = self.type, self.restart, self.shutdown_ms, self.id, self.modules
        if kind is unset:
            kind = getattr(module, "type", "worker")
        if restart is unset:
            restart = getattr(module, "restart", "permanent")
        if shutdown_ms is unset:
            shutdown_ms = getattr(module, "shutdown_ms", 5_000 if kind == "worker" else None)
        if id is unset:
            id = self.name if self.name is not None else _class_name(module)
        if modules is unset:
            modules = [getattr(module, "__name__", None)]
        filled = Child(
            module, self.argument, self.name, id, restart, shutdown_ms, kind, self.significant, modules,
            self.start, self.timeout_ms, self.extra, self.backoff, self.keep_state,
        )  # fmt: skip
        check(filled, auto_shutdown)
        return filled


Form = Child | type[Any] | tuple[type[Any], Any] | Mapping[str, Any]
"""What stands for a child in a list of children."""


def _class_name(module: Any) -> Any:
    return getattr(module, "__name__", None) or repr(module)


def check(child: Child, auto_shutdown: Any = None) -> None:
    """Raise SpecError when a field of a settled child is none of OTP's values; the order of the checks is OTP's."""
    if not (hasattr(child.module, "engine") if child.start is None else callable(child.start)):
        what = child.module if child.start is None else child.start
        raise SpecError(("invalid_mfa", what), f"{short_text(what)} is no behaviour to be started")
    if child.restart not in RESTARTS:
        raise SpecError(("invalid_restart_type", child.restart), f"restart is one of {', '.join(RESTARTS)}")
    if child.significant is not False:
        _check_significant(child, auto_shutdown)
    if child.type not in KINDS:
        raise SpecError(("invalid_child_type", child.type), f"type is one of {', '.join(KINDS)}")
    shutdown_ms = child.shutdown_ms
    if not _is_wait(shutdown_ms) and not _valid_shutdown(shutdown_ms):
        told = f'shutdown_ms is 0 to {LONGEST_WAIT_MS}, None or "brutal_kill"'
        raise SpecError(("invalid_shutdown", child.shutdown_ms), told)
    if type(child.modules) is not list and not (isinstance(child.modules, list) or child.modules == "dynamic"):
        raise SpecError(("invalid_modules", child.modules), 'modules is a list of names or "dynamic"')
    for module in child.modules if isinstance(child.modules, list) else ():
        if module is not None and not isinstance(module, (str, type)):
            raise SpecError(("invalid_module", module), "each of the modules is a class or a name")
    if type(child.id) is not str:
        _check_id(child.id)
    if child.timeout_ms is not None and not _is_wait(child.timeout_ms):
        raise SpecError(
            ("invalid_timeout", child.timeout_ms), f"timeout_ms is None or 0 to {LONGEST_WAIT_MS} milliseconds"
        )
    if child.backoff is not None and not backoff.is_good(child.backoff):
        raise SpecError(("invalid_backoff", child.backoff), "backoff is None or Backoff(first_ms, factor, max_ms)")
    if child.keep_state is not False and not isinstance(child.keep_state, bool):
        raise SpecError(("invalid_keep_state", child.keep_state), "keep_state is True or False")


def _is_wait(ms: Any) -> bool:
    return type(ms) is int and 0 <= ms <= LONGEST_WAIT_MS


def _check_id(id: Any) -> None:
    try:
        key_of(id)
    except UsageError:
        raise SpecError(("invalid_child_id", id), "an id is a text, or any value that can be compared") from None


def _check_significant(child: Child, auto_shutdown: Any) -> None:
    if not isinstance(child.significant, bool):
        raise SpecError(("invalid_significant", child.significant), "significant is True or False")
    if not child.significant:
        return
    if auto_shutdown == "never":
        with_flag = [("auto_shutdown", "never"), ("significant", True)]
        raise SpecError(("bad_combination", with_flag), "give the supervisor an auto_shutdown")
    if child.restart == "permanent":
        with_restart = [("restart", "permanent"), ("significant", True)]
        raise SpecError(("bad_combination", with_restart), "a permanent child cannot be significant")


def _valid_shutdown(value: Any) -> bool:
    if value is None or value == "brutal_kill":
        return True
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LONGEST_WAIT_MS


def as_child(form: Any, auto_shutdown: Any = None) -> Child:
    """A settled child from any accepted form: a Child, a class, ``(class, argument)``, or a mapping of fields."""
    if isinstance(form, Child):
        return form.settled(auto_shutdown)
    if isinstance(form, type):
        return _of_class(form, None, auto_shutdown)
    if isinstance(form, tuple) and len(form) == 2 and isinstance(form[0], type):
        return _of_class(form[0], form[1], auto_shutdown)
    if isinstance(form, Mapping):
        if "id" not in form:
            raise SpecError("missing_id", "a mapping gives the id of the child")
        known = {key: value for key, value in form.items() if key in Child.__struct_fields__}
        return Child(**known).settled(auto_shutdown)
    raise SpecError(("invalid_child_spec", form), "give Child(...), a class, (class, argument) or a mapping")


class Settling:
    """Settles the children of one supervisor. Those that differ in name, id and argument alone are checked once."""

    def __init__(self, auto_shutdown: Any) -> None:
        self.auto_shutdown = auto_shutdown
        self.module: Any = None
        self.given: tuple[Any, ...] = ()
        """Every other field but those, as the last child was given it."""
        self.rest: tuple[Any, ...] = ()
        """What settled makes of them."""

    def settled(self, form: Any) -> Child:
        """What ``as_child`` says of a form."""
        if type(form) is not Child:
            return as_child(form, self.auto_shutdown)
        fields = msgspec.structs.astuple(form)
        module, given = fields[0], fields[4:]
        like = self.given
        if (
            module is self.module
            and given == like
            and given[1] is like[1]  # the fields in which what is equal may be something else: 1, 1.0 and True
            and given[3] is like[3]
            and given[6] is like[6]
            and given[9] is like[9]
        ):
            name, id = fields[2], fields[3]
            if id is msgspec.UNSET:
                id = name if name is not None else _class_name(module)
            if type(id) is str:
                a, b, c, d, e, f, g, h, i, j = self.rest
                return Child(module, fields[1], name, id, a, b, c, d, e, f, g, h, i, j)
        child = form.settled(self.auto_shutdown)
        self.module, self.given, self.rest = module, given, msgspec.structs.astuple(child)[4:]
        return child


def _of_class(module: Any, argument: Any, auto_shutdown: Any) -> Child:
    own = getattr(module, "child_spec", None)
    return as_child(Child(module, argument) if own is None else own(argument), auto_shutdown)
