"""What a session does with files: components, locations, uploads, downloads, encoding."""

from __future__ import annotations

import base64
import mimetypes
import os
import re
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final

from sessionkit.errors import ConfigurationError, UnexpectedResponse
from sessionkit.transfer import Part, digest_of, upload, upload_parts
from sessionkit_review import symbols
from sessionkit_review.entity import Entity, known
from sessionkit_review.errors import InvalidArgument, LocationError
from sessionkit_review.locations.disk import DiskAccessor
from sessionkit_review.locations.location import Location, Setup, files_of
from sessionkit_review.locations.structure import EntityIdStructure, OriginStructure
from sessionkit_review.remote import RemoteOperations
from sessionkit_review.storage import setup_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sessionkit.transfer import Progress
    from sessionkit_review.locations.server import ServerAccessor

_SEQUENCE = re.compile(r"(?P<head>.*?)%(?P<padding>\d*)d(?P<tail>[^/\\]*?)\s+\[(?P<ranges>[\d,\s-]+)\]$")
_ELSEWHERE: Final = 'one that is on another machine needs its "size" in data'
MB: Final = 1 << 20
# Bytes of a part by the size of the file: never more than the 10,000 parts that storages take.
_PART_SIZES: Final = ((128 * MB, 8 * MB), (1024 * MB, 16 * MB), (8192 * MB, 32 * MB), (65536 * MB, 64 * MB))
FILE_TYPE: Final = "ftrack.api.session.get-file-type-from-string"
"""The topic by which a plugin may say what a file's type is, such as ".geo.bz"."""
REVIEW_COMPONENTS: Final = re.compile(r"ftrackreview-(mp4|webm|image)")


def part_size_of(size: int) -> int:
    """Bytes of each part of a file of `size` bytes."""
    return next((part for limit, part in _PART_SIZES if size <= limit), 128 * MB)


