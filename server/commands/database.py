"""The database a command works on: the one the settings name, or the private cluster."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from data import database
from data.cluster import Cluster, State
from server.settings import Settings


def private_cluster(settings: Settings) -> Cluster:
    """Give the cluster of the run-time folder, running or not."""
    return Cluster(settings.var / "cluster")


@contextmanager
def running_database(settings: Settings) -> Iterator[str]:
    """Give a database that runs, and leave the private cluster running or not as it was.

    Parameters
    ----------
    settings : Settings

    Yields
    ------
    str
        URL of the database.

    Raises
    ------
    data.cluster.ClusterError
        Where the private cluster can not be started.
    """
    if settings.database_url is not None:
        yield settings.database_url
        return
    cluster = private_cluster(settings)
    was_running = cluster.status().state is State.RUNNING
    url = cluster.start()
    try:
        yield url
    finally:
        if not was_running:
            cluster.stop()


@contextmanager
def upgraded_database(settings: Settings, console: Console) -> Iterator[str]:
    """Give a running database whose schema is the newest.

    Parameters
    ----------
    settings : Settings
    console : rich.console.Console
        Told when the schema is upgraded.

    Yields
    ------
    str
        URL of the database.
    """
    with running_database(settings) as url:
        current, newest = database.revisions(url)
        if current != newest:
            console.print(f"Upgrading the schema from {current or 'nothing'} to {newest}.")
            database.upgrade(url)
        yield url
