"""Removes the old objects of a bucket as one would write it with boto3: batches of 1,000, ten at once.

boto3_batches.py BUCKET DAYS; the endpoint and the keys come from the environment.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import boto3
from botocore.config import Config

KEYS_IN_BATCH, BATCHES_AT_ONCE = 1000, 10


def main() -> None:
    bucket, days = sys.argv[1], int(sys.argv[2])
    cutoff = datetime.now(timezone.utc) - timedelta(days=days)
    s3 = boto3.client("s3", region_name="us-east-1", config=Config(max_pool_connections=BATCHES_AT_ONCE + 1))

    def remove(keys: list[str]) -> None:
        answer = s3.delete_objects(Bucket=bucket, Delete={"Quiet": True, "Objects": [{"Key": key} for key in keys]})
        if answer.get("Errors"):
            raise RuntimeError(answer["Errors"])

    with ThreadPoolExecutor(BATCHES_AT_ONCE) as pool:
        batches, batch = [], []
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            batch += [found["Key"] for found in page.get("Contents", []) if found["LastModified"] < cutoff]
            while len(batch) >= KEYS_IN_BATCH:
                batches.append(pool.submit(remove, batch[:KEYS_IN_BATCH]))
                batch = batch[KEYS_IN_BATCH:]
        if batch:
            batches.append(pool.submit(remove, batch))
        for each in batches:
            each.result()


main()
