"""The `facelet` command: one short function per verb, no logic.

Heavy packages are imported inside the verbs, so that `facelet predict` starts without the training side.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from facelet import __version__, cli_card, cli_crop, cli_people, plugins
from facelet.cli_options import Allow, Detail, DetectorFile, MinScore, Plugin
from facelet.errors import FaceletError, FaceletWarning

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
PIPED = 200
"""Columns of tables in files and pipes, which have no width of their own."""
console = Console(
    highlight=False, width=None if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit() else PIPED
)
errors = Console(stderr=True, highlight=False)
STOPPED = 130
"""Exit code after Ctrl-C."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Speed = Annotated[
    float | None,
    typer.Option(help="Of a model that stops early: 0 never does, 1 always does; as it was made when not given."),
]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"facelet {__version__}")
        raise typer.Exit()


@app.callback()
def facelet_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Small, fast, proven face models."""


@app.command()
def run(
    recipe: Annotated[str, typer.Argument(help="A recipe's name or a YAML file; tsnet when not given.")] = "",
    faces: Annotated[str, typer.Option(help="Source of faces: toy, ferplus:PATH, folder:PATH, pack:FILE ...")] = "",
    also: Annotated[list[str] | None, typer.Option(help="A further source, as faces:PATH of unknown people.")] = None,
    pairs: Annotated[str, typer.Option(help="Pairs to measure models of identity on, as lfw:PATH.")] = "",
    only: Annotated[str, typer.Option(help="Steps to take alone, as plain,linear, with those that they need.")] = "",
    out: Annotated[str, typer.Option(help="Folder of the run; runs/RECIPE when not given.")] = "",
    set_: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE, as steps.teacher.epochs=10.")] = None,
    profile: Annotated[str, typer.Option(help="A profile of the recipe, such as cpu.")] = "",
    seeds: Annotated[
        int, typer.Option(help="Run every step with this many seeds, but for steps with a number of their own.")
    ] = 0,
    resume: Annotated[str, typer.Option(help="Continue the run in this folder.")] = "",
    from_: Annotated[
        str,
        typer.Option(
            "--from",
            help="A new run with the recipe of this one, which takes over its finished steps that stay the same.",
        ),
    ] = "",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    devices: Annotated[int, typer.Option(help="Processes or GPUs on this machine.")] = 1,
    nodes: Annotated[int, typer.Option(help="Machines, under torchrun or SLURM.")] = 1,
    precision: Annotated[str, typer.Option(help="auto, fp32, or bf16 where the device has it.")] = "auto",
    allow: Allow = False,
    plugin: Plugin = None,
) -> None:
    """Train, distil, shrink, export and measure: a whole recipe."""
    plugins.load_files(plugin or [])
    from facelet.recipes.runner import Hardware
    from facelet.recipes.runner import run as run_recipe

    if resume and (recipe or faces or also or pairs or only or out or set_ or profile or seeds or from_):
        raise FaceletError(
            "--resume goes on with the run as it is; leave out recipe, --faces, --also, --pairs, --only, --set, --profile, "
            "--seeds, --out, --from"
        )
    settings = [*(set_ or []), *([f"seeds={seeds}"] if seeds else [])]
    hardware = Hardware(device, devices, nodes, precision)
    try:
        run_recipe(
            recipe,
            faces=faces,
            also=also or [],
            pairs=pairs,
            only=[name for name in only.split(",") if name],
            out=out,
            settings=settings,
            profile=profile,
            resume=resume,
            reuse=from_,
            hardware=hardware,
            console=console,
        )
    except KeyboardInterrupt as error:  # of which Typer would keep the exit code alone
        raise typer.Abort(str(error)) from None


@app.command()
def recipes(name: Annotated[str, typer.Argument(help="Show this one.")] = "") -> None:
    """List the recipes, or show one."""
    from facelet.recipes import presets

    if name:
        print(presets.text_of(name), end="")
    else:
        console.print(presets.table(console.width))


@app.command()
def faces(
    source: Annotated[str, typer.Argument(help="toy, ferplus:PATH, folder:PATH, identities:PATH, pack:FILE ...")],
    also: Annotated[list[str] | None, typer.Option(help="A further source, to look at or pack with the first.")] = None,
    size: Annotated[int, typer.Option(help="Side in pixels; the source's own when not given.")] = 0,
    sheet: Annotated[str, typer.Option(help="Where to draw the contact sheet (PNG).")] = "",
    pack: Annotated[str, typer.Option(help="Write the faces into this file.")] = "",
    raw: Annotated[bool, typer.Option("--raw", help="With --pack: uncompressed, memory-mapped when read.")] = False,
    against: Annotated[str, typer.Option(help="Pairs, as lfw:PATH: are their people among these, by name?")] = "",
    as_json: Json = False,
    plugin: Plugin = None,
) -> None:
    """Look before training: counts, protocol, leaks, contact sheet; pack into one file."""
    plugins.load_files(plugin or [])
    from facelet.faces import load
    from facelet.faces.concat import concat
    from facelet.faces.inspect.contact_sheet import save_sheet
    from facelet.faces.inspect.summary import describe, show
    from facelet.faces.sources.pack_writer import write_pack

    found = load(source, size=size or None)
    found = concat([found, *(load(other, size=found.size, channels=found.channels) for other in also or [])])
    description = describe(found, against=against)
    if as_json:
        print(json.dumps(description.to_json()))
    else:
        show(description, console)
    if sheet:
        save_sheet(found, sheet)
        errors.print(f"contact sheet in {sheet}")
    if pack:
        size_bytes = write_pack(found, pack, raw=raw)
        errors.print(f"{len(found):,} faces in {pack}, {size_bytes / 1e6:.1f} MB; use it as pack:{pack}")


@app.command(name="eval")
def evaluate(
    model: Annotated[str, typer.Argument(help="A model file, or a name of `facelet models`.")],
    faces: Annotated[str, typer.Option(help="Source of labelled faces; lfw:PATH for an identity model.")],
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    mirror: Annotated[
        bool, typer.Option("--mirror", help="On pairs: also with mirror images' embeddings added, shown apart.")
    ] = False,
    threads: Annotated[int, typer.Option(help="0: all cores.")] = 0,
    speed: Speed = None,
    allow: Allow = False,
    as_json: Json = False,
    plugin: Plugin = None,
) -> None:
    """Accuracy with its interval, per class, calibration; of an identity model LFW's protocol, TAR at FAR, threshold."""
    plugins.load_files(plugin or [])
    from facelet.measure import evaluation

    evaluation.command(
        model, faces, split=split, threads=threads, speed=speed, mirror=mirror, as_json=as_json, console=console
    )


