ARG PYTHON=3.11
FROM python:${PYTHON} AS build
RUN apt-get update && apt-get install -y libpq-dev jq gcc
# Who built it
ARG REVISION
RUN useradd -m shop
WORKDIR /app
COPY requirements.txt ./
# Packages go into one directory that the final stage can take as a whole.
RUN python -m venv /opt/venv
ENV VIRTUAL_ENV=/opt/venv PIP_NO_CACHE_DIR=1 PATH="/opt/venv/bin:$PATH"
RUN pip install -r requirements.txt psycopg2
COPY . .
COPY entrypoint.sh /

# Nothing installs packages from here on.
RUN /opt/venv/bin/python -m pip uninstall -y pip \
 && rm -rf \
      /app/.git

# The image that is shipped: a small base with the same Python, and only what the program needs.
FROM python:3.11-slim@sha256:5555555555555555555555555555555555555555555555555555555555555555
ARG REVISION
LABEL revision=$REVISION

# Accounts, certificates and data that the base lacks.
COPY --from=build /etc/passwd /etc/group /etc/

# System packages that the program loads or calls when it runs.
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      jq \
      libpq5 \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/*

# Every Python package, in one directory.
COPY --from=build /opt/venv /opt/venv

# Shared libraries that these need and the base lacks.
COPY --from=build /usr/lib/x86_64-linux-gnu/libgss.so.2 /usr/lib/x86_64-linux-gnu/

# The application.
COPY --from=build /app /app
COPY --from=build /srv /srv
COPY --from=build /entrypoint.sh /

# Links, owners and modes as they were.
RUN mkdir -p /home/shop \
 && chown 1000:1000 /home/shop \
 && chmod 700 /home/shop

# How it runs.
ENV GREETING="say \"hi\" to \$HOME \\ now"
ENV DB_PASSWORD=x
ENV VIRTUAL_ENV=/opt/venv
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LABEL org.opencontainers.image.title="The \"shop\""
WORKDIR /app
VOLUME ["/srv/media"]
EXPOSE 8000
USER shop
HEALTHCHECK --interval=30s --timeout=1.5s CMD ["/bin/sh", "-c", "python -c 'import site' || exit 1"]
ENTRYPOINT ["/entrypoint.sh"]
CMD ["gunicorn", "site.wsgi"]
