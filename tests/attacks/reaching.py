"""Attempts to reach what is around a sandbox: other programs, the network, the machine; and what each has to meet."""

from __future__ import annotations

from .tools import REFUSED

SIGNALS = {
    "kill the zygote": "_os.kill(_os.getppid(), 9)",
    "kill everybody": "_os.kill(-1, 9)",
    "kill the group of the zygote": "_os.killpg(_os.getpgid(_os.getppid()), 9)",
    "stop the kernel": "_os.kill({kernel}, 19)",
    "probe the kernel": "_os.kill({kernel}, 0)",
    "queue a signal": "syscall('rt_sigqueueinfo', {kernel}, 9, _ctypes.create_string_buffer(128))",
    "signal a thread": "syscall('tkill', {kernel}, 9)",
    "signal a thread of a group": "syscall('tgkill', {kernel}, {kernel}, 9)",
    "signal by pidfd": "_os.pidfd_open({kernel})",
    "steal a file of the kernel": "syscall('pidfd_getfd', 3, 0, 0)",
    "have a socket signal the kernel": """
        import fcntl, socket
        a, b = socket.socketpair()
        fcntl.fcntl(a, fcntl.F_SETOWN, {kernel})
        fcntl.fcntl(a, 10, 9)
        fcntl.fcntl(a, fcntl.F_SETFL, fcntl.fcntl(a, fcntl.F_GETFL) | _os.O_ASYNC)
        b.send(b'x')""",
    "have a socket signal the kernel by ioctl": """
        import fcntl, socket, struct
        a, b = socket.socketpair()
        fcntl.ioctl(a, 0x8901, struct.pack('i', {kernel}))""",
    "have a lease signal somebody": "import fcntl; fcntl.fcntl(open('own', 'w'), 1024, 1)",
    "slow the kernel down": "_os.setpriority(_os.PRIO_PROCESS, {kernel}, 19)",
    "pin the kernel to one processor": "_os.sched_setaffinity({kernel}, {0})",
    "change the limits of the kernel": "import resource; resource.prlimit({kernel}, 7, (3, 3))",
    "change how the kernel is scheduled": "_os.sched_setscheduler({kernel}, _os.SCHED_IDLE, _os.sched_param(0))",
    "move the memory of the kernel": "syscall('migrate_pages', {kernel}, 64, 0, 0)",
}
LOOKS = {
    "trace the kernel": "syscall('ptrace', 16, {kernel}, 0, 0)",
    "read the memory of the kernel": "syscall('process_vm_readv', {kernel}, 0, 0, 0, 0, 0)",
    "write the memory of the kernel": "syscall('process_vm_writev', {kernel}, 0, 0, 0, 0, 0)",
    "open the memory of the kernel": "open('/proc/{kernel}/mem', 'rb')",
    "open the memory of the zygote": "open(f'/proc/{_os.getppid()}/mem', 'rb')",
    "read the environment of the kernel": "open('/proc/{kernel}/environ').read()",
    "read the command line of the kernel": "open('/proc/{kernel}/cmdline').read()",
    "list the files of the kernel": "_os.listdir('/proc/{kernel}/fd')",
    "list all programs": "_os.listdir('/proc')",
    "list all connections": "open('/proc/self/net/tcp').read()",
    "compare with the kernel": "syscall('kcmp', _os.getpid(), {kernel}, 0, 0, 0)",
    "count events of the processor": "syscall('perf_event_open', _ctypes.create_string_buffer(128), 0, -1, -1, 0)",
    "read the log of the operating system": "syscall('syslog', 3, _ctypes.create_string_buffer(64), 64)",
    "list the robust futexes of the kernel": "syscall('get_robust_list', {kernel}, 0, 0)",
}
NETWORK = {
    "TCP": "socket.socket(socket.AF_INET, socket.SOCK_STREAM)",
    "TCP over IPv6": "socket.socket(socket.AF_INET6, socket.SOCK_STREAM)",
    "UDP": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "MPTCP": "socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)",
    "raw packets": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "raw ICMP": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "netlink": "socket.socket(16, socket.SOCK_RAW)",
    "vsock": "socket.socket(40, socket.SOCK_STREAM)",
    "the crypto of the operating system": "socket.socket(38, socket.SOCK_SEQPACKET)",
    "a unix socket": "socket.socket(socket.AF_UNIX)",
    "an abstract unix socket": "socket.socket(socket.AF_UNIX).connect('\\0x')",
    "datagrams out of a pair": "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
    "names": "socket.create_connection(('localhost', 80))",
    "binding one of a pair": "socket.socketpair()[0].bind('here')",
    "connecting one of a pair": "socket.socketpair()[0].connect('/run/systemd/journal/stdout')",
    "filters on a socket": "socket.socketpair()[0].setsockopt(1, 26, b'x' * 16)",
}
MACHINE = {
    "a user namespace": "syscall('unshare', 0x10000000)",
    "a network namespace": "syscall('unshare', 0x40000000)",
    "joining a namespace": "syscall('setns', 3, 0)",
    "a namespace with a thread": "syscall('clone', 0x10010f00, 0, 0, 0, 0)",
    "io_uring": "syscall('io_uring_setup', 8, _ctypes.create_string_buffer(120))",
    "keys": "syscall('keyctl', 0, -3, 0, 0, 0)",
    "adding a key": "syscall('add_key', b'user', b'x', b'y', 1, -3)",
    "bpf": "syscall('bpf', 0, 0, 0)",
    "userfaultfd": "syscall('userfaultfd', 0)",
    "mount": "syscall('mount', b'none', b'/', b'tmpfs', 0, 0)",
    "the new mount": "syscall('fsopen', b'tmpfs', 0)",
    "pivot_root": "syscall('pivot_root', b'.', b'.')",
    "chroot": "_os.chroot('.')",
    "personality": "syscall('personality', 0x0040000)",
    "a module of the kernel": "syscall('init_module', 0, 0, b'')",
    "reboot": "syscall('reboot', 0, 0, 0)",
    "the clock": "import time; time.clock_settime(time.CLOCK_REALTIME, 0)",
    "the host name": "import socket; socket.sethostname('evil')",
    "swap": "syscall('swapon', b'x', 0)",
    "files by handle": "syscall('open_by_handle_at', 3, 0, 0)",
    "watching files": "syscall('inotify_add_watch', 0, b'/', 0xfff)",
    "watching a folder by signal": "import fcntl; fcntl.fcntl(_os.open('.', 0), 1026, 2)",
    "a filter that lies to others": "syscall('seccomp', 1, 8, 0)",
    "flushing all disks": "syscall('sync')",
}
RIGHTS = {
    "limits up": "import resource; resource.setrlimit(7, (4096, 4096))",
    "limits up a little": "import resource; resource.setrlimit(7, (129, 129))",
    "outliving the kernel": "import ctypes; syscall('prctl', 1, 0, 0, 0, 0)",
    "hiding from the kernel": "syscall('prctl', 4, 0, 0, 0, 0)",
    "a tracer": "syscall('prctl', 0x59616d61, -1, 0, 0, 0)",
    "capabilities": "syscall('capset', (_ctypes.c_uint32 * 2)(0x20080522, 0), (_ctypes.c_uint32 * 6)(1 << 21))",
    "another user": "_os.setuid(12345)",
    "the user again": "_os.setresuid(0, 0, 0)",
    "other groups": "_os.setgroups([0])",
    "another session": "_os.setsid()",
    "another group of programs": "_os.setpgid(0, 0)",
    "typing into the terminal": "import fcntl; fcntl.ioctl(0, 0x5412, b'x')",
    "the console": "open('/dev/tty')",
    "the disk": "open('/dev/vda', 'rb')",
    "the memory of the machine": "open('/dev/mem', 'rb')",
    "the machine's virtual machines": "open('/dev/kvm', 'rb')",
}
HIDDEN_MEMORY = {
    "a memory file": "_os.memfd_create('x')",
    "a secret memory file": "syscall('memfd_secret', 0)",
    "shared memory": "from multiprocessing.shared_memory import SharedMemory; SharedMemory(create=True, size=1 << 20)",
    "shared memory of System V": "syscall('shmget', 0, 1 << 29, 0o1600)",
    "a message queue": "syscall('msgget', 0, 0o1600)",
    "a semaphore": "syscall('semget', 0, 1, 0o1600)",
    "a posix queue": "syscall('mq_open', b'x', 0o102, 0o600, 0)",
    "large pipes": "import fcntl; fcntl.fcntl(_os.pipe()[1], 1031, 1 << 20)",
}
CHILDREN = {
    "fork": "_os.fork() or _os._exit(0)",
    "vfork": "syscall('vfork') if _os.uname().machine == 'x86_64' else _os.fork()",
    "subprocess": "import subprocess; subprocess.run(['true'])",
    "a shell": "answer = {32512: 'EPERM', -1: 'EPERM'}.get(_os.system('true'), 'worked')",
    "exec": "_os.execv('/bin/sh', ['sh'])",
    "exec of a file descriptor": "syscall('execveat', 0, b'/bin/sh', 0, 0, 0)",
    "spawn": "_os.posix_spawn('/bin/true', ['true'], {})",
    "multiprocessing": "import multiprocessing as m; m.get_context('fork').Process(target=print).start()",
    "a fork bomb": """
        started = 0
        for _ in range(200):
            try:
                if _os.fork() == 0: _os._exit(0)
                started += 1
            except PermissionError: pass
        answer = 'EPERM' if not started else f'{started} children'""",
}
ALL = {
    **{f"signals: {name}": text for name, text in SIGNALS.items()},
    **{f"looks: {name}": text for name, text in LOOKS.items()},
    **{f"network: {name}": "import socket; " + text for name, text in NETWORK.items()},
    **{f"machine: {name}": text for name, text in MACHINE.items()},
    **{f"rights: {name}": text for name, text in RIGHTS.items()},
    **{f"memory: {name}": text for name, text in HIDDEN_MEMORY.items()},
    **{f"children: {name}": text for name, text in CHILDREN.items()},
}
_IN_THE_LIBRARY = {
    "network: names": {"[Errno -3] Temporary failure in name resolution"},
    "rights: limits up": {"ValueError", "EPERM"},
    "rights: limits up a little": {"ValueError", "EPERM"},
}
"""Attempts that end in the library that makes them."""


def fails(name: str, answer: object) -> bool:
    """Whether this is how the attempt has to end, here and elsewhere."""
    expected = _IN_THE_LIBRARY.get(name, REFUSED) | ({"ENOENT"} if "/dev/" in ALL[name] else set())
    return answer in expected