@app.command()
def bench(
    models: Annotated[list[str], typer.Argument(help="Model files, or names of `facelet models`.")],
    batch: Annotated[str, typer.Option(help="Batch sizes, as 1,8.")] = "1",
    threads: Annotated[int, typer.Option(help="Threads of ONNX Runtime.")] = 1,
    seconds: Annotated[float, typer.Option(help="For each model and batch size.")] = 2.0,
    faces: Annotated[str, typer.Option(help="Source of faces to time with; noise when not given.")] = "",
    allow: Allow = False,
    as_json: Json = False,
    plugin: Plugin = None,
) -> None:
    """Latency p50, p95 and mean of models side by side, interleaved, with the machine described."""
    plugins.load_files(plugin or [])
    from facelet.measure.efficiency import latency, machine

    try:
        batches = [int(size) for size in batch.split(",")]
    except ValueError:
        raise FaceletError(f"--batch {batch!r} should be numbers, as 1,8") from None
    some = latency.timing_faces(faces) if faces else None
    where, rows = machine.machine(), latency.bench(models, batches, threads, seconds, faces=some)
    if as_json:
        print(json.dumps(latency.bench_json(rows, where)))
    else:
        console.print(latency.bench_table(rows, where))


@app.command()
def predict(
    photos: Annotated[list[str], typer.Argument(help="Photos, folders or globs; or one video; or 0, the webcam.")],
    model: Annotated[str, typer.Option(help="Its file or name; $FACELET_MODEL when not given, or expression.")] = "",
    detector: DetectorFile = "",
    min_score: MinScore = None,
    detail: Detail = None,
    save: Annotated[str, typer.Option(help="Write drawn photos into this folder.")] = "",
    cropped: Annotated[bool, typer.Option("--cropped", help="Every image is a face already.")] = False,
    every: Annotated[float, typer.Option(help="Of a video: look every so many seconds; 0: at every frame.")] = 0.0,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    threads: Annotated[int, typer.Option(help="0: all cores.")] = 0,
    speed: Speed = None,
    allow: Allow = False,
) -> None:
    """Find faces in photos or a video and say their expression."""
    from facelet.runtime.detector import configured
    from facelet.runtime.media import predictions as prediction

    if as_json and as_csv:
        raise FaceletError("take one of --json and --csv")
    if cropped and not (min_score is None and detail is None):
        raise FaceletError("with --cropped nothing is looked for: leave out --min-score and --detail")
    prediction.command(
        photos,
        model=model,
        detector=configured(detector, min_score, detail),
        save=save,
        cropped=cropped,
        every=every,
        form="json" if as_json else "csv" if as_csv else "table",
        threads=threads,
        speed=speed,
        console=console,
    )


