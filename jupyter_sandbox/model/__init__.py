"""Plain frozen values that every other layer speaks in. Imports the standard library only."""
