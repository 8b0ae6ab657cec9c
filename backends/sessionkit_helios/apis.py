"""The service's APIs. Each works on the current session, or on the one it is given.

with HeliosSession() as session:
    Cameras().index(q="I-95")
    Cameras(session).index(q="I-95")
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sessionkit.errors import UnexpectedResponse
from sessionkit.http import Call
from sessionkit_helios import images
from sessionkit_helios.collection import FeatureCollection, ObservationCollection, Shown
from sessionkit_helios.features import Alert, Camera, Feature, Observation, Recording
from sessionkit_helios.parameters import encoded, segment, time_of, time_text
from sessionkit_helios.search import PAGE, Search
from sessionkit_helios.session import HeliosSession

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from sessionkit_helios.images import Images

F = TypeVar("F", bound=Feature)

_TIMES = 500


class Api:
    """The base of all.

    Args:
        session: Whose; None is the current session.

    Raises:
        NoCurrentSession: there is none.
    """

    name: str

    def __init__(self, session: HeliosSession | None = None) -> None:
        self.session = session if session is not None else HeliosSession.current()

    def _uri(self, *segments: str) -> str:
        return "/".join(["", self.name, *map(segment, segments)])

    def _mapping(self, answer: Any) -> dict[str, Any]:
        """An answer that must be a JSON object."""
        if not isinstance(answer, dict):
            raise UnexpectedResponse(f"the answer is not one of {self.name}")
        return answer


class _Features(Api, Generic[F]):
    """What the APIs of features have in common."""

    kind: type[F]
    collection: type[FeatureCollection[F]] = FeatureCollection

    def index(self, *, limit: int = PAGE, skip: int = 0, **parameters: Any) -> FeatureCollection[F]:
        """Search. The first page is asked for at once, the others as the result is used.

        >>> Cameras().index(bbox=[-78, 37, -77, 38], q="I-95")
        >>> Observations().index(time_min="2018-01-01", sensors={"road_weather": {"min": 6}})

        Args:
            limit: Entries of a page (0 to 100); the search goes on to its end whatever the size of its
                pages. 0 asks only for what `aggs` counts.
            skip: Entries to leave out at the beginning.
            parameters: The service's: `q`, `bbox`, `polygon`, `lat`, `lon`, `radius`, `polyline`, `state`,
                `city`, `country`, `region`, `time_min`, `time_max`, `sensors`, `sort`, `sort_dir`, `aggs`.
                Lists, dates, booleans and dictionaries are written as the service reads them.

        Raises:
            RequestError: the first page failed. Later ones are in the result's `failed`.
        """
        source = Search(self.session, self.name, encoded(parameters), limit, skip)
        return self.collection(source, self.kind)

    def show(self, ids: str | Sequence[str]) -> FeatureCollection[F]:
        """The features of some ids, in their order."""
        wanted = [ids] if isinstance(ids, str) else list(ids)
        source = Shown(self.session, wanted, lambda each: Call("GET", self._uri(each)), self._mapping)
        return self.collection(source, self.kind)


class Alerts(_Features[Alert]):
    """Warnings of weather services. Beside the common parameters: `event`."""

    name = "alerts"
    kind = Alert


class Cameras(_Features[Camera]):
    """Road cameras and their images."""

    name = "cameras"
    kind = Camera

    def images(
        self,
        camera_id: str,
        start_time: str | datetime,
        end_time: str | datetime | None = None,
        limit: int = _TIMES,
    ) -> list[str]:
        """The times of a camera's images, from `start_time` on and before `end_time`, ascending.

        Args:
            camera_id: Which.
            start_time: ISO 8601, perhaps cut short ("2018-01"), or a `datetime`.
            end_time: Likewise; None is no end.
            limit: Without `end_time`, how many; with it, how many are asked for at once. At most 500.
        """
        uri = f"{self._uri(camera_id)}/images"
        end = None if end_time is None else time_text(end_time)
        found: list[str] = []
        start = time_text(start_time)
        # The first of a page is the last of the one before: one at a time would not get on.
        at_once = limit if end is None else max(limit, 2)
        while True:
            answer = self._mapping(self.session.get(uri, {"time": start, "limit": at_once}))
            times = answer.get("times")
            if not isinstance(times, list) or not all(isinstance(time, str) for time in times):
                raise UnexpectedResponse("the answer has no list of times")
            # A page begins with the image the one before ended with.
            new = times[1:] if found and times[:1] == found[-1:] else times
            if found and new and new[0] <= found[-1]:
                raise UnexpectedResponse(f"images from {start} on were asked for, and earlier ones came")
            found += new
            if end is None or len(times) < at_once or not new or not _before(new[-1], end):
                return [time for time in found if end is None or _before(time, end)]
            start = found[-1]

    def show_image(
        self,
        camera_id: str,
        times: str | datetime | Sequence[str | datetime],
        out_dir: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Images:
        """A camera's images nearest to some times.

        >>> Cameras().show_image("VADOT-85975", times, out_dir="pictures", duds=False, progress=True)

        Args:
            camera_id: Which.
            times: ISO 8601 or `datetime`, one or several.
            out_dir: A folder for the files; None keeps them in memory.
            options: `duds`, `existing`, `progress`; see `images.fetch`.
        """
        wanted = [times] if isinstance(times, (str, datetime)) else list(times)
        uris = [f"{self._uri(camera_id)}/images/{segment(time_text(time))}" for time in wanted]
        return images.fetch(self.session, uris, out_dir, **options)

    def live(
        self,
        camera_ids: str | Sequence[str],
        out_dir: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Images:
        """The newest image of each camera; see `show_image`."""
        wanted = [camera_ids] if isinstance(camera_ids, str) else list(camera_ids)
        uris = [f"{self._uri(camera)}/live" for camera in wanted]
        return images.fetch(self.session, uris, out_dir, **options)


class Observations(_Features[Observation]):
    """What the pictures say of the weather, every ten minutes."""

    name = "observations"
    kind = Observation
    collection = ObservationCollection

    def preview(
        self,
        observation_ids: str | Sequence[str],
        out_dir: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Images:
        """The images that observations were made from; see `Cameras.show_image`."""
        wanted = [observation_ids] if isinstance(observation_ids, str) else list(observation_ids)
        uris = [f"{self._uri(observation)}/preview" for observation in wanted]
        return images.fetch(self.session, uris, out_dir, **options)


class Recordings(_Features[Recording]):
    """Images of a camera, archived for 90 days."""

    name = "recordings"
    kind = Recording

    def create(
        self,
        camera_id: str,
        start_time: str | datetime,
        end_time: str | datetime | None = None,
        name: str | None = None,
    ) -> str:
        """Archive a camera's images from `start_time` until `end_time`, or now; returns the archive's id."""
        body: Mapping[str, Any] = {
            "camera_id": camera_id,
            "time_min": time_text(start_time),
            "time_max": None if end_time is None else time_text(end_time),
            "name": name,
        }
        given = {key: value for key, value in body.items() if value is not None}
        return created(self.session.post("/recordings", given), "recording_id")

    def download(
        self,
        recording_ids: str | Sequence[str],
        out_dir: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Images:
        """The archives (ZIP files of images), one for each recording; see `Cameras.show_image`."""
        wanted = [recording_ids] if isinstance(recording_ids, str) else list(recording_ids)
        uris = [f"{self._uri(recording)}/download" for recording in wanted]
        return images.fetch(self.session, uris, out_dir, **options)


def _before(time: str, end: str) -> bool:
    """Whether an image is from before an end that may be written in another way, or cut short."""
    moment, limit = time_of(time), time_of(end)
    return time < end if moment is None or limit is None else moment < limit


def created(answer: Any, key: str) -> str:
    """The id of what was made.

    Raises:
        UnexpectedResponse: there is none in the answer.
    """
    identifier = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(identifier, str) or not identifier:
        raise UnexpectedResponse(f"the answer has no {key}")
    return identifier
