# The same image without what its container does not need, made from the published image alone. Build
# it with: docker build -t NAME - < Dockerfile

# Stage 1: the image as it was published, less what nobody needs.
FROM registry.test/team/app@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd AS original
RUN rm -rf \
      /usr/bin/gcc \
      /usr/include \
      /usr/lib/libc.a \
      /usr/libexec

# Stage 2: what is left, in one layer: what an earlier layer held would still be pulled.
FROM scratch
COPY --from=original / /

# How it runs, unchanged.
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ENV LANG=C.UTF-8
ENV PYTHON_VERSION=3.11.7
WORKDIR /app
EXPOSE 8000
CMD ["gunicorn", "shop:app"]
