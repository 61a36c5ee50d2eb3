# Servers that take a socket which somebody else has bound.
ARG BASE
FROM ${BASE}
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        fcgiwrap gunicorn nodejs uvicorn \
    && rm -rf /var/lib/apt/lists/*
