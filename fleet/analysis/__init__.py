"""From files to facts: runtime, findings, what is base and what is ours."""
