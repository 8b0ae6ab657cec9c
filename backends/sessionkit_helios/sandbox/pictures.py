"""Pictures that look as if a road camera had taken them, drawn from the place, the hour and the weather.

The same camera, instant and weather always give the same bytes, so an ETag holds and a download can be
resumed. Drawing takes a few milliseconds; what was drawn last is kept.
"""

from __future__ import annotations

import io
import math
import random
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageOps

from sessionkit_helios.sandbox import times

WIDTH, HEIGHT = 704, 480
_KEPT = 512

Colour = tuple[int, int, int]

_NIGHT: tuple[Colour, Colour] = ((16, 20, 40), (44, 48, 66))
_DUSK: tuple[Colour, Colour] = ((52, 60, 98), (214, 140, 96))
_DAY: tuple[Colour, Colour] = ((84, 138, 200), (196, 214, 228))
_OVERCAST: tuple[Colour, Colour] = ((128, 134, 142), (178, 182, 188))
_FOG: Colour = (186, 190, 194)
_SNOW: Colour = (228, 232, 238)
_GRASS: Colour = (78, 92, 54)
_DRY_ROAD: Colour = (104, 104, 106)
_WET_ROAD: Colour = (58, 62, 70)
_PAINTS: tuple[Colour, ...] = (
    (168, 30, 32),
    (222, 222, 226),
    (36, 44, 60),
    (60, 92, 150),
    (198, 176, 60),
)


@dataclass(frozen=True)
class Scene:
    """What is to be seen.

    Attributes:
        camera: The camera's id: it fixes hills, trees, lanes and the line of the road.
        caption: The operator's text in the picture.
        longitude: Degrees; with `instant` it makes day and night.
        instant: Milliseconds since the epoch, UTC.
        road: 0 dry, 1 moist, 2 wet, 3 ponding, 6 partial snow, 10 full snow.
        visibility: From 0 (fog) to 1 (clear).
        precipitation: Whether something falls.
        dud: Whether the camera sent nothing of use.
    """

    camera: str
    caption: str
    longitude: float
    instant: int
    road: float = 0.0
    visibility: float = 1.0
    precipitation: bool = False
    dud: bool = False

    @property
    def daylight(self) -> float:
        """From 0 at night to 1 by day, by the sun's own time at this longitude."""
        hour = (self.instant / 3_600_000 + self.longitude / 15) % 24
        return min(1.0, max(0.0, math.sin((hour - 6) / 12 * math.pi) * 3 + 0.35))


@lru_cache(maxsize=_KEPT)
def jpeg(scene: Scene) -> bytes:
    """The picture as a JPEG of some 40 kB."""
    picture = _no_signal() if scene.dud else _view(scene)
    _caption(picture, scene)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=82)
    return out.getvalue()


def _view(scene: Scene) -> Image.Image:
    shape = random.Random(scene.camera)  # noqa: S311 - scenery, not secrets
    horizon = shape.randint(150, 210)
    vanishing = shape.randint(WIDTH // 3, WIDTH * 2 // 3)
    top, bottom = _sky(scene)
    picture = ImageOps.colorize(_gradient(), top, bottom).resize((WIDTH, HEIGHT))
    draw = ImageDraw.Draw(picture)
    _land(draw, scene, shape, horizon)
    lane = _Road(horizon, vanishing, shape.randint(-160, 60), WIDTH + shape.randint(-60, 160))
    _road(draw, scene, shape, lane)
    _traffic(draw, scene, lane)
    picture = _haze(picture, scene, horizon, bottom)
    _falling(picture, scene)
    return ImageChops.add(picture.filter(ImageFilter.BoxBlur(0.6)), _noise(scene), 1, -6)


def _sky(scene: Scene) -> tuple[Colour, Colour]:
    clear = scene.visibility >= 0.9 and not scene.precipitation and scene.road < 2
    light = _DAY if clear else _OVERCAST
    if scene.daylight >= 0.5:
        return _mix(_DUSK, light, scene.daylight * 2 - 1)
    return _mix(_NIGHT, _DUSK if clear else _NIGHT, scene.daylight * 2)


def _mix(one: tuple[Colour, Colour], two: tuple[Colour, Colour], share: float) -> tuple[Colour, Colour]:
    return _blend(one[0], two[0], share), _blend(one[1], two[1], share)


def _blend(one: Colour, two: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, two, strict=True))
    return red, green, blue


def _lit(scene: Scene, colour: Colour) -> Colour:
    return _blend((12, 13, 18), colour, 0.42 + 0.58 * scene.daylight)


@lru_cache(maxsize=1)
def _gradient() -> Image.Image:
    return Image.linear_gradient("L").resize((8, 256)).crop((0, 0, 8, 256))


