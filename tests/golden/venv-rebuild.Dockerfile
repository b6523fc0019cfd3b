FROM python:3.11@sha256:6666666666666666666666666666666666666666666666666666666666666666 AS deps
RUN python -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir django

FROM python:3.11@sha256:6666666666666666666666666666666666666666666666666666666666666666 AS runtime
ENV PATH=/opt/venv/bin:$PATH
COPY --from=deps /opt/venv /opt/venv
WORKDIR /srv/site
COPY . .

# The image that is shipped: a small base with the same Python, and only what the program needs.
FROM python:3.11-slim@sha256:5555555555555555555555555555555555555555555555555555555555555555

# Programs, packages and settings of the system's directories.
COPY --from=runtime /opt /opt

# The application. Its user may write to it.
COPY --from=runtime --chown=65532:65532 /srv /srv

# Links, owners and modes as they were. Its user has a name.
RUN echo 'nonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin' >> /etc/passwd \
 && echo 'nonroot:x:65532:' >> /etc/group

# The user has no home directory.
ENV HOME=/tmp

# How it runs.
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
WORKDIR /srv/site
EXPOSE 8000
USER 65532:65532
CMD ["/bin/sh", "-c", "python manage.py serve --port ${PORT:-8000}"]
