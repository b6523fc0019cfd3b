# The same program on a smaller base (python:3.11-slim), made from the published image alone: no other
# file is needed. Build it with: docker build -t NAME - < Dockerfile

# Stage 1: the image as it was published.
FROM registry.test/team/app@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd AS original

# Stage 2: a small base with the same Python, and what the program needs.
FROM python:3.11-slim@sha256:5555555555555555555555555555555555555555555555555555555555555555

# The application.
COPY --from=original /opt /opt
COPY --from=original /srv /srv

# How it runs, unchanged.
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
WORKDIR /srv/site
EXPOSE 8000
CMD ["/bin/sh", "-c", "python manage.py serve --port ${PORT:-8000}"]
