"""What tests of the C++ implementation of Pipes need: the program that speaks it, and an S3 server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@pytest.fixture(scope="session")
def program() -> str:
    path = Path(os.environ["STEWARD_PIPES_TESTS"])
    assert path.is_file(), f"{path} is not built"
    return str(path)


class Bucket:
    """A bucket on a server of its own, and what reaches it."""

    def __init__(self, endpoint: str) -> None:
        self.environment = {**CREDENTIALS, "AWS_ENDPOINT_URL": endpoint}
        self.client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        self.name = "pipes"
        self.client.create_bucket(Bucket=self.name)

    def stored(self) -> list[str]:
        listed = self.client.list_objects_v2(Bucket=self.name)
        return sorted(one["Key"] for one in listed.get("Contents", []))


@pytest.fixture(scope="session")
def bucket() -> Iterator[Bucket]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield Bucket(f"http://{host}:{port}")
    server.stop()
