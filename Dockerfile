# The plugin, built against an old glibc so that it loads into every supported
# Fluent Bit, and laid over Fluent Bit's own image.
ARG GO_VERSION=1.26
ARG FLUENT_BIT_VERSION=5.1.1

FROM golang:${GO_VERSION}-bullseye AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN make build

FROM fluent/fluent-bit:${FLUENT_BIT_VERSION}
COPY --from=build /src/build/out_dossier.so /usr/lib/dossier/out_dossier.so
COPY --from=build /src/build/dossier /usr/bin/dossier
COPY conf/ /etc/dossier/
# The configurations in conf/ load the plugin themselves.
CMD ["/fluent-bit/bin/fluent-bit", "-c", "/etc/dossier/dossier-decnet.yaml"]
