FROM registry.access.redhat.com/ubi9 AS build
RUN dnf install -y nodejs nodejs-npm gcc-c++ make
WORKDIR /opt/app-root/src
COPY . .
RUN npm ci

# What is needed when it runs is gathered in one place.
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

# The image that is shipped: that, and nothing else.
FROM scratch
COPY --from=build /plimsoll-root/ /

# How it runs.
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
WORKDIR /opt/app-root/src
EXPOSE 8080
USER 1001
CMD ["node", "server.js"]
