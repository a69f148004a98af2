# syntax=docker/dockerfile:1
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY rotator ./rotator
RUN python -m venv /opt/rotator \
 && /opt/rotator/bin/pip install --no-cache-dir --no-compile . \
 && /opt/rotator/bin/pip uninstall --yes pip

FROM python:3.12-slim
COPY --from=build /opt/rotator /opt/rotator
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
ENV PATH=/opt/rotator/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /etc/rotator
ENTRYPOINT ["rotator"]
CMD ["run"]
