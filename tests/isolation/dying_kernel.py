"""A kernel for tests to kill: starts guests, makes them stubborn, tells all pids and waits for its end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys

from jupyter_sandbox.isolation.zygote import Zygote
from jupyter_sandbox.model.boot import Boot

STUBBORN = (
    "pass",
    "while True: pass",
    "sum(range(10**15))",
    "import time\nwhile True:\n  try: time.sleep(1000)\n  except BaseException: pass",
    "import signal\nfor n in range(1, 32):\n  if n not in (9, 19): signal.signal(n, signal.SIG_IGN)\nwhile True: pass",
    "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
    "import threading, time; [threading.Thread(target=time.sleep, args=(1000,)).start() for _ in range(5)]",
    "import sys\nwhile True: sys.stdout.write('x' * 1000)",
)


async def main(stop_zygote: bool) -> None:
    """Until killed."""
    zygote = await Zygote.start(entry="told_guest:run", sys_path=sys.path)
    guests = [await zygote.fork(Boot(f"g{number}")) for number in range(len(STUBBORN))]
    loop = asyncio.get_running_loop()
    for guest, text in zip(guests, STUBBORN, strict=True):
        await loop.sock_sendall(guest.control, json.dumps("pass").encode() + b"\n")
        await loop.sock_recv(guest.control, 100)
        await loop.sock_sendall(guest.control, json.dumps(text).encode() + b"\n")
    await loop.sock_recv(guests[0].control, 100)
    if stop_zygote:
        os.kill(zygote.pid, signal.SIGSTOP)
    print(json.dumps([zygote.pid, *(guest.pid for guest in guests)]), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] == "stop"))
