# The same program on gcr.io/distroless/cc-debian12:nonroot, made from the published image alone: no
# other file is needed. Build it with: docker build -t NAME - < Dockerfile

# Stage 1: the image as it was published. What is needed of it is gathered in one place.
FROM registry.test/team/app@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd AS original
RUN cd / \
 && mkdir -p -m 755 /plimsoll-root \
 && cp -a --parents \
      app \
      src \
      usr/bin/dotnet \
      usr/lib/x86_64-linux-gnu/libicudata.so.72 \
      usr/lib/x86_64-linux-gnu/libicuuc.so.72 \
      usr/share/dotnet \
      /plimsoll-root/ \
 && rm -rf \
      /plimsoll-root/usr/share/dotnet/packs \
      /plimsoll-root/usr/share/dotnet/sdk \
 && chown -Rh 65532:65532 \
      /plimsoll-root/app \
      /plimsoll-root/src

# Stage 2: that, and nothing else.
FROM gcr.io/distroless/cc-debian12:nonroot@sha256:5555555555555555555555555555555555555555555555555555555555555555
COPY --from=original /plimsoll-root/ /

# How it runs.
ENV DOTNET_VERSION=8.0.11
ENV ASPNET_VERSION=8.0.11
ENV ASPNETCORE_HTTP_PORTS=8080
ENV DOTNET_SDK_VERSION=8.0.404
ENV HOME=/tmp
WORKDIR /app
EXPOSE 8080
USER 65532:65532
ENTRYPOINT ["dotnet", "Shop.dll"]
CMD []
