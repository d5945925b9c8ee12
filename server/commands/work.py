import time

from rich.console import Console

from server import jobs
from server.commands.database import upgraded_database
from server.commands.serve import end_in_order
from server.settings import load


def work() -> None:
    """Send mail and do what else no page waits for, without serving pages."""
    console, settings = Console(soft_wrap=True), load()
    end_in_order()
    with (
        upgraded_database(settings, console) as url,
        jobs.working(settings.model_copy(update={"database_url": url})),
    ):
        console.print("Porchlight works: mail, digests, upkeep.")
        while True:
            time.sleep(1)  # not signal.pause, which a signal that comes just before it never ends
