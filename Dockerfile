# The program as it goes into production: static, without the sandbox, not as root.

FROM rust:1.95.0-alpine AS build
# For aws-lc, which is C and assembly.
RUN apk add --no-cache build-base
# The image's toolchain is the pinned one; without its components for developers.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /source
COPY Cargo.toml Cargo.lock ./
COPY src src
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked --bin external-secrets && \
    cp target/release/external-secrets /external-secrets

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /external-secrets /bin/external-secrets
USER 65532:65532
ENTRYPOINT ["/bin/external-secrets"]
