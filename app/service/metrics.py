"""Figures of the service, in Prometheus's format."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from .pool import Pool

SPEEDS = (1, 3, 10, 30, 100, 200, 300, 500, 1000)


class Metrics:
    """What is counted, and what is looked up when it is asked for."""

    def __init__(self, pool: Pool):
        self.registry = CollectorRegistry()
        self._requests = Counter("earsight_requests", "Requests", ("endpoint", "status"), registry=self.registry)
        self._seconds = Histogram("earsight_request_seconds", "From a request to the end of its answer",
                                  ("endpoint",), registry=self.registry)
        self._sound = Counter("earsight_sound_seconds", "Sound and pictures that were recognised, in seconds",
                              registry=self.registry)
        self._factor = Histogram("earsight_real_time_factor", "Seconds of sound a second of a worker", buckets=SPEEDS,
                                 registry=self.registry)
        self.streams = Gauge("earsight_streams", "Websockets that are open", registry=self.registry)
        for name, about, value in (
                ("earsight_queue", "Requests that wait for a worker", lambda: pool.waiting),
                ("earsight_workers", "Workers that are ready", lambda: pool.ready),
                ("earsight_workers_memory_bytes", "Memory of all workers", lambda: pool.memory)):
            Gauge(name, about, registry=self.registry).set_function(value)
        ProcessCollector(registry=self.registry)

    def request(self, endpoint: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._requests.labels(endpoint, str(status)).inc()
        self._seconds.labels(endpoint).observe(seconds)

    def recognised(self, duration: float, seconds: float) -> None:
        """Count sound or pictures of so many seconds, recognised in so many."""
        self._sound.inc(duration)
        if duration and seconds:
            self._factor.observe(duration / seconds)

    def text(self) -> bytes:
        """All of them."""
        return generate_latest(self.registry)
