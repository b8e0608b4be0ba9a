# The plugin, built on Debian 12 (it then needs glibc 2.34: docs/compatibility.md)
# and laid over Fluent Bit's own image, which has no shell. This project has never
# built or run the image: tools/images holds this file against what is known of
# its bases.
ARG GO_VERSION=1.26
ARG FLUENT_BIT_VERSION=5.1.1

FROM golang:${GO_VERSION}-bookworm AS build
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
ENTRYPOINT ["/fluent-bit/bin/fluent-bit"]
CMD ["-c", "/etc/dossier/dossier-decnet.yaml"]
