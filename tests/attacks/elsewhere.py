"""A kernel somewhere else, of an ordinary user or in a container: attacks from its sandbox, prints what came of it."""

from __future__ import annotations

import json
import sys

from jupyter_sandbox.manager.manager import SandboxManager
from jupyter_sandbox.model.errors import SandboxError
from tests.attacks.tools import attempt


def main(profile: str, attempts: dict[str, str]) -> None:
    """One sandbox, one line of JSON."""
    with SandboxManager(store=":memory:") as manager:
        sandbox = manager.create(profile=profile or None, limits={"handler_budget": 40_000})
        protection = sandbox.info().protection
        answers = {}
        for name, source in attempts.items():
            try:
                answers[name] = sandbox.exec(f"{attempt(source)}\nanswer")
            except SandboxError as error:
                answers[name] = type(error).__name__
                sandbox.restart()
        layers = {layer.name: layer.active and layer.verified for layer in protection.layers} if protection else {}
        told = protection.not_stopped if protection else ()
        print(json.dumps([protection.profile if protection else "", layers, answers, told]))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
