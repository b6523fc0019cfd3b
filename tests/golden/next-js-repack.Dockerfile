# The same program on gcr.io/distroless/cc-debian12:nonroot, made from the published image alone: no
# other file is needed. Build it with: docker build -t NAME - < Dockerfile

# Stage 1: the image as it was published. What is needed of it is gathered in one place.
FROM registry.test/team/app@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd AS original
RUN cd / \
 && mkdir -p -m 755 /plimsoll-root \
 && cp -a --parents \
      app \
      usr/bin/env \
      usr/local/bin/node \
      usr/local/lib \
      /plimsoll-root/ \
 && rm -rf \
      /plimsoll-root/app/.next/cache \
      /plimsoll-root/app/node_modules/eslint \
      /plimsoll-root/app/node_modules/typescript \
      /plimsoll-root/usr/local/lib/node_modules/npm \
 && chown -Rh 65532:65532 \
      /plimsoll-root/app

# Stage 2: that, and nothing else.
FROM gcr.io/distroless/cc-debian12:nonroot@sha256:5555555555555555555555555555555555555555555555555555555555555555
COPY --from=original /plimsoll-root/ /

# How it runs.
ENV NODE_VERSION=20.18.1
ENV NODE_ENV=production
ENV HOME=/tmp
WORKDIR /app
EXPOSE 3000
USER 65532:65532
CMD ["node_modules/.bin/next", "start"]
