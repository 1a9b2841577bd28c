"""All options of the service, with their defaults and bounds.

>>> Settings(port=9000, faces=20)
"""

from __future__ import annotations

import ipaddress
import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from facelet.errors import FaceletError

Origin = Annotated[str, Field(pattern=r"^https?://[^/\s]+$")]
Positive = Annotated[float, Field(gt=0, le=3600)]


class Settings(BaseModel):
    """Options of the service; `facelet serve --help` lists the same ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="address to listen on; any but a loopback address needs an API key")
    port: int = Field(8000, ge=0, le=65535, description="TCP port; 0 picks a free one")
    model: str = Field("", description="expression model: file or name; default: $FACELET_MODEL, else expression")
    identity_model: str = Field(
        "", description="identity model: file or name; default: $FACELET_IDENTITY_MODEL, else identity"
    )
    prior: str = Field(
        "training", description="class prior: training, uniform, uniform^POWER, or LABEL=SHARE,LABEL=SHARE"
    )
    detector: str = Field("", description="YuNet's file; default: $FACELET_YUNET, else downloaded once")
    min_score: float | None = Field(None, ge=0, le=1, description="minimum detector score of a face; default: 0.75")
    detail: int | None = Field(
        None, ge=64, le=4096, description="long side of the detector's input; default: 640, and tiles of large photos"
    )
    turns: Literal["", "auto", "always", "never"] = Field("", description="faces that are not upright; default: auto")
    gallery: str = Field(
        "", description="file or postgresql:// URL; default: $FACELET_GALLERY, else a file in the user's data folder"
    )
    gallery_key: str = Field("", description="file with the gallery's key; default: the key in $FACELET_GALLERY_KEY")
    threshold: float | None = Field(None, ge=-1, le=1, description="minimum cosine of faces of the same person")
    keys: Path | None = Field(
        None, description="file of API keys; default: $FACELET_KEYS, else in the user's data folder"
    )
    audit: Path | None = Field(None, description="file for a line per enrollment and deletion; default: standard error")
    origins: tuple[Origin, ...] = Field((), description="web origins that may call the service from a browser (CORS)")
    body_bytes: int = Field(10 << 20, ge=1 << 10, le=1 << 30, description="largest request body in bytes")
    upload_bytes: int = Field(256 << 20, ge=1 << 10, le=1 << 36, description="bytes of all request bodies together")
    upload_seconds: Positive = Field(20.0, description="time within which a request body must arrive")
    pixels: int = Field(25_000_000, ge=1 << 10, le=200_000_000, description="most pixels of a photo")
    faces: int = Field(100, ge=1, le=5000, description="most faces analyzed in a photo, the largest")
    photos: int = Field(16, ge=1, le=1000, description="most photos in one enrollment")
    seconds: Positive = Field(10.0, description="time within which an accepted request is answered, else 504")
    queue: int = Field(64, ge=1, le=100_000, description="most requests under way; another is answered with 429")
    batch: int = Field(64, ge=1, le=1024, description="most photos or crops that share a model run")
    batch_ms: float = Field(
        2.0, ge=0, le=1000, description="longest time that a crop waits for others, in milliseconds"
    )
    threads: int = Field(0, ge=0, le=256, description="worker threads; 0 uses one per processor")

    @property
    def workers(self) -> int:
        return self.threads or processors()

    @property
    def local(self) -> bool:
        """Whether only this machine can connect."""
        return is_loopback(self.host)

    @classmethod
    def checked(cls, **options: object) -> Settings:
        """Settings from options, of which those that are None keep their default. Raises FaceletError for a wrong value."""
        try:
            return cls.model_validate({name: value for name, value in options.items() if value is not None})
        except ValidationError as error:
            first = error.errors()[0]
            option = "--" + str(first["loc"][0]).replace("_", "-")
            raise FaceletError(f"{option} {first['input']}: {first['msg'].lower()}") from None


def processors() -> int:
    """Number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Whether a host name or address, with or without the brackets of IPv6, is this machine's loopback."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
