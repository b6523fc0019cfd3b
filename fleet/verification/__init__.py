"""A suggestion built and run on a real engine, beside the image that it would replace.

Whoever works on it needs no database: ``verify.py`` is the whole of it. ``jobs.py`` keeps what came of it in rows.
"""
