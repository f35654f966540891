"""User code on its way into a sandbox: sources, reading, compiling, versions. The kernel never runs any of it."""
