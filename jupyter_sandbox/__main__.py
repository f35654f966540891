"""``python -m jupyter_sandbox doctor``: what protects you from a sandbox on this machine, layer by layer, tried out."""

from __future__ import annotations

import sys

USAGE = "usage: python -m jupyter_sandbox doctor"


def main(arguments: list[str]) -> int:
    """The exit code: 0 strict, 1 a weaker profile, 2 no sandbox or a wrong command."""
    if arguments != ["doctor"]:
        print(USAGE, file=sys.stderr)  # noqa: T201 - this is a command
        return 2
    from .model.errors import Unsupported
    from .model.platforms import require_platform

    try:
        require_platform()
    except Unsupported as error:
        print(error)  # noqa: T201
        return 2
    from .isolation import doctor

    return doctor.main()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
