# An outline from the image's history: base and sources are named by what history kept. Compare it
# with your own Dockerfile and adapt it before building.

FROM python:3.11@sha256:6666666666666666666666666666666666666666666666666666666666666666 AS build
WORKDIR /app
COPY requirements.txt /app/
# Packages go into one directory that the final stage can take as a whole.
RUN python -m venv /opt/venv
ENV VIRTUAL_ENV=/opt/venv PIP_NO_CACHE_DIR=1 PATH="/opt/venv/bin:$PATH"
RUN pip install -r requirements.txt
COPY . /app

# Nothing installs packages from here on.
RUN /opt/venv/bin/python -m pip uninstall -y pip \
 && rm -rf \
      /app/.git

# The image that is shipped: a small base with the same Python, and only what the program needs.
FROM python:3.11-slim@sha256:5555555555555555555555555555555555555555555555555555555555555555

# Every Python package, in one directory.
COPY --from=build /opt/venv /opt/venv

# The application. Its user may write to it.
COPY --from=build --chown=65532:65532 /app /app

# Links, owners and modes as they were. Its user has a name.
RUN echo 'nonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin' >> /etc/passwd \
 && echo 'nonroot:x:65532:' >> /etc/group

# The user has no home directory.
ENV HOME=/tmp

# How it runs.
ENV VIRTUAL_ENV=/opt/venv
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
WORKDIR /app
EXPOSE 8000
USER 65532:65532
CMD ["python", "/app/manage.py", "runserver", "0.0.0.0:8000"]
