# The same program on a smaller base (python:3.11-slim), made from the published image alone: no other
# file is needed. Build it with: docker build -t NAME - < Dockerfile

# Stage 1: the published image, less what nobody needs.
FROM registry.test/team/app@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd AS original
RUN rm -rf \
      /app/.git \
      /usr/local/lib/python3.11/site-packages/pip \
      /usr/local/lib/python3.11/site-packages/pip-23.2.dist-info \
      /usr/local/lib/python3.11/site-packages/setuptools \
      /usr/local/lib/python3.11/site-packages/setuptools-65.5.dist-info

# Stage 2: a small base with the same Python, and what the program needs.
FROM python:3.11-slim@sha256:5555555555555555555555555555555555555555555555555555555555555555

# Python packages, and the programs that came with them.
COPY --from=original /usr/local/lib/python3.11/site-packages /usr/local/lib/python3.11/site-packages
COPY --from=original /usr/local/bin/django-admin /usr/local/bin/gunicorn /usr/local/bin/

# The application.
COPY --from=original /app /app

# How it runs, unchanged.
WORKDIR /app
EXPOSE 8000
CMD ["/bin/sh", "-c", "python /app/manage.py runserver 0.0.0.0:8000"]
