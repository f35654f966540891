"""A kernel somewhere else, of an ordinary user or in a container: attacks from its sandbox, prints what came of it.

With a third argument it installs a filter like Docker's first: ``new``, or ``old`` from before Docker knew Landlock.
"""

from __future__ import annotations

import errno
import json
import os
import sys

from jupyter_sandbox.isolation import system
from jupyter_sandbox.isolation.bpf import Allow, Decision, Match, Refuse, When, assemble, encode
from jupyter_sandbox.isolation.syscalls import AUDIT, NUMBERS
from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.model.errors import SandboxError

BEFORE = """
import ctypes as _ctypes, errno as _errno, os as _os
_libc = _ctypes.CDLL(None, use_errno=True)
def syscall(name, *words):
    from jupyter_sandbox.isolation.syscalls import NUMBERS
    words = [_ctypes.c_long(one) if isinstance(one, int) else one for one in words]
    if _libc.syscall(NUMBERS[_os.uname().machine][name], *words) < 0:
        raise OSError(_ctypes.get_errno(), name)
answer = 'worked'
try:
    {source}
except OSError as error:
    answer = _errno.errorcode.get(error.errno, str(error))
except BaseException as error:
    answer = type(error).__name__
answer
"""


DENIED = """
    acct add_key bpf clock_adjtime clock_settime create_module delete_module finit_module fsconfig fsmount fsopen
    fspick get_kernel_syms get_mempolicy init_module io_uring_enter io_uring_register io_uring_setup ioperm iopl
    kcmp kexec_load kexec_file_load keyctl lookup_dcookie mbind mount mount_setattr move_mount move_pages nfsservctl
    open_by_handle_at open_tree perf_event_open personality pivot_root process_vm_readv process_vm_writev ptrace
    query_module quotactl reboot request_key set_mempolicy setns settimeofday swapon swapoff sysfs syslog umount2
    unshare uselib userfaultfd ustat vm86 vhangup
"""
LANDLOCK = "landlock_create_ruleset landlock_add_rule landlock_restrict_self"


def install(missing: str) -> None:
    """Docker's default profile in essence: privileged calls refused, clone without namespaces, clone3 unknown."""
    machine = os.uname().machine
    numbers = NUMBERS[machine]
    decisions: dict[int, Decision] = dict.fromkeys(numbers.values(), Allow())
    decisions |= {numbers[name]: Refuse() for name in DENIED.split() if name in numbers}
    decisions |= {numbers[name]: Refuse(errno.ENOSYS) for name in f"clone3 {missing}".split()}
    decisions[numbers["clone"]] = When((Match(0, (0,), 0x7E020000),))
    system.set_no_new_privs()
    system.install_filter(encode(assemble(decisions, machine=AUDIT[machine])))


def main(profile: str, attempts: dict[str, str]) -> None:
    """One sandbox, one line of JSON."""
    with SandboxManager(store=":memory:") as manager:
        sandbox = manager.create(profile=profile or None)
        protection = sandbox.info().protection
        answers = {}
        for name, source in attempts.items():
            text = source.replace("KERNEL", str(os.getpid())).replace("\n", "\n    ")
            try:
                answers[name] = sandbox.exec(BEFORE.replace("{source}", text))
            except SandboxError as error:
                answers[name] = type(error).__name__
                sandbox.restart()
        layers = {layer.name: layer.active and layer.verified for layer in protection.layers} if protection else {}
        print(json.dumps([protection.profile if protection else "", layers, answers]))


if __name__ == "__main__":
    if container := sys.argv[3:]:
        install(LANDLOCK if container == ["old"] else "")
    main(sys.argv[1], json.loads(sys.argv[2]))
