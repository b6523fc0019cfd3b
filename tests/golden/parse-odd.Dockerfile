# syntax=docker/dockerfile:1
# escape=\

# A comment before anything
ARG VERSION=3.11
ARG REGISTRY="docker.io/library"

from ${REGISTRY}/python:${VERSION} as Build
	WORKDIR	/app
RUN apt-get update \
 # a comment between
 && apt-get install -y \

      gcc \
      libpq-dev
RUN <<EOF
echo FROM scratch
COPY is not an instruction here
EOF
RUN python3 <<'PY' > /out && echo "no <<HERE doc"
print("FROM x")
PY
COPY <<-one <<two /etc/
	tabbed
	one
second
two
COPY --from=0 --chown=1:1 ["/a b", "/c"]
ENV A=1 \
    B="two words" \
    C=3
ENV OLD style value with spaces
HEALTHCHECK --interval=30s --timeout=3s \
  CMD curl -f http://localhost/ || exit 1
ONBUILD RUN echo hi
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
FROM --platform=linux/amd64 python:3.11-slim
CMD [ "python", "-m", "app" ]
