"""What the command line takes: the commands, and in a module for each room of them their arguments and help."""

import argparse
from importlib import import_module

from ..examples import epilog

# By name: the module of its arguments here and of what it does in `app.commands`; its help; what is said besides.
COMMANDS = {
    "transcribe": ("recognising", "write what is said in clips", ""),
    "classify": ("recognising", "name what is done or heard in clips", ""),
    "explain": ("recognising", "draw what a model does with a clip: frames, outputs, gates and memory in time", ""),
    "align": ("recognising", "find when the words of a known text are said", ""),
    "listen": ("live", "write what is said while it is said", " From a microphone, unless a source is named."),
    "watch": ("live", "tell what is done while it is done",
              " In the pictures of a camera, a film, or a stream of a network camera."),
    "serve": ("serving", "transcribe and classify for others, over HTTP and websockets",
              " OpenAI's interface for transcriptions, vosk-server's for live sound."),
    "prepare": ("data", "turn a corpus into manifests", ""),
    "check": ("data", "look for what spoils training in manifests", ""),
    "learn": ("training", "make a measured model of clips, with one command",
              " Takes folders of a class each, tables (.csv, .tsv) and manifests, of sound, videos or frames."),
    "train": ("training", "train under Lightning: fit, validate or test", ""),
    "tune": ("training", "search for settings by trials, or find the learning rate or the batches' duration",
             " All other options are those of `earsight train fit`."),
    "evaluate": ("training", "measure a checkpoint or a model folder on a manifest", ""),
    "predict": ("training", "recognise a manifest with a checkpoint, one JSON line a clip",
                " Takes options of Lightning's Trainer too: --trainer.devices N, --trainer.strategy ddp, ..."),
    "export": ("training", "turn a checkpoint into a model folder", ""),
    "lm": ("data", "make an n-gram language model of text", ""),
    "tune-decoder": ("training", "tune a model folder's beam search and confidence on development sets", ""),
    "calibrate": ("training", "have a classifier's folder tell what is none of its classes, and how sure it is",
                  " Fitted on clips that the model was not trained on."),
    "models": ("installation", "list the installed models, or install, remove or pack one", ""),
    "doctor": ("installation", "tell what this installation can do, what it lacks, and what mends it", ""),
    "completion": ("installation", "print what completes this command line in a shell", ""),
}


def parser(named: str | None = None) -> argparse.ArgumentParser:
    """The parser of all commands, or of the one that is named, if there is one of that name: it is made sooner."""
    every = argparse.ArgumentParser(prog="earsight", description="Recognise sequences in speech and video.")
    every.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = every.add_subparsers(dest="command", metavar="COMMAND")
    for name in [named] if named in COMMANDS else COMMANDS:
        room, help, more = COMMANDS[name]
        command = commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.{more}",
                                      epilog=epilog(name), formatter_class=argparse.RawDescriptionHelpFormatter)
        add_arguments = getattr(import_module(f".{room}", __package__), name.replace("-", "_"))
        add_arguments(command)
    return every


class _Version(argparse.Action):
    """Prints the version; looked up when it is asked for, since that takes longer than parsing."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"earsight {version()}")
        parser.exit()


def version() -> str:
    """Of the installed package."""
    import importlib.metadata

    return importlib.metadata.version("earsight")
