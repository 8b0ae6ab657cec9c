"""A look at a storm, for `sessionkit demo`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw
from rich.table import Table

from sessionkit.transfer.progress import terminal_bar
from sessionkit_helios import Alerts, Cameras, Collections, HeliosSession, Observations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionkit.cli.demo import Stage
    from sessionkit_helios import Alert, Images
    from sessionkit_helios.collection import FeatureCollection
    from sessionkit_helios.features import Camera

_COLUMNS = 5
_SIZE = (352, 240)
_ROADS = {0: "dry", 1: "moist", 2: "wet", 3: "ponding", 6: "partial snow", 10: "full snow"}


def demo(stage: Stage) -> None:
    """Find the worst alert, the cameras in it, what they see; fetch their pictures; keep a collection."""
    folder = Path(tempfile.mkdtemp(prefix="sessionkit-demo-"))
    with HeliosSession() as session:
        with stage.step("sign in; a token is fetched once, and kept for the next process") as said:
            said.append(str(session))
        with stage.step("find the alerts now in force") as said:
            alerts = Alerts().index(sort="severity", sort_dir="desc")
            said.append(", ".join(f"{alert.event} ({alert.severity})" for alert in alerts))
        cameras = _around(stage, alerts[0])
        _weather(stage, cameras)
        images = _pictures(stage, cameras, folder)
        with stage.step("write a contact sheet") as said:
            said.append(str(_contact_sheet(images, folder / "contact-sheet.jpg")))
        _collection(stage, cameras)
        with stage.step("lose the token on purpose, and go on") as said:
            stage.sandbox.fault("revoke_tokens", service="helios")
            said.append(f"{Cameras().index().total} cameras, with a new token")


def _around(stage: Stage, alert: Alert) -> FeatureCollection[Camera]:
    with stage.step(f"find the cameras in the area of the {alert.event}") as said:
        ring = ",".join(f"{longitude} {latitude}" for longitude, latitude in alert.coordinates[0])
        cameras = Cameras().index(polygon=ring)
        said.append(f"{len(cameras)} of {Cameras().index(limit=0).total} cameras")
    return cameras


def _weather(stage: Stage, cameras: FeatureCollection[Camera]) -> None:
    with stage.step("ask what the pictures of the last hours say of the roads") as said:
        observations = Observations().index(q=cameras[0].id, sort="time")
        said.append(f"{observations.total} observations of {cameras[0].id}")
    table = Table("time (UTC)", "road", "visibility", title=cameras[0].description, title_justify="left")
    for observation in observations[::6]:
        road, visibility = (observation.sensors[name]["data"] for name in ("road_weather", "visibility"))
        table.add_row(f"{observation.time:%H:%M}", _ROADS.get(road, "no report"), f"{visibility:g}")
    stage.console.print(table)


def _pictures(stage: Stage, cameras: FeatureCollection[Camera], folder: Path) -> Images:
    with stage.step("fetch the newest picture of each, without those that show nothing") as said:
        bar = terminal_bar("pictures", stage.console)
        images = Cameras().live(cameras.id, folder / "pictures", duds=False, progress=bar)
        images.raise_for_failures()
        said.append(f"{len(images)} pictures, {images.dropped} left out")
    return images


def _contact_sheet(images: Images, path: Path) -> Path:
    pictures = [image.picture.resize(_SIZE) for image in images]
    rows = -(-len(pictures) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * _SIZE[0], rows * _SIZE[1]), (32, 32, 32))
    for index, (image, picture) in enumerate(zip(images, pictures, strict=True)):
        ImageDraw.Draw(picture).text((6, _SIZE[1] - 14), image.name, fill=(255, 255, 255))
        row, column = divmod(index, _COLUMNS)
        sheet.paste(picture, (column * _SIZE[0], row * _SIZE[1]))
    sheet.save(path, quality=88)
    return path


def _collection(stage: Stage, cameras: Sequence[Camera] | FeatureCollection[Camera]) -> None:
    with stage.step("put the pictures into a collection on the service, count them, remove it") as said:
        collections = Collections()
        identifier = collections.create("Demo", "Cameras in a storm", ["demo"])
        added = collections.add_image(identifier, [{"camera_id": camera.id} for camera in cameras])
        added.raise_for_failures()
        said.append(f"{len(collections.images(identifier))} images")
        collections.empty(identifier)
        collections.destroy(identifier)
