"""The virtual machine: a pure interpreter, what drives it, and what replays it."""
