FROM registry.access.redhat.com/ubi9 AS build
RUN dnf install -y nodejs nodejs-npm gcc-c++ make
WORKDIR /opt/app-root/src
COPY . .
RUN npm ci

# What is needed when it runs is gathered in one place.
USER 0
RUN cd / \
 && mkdir -p -m 755 /plimsoll-root \
 && cp -a --parents \
      opt \
      usr/bin/node \
      usr/bin/npm \
      usr/lib/node_modules \
      /plimsoll-root/

# The image that is shipped: that, and nothing else.
FROM redhat/ubi9-minimal:latest@sha256:5555555555555555555555555555555555555555555555555555555555555555
COPY --from=build /plimsoll-root/ /

# How it runs.
WORKDIR /opt/app-root/src
EXPOSE 8080
USER 1001
CMD ["node", "server.js"]
