# Two stages: everything is installed into one virtual environment, which is all that is kept.

FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /opt/ringside
COPY pyproject.toml README.md LICENSE ./
COPY packager packager
COPY origin origin
COPY profiles profiles
RUN /opt/ringside/bin/pip install --no-cache-dir . \
 && /opt/ringside/bin/python -m origin.runtime.players \
 && find /opt/ringside/share/ringside -name '*.map' -delete \
 && /opt/ringside/bin/pip uninstall --yes pip

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/ringside --create-home ringside
COPY --from=build /opt/ringside /opt/ringside
COPY profiles/container.yaml /etc/ringside/ringside.yaml
ENV PATH=/opt/ringside/bin:$PATH PYTHONUNBUFFERED=1
USER ringside
WORKDIR /var/lib/ringside
VOLUME /var/lib/ringside
EXPOSE 8080 8081
HEALTHCHECK --interval=5s --timeout=2s --start-period=20s CMD \
  ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
ENTRYPOINT ["ringside"]
CMD ["run", "-c", "/etc/ringside/ringside.yaml"]
