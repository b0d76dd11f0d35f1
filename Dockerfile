# The platform: dashboard, API and engine in one process, with Helm beside it.  Runs as nobody in particular on a
# read-only root file system; it writes to /data (its database, when that is SQLite, and its key) and to /tmp.

FROM golang:1.26-trixie AS helm
ARG HELM_VERSION=v4.2.3
RUN CGO_ENABLED=0 GOBIN=/out go install -trimpath \
    -ldflags "-s -w -X helm.sh/helm/v4/internal/version.version=${HELM_VERSION}" \
    helm.sh/helm/v4/cmd/helm@${HELM_VERSION}

FROM python:3.13-slim-trixie AS python
WORKDIR /build
RUN python -m venv --without-pip /opt/storefleet
COPY requirements.lock .
RUN python -m pip --python /opt/storefleet/bin/python install --no-cache-dir --disable-pip-version-check \
    --require-hashes --only-binary :all: --requirement requirements.lock
COPY . .
RUN python -m pip --python /opt/storefleet/bin/python install --no-cache-dir --disable-pip-version-check --no-deps .

FROM python:3.13-slim-trixie
LABEL org.opencontainers.image.title="Storefleet" \
      org.opencontainers.image.description="Online shops on Kubernetes, one click each" \
      org.opencontainers.image.source="https://github.com/storefleet/storefleet" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin storefleet \
    && install --directory --owner 10001 --group 10001 --mode 0700 /data
COPY --from=helm /out/helm /usr/local/bin/helm
COPY --from=python /opt/storefleet /opt/storefleet
ENV PATH=/opt/storefleet/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    STOREFLEET_DATA_DIR=/data
USER 10001:10001
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["storefleet"]
CMD ["serve", "--host", "0.0.0.0"]
