"""The kernel side: sandboxes, their life, limits, analytics and snapshots, on a thread and event loop of its own.

Never imports the guest, the runtime or the OTP library, and never unpickles a byte that a guest sent.
"""