class ComponentOperations(RemoteOperations):
    """Components and their files."""

    # --- locations ---

    @property
    def location_setups(self) -> dict[str, Setup]:
        """What this machine knows of locations, by their id; shared with siblings."""
        setups: dict[str, Setup] = self.shared("locations", self._built_in_setups)
        return setups

    def _built_in_setups(self) -> dict[str, Setup]:
        disk = DiskAccessor()
        return {
            symbols.ORIGIN_LOCATION_ID: Setup(disk, OriginStructure(), 100, keeps_files=False, remembered={}),
            symbols.UNMANAGED_LOCATION_ID: Setup(disk, OriginStructure(), 90, keeps_files=False),
            symbols.REVIEW_LOCATION_ID: Setup(disk, OriginStructure(), 110, keeps_files=False),
            symbols.SERVER_LOCATION_ID: Setup(self.server_accessor(), EntityIdStructure(), 150),
            **dict(filter(None, [setup_of(self.server_information)])),
        }

    @property
    def server_information(self) -> dict[str, Any]:
        """What the server said of itself when the session began; a copy."""
        raise NotImplementedError  # the session's

    def server_accessor(self) -> ServerAccessor:
        """The storage of the server's own location."""
        raise NotImplementedError  # the session's

    def location(self, identifier: str) -> Location:
        """The location with this id.

        Raises:
            LocationError: when the server has none.
        """
        if identifier in symbols.LOCATIONS and self.entities.get("Location", identifier) is None:
            # Every server has these, under these names: nobody needs to ask.
            known = {"id": identifier, "name": symbols.LOCATIONS[identifier]}
            self.create("Location", known, reconstructing=True)
        found = self.get("Location", identifier)
        if not isinstance(found, Location):
            raise LocationError(f"the server has no location {identifier}")
        return found

    @property
    def server_location(self) -> Location:
        """The server's own location."""
        return self.location(symbols.SERVER_LOCATION_ID)

    @property
    def origin_location(self) -> Location:
        """Where new components come from: files of this machine."""
        return self.location(symbols.ORIGIN_LOCATION_ID)

    def accessible_locations(self) -> list[Location]:
        """The locations that can be reached from here, the one to use first first."""
        reached = [each for each, setup in self.location_setups.items() if setup.accessor]
        found = [
            self.location(each) if each in symbols.LOCATIONS else self.get("Location", each)
            for each in reached
        ]
        there = [location for location in found if isinstance(location, Location)]
        return sorted(there, key=lambda location: location.priority)

    def pick_location(self, component: Entity | None = None) -> Location | None:
        """The location to use: of those that have the whole `component`, or of all; None if there is none."""
        if component is None:
            return next(iter(self.accessible_locations()), None)
        return self.pick_locations([component])[0]

    def pick_locations(self, components: Sequence[Entity]) -> list[Location | None]:
        """The location to use for each component."""
        locations = self.accessible_locations()
        available = self.get_component_availabilities(components, locations)
        return [next((each for each in locations if found[each["id"]] == 100.0), None) for found in available]

    def get_component_availability(
        self, component: Entity, locations: Iterable[Entity] | None = None
    ) -> dict[str, float]:
        """How much of a component each location has, in percent, by the location's id."""
        return self.get_component_availabilities([component], locations)[0]

    def get_component_availabilities(
        self, components: Sequence[Entity], locations: Iterable[Entity] | None = None
    ) -> list[dict[str, float]]:
        """How much of each component each location has, in percent, by the location's id; in one call."""
        places = list(self.query("Location").all() if locations is None else locations)
        parts = [[each["id"] for each in files_of(component)] for component in components]
        ids = list(dict.fromkeys(each for some in parts for each in some))
        noted = self.select("ComponentLocation", "component_id", "location_id").where(component_id__in=ids)
        held = {(each["location_id"], each["component_id"]) for each in (noted.all() if ids else ())}
        for place, setup in self.location_setups.items():
            held |= {(place, each) for each in setup.remembered or ()}
        return [
            {
                place["id"]: 100.0 * sum((place["id"], each) in held for each in some) / max(1, len(some))
                for place in places
            }
            for some in parts
        ]

    # --- components ---

    def create_component(
        self,
        path: str | os.PathLike[str],
        data: dict[str, Any] | None = None,
        location: Location | str | None = "auto",
    ) -> Entity:
        """A component of a file, or of a sequence of files; committed, and added to a location.

        >>> session.create_component("/renders/beauty.%04d.exr [1001-1040]", {"version_id": version["id"]})

        Args:
            path: A file; or a sequence as "head.%04d.tail [1-4, 6]". It need not be on this machine when
                `data` tells its "size".
            data: Values for the component, whose name is "main" by the server's own default. One that is
                named "ftrackreview-mp4" and so on is noted in ftrack.review, where the web player looks.
            location: Where it is added; "auto" picks one, None leaves it where it is.

        Raises:
            ConfigurationError: when a file is not there.
            LocationError: when there is no location to add it to.
            InvalidArgument: when `location` is no location.
        """
        if not (location is None or location == "auto" or isinstance(location, Location)):
            raise InvalidArgument(f'location is a location, "auto" or None, not {location!r}')
        values, text = dict(data or {}), os.fspath(path)
        match = _SEQUENCE.fullmatch(text)
        component, names = self._sequence(match, values) if match else self._file(Path(text), values)
        self.commit()
        remembered = self.origin_location.setup.remembered
        assert remembered is not None
        remembered.update(names)
        if location == "auto":
            review = REVIEW_COMPONENTS.match(str(component["name"]))
            location = self.location(symbols.REVIEW_LOCATION_ID) if review else self.pick_location()
            if location is None:
                raise LocationError("there is no location that can be reached from here")
        if isinstance(location, Location) and not location.is_origin:
            location.add_new_components([component], self.origin_location)
        return component

    def file_type_of(self, path: str) -> str:
        """The type of a file by its name: ".exr", or what a plugin that answers `FILE_TYPE` says it is.

        Raises:
            ConfigurationError: when a plugin's answer is no text.
        """
        said = [each for each in self.tell(FILE_TYPE, file_path=path) if each is not None]
        if said and not isinstance(said[0], str):
            raise ConfigurationError(f"a plugin says that {path} is of the type {said[0]!r}")
        return said[0] if said else PurePath(path).suffix

    def _file(self, path: Path, values: dict[str, Any]) -> tuple[Entity, dict[str, str]]:
        if values.get("size") is None and not path.is_file():
            raise ConfigurationError(f"there is no file {path}", hint=_ELSEWHERE)
        kind = self.file_type_of(str(path))
        data = {"file_type": kind, **values}
        if data.get("size") is None:
            data["size"] = path.stat().st_size
        component = self.create("FileComponent", data)
        return component, {component["id"]: str(path.absolute())}

    def _sequence(self, match: re.Match[str], values: dict[str, Any]) -> tuple[Entity, dict[str, str]]:
        padding = int(match["padding"] or 0)
        files = {n: Path(f"{match['head']}{n:0{padding}d}{match['tail']}") for n in _numbers(match["ranges"])}
        sizes = _sizes(files, values.get("size"))
        pattern = f"%0{padding}d" if padding else "%d"
        whole = f"{match['head']}{pattern}{match['tail']}"
        kind = values.get("file_type")
        if kind is None:
            found = self.file_type_of(whole)
            kind = "" if pattern in found else found  # "beauty.%04d" has no type
        data = {"padding": padding, **values, "file_type": kind}
        if data.get("size") is None:
            data["size"] = sum(sizes.values())
        sequence = self.create("SequenceComponent", data)
        names = {sequence["id"]: os.path.abspath(whole)}  # noqa: PTH100 - a pattern, no path
        for number, file in files.items():
            name = f"{number:0{padding}d}"
            member = {"name": name, "file_type": kind, "size": sizes[number], "container": sequence}
            names[self.create("FileComponent", member)["id"]] = str(file.absolute())
        return sequence, names

    # --- files ---

    def get_upload_metadata(
        self,
        component_id: str,
        file_name: str,
        file_size: int,
        checksum: str | None = None,
        parts: int | None = None,
    ) -> dict[str, Any]:
        """Where and how a file is sent: `url` and `headers`, or for several parts `upload_id` and `urls`.

        Args:
            component_id: Whose file.
            file_name: Its name.
            file_size: Its bytes.
            checksum: Its MD5, base64; the server then refuses a file that differs.
            parts: In how many parts it is sent; None for whole.
        """
        operation: dict[str, Any] = {
            "action": "get_upload_metadata",
            "component_id": component_id,
            "file_name": file_name,
            "file_size": file_size,
        }
        operation |= {"checksum": checksum} if checksum else {}
        operation |= {"parts": parts} if parts is not None else {}
        found = self.read_operations([operation])[0]
        if not isinstance(found, dict) or not isinstance(
            found.get("urls" if parts else "url"), list if parts else str
        ):
            raise UnexpectedResponse("the server does not say where the file is to be sent")
        return found

    def upload_component(
        self,
        component_id: str,
        path: str | os.PathLike[str],
        *,
        progress: Callable[[Progress], None] | bool | None = None,
        part_size: int | None = None,
    ) -> None:
        """Send a component's file to the server: streamed, checked, and in parts when it is large.

        Args:
            component_id: Whose file; the component exists on the server.
            path: The file.
            progress: See `sessionkit.transfer.upload`.
            part_size: Bytes of each part; None chooses by the file's size.

        Raises:
            RequestError: what went wrong.
            OSError: the file cannot be read.
        """
        file = Path(path)
        size, name = file.stat().st_size, self._file_name(component_id, file)
        each = part_size or part_size_of(size)
        count = -(-size // each)
        if count <= 2:
            checksum = base64.b64encode(bytes.fromhex(digest_of(file))).decode()
            where = self.get_upload_metadata(component_id, name, size, checksum)
            given = where.get("headers") or {}
            if not isinstance(given, dict):
                raise UnexpectedResponse("the server does not say how the file is to be sent")
            headers = {str(key): str(value) for key, value in given.items()}
            headers.setdefault("Content-Type", mimetypes.guess_type(name)[0] or "application/octet-stream")
            upload(self, file, where["url"], headers=headers, progress=progress)
            return
        where = self.get_upload_metadata(component_id, name, size, parts=count)
        try:
            parts = [Part(int(each["part_number"]), str(each["signed_url"])) for each in where["urls"]]
            upload_id = str(where["upload_id"])
        except (KeyError, TypeError, ValueError) as error:
            raise UnexpectedResponse("the server does not say where the parts are to be sent") from error
        if len(parts) != count:
            raise UnexpectedResponse(f"the server does not say where all {count} parts are to be sent")
        sent = upload_parts(self, file, parts, part_size=each, progress=progress)
        tags = [{"part_number": part.number, "e_tag": part.etag.strip('"')} for part in sent]
        operation = {"action": "complete_multipart_upload", "component_id": component_id}
        self.send_operations([{**operation, "upload_id": upload_id, "parts": tags}])

    def _file_name(self, component_id: str, file: Path) -> str:
        """What the server is to call a component's file: as the component, where that is known here."""
        component = self.entities.get("FileComponent", component_id)
        values = {} if component is None else known(component)
        if not values.get("name"):
            return file.name
        suffix = str(values.get("file_type") or "").lstrip(".")
        return f"{values['name']}.{suffix}" if suffix else str(values["name"])

    def download_component(self, component: Entity, path: str | os.PathLike[str], **options: Any) -> Path:
        """Fetch a component's file from the server; it is there whole, or not at all.

        Args:
            component: Whose file.
            path: The file to write.
            options: See `sessionkit.transfer.download`, such as `progress`.

        Raises:
            TransferFailed: when it could not be had.
        """
        from sessionkit.transfer import Download, download  # noqa: PLC0415 - needed here only

        item = Download(f"/component/get?id={component['id']}", Path(path))
        result = download(self, [item], **options)
        result.raise_for_failures()
        return Path(path)

    def encode_media(
        self,
        media: Entity | str | os.PathLike[str],
        version_id: str | None = None,
        keep_original: bool | str = "auto",
    ) -> Entity:
        """Have the server make pictures and films for the web of a component; the job that does it.

        Args:
            media: A component that is on the server, or a file, which becomes one.
            version_id: The version that they are added to; by default the component's.
            keep_original: Whether the component is kept; "auto" keeps one that was there before.

        Raises:
            LocationError, RequestError: what went wrong.
        """
        if isinstance(media, (str, os.PathLike)):
            component = self.create_component(media, location=self.server_location)
            keep = False if keep_original == "auto" else bool(keep_original)
        elif not isinstance(media, Entity):
            raise InvalidArgument(f"media is a component or a file, not a {type(media).__name__}")
        else:
            component, keep = media, bool(keep_original)
            if self.server_location.get_component_availability(component) < 100.0:
                source = self.pick_location(component)
                if source is None:
                    raise LocationError(f"{component} is in no location that can be reached from here")
                self.server_location.add_component(component, source)
        operation = {"action": "encode_media", "component_id": component["id"], "keep_original": keep}
        job_id = self.one_result({**operation, "version_id": version_id}, "job_id")
        job = self.get("Job", str(job_id))
        if job is None:
            raise UnexpectedResponse(f"the server began job {job_id}, and does not know it")
        return job


def _sizes(files: Mapping[int, Path], whole: int | None) -> dict[int, int]:
    """The size of each file of a sequence: its own, or its share of what the `whole` is said to have."""
    if whole is not None:
        return dict.fromkeys(files, round(whole / max(1, len(files))))
    if missing := [file for file in files.values() if not file.is_file()]:
        raise ConfigurationError(
            f"{len(missing)} files of the sequence are missing, such as {missing[0]}", hint=_ELSEWHERE
        )
    return {number: file.stat().st_size for number, file in files.items()}


def _numbers(ranges: str) -> list[int]:
    """The frames of "1-4, 6"."""
    numbers: list[int] = []
    for part in ranges.split(","):
        first, dash, last = part.strip().partition("-")
        last = last if dash else first
        if not first.isdecimal() or not last.isdecimal() or int(last) < int(first):
            raise ConfigurationError(f"{part.strip()!r} are no frames", hint='such as "1001-1040, 1042"')
        numbers += range(int(first), int(last) + 1)
    return numbers
