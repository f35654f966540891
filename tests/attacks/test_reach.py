"""Attacks on what is around the sandbox: other programs, the network, the machine. All end in an error, at once."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from .conftest import Arena
from .reaching import ALL, fails


@pytest.mark.parametrize("name", ALL)
def test_reaching_out_of_the_sandbox_is_an_error_and_no_more(strict: Arena, name: str) -> None:
    sandbox = strict.attacker(limits={"handler_budget": 5_000})
    assert fails(name, strict.attempt(ALL[name], sandbox))
    assert strict.alive(sandbox)


def test_connecting_to_a_port_of_the_kernel_fails(strict: Arena) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        source = f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)"
        strict.refuses(source)


def test_the_numbers_of_another_machine_kill_the_sandbox(strict: Arena) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("int 0x80 is of x86")
    # mov eax, 20 (getpid of i386); int 0x80; ret
    source = """
    import ctypes, mmap
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(bytes.fromhex('b814000000cd80c3'))
    answer = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
    """
    sandbox = strict.attacker()
    assert strict.attack(source, sandbox).killed
    assert "SIGSYS" in sandbox.info().reason


def test_x32_calls_do_not_exist(strict: Arena) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("x32 is of x86")
    source = (
        "answer = _errno.errorcode[_ctypes.get_errno()] if _libc.syscall(0x40000000 + 59, b'/bin/sh', 0, 0) else ''"
    )
    assert strict.attempt(source) == "ENOSYS"


def test_a_new_zygote_is_not_fooled_by_a_file_in_the_working_folder(strict: Arena, tmp_path: Path) -> None:
    (tmp_path / "selectors.py").write_text("raise SystemExit('taken over')")
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        sandbox = strict.attacker()
        assert strict.alive(sandbox)
    finally:
        os.chdir(before)
