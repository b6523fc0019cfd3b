# The same program on node:20-bookworm-slim, made from the published image alone: no other file is
# needed. Build it with: docker build -t NAME - < Dockerfile

# Stage 1: the image as it was published. What is needed of it is gathered in one place.
FROM registry.test/team/app@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd AS original
RUN mkdir -p -m 755 /plimsoll-root \
 && cd / \
 && cp -a --parents \
      app \
      usr/local \
      /plimsoll-root/ \
 && rm -rf \
      /plimsoll-root/app/.next/cache \
      /plimsoll-root/app/node_modules/eslint \
      /plimsoll-root/app/node_modules/typescript \
      /plimsoll-root/usr/local/bin/npm \
      /plimsoll-root/usr/local/lib/node_modules/npm

# Stage 2: that, and nothing else.
FROM node:20-bookworm-slim@sha256:5555555555555555555555555555555555555555555555555555555555555555
COPY --from=original /plimsoll-root/ /

# How it runs.
ENV NODE_ENV=production
WORKDIR /app
EXPOSE 3000
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["node_modules/.bin/next", "start"]
