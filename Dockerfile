# One image for every process of Flaneur: worker, gateway, feeds, topics, import of the graph, replay of the demo.
# docker build -t flaneur .        Files in /app lie as in a checkout, and nothing in it is ever written.

# --- the web app -------------------------------------------------------------------------------------------------
FROM node:24.19.0-bookworm-slim AS web
WORKDIR /app/web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN npm ci --no-audit --no-fund
# the page walks a recorded walk by itself when it is asked to
COPY data/traces/altona/altona_walk.json /app/data/traces/altona/altona_walk.json
COPY web ./
RUN npm run build

# --- Python packages, as constraints.txt pins them -------------------------------------------------------------------
FROM python:3.11.14-slim-bookworm AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
WORKDIR /app
COPY constraints.txt pyproject.toml README.md LICENSE ./
# first all that others wrote: it changes seldom. The project itself needs no more than a line that says where it lies
RUN /opt/venv/bin/pip install -c constraints.txt hatchling \
    && /opt/venv/bin/pip install -c constraints.txt --no-build-isolation -e .

# --- what runs --------------------------------------------------------------------------------------------------------
FROM python:3.11.14-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/var/cache/flaneur \
    GRAPH_DIR=/var/lib/flaneur/graph
# the owner of a new volume is that of the folder it is mounted at
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent flaneur \
    && mkdir -p /var/cache/flaneur /var/lib/flaneur/graph /feeds \
    && chown -R flaneur: /var/cache/flaneur /var/lib/flaneur
WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY pyproject.toml LICENSE ./
COPY data data
COPY --from=web /app/web/dist web/dist
COPY geo geo
COPY models models
COPY streams streams
COPY gateway gateway
COPY agents agents
COPY bench bench
COPY cli cli
# byte code now: nothing can be written later
RUN python -m compileall -q agents bench cli gateway geo models streams
USER 10001:10001
EXPOSE 8080 9464
STOPSIGNAL SIGTERM
ENTRYPOINT ["flaneur"]
CMD ["--help"]
