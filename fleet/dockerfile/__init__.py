"""From facts to a Dockerfile that builds, with its estimate and its gates."""
