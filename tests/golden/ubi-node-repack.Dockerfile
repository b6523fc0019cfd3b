# The same program on redhat/ubi9-minimal:latest, made from the published image alone: no other file
# is needed. Build it with: docker build -t NAME - < Dockerfile

# Stage 1: the image as it was published. What is needed of it is gathered in one place.
FROM registry.test/team/app@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd AS original
USER 0
RUN cd / \
 && mkdir -p -m 755 /plimsoll-root \
 && cp -a --parents \
      opt \
      usr/bin/node \
      usr/bin/npm \
      usr/lib/node_modules \
      /plimsoll-root/

# Stage 2: that, and nothing else.
FROM redhat/ubi9-minimal:latest@sha256:5555555555555555555555555555555555555555555555555555555555555555
COPY --from=original /plimsoll-root/ /

# How it runs.
WORKDIR /opt/app-root/src
EXPOSE 8080
USER 1001
CMD ["node", "server.js"]
