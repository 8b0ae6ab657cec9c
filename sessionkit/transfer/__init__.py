"""Files over HTTP: downloads that end complete or not at all, and uploads in one piece or in parts.

    result = download(session, [Download(url, Path("out/a.jpg"), size=41_302)], progress=True)
    result.failed                  # what went wrong, by file
    result = result.retry()        # only that once more

    upload(session, Path("film.mov"), signed_url)

Any `HttpEngine` serves as the session, so that every backend can use this.
"""

from sessionkit.transfer.batch import Downloads, download
from sessionkit.transfer.digest import digest_of
from sessionkit.transfer.errors import Damaged, NotRead, NotWritten, TransferFailed
from sessionkit.transfer.items import Answer, Download, Downloaded
from sessionkit.transfer.progress import Progress
from sessionkit.transfer.upload import Part, Uploaded, upload, upload_parts

__all__ = [
    "Answer",
    "Damaged",
    "Download",
    "Downloaded",
    "Downloads",
    "NotRead",
    "NotWritten",
    "Part",
    "Progress",
    "TransferFailed",
    "Uploaded",
    "digest_of",
    "download",
    "upload",
    "upload_parts",
]