@app.command()
def models(
    name: Annotated[str, typer.Argument(help="Show this one; a model file too.")] = "",
    copy: Annotated[str, typer.Option(help="Write its file into this folder, or as this file.")] = "",
    check: Annotated[
        bool, typer.Option("--check", help="Run the self-test of each model on this machine; exit code 1 if one fails.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the models that come with Facelet, show one, copy its file, or check them on this machine."""
    from facelet.runtime import catalogue

    code = catalogue.command(name, copy=copy, check=check, as_json=as_json, console=console)
    if code:
        raise typer.Exit(code)


for verb in (cli_crop.crop, cli_card.card, cli_people.verify, cli_people.enroll, cli_people.identify):
    app.command()(verb)
app.add_typer(cli_people.gallery_app, name="gallery")


@app.command()
def env() -> None:
    """What to paste into a bug report."""
    from facelet import environment

    print(environment.describe())


def main() -> None:
    """Runs the command. The user's mistakes end with one message and exit code 2, never with a traceback."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", FaceletWarning)
        warnings.showwarning = partial(_show_warning, warnings.showwarning)
        _main()


def _show_warning(
    show_other: Callable[..., None], message: Warning | str, category: type[Warning], *where: Any
) -> None:
    """Prints a warning of ours as a note; any other as Python does."""
    if issubclass(category, FaceletWarning):
        errors.print(f"[yellow]note[/]: {escape(str(message))}", soft_wrap=True)
    else:
        show_other(message, category, *where)


def _main() -> None:
    try:
        code = app(standalone_mode=False) or 0
        if code == STOPPED:
            errors.print("stopped")
        sys.exit(code)
    except FaceletError as error:
        errors.print(f"[bold red]error[/]: {escape(str(error))}", soft_wrap=True)
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort) as error:
        errors.print("stopped" + f"; {error}" * bool(str(error)), markup=False, soft_wrap=True)
        sys.exit(STOPPED)
    except BrokenPipeError:
        sys.exit(0)
    except MemoryError:
        errors.print("[bold red]error[/]: there is not enough memory for this; take fewer or smaller images")
        sys.exit(2)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("facelet"):
            raise
        from facelet.installation import install_command

        told = f"this command needs {error.name}: {install_command()}"
        errors.print(f"[bold red]error[/]: {escape(told)}", soft_wrap=True)
        sys.exit(2)
    except Exception as error:
        if type(error).__module__.split(".")[0] not in ("click", "typer"):
            raise
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        if message:  # help was asked for without a word
            errors.print(f"[bold red]error[/]: {escape(message)}", soft_wrap=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
