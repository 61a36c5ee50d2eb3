# Real services for the tests: what people put into one container.
ARG BASE
FROM ${BASE}
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        nginx-light redis-server python3-minimal python3 procps \
    && rm -rf /var/lib/apt/lists/*
