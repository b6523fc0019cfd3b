# The same program on nothing at all, made from the published image alone: no other file is needed.
# Build it with: docker build -t NAME - < Dockerfile

# Stage 1: the image as it was published. What is needed of it is gathered in one place.
FROM registry.test/team/app@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd AS original
USER 0
RUN mkdir -p -m 755 /plimsoll-root \
 && cd / \
 && cp -a --parents \
      etc/group \
      etc/os-release \
      etc/passwd \
      etc/pki \
      etc/ssl \
      lib64 \
      opt \
      usr/bin/env \
      usr/bin/node \
      usr/bin/npm \
      usr/lib \
      usr/lib64/ld-linux-x86-64.so.2 \
      usr/lib64/libc.so.6 \
      usr/lib64/libssl.so.3 \
      usr/lib64/libstdc++.so.6 \
      usr/share/zoneinfo \
      /plimsoll-root/ \
 && mkdir -p -m 1777 /plimsoll-root/tmp

# Stage 2: that, and nothing else.
FROM scratch
COPY --from=original /plimsoll-root/ /

# How it runs.
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
WORKDIR /opt/app-root/src
EXPOSE 8080
USER 1001
CMD ["node", "server.js"]
