from datetime import datetime
from time import perf_counter

from rich.console import Console
from sqlalchemy.orm import Session

from data import database
from data.queries import priority
from server.commands.database import upgraded_database
from server.priority import rank as rank_needs
from server.settings import load


def rank() -> None:
    """Rank all open lights and cleanups now, as a job does after every change and each night."""
    console, settings = Console(soft_wrap=True), load()
    with upgraded_database(settings, console) as url:
        engine = database.engine(url, pool_size=1)
        try:
            with Session(engine) as session:
                started = perf_counter()
                rank_needs(session, settings, datetime.now(settings.zone))
                session.commit()
                counts = priority.ranked_counts(session)
        finally:
            engine.dispose()
    told = (
        ", ".join(f"{kind.value} {count:,}" for kind, count in counts.items()) or "nothing is open"
    )
    console.print(f"Ranked in {perf_counter() - started:.1f} s: {told}.", highlight=False)
