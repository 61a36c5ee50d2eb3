# Stands in for the official Rust image: a C++ compiler, make and this machine's own toolchain.
ARG BASE
FROM ${BASE}
# Inherited by the stages that are built on it, which nobody else would tidy up.
LABEL circus-test-stage=builder
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ libc6-dev make \
    && rm -rf /var/lib/apt/lists/*
COPY bin /usr/local/bin
COPY lib /usr/local/lib
