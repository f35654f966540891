"""The work of tasks in tests."""

from __future__ import annotations

from typing import Any

from jupyter_sandbox.otp import OtpContext


async def work(self: OtpContext, ms: int, value: Any = "done") -> Any:
    """Takes its time."""
    await self.sleep(ms)
    if isinstance(value, BaseException):
        raise value
    return value
