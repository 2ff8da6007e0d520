"""The engine by its socket, through ``docker`` (docker-py 5.0 and newer), imported late."""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from zope.interface import implementer

from rqd.config.settings import DockerSettings
from rqd.containers.interface import AGENT, Accounts, EngineAway, EngineRefused, Facts, IEngine

#: Bytes of a user database that are read at most.
_LARGEST = 4 << 20


@implementer(IEngine)
class DockerEngine:
    """One connection for each thread that asks, made when it asks first, and anew after trouble."""

    def __init__(self, settings: DockerSettings) -> None:
        self._settings = settings
        self._threads = threading.local()

    def version(self) -> str:
        with self._client() as client:
            told = client.version()
            return f"{told.get('Version', '?')} (API {client.api_version})"

    def image_id(self, name: str) -> str | None:
        with self._client() as client, _none_if_missing():
            return str(client.inspect_image(name)["Id"])
        return None

    def pull(self, name: str, tell: Callable[[Mapping[str, Any]], None]) -> None:
        with self._client() as client:
            for said in client.pull(name, stream=True, decode=True):
                if "error" in said:
                    raise EngineRefused(str(said["error"]))
                tell(said)

    def accounts(self, image: str, name: str, labels: Mapping[str, str]) -> Accounts:
        with self._client() as client:
            body = {"Image": image, "Entrypoint": ["/"], "Labels": labels}
            container = client.create_container_from_config(body, name)["Id"]
            try:
                return Accounts(*(_file(client, container, f) for f in ("passwd", "group")))
            finally:
                client.remove_container(container, v=True, force=True)

    def create(self, name: str, body: Mapping[str, Any]) -> None:
        with self._client() as client:
            client.create_container_from_config(body, name)

    def start(self, name: str) -> None:
        with self._client() as client:
            client.start(name)

    def look(self, name: str) -> Facts | None:
        with self._client() as client, _none_if_missing():
            state = client.inspect_container(name)["State"]
            return Facts(
                running=bool(state.get("Running")),
                pid=int(state.get("Pid") or 0),
                exit_code=int(state.get("ExitCode") or 0),
                oom_killed=bool(state.get("OOMKilled")),
                error=str(state.get("Error") or ""),
            )
        return None

    def ours(self, agent: str) -> list[str]:
        with self._client() as client:
            found = client.containers(all=True, filters={"label": [f"{AGENT}={agent}"]})
            return [container["Names"][0].lstrip("/") for container in found]

    def remove(self, name: str) -> None:
        with self._client() as client, _none_if_missing():
            client.remove_container(name, v=True, force=True)

    @contextmanager
    def _client(self) -> Iterator[Any]:
        """This thread's client. Trouble in our own words; after that, another one is made."""
        try:
            from docker.errors import APIError, DockerException
            from requests.exceptions import RequestException
            from urllib3.exceptions import HTTPError
        except ImportError as problem:
            raise EngineAway(f"the Python package docker is needed: {problem}") from problem
        try:
            yield self._connected()
        except APIError as problem:
            raise EngineRefused(str(problem.explanation or problem)) from problem
        except (DockerException, RequestException, HTTPError, OSError) as problem:
            self._threads.client = None
            raise EngineAway(f"{self._settings.socket}: {problem}") from problem

    def _connected(self) -> Any:
        client = getattr(self._threads, "client", None)
        if client is None:
            from docker import APIClient

            settings = self._settings
            client = self._threads.client = APIClient(
                base_url=settings.socket, version=settings.api_version, timeout=settings.timeout
            )
        return client


@contextmanager
def _none_if_missing() -> Iterator[None]:
    from docker.errors import NotFound

    with suppress(NotFound):
        yield


def _file(client: Any, container: str, name: str) -> bytes:
    """A file of ``/etc``, nothing if there is none."""
    with _none_if_missing():
        pieces, _ = client.get_archive(container, f"/etc/{name}")
        archive = io.BytesIO()
        for piece in pieces:
            archive.write(piece)
            if archive.tell() > _LARGEST:
                return b""
        archive.seek(0)
        with tarfile.open(fileobj=archive) as found:
            member = found.extractfile(found.getmembers()[0].name) if found.getmembers() else None
            return member.read(_LARGEST) if member is not None else b""
    return b""
