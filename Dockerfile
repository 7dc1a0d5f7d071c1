# syntax=docker/dockerfile:1
# The program as it goes into production: static, without the sandbox, not as root. Two builds of the same sources on the same
# architecture give the same program. `make image-check` builds and tries it without a container engine, and
# `make image-file` writes the image without one.

FROM rust:1.95.0-bookworm AS build
# The image's toolchain is the pinned one; without its components for developers. No path of this stage gets into the program.
# The C library is linked in: glibc's, whose allocator is made for threads.
ENV RUSTUP_TOOLCHAIN=1.95.0 \
    CARGO_INCREMENTAL=0 \
    RUSTFLAGS="-Ctarget-feature=+crt-static --remap-path-prefix=/source=. --remap-path-prefix=/usr/local/cargo=cargo" \
    CFLAGS="-ffile-prefix-map=/source=. -ffile-prefix-map=/usr/local/cargo=cargo"
WORKDIR /source
COPY Cargo.toml Cargo.lock LICENSE ./
COPY crates crates
# A member of the workspace, which cargo reads and does not build.
COPY tests/stage tests/stage
COPY src src
ARG SOURCE_DATE_EPOCH=0
# The target is named so that the flags are not those of what runs at build time. The last steps show that the program runs
# with none of this stage's files, and give all files one time.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/source/target,sharing=locked \
    target="$(rustc -vV | sed -n 's/^host: //p')" && \
    cargo build --release --locked --features otlp --bin external-secrets --target "$target" && \
    install -D -m 755 "target/$target/release/external-secrets" /root-of-image/bin/external-secrets && \
    install -D -m 644 LICENSE /root-of-image/licenses/LICENSE && \
    chroot /root-of-image /bin/external-secrets --version && \
    find /root-of-image -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

# Certificates of public authorities, time zones and a user, and no shell.
FROM gcr.io/distroless/static-debian12:nonroot
LABEL org.opencontainers.image.title="external-secrets" \
      org.opencontainers.image.description="Brings Azure Key Vault secrets into Kubernetes Secrets" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /root-of-image/bin/external-secrets /bin/external-secrets
COPY --from=build /root-of-image/licenses /licenses
# By number, so that Kubernetes can see that it is not root.
USER 65532:65532
ENTRYPOINT ["/bin/external-secrets"]
