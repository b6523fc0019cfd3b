FROM node:20-bookworm AS build
WORKDIR /app
COPY package*.json ./
RUN npm install
COPY . .
RUN npm run build
ENV NODE_ENV=production

# What is needed when it runs is gathered in one place.
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
      /plimsoll-root/usr/local/lib/node_modules/npm \
 && chown -Rh 65532:65532 \
      /plimsoll-root/app

# The image that is shipped: that, and nothing else.
FROM node:20-bookworm-slim@sha256:5555555555555555555555555555555555555555555555555555555555555555
COPY --from=build /plimsoll-root/ /

# Its user has a name.
RUN echo 'nonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin' >> /etc/passwd \
 && echo 'nonroot:x:65532:' >> /etc/group

# How it runs.
ENV NODE_ENV=production
ENV HOME=/tmp
WORKDIR /app
EXPOSE 3000
USER 65532:65532
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["node_modules/.bin/next", "start"]
