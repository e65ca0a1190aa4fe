"""Asks each GET of an OpenAPI document once, and holds the answer against its schema. See openapi_peer.sh.

Prints a line for each operation, "listRuns 200 matches", or what does not fit. Exit code 1 where anything does not.
"""
import json
import os
import re
import sys

import jsonschema_rs
import requests

NOT_ASKED = {
    "events",  # a stream
    "getArchivedFile",  # of what lies in an archive: tests/archive_contents_test.cc
}


def complaints(answer, operation, document):
    """What of the answer is not as the operation's description says."""
    described = operation["responses"].get(str(answer.status_code))
    if described is None:
        yield f"{answer.status_code} is not described: {answer.text[:300]}"
        return
    media = answer.headers.get("Content-Type", "").split(";")[0]
    content = described.get("content", {})
    if media not in content:
        yield f"the type {media} is not described, but {', '.join(content)}"
        return
    if media != "application/json":
        return
    schema = dict(content[media].get("schema", {}), components=document.get("components", {}))
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    for error in validator.iter_errors(answer.json()):
        where = "/".join(str(part) for part in error.instance_path)
        yield f"at {where or 'its root'}: {error.message}"


def main():
    url, path, *given = sys.argv[1:]
    values = dict(one.split("=", 1) for one in given)
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    headers = {"Authorization": f"Bearer {os.environ['STEWARD_TOKEN']}"}
    wrong = False
    for template, methods in document["paths"].items():
        operation = methods.get("get")
        if operation is None or operation["operationId"] in NOT_ASKED:
            continue
        name = operation["operationId"]
        missing = [part for part in re.findall(r"{(\w+)}", template) if part not in values]
        if missing:
            print(f"{name}: nothing is given for {', '.join(missing)}")
            wrong = True
            continue
        asked = re.sub(r"{(\w+)}", lambda part: values[part[1]], template)
        answer = requests.get(url + asked, headers=headers, timeout=20)
        found = list(complaints(answer, operation, document))
        if answer.status_code >= 300:
            found.append(f"{answer.status_code}: {answer.text[:300]}")
        wrong = wrong or bool(found)
        print(f"{name} {answer.status_code} {'; '.join(found) or 'matches'}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
