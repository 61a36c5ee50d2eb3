# The original from PyPI, unmodified, with what it needs in the versions that we know.
ARG BASE
FROM ${BASE}
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3-pip \
    && rm -rf /var/lib/apt/lists/*
RUN pip install --break-system-packages --no-cache-dir --root-user-action ignore \
        --retries 1 --timeout 20 \
        circus==0.19.0 pyzmq==27.3.0 tornado==6.6.1 psutil==7.2.2
