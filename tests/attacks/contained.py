"""A kernel in a container: installs a filter like Docker's first, then attacks as ``ordinary`` does."""

from __future__ import annotations

import errno
import json
import os
import sys

import ordinary

from jupyter_sandbox.isolation import system
from jupyter_sandbox.isolation.bpf import Allow, Decision, Match, Refuse, When, assemble, encode
from jupyter_sandbox.isolation.syscalls import AUDIT, NUMBERS

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


if __name__ == "__main__":
    install(LANDLOCK if sys.argv[3] == "old" else "")
    ordinary.main(sys.argv[1], json.loads(sys.argv[2]))
