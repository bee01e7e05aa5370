"""`ringside schema`: JSON schemas, by which editors complete and check YAML files."""

import json
from argparse import ArgumentParser, Namespace

from packager.cli.command import Command, show
from packager.config.export.json_schema import config_schema, device_schema, ladder_schema

_SCHEMAS = {"config": config_schema, "ladder": ladder_schema, "device": device_schema}


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "kind", nargs="?", choices=_SCHEMAS, default="config", help="kind of file; default: config"
    )


def _run(arguments: Namespace) -> None:
    show(json.dumps(_SCHEMAS[arguments.kind](), indent=2, ensure_ascii=False))


COMMANDS = {
    "schema": Command(
        _add_arguments,
        _run,
        ("ringside schema", "ringside schema ladder"),
    )
}
