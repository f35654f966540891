"""The kernel side: sandboxes, their life, limits, analytics and snapshots, on a thread and event loop of its own.

Never imports the guest, the runtime or the OTP library, and never unpickles a byte that a guest sent.
"""

from ..model.platforms import require_platform

require_platform()  # every way in comes by here, before what only Unix has is imported
