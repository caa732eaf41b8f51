# The daemon and what it starts, and nothing else: git and the ssh client, kustomize, helm.
#
#   docker buildx build --build-arg SOURCE_DATE_EPOCH=0 --output type=image,name=gitopsd,rewrite-timestamp=true .
#
# Python packages are held to their hashes by image/*.lock, kustomize and helm to their modules' by rig/go/*/go.sum.
# Two builds on one base are equal. Where a proxy has a certificate of its own, the build secret `ca` is what pip and go
# trust. kustomize and helm that were built elsewhere take the place of theirs: --build-context tools=FOLDER.
ARG BASE=debian:trixie-slim

FROM ${BASE} AS pip
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates python3-pip python3-venv \
 && rm -rf /var/lib/apt/lists/*
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ONLY_BINARY=:all: PIP_REQUIRE_HASHES=1 \
    PIP_ROOT_USER_ACTION=ignore


FROM pip AS tools
COPY image/go.lock /src/
RUN --mount=type=secret,id=ca \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi \
 && pip install --quiet --target /opt/go -r /src/go.lock
COPY rig/go/kustomize/ /src/kustomize/
COPY rig/go/helm/ /src/helm/
ENV CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS="-mod=readonly -trimpath -buildvcs=false" PATH=/opt/go/go/bin:$PATH
WORKDIR /src/kustomize
RUN --mount=type=secret,id=ca \
    if [ -s /run/secrets/ca ]; then export SSL_CERT_FILE=/run/secrets/ca; fi \
 && go build -ldflags="-s -w" -o /kustomize sigs.k8s.io/kustomize/kustomize/v5
WORKDIR /src/helm
RUN --mount=type=secret,id=ca \
    if [ -s /run/secrets/ca ]; then export SSL_CERT_FILE=/run/secrets/ca; fi \
 && go build -ldflags="-s -w" -o /helm helm.sh/helm/v4/cmd/helm


FROM pip AS daemon
COPY image/runtime.lock image/build.lock /src/
RUN --mount=type=secret,id=ca \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi \
 && python3 -m venv --without-pip /opt/gitopsd \
 && pip --python /opt/gitopsd/bin/python install --quiet --no-compile --no-deps -r /src/runtime.lock \
 && rm -rf /opt/gitopsd/bin/[Aa]ctivate* /opt/gitopsd/lib/python3.13/site-packages/bazel-project \
    /opt/gitopsd/lib/python3.13/site-packages/kubernetes/aio \
 && find /opt/gitopsd/lib/python3.13/site-packages -name tests -prune -exec rm -rf {} + \
 && python3 -B -m compileall -q --invalidation-mode unchecked-hash /opt/gitopsd/lib \
 && python3 -m venv /opt/build \
 && /opt/build/bin/pip install --quiet -r /src/build.lock
COPY pyproject.toml README.md LICENSE /src/
COPY gitopsd/ /src/gitopsd/
WORKDIR /src
RUN SOURCE_DATE_EPOCH=315532800 PATH=/opt/build/bin:$PATH hatchling build -t wheel -d /dist \
 && PIP_REQUIRE_HASHES=0 pip --python /opt/gitopsd/bin/python install --quiet --no-compile --no-deps --no-index /dist/*.whl \
 && rm -f /opt/gitopsd/lib/python3.13/site-packages/gitopsd-*.dist-info/direct_url.json \
 && python3 -B -m compileall -q --invalidation-mode unchecked-hash /opt/gitopsd/lib/python3.13/site-packages/gitopsd \
 && /opt/build/bin/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml --validate \
    -o /src/python.cdx.json /opt/gitopsd/bin/python \
 && find /opt/gitopsd/bin -type f ! -name gitopsd -delete \
 && find /opt/gitopsd/lib -type d -name test -prune -exec rm -rf {} + \
 && rm -rf /opt/gitopsd/include /opt/gitopsd/.gitignore


FROM ${BASE} AS runtime
# What git's package asks for and `git fetch` does not need (perl, its servers, manuals) goes; so does every trace of
# when it was built.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates git openssh-client python3 tini \
 && dpkg --purge --force-depends git-man liberror-perl perl perl-modules-5.40 libperl5.40 \
 && rm -f /usr/bin/git-shell /usr/bin/scalar /usr/lib/git-core/scalar \
    /usr/lib/git-core/git-daemon /usr/lib/git-core/git-http-backend /usr/lib/git-core/git-http-push \
    /usr/lib/git-core/git-imap-send /usr/lib/git-core/git-shell \
 && find /usr/lib/python3* /usr/share/python3 -name __pycache__ -prune -exec rm -rf {} + \
 && python3 -B -m compileall -q --invalidation-mode unchecked-hash /usr/lib/python3.13 \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /var/lib/dpkg/*-old /usr/share/doc /usr/share/man \
 && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
 && printf 'gitopsd:x:65532:65532::/var/cache/gitopsd:/usr/sbin/nologin\n' >>/etc/passwd \
 && printf 'gitopsd:x:65532:\n' >>/etc/group \
 && install -d -o 65532 -g 65532 -m 0700 /var/cache/gitopsd


FROM daemon AS sbom
COPY image/sbom.py /src/
COPY --from=runtime /usr/lib/os-release /var/lib/dpkg/status /src/
COPY --from=tools /helm /kustomize /src/
RUN /opt/build/bin/python sbom.py python.cdx.json os-release status helm kustomize >/opt/gitopsd/sbom.cdx.json


FROM runtime
COPY --from=tools /kustomize /helm /usr/local/bin/
COPY --from=sbom /opt/gitopsd/ /opt/gitopsd/
# The one place that is written to: the cache, which may be lost at any time, and passing files beside it.
ENV HOME=/var/cache/gitopsd TMPDIR=/var/cache/gitopsd XDG_CACHE_HOME=/var/cache PATH=/opt/gitopsd/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /var/cache/gitopsd
VOLUME /var/cache/gitopsd
EXPOSE 8080
ENTRYPOINT ["/usr/bin/tini", "--", "gitopsd"]
CMD ["run", "--config", "/etc/gitopsd/config.yaml"]
