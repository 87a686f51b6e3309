# syntax=docker/dockerfile:1
# One image for all parts: the server by default, `stackvm worker` and the migration as other commands.

FROM python:3.12-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
RUN python -m venv /opt/stackvm
# What changes rarely first: a change of ours alone installs no library anew.
COPY pyproject.toml constraints.txt README.md ./
RUN mkdir app && touch app/__init__.py \
    && /opt/stackvm/bin/pip install --constraint constraints.txt . \
    && /opt/stackvm/bin/pip uninstall --yes stackvm
COPY app ./app
RUN /opt/stackvm/bin/pip install --no-deps . \
    && /opt/stackvm/bin/python -m compileall -q /opt/stackvm/lib \
    && rm -rf /opt/stackvm/lib/python3.12/site-packages/pip /opt/stackvm/lib/python3.12/site-packages/pip-*

FROM python:3.12-slim-bookworm
ENV PATH=/opt/stackvm/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    VAR_DIR=/var/lib/stackvm \
    TOOLS_ROOT=/var/lib/stackvm/files \
    LOG_FORMAT=json
RUN groupadd --system --gid 10001 stackvm \
    && useradd --system --uid 10001 --gid stackvm --home-dir /var/lib/stackvm --shell /usr/sbin/nologin stackvm \
    && install --directory --owner stackvm --group stackvm /var/lib/stackvm /var/lib/stackvm/files
WORKDIR /srv/stackvm
COPY --from=build /opt/stackvm /opt/stackvm
COPY alembic ./alembic
COPY migrations.ini gunicorn.conf.py ./
# By number: Kubernetes can tell that it is not root.
USER 10001:10001
VOLUME /var/lib/stackvm
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
CMD ["gunicorn", "app:create_app()", "--bind", "0.0.0.0:8080"]
