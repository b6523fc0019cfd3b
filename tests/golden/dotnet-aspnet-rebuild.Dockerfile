FROM mcr.microsoft.com/dotnet/sdk:8.0 AS build
WORKDIR /src
COPY . .
RUN dotnet publish -c Release -o /app
WORKDIR /app

# What is needed when it runs is gathered in one place.
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

# The image that is shipped: that, and nothing else.
FROM gcr.io/distroless/cc-debian12:nonroot@sha256:5555555555555555555555555555555555555555555555555555555555555555
COPY --from=build /plimsoll-root/ /

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
