"""One of several kernels that take snapshots at the same time: ``python writing_kernel.py FILE ORIGIN COUNT``."""

from __future__ import annotations

import sys

from jupyter_sandbox.manager.store import SnapshotInfo, SnapshotStore


def main(path: str, origin: str, count: int) -> None:
    print("ready", flush=True)
    sys.stdin.readline()
    store = SnapshotStore(path, "/folder", origin)
    for number in range(count):
        name = f"{origin}-{number}"
        store.save("shop", SnapshotInfo(name, float(number), number, 1, 0), b"meta", origin.encode() * 1_000)
        found = store.load("shop", name)
        assert found is not None and found.blob == origin.encode() * 1_000
        store.save("shop", SnapshotInfo("same name", float(number), number, 1, 0), b"meta", origin.encode())
    store.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
