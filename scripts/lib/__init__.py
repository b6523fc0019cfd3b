"""What scripts/demo and scripts/test share: the standard library alone, except where a module runs in .venv."""
