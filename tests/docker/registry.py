"""A registry of one image, for whoever has its password."""

from __future__ import annotations

import base64
import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTCP
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web.http import NOT_FOUND, UNAUTHORIZED
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

_KIND = "application/vnd.docker"
_MANIFEST = f"{_KIND}.distribution.manifest.v2+json"
_CONFIG, _LAYER = f"{_KIND}.container.image.v1+json", f"{_KIND}.image.rootfs.diff.tar"


class _Plain(ProtocolWrapper):
    """Hangs up on TLS at once; engines try that first."""

    def dataReceived(self, data: bytes) -> None:
        if data.startswith(b"\x16"):
            self.loseConnection()
        else:
            super().dataReceived(data)


class _PlainFactory(WrappingFactory):
    protocol = _Plain


class Registry(Resource):
    """Serves what ``docker save`` wrote as ``studio/tools:1``; ``pulls`` counts its askers."""

    isLeaf = True

    def __init__(self, saved: Path, *, reactor: IReactorTCP) -> None:
        super().__init__()
        self.credentials = base64.b64encode(b"artist:secret").decode()
        self.pulls = 0
        self._blobs: dict[str, bytes] = {}
        with tarfile.open(saved) as archive:
            (image,) = json.load(self._member(archive, "manifest.json"))
            config = self._member(archive, image["Config"]).read()
            layers = [self._member(archive, layer).read() for layer in image["Layers"]]
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": self._keep(config, _CONFIG),
            "layers": [self._keep(layer, _LAYER) for layer in layers],
        }
        self._manifest = str(self._keep(json.dumps(manifest).encode(), _MANIFEST)["digest"])
        self._port = reactor.listenTCP(0, _PlainFactory(Site(self)), interface="127.0.0.1")
        self.address = f"127.0.0.1:{self._port.getHost().port}"

    @staticmethod
    def _member(archive: tarfile.TarFile, name: str) -> Any:
        return archive.extractfile(name)

    def _keep(self, blob: bytes, kind: str) -> dict[str, object]:
        digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
        self._blobs[digest] = blob
        return {"mediaType": kind, "size": len(blob), "digest": digest}

    def stop(self) -> Deferred[None]:
        """Clean-up; may be called again."""
        return maybeDeferred(self._port.stopListening)

    def render(self, request: Request) -> bytes:
        if request.getHeader("authorization") != f"Basic {self.credentials}":
            request.setHeader("WWW-Authenticate", 'Basic realm="studio"')
            return self._refuse(request, UNAUTHORIZED, "UNAUTHORIZED")
        path = request.path.decode()
        if path == "/v2/":
            return b"{}"
        name = path.rpartition("/")[2]
        digest = self._manifest if path == "/v2/studio/tools/manifests/1" else name
        if digest not in self._blobs:
            return self._refuse(request, NOT_FOUND, "MANIFEST_UNKNOWN")
        if "/manifests/" in path:
            request.setHeader("Content-Type", _MANIFEST)
            self.pulls += name == "1"
        request.setHeader("Docker-Content-Digest", digest)
        request.setHeader("Content-Length", str(len(self._blobs[digest])))
        return b"" if request.method == b"HEAD" else self._blobs[digest]

    @staticmethod
    def _refuse(request: Request, status: int, code: str) -> bytes:
        request.setResponseCode(status)
        return json.dumps({"errors": [{"code": code, "message": code.lower()}]}).encode()
