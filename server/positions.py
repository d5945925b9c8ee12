"""Where the city takes reports, and what everybody may see of a place in it."""

import time

from shapely.geometry.base import BaseGeometry
from sqlalchemy.orm import Session

from data.queries import homes, served_area
from geo.categories import Category, Setting
from geo.homes import UNKNOWN, Homes
from geo.places import Box
from geo.positions import public_geometries
from server.settings import Settings, position_secret

REMEMBERED_S = 30


class Positions:
    """The served area, as it was a moment ago, and the secret behind public positions.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._secret: bytes | None = None
        self._served: BaseGeometry | None = None
        self._read_at = float("-inf")
        self._homes = UNKNOWN
        self._homes_state = (0, 0)
        self._homes_read_at = float("-inf")

    @property
    def secret(self) -> bytes:
        """The secret, read at the first use."""
        if self._secret is None:
            self._secret = position_secret(self._settings)
        return self._secret

    def served_area(self, session: Session) -> BaseGeometry | None:
        """Give the served area in EPSG:4326; None while no city has been imported."""
        if self._served is None or time.monotonic() - self._read_at > REMEMBERED_S:
            self._served = served_area.served_area(session)
            self._read_at = time.monotonic()
        return self._served

    def bounds(self, session: Session) -> Box | None:
        """Give the bounds of the served area in EPSG:4326."""
        served = self.served_area(session)
        return None if served is None else served.bounds

    def homes(self, session: Session) -> Homes:
        """Give where homes are known to be; cut into regions anew where that has changed."""
        if time.monotonic() - self._homes_read_at > REMEMBERED_S:
            state = homes.state(session)
            if state != self._homes_state:
                self._homes, self._homes_state = homes.homes(session), state
            self._homes_read_at = time.monotonic()
        return self._homes

    def public(
        self, session: Session, exact: BaseGeometry, category: Category, key: str
    ) -> BaseGeometry | None:
        """Give what everybody may see of a place.

        Parameters
        ----------
        session : Session
        exact : shapely geometry
            EPSG:4326.
        category : Category
            A thing in public space is shown where it is.
        key : str
            Of the submission.

        Returns
        -------
        shapely geometry or None
            None where there is no public position.
        """
        if category.setting is Setting.PUBLIC_SPACE:
            return exact
        (shown,) = public_geometries(
            [exact],
            [True],
            [key],
            secret=self.secret,
            served_area=self.served_area(session),
            homes=self.homes(session),
        )
        return shown
