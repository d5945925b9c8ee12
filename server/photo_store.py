"""The photo store that an operator has chosen."""

from data.photo_bucket import Bucket, PhotoBucket
from data.photo_store import PhotoFolder, PhotoStore
from server.settings import Settings


def chosen(settings: Settings) -> PhotoStore:
    """Give the bucket, where one is set, else the folder."""
    if settings.s3_bucket is None:
        return PhotoFolder(settings.var / "photos")
    assert settings.s3_access_key is not None
    assert settings.s3_secret_key is not None
    return PhotoBucket(
        Bucket(
            settings.s3_bucket,
            settings.s3_access_key,
            settings.s3_secret_key.get_secret_value(),
            settings.s3_region,
            settings.s3_endpoint,
            settings.s3_path_style,
        )
    )
