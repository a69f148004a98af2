# An interpreter, its libraries and rotator: the image has no shell, no pip and no package manager.
# The same input gives the same layers: every dependency has its hash, no file has a time of its own
# and compiled modules name the hash of their source. docs/deploy.md has the commands.
#
# A Debian with a Python of 3.11 or newer, found at build time only. Pin it by digest in a release.
ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS build
# Seconds since 1970 that files are given, as reproducible-builds.org has it.
ARG SOURCE_DATE_EPOCH=0
ENV PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
    PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
# `sandbox` makes the image of deploy/compose.yaml, which has the stand-ins for Arize and Vault as well.
ARG LOCK=image
WORKDIR /src
COPY requirements requirements
RUN python3 -m venv /opt/build \
 && python3 -m venv --without-pip /opt/rotator \
 && /opt/build/bin/pip install --require-hashes --only-binary :all: -r requirements/build.txt \
 && /opt/build/bin/pip --python /opt/rotator/bin/python install \
      --require-hashes --only-binary :all: -r "requirements/${LOCK}.txt"
COPY pyproject.toml README.md LICENSE ./
COPY rotator rotator
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
 && /opt/build/bin/pip --python /opt/rotator/bin/python install --no-deps --no-index /dist/*.whl
COPY deploy/image/root.py /usr/local/sbin/root.py
RUN python3 /usr/local/sbin/root.py /opt/rotator /root-of-the-image

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="rotator" \
      org.opencontainers.image.description="Rotates Arize API keys and keeps the one in HashiCorp Vault working." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /root-of-the-image /
# The page for health and metrics, for this container alone; for others it wants a token.
ENV PATH=/opt/rotator/bin PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    ROTATOR_HTTP__LISTEN=127.0.0.1:9321
WORKDIR /etc/rotator
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["rotator", "health"]
ENTRYPOINT ["rotator"]
CMD ["run"]
