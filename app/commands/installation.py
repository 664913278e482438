"""Commands about what is installed: models, doctor, completion."""

import argparse
from collections.abc import Iterator
from pathlib import Path

# Arguments that name files, beside those that are paths: a model can be a name, a manifest an address.
NAMES_OF_FILES = ("paths", "model", "source", "vocabulary", "manifest", "lm", "lexicon", "arguments")


def models_command(args: argparse.Namespace) -> int:
    if args.action is None:
        from ...common.model_folder import describe_models

        print(describe_models())
        return 0
    from ...common.model_archives import pack, pull, remove

    if args.action == "pull":
        print(pull(args.name, args.source, args.sha256))
    elif args.action == "remove":
        print(remove(args.name))
    else:
        print(f"{pack(args.model, args.output)}  {args.output.name}")
    return 0


def doctor_command(args: argparse.Namespace) -> int:
    from ..doctor import examine, report

    findings = examine()
    print(report(findings))
    return 1 if any(finding.mend for finding in findings) else 0


def completion_command(args: argparse.Namespace) -> int:
    import shtab

    from ..command_line import parser

    every = parser()
    for action in _arguments(every):
        if action.type is Path or action.dest in NAMES_OF_FILES:
            setattr(action, "complete", shtab.FILE)
    print(shtab.complete(every, args.shell))
    return 0


def _arguments(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Those of a parser and of its commands, found where shtab finds them: argparse has no public way."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _arguments(command)
