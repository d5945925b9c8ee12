import gc
import os
import signal
import socket
import sys
from contextlib import nullcontext

import uvicorn
from rich.console import Console

from server.commands.database import upgraded_database
from server.settings import Settings, SettingsError, load

_SHUTDOWN_SECONDS = 25
"""For requests under way when the server is told to stop; service managers allow 30 or more."""


def serve() -> None:
    """Serve the site on 127.0.0.1, with the database it needs."""
    from server import jobs  # noqa: PLC0415 (as the next)
    from server.app import create_app  # noqa: PLC0415 (the other commands need not load the web)

    console = Console(soft_wrap=True)
    settings = load()
    if os.geteuid() == 0:
        console.print(
            "Serving as root. For more than a trial give Porchlight a user of its own: "
            "docs/operators.md.",
            style="yellow",
        )
    end_in_order()
    with _listening(settings) as listener, upgraded_database(settings, console) as url:
        settings = settings.model_copy(update={"database_url": url})
        app = create_app(settings)
        _spare_the_collector()
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http="httptools",
            access_log=False,  # addresses people search for stand in it
            log_level="warning",
            proxy_headers=True,
            forwarded_allow_ips=settings.trusted_proxies,
            server_header=False,
            timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        )
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        port = listener.getsockname()[1]
        console.print(f"Porchlight serves {settings.city_name} on http://{host}:{port}")
        with jobs.working(settings) if settings.worker else nullcontext():
            uvicorn.Server(config).run(sockets=[listener])


def end_in_order() -> None:
    """Leave by the way of exceptions, so that the private cluster does not stay behind."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))


def _listening(settings: Settings) -> socket.socket:
    """Take the port before anything else, so that a taken one is known at once."""
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]
        raise SettingsError(
            f"Can not listen on {settings.host} port {settings.port}: {reason}. Stop what "
            "uses it, or choose another port: PORT=8001."
        ) from error


def _spare_the_collector() -> None:
    """Keep the collector from walking, again and again, over what stays for good.

    Whatever is imported by now is never freed; frequent full collections were most of the 95th
    percentile of pages and tiles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1_000)