def _land(draw: ImageDraw.ImageDraw, scene: Scene, shape: random.Random, horizon: int) -> None:
    white = scene.road >= 6
    ridge = [(x, horizon - shape.randint(0, 46)) for x in range(0, WIDTH + 64, 64)]
    draw.polygon(
        [(0, HEIGHT), *ridge, (WIDTH, HEIGHT)], fill=_lit(scene, (164, 172, 182) if white else (74, 88, 82))
    )
    ground = _SNOW if white else _GRASS
    draw.rectangle((0, horizon, WIDTH, HEIGHT), fill=_lit(scene, ground))
    for _ in range(shape.randint(14, 30)):
        x, size = shape.randint(0, WIDTH), shape.randint(10, 42)
        base = horizon + size // 3
        trunk = _lit(scene, _blend((34, 50, 34), _SNOW, 0.35 if white else 0))
        draw.polygon([(x - size // 3, base), (x + size // 3, base), (x, base - size)], fill=trunk)


@dataclass(frozen=True)
class _Road:
    """A road from the picture's foot (`left` to `right`) to its vanishing point; depth 1 is the foot."""

    horizon: int
    vanishing: int
    left: int
    right: int

    def at(self, depth: float, across: float) -> tuple[float, float]:
        """The pixel at a depth; `across` is 0 on the left edge and 1 on the right."""
        foot = self.left + (self.right - self.left) * across
        return self.vanishing + (foot - self.vanishing) * depth, self.horizon + (
            HEIGHT - self.horizon
        ) * depth


def _road(draw: ImageDraw.ImageDraw, scene: Scene, shape: random.Random, road: _Road) -> None:
    colour = _blend(_DRY_ROAD, _WET_ROAD, min(scene.road, 2) / 2)
    if scene.road >= 6:
        colour = _blend(colour, _SNOW, 0.35 if scene.road < 10 else 0.85)
    draw.polygon([road.at(0.02, 0), road.at(0.02, 1), road.at(1, 1), road.at(1, 0)], fill=_lit(scene, colour))
    if 2 <= scene.road < 6:
        shine = _lit(scene, (150, 156, 166))
        for _ in range(26):
            depth = shape.uniform(0.1, 0.9)
            x, y = road.at(depth, shape.uniform(0.1, 0.9))
            draw.ellipse((x - 30 * depth, y, x + 30 * depth, y + 3), fill=shine)
    if scene.road < 10:
        for step in range(9):
            near, far = 0.86**step, 0.86 ** (step + 0.5)
            width = max(1, round(8 * near))
            draw.line([road.at(near, 0.5), road.at(far, 0.5)], fill=_lit(scene, (226, 222, 196)), width=width)


def _traffic(draw: ImageDraw.ImageDraw, scene: Scene, road: _Road) -> None:
    chance = random.Random(f"{scene.camera} {scene.instant}")  # noqa: S311 - scenery, not secrets
    for depth in sorted(chance.uniform(0.08, 0.7) for _ in range(chance.randint(1, 7))):
        x, y = road.at(depth, chance.choice((0.3, 0.7)) + chance.uniform(-0.04, 0.04))
        size = 6 + 96 * depth
        paint = chance.choice(_PAINTS)
        draw.rectangle((x - size / 2, y - size * 0.5, x + size / 2, y), fill=_lit(scene, paint))
        glass = (x - size / 3, y - size * 0.8, x + size / 3, y - size * 0.5)
        draw.rectangle(glass, fill=_lit(scene, (40, 46, 52)))
        if scene.daylight < 0.6 or scene.visibility < 0.6:
            for lamp in (x - size * 0.38, x + size * 0.38):
                draw.ellipse((lamp - 3, y - size * 0.3, lamp + 3, y - size * 0.3 + 6), fill=(255, 244, 206))


def _haze(picture: Image.Image, scene: Scene, horizon: int, sky: Colour) -> Image.Image:
    """Veil the distance: nothing in front, most at the horizon."""
    thickness = 1 - scene.visibility if scene.visibility >= 0 else 0.0
    if thickness <= 0:
        return picture
    veil = Image.new("RGB", picture.size, _lit(scene, _blend(_FOG, sky, 0.3)))
    strength = [
        min(1.0, thickness * (1.0 if y <= horizon else 1.25 - 0.8 * (y - horizon) / (HEIGHT - horizon)))
        for y in range(HEIGHT)
    ]
    column = Image.frombytes("L", (1, HEIGHT), bytes(round(235 * value) for value in strength))
    return Image.composite(veil, picture, column.resize(picture.size))


def _falling(picture: Image.Image, scene: Scene) -> None:
    if not scene.precipitation:
        return
    draw = ImageDraw.Draw(picture)
    chance = random.Random(scene.instant)  # noqa: S311 - scenery, not secrets
    light = _lit(scene, (236, 240, 246))
    for _ in range(420):
        x, y = chance.randint(0, WIDTH), chance.randint(0, HEIGHT)
        if scene.road >= 6:
            size = chance.randint(1, 3)
            draw.ellipse((x, y, x + size, y + size), fill=light)
        else:
            draw.line((x, y, x - 3, y + chance.randint(8, 18)), fill=light)


@lru_cache(maxsize=1)
def _grain() -> Image.Image:
    data = random.Random(7).randbytes((WIDTH + 64) * (HEIGHT + 64))  # noqa: S311 - scenery, not secrets
    grain = Image.frombytes("L", (WIDTH + 64, HEIGHT + 64), data)
    return grain.point([value * 12 // 255 for value in range(256)])


def _noise(scene: Scene) -> Image.Image:
    x, y = scene.instant // 7 % 64, scene.instant // 11 % 64
    return Image.merge("RGB", (_grain().crop((x, y, x + WIDTH, y + HEIGHT)),) * 3)


def _no_signal() -> Image.Image:
    picture = Image.new("RGB", (WIDTH, HEIGHT), (18, 24, 120))
    ImageDraw.Draw(picture).text((WIDTH // 2 - 30, HEIGHT // 2), "NO SIGNAL", fill=(230, 230, 240))
    return picture


def _caption(picture: Image.Image, scene: Scene) -> None:
    draw = ImageDraw.Draw(picture)
    stamp = times.iso(scene.instant)[:19].replace("T", " ")
    draw.rectangle((0, 0, WIDTH, 18), fill=(0, 0, 0))
    draw.text((6, 4), f"{scene.caption}   {stamp} UTC", fill=(240, 240, 240), font=_font())


@lru_cache(maxsize=1)
def _font() -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default()
