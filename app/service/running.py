"""`earsight serve`: begins, listens, and ends when it is told to, with what it has begun."""

import asyncio
import logging
import os
import resource
import signal
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn

from ...common.batch_run import share_cores
from ...common.errors import EarsightError
from ...common.model_folder import find_model, read_config
from ...common.signals import grace, told
from .application import application
from .connections import is_local, listen, timed_protocol
from .folders import upload_folder
from .gate import JsonLines
from .metrics import Metrics
from .pool import Pool
from .processes import ProcessPool
from .service import Service
from .settings import KEYS, Settings, read_keys

AT_ONCE = 1.0  # seconds for requests under way after Ctrl-C, which is a person's
MARGIN = 1.0  # seconds more than the requests have, to end the workers
LEAVE_RAY = 30.0  # seconds for a cluster's processes to end
LOOK = 0.05  # seconds between two looks whether a signal has come


def serve(settings: Settings) -> int:
    """Serve until a signal comes.

    Returns:
        0 where all requests under way were answered, else 128 and the signal's number.

    Raises:
        EarsightError: it cannot begin.
    """
    _log_as_json()
    _check(settings)
    keys = read_keys(settings.keys)
    with upload_folder(settings.temporary) as folder, listen(settings.host, settings.port) as place:
        port = place.getsockname()[1]
        if not is_local(settings.host) and not keys:
            print(f"warning: whoever reaches {settings.host}:{port} can use it; name keys with --keys FILE",
                  file=sys.stderr, flush=True)
        end = MARGIN + AT_ONCE + (LEAVE_RAY if settings.ray else 0)
        with grace(settings.drain + end, deferred=True), _pool(settings) as pool:
            return asyncio.run(_serve(Service(settings, pool, Metrics(pool), folder, keys), place))


@contextmanager
def _pool(settings: Settings) -> Iterator[Pool]:
    """Who works: processes of this machine, or replicas in a Ray cluster."""
    limits = settings.max_queue, settings.max_time, settings.max_memory * 1e9
    if not settings.ray:
        jobs, threads = share_cores(settings.jobs, sys.maxsize)
        yield ProcessPool(settings.model, jobs, threads, *limits)
        return
    from ..cluster import LOCAL, cluster
    from .ray_pool import RayPool

    os.environ.pop(KEYS, None)  # the cluster's processes need none
    with cluster(settings.ray, settings.jobs or 0, "ray.serve") as ray:
        jobs = settings.jobs or int(ray.cluster_resources().get("CPU", 1))
        yield RayPool(ray, settings.model, jobs, 1, *limits, shared=settings.ray == LOCAL)


class _Server(uvicorn.Server):
    """uvicorn's, which leaves the signals to `common.signals`."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(service: Service, place: socket.socket) -> int:
    settings = service.settings
    config = uvicorn.Config(
        application(service), http=timed_protocol(settings.idle_time, settings.max_connections), ws="websockets-sansio",
        log_config=None, access_log=False, lifespan="off", server_header=False, timeout_keep_alive=5,
        timeout_graceful_shutdown=1, h11_max_incomplete_event_size=1 << 15,
        ssl_certfile=settings.certificate, ssl_keyfile=settings.certificate_key)
    server = _Server(config)
    ending = asyncio.create_task(_end_when_told(server, settings.drain))
    beginning = asyncio.ensure_future(service.pool.start())
    done, _ = await asyncio.wait((beginning, ending), return_when=asyncio.FIRST_COMPLETED)
    try:
        if beginning not in done:
            beginning.cancel()
            return 0
        await beginning
        scheme = "https" if settings.certificate else "http"
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        print(f"earsight serves at {scheme}://{host}:{place.getsockname()[1]}", flush=True)
        await server.serve([place])
        cut = len(server.server_state.tasks)
        return 128 + told() if cut and told() else 0
    finally:
        ending.cancel()
        await service.pool.close()


async def _end_when_told(server: uvicorn.Server, drain: float) -> None:
    """Have the server end once a signal has come."""
    while not told():
        await asyncio.sleep(LOOK)
    server.config.timeout_graceful_shutdown = round(drain if told() == signal.SIGTERM else AT_ONCE)
    server.should_exit = True


def _check(settings: Settings) -> None:
    """Raise EarsightError for options that cannot be met, before anything is begun."""
    for model, medium, task in ((settings.model, "speech", "ctc"), (settings.video_model, "video", "classification")):
        config = read_config(find_model(model))
        if (config.medium, config.task) != (medium, task):
            raise EarsightError(f"model {model} is for {config.medium} and {config.task}; for this a model of {medium} "
                                f"and {task} is needed (see `earsight models`)")
    if settings.certificate_key and not settings.certificate:
        raise EarsightError("--certificate-key goes with --certificate; name both")
    if settings.certificate:
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(settings.certificate,
                                                                                settings.certificate_key)
        except OSError as error:  # ssl.SSLError too
            raise EarsightError(f"{settings.certificate}: no certificate with its key can be read ({error.strerror}); "
                                "name PEM files with --certificate and --certificate-key") from error
    with suppress(ValueError, OSError):  # as many sockets as the system allows
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _log_as_json() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    for name, level in (("earsight.service", logging.INFO), ("uvicorn", logging.WARNING),
                        ("asyncio", logging.ERROR), ("python_multipart", logging.ERROR)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
