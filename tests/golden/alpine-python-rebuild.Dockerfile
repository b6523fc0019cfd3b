FROM python:3.11-alpine AS build
RUN apk add gcc musl-dev postgresql17-dev
RUN pip install gunicorn psycopg2
WORKDIR /app
COPY . .

# Nobody needs these when it runs.
RUN rm -rf \
      /usr/bin/gcc \
      /usr/include \
      /usr/lib/libc.a \
      /usr/libexec

# The image that is shipped: what is left, in one layer.
FROM scratch
COPY --from=build / /

# How it runs, unchanged.
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ENV LANG=C.UTF-8
ENV PYTHON_VERSION=3.11.7
WORKDIR /app
EXPOSE 8000
CMD ["gunicorn", "shop:app"]
