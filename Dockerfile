# Two stages: the first installs into a virtual environment, the second copies only that environment.

FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /opt/ringside
COPY requirements.lock ./
RUN /opt/ringside/bin/pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY packager packager
COPY origin origin
COPY profiles profiles
RUN /opt/ringside/bin/pip install --no-cache-dir --no-deps . \
 && /opt/ringside/bin/python -m origin.runtime.control.players \
 && find /opt/ringside/share/ringside -name '*.map' -delete \
 && /opt/ringside/bin/pip uninstall --yes pip

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/ringside --create-home ringside
COPY --from=build /opt/ringside /opt/ringside
COPY profiles/container.yaml /etc/ringside/ringside.yaml
COPY deploy/healthcheck /usr/local/bin/healthcheck
ENV PATH=/opt/ringside/bin:$PATH PYTHONUNBUFFERED=1
USER ringside
WORKDIR /var/lib/ringside
VOLUME /var/lib/ringside
# Public port, control port, and the ports of RTMP and HTTP push, which are open if a source uses them.
EXPOSE 8080 8081 1935 8082
HEALTHCHECK --interval=5s --timeout=2s --start-period=20s CMD ["healthcheck"]
ENTRYPOINT ["ringside"]
CMD ["run", "-c", "/etc/ringside/ringside.yaml"]
