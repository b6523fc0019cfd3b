# The same program on a smaller base (python:3.11-slim), made from the published image alone: no other
# file is needed. Build it with: docker build -t NAME - < Dockerfile

# Stage 1: the published image, less what nobody needs.
FROM registry.test/team/app@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd AS original
USER 0
RUN rm -rf \
      /app/.git \
      /usr/local/lib/python3.11/site-packages/pip \
      /usr/local/lib/python3.11/site-packages/pip-23.2.dist-info \
      /usr/local/lib/python3.11/site-packages/setuptools \
      /usr/local/lib/python3.11/site-packages/setuptools-65.5.dist-info
USER shop

# Stage 2: a small base with the same Python, and what the program needs.
FROM python:3.11-slim@sha256:5555555555555555555555555555555555555555555555555555555555555555

# Accounts, certificates and data that the base lacks.
COPY --from=original /etc/passwd /etc/group /etc/

# System packages that the image was built with and may call when it runs.
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      jq \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/*

# Python packages, and the programs that came with them.
COPY --from=original /usr/local/lib/python3.11/site-packages /usr/local/lib/python3.11/site-packages
COPY --from=original /usr/local/bin/django-admin /usr/local/bin/gunicorn /usr/local/bin/

# The application.
COPY --from=original /app /app
COPY --from=original /srv /srv
COPY --from=original /entrypoint.sh /

# Shared libraries that these need and the base lacks.
COPY --from=original /usr/lib/x86_64-linux-gnu/libgss.so.2 /usr/lib/x86_64-linux-gnu/libpq.so.5.15 /usr/lib/x86_64-linux-gnu/

# Links, owners and modes as they were.
RUN mkdir -p /home/shop \
 && chown 1000:1000 /home/shop \
 && chmod 700 /home/shop \
 && ldconfig

# How it runs, unchanged.
ENV GREETING="say \"hi\" to \$HOME \\ now"
ENV DB_PASSWORD=x
LABEL org.opencontainers.image.title="The \"shop\""
WORKDIR /app
VOLUME ["/srv/media"]
EXPOSE 8000
USER shop
HEALTHCHECK --interval=30s --timeout=1.5s CMD ["/bin/sh", "-c", "python -c 'import site' || exit 1"]
ENTRYPOINT ["/entrypoint.sh"]
CMD ["gunicorn", "site.wsgi"]
