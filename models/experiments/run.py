"""Running an experiment: train what is missing, then show and file what came out."""

import importlib.util
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minigrad.backend import use_backend
from models.experiments import manifest
from models.experiments.config import Preset, digest, with_dataset
from models.experiments.errors import InterruptionError, RunError
from models.experiments.experiment import Experiment
from models.experiments.figures import save_figure
from models.experiments.pool import Job, run_jobs
from models.experiments.progress import Progress
from models.experiments.results import RunFolder, read_json, write_json, write_text
from models.experiments.summary import make_summary, show_results

NEEDED = ("matplotlib", "tqdm", "safetensors")


@dataclass(frozen=True)
class Options:
    """What the command line asks for; None stands for the default."""

    preset: str
    backend: str
    dataset: str | None = None
    seeds: int | None = None
    jobs: int | None = None
    out: Path | None = None
    trainings: Path | None = None
    """Folder of the networks of several runs; None: as out says."""


@dataclass(frozen=True)
class Run:
    """An experiment at one scale: all that names its numbers, and where they go."""

    experiment: Experiment
    preset: str
    config: Any
    seeds: int
    backend: str
    folder: RunFolder

    @property
    def config_hash(self) -> str:
        """See models.experiments.config.digest."""
        return digest(self.experiment.id, self.config, self.backend)

    @property
    def training_hash(self) -> str:
        """The same of what is trained."""
        return digest(self.experiment.recipe, self.config, self.backend)

    @property
    def extras(self) -> list[Path]:
        """Files of this experiment that others do not have."""
        return [self.folder.path / name for name in self.experiment.extras]

    def job(self, arm: str, seed: int) -> Job:
        """The training of one arm under one seed."""
        return Job(
            experiment=self.experiment.id,
            arm=arm,
            seed=seed,
            config=self.config,
            training_hash=self.training_hash,
            backend=self.backend,
            checkpoint=self.folder.checkpoint(arm, seed),
            train=self.experiment.train,
        )


def plan(experiment: Experiment, options: Options) -> Run:
    """Fill in the defaults."""
    preset: Preset = experiment.presets[options.preset]
    config = with_dataset(preset.config, options.dataset)
    backend = options.backend
    return Run(
        experiment=experiment,
        preset=options.preset,
        config=config,
        seeds=options.seeds or preset.seeds,
        backend=backend,
        folder=_folder(experiment, options, config),
    )


def _folder(experiment: Experiment, options: Options, config: Any) -> RunFolder:
    """Where results go, and networks: into the folder asked for, or a shared one."""
    name = f"{options.preset}-{config.dataset}"
    if options.backend != "numpy":
        name += f"-{options.backend}"
    path = options.out or Path("results") / experiment.id / name
    shared = options.trainings or (None if options.out else Path("results/trainings"))
    if shared is not None:
        hash_ = digest(experiment.recipe, config, options.backend)
        shared = shared / f"{experiment.recipe}-{hash_}"
    return RunFolder(path, shared)


def expect_data(run: Run) -> None:
    """Raise DataError or BackendError if what the run needs is not there."""
    if not _is_complete(run):
        with use_backend(run.backend):
            run.experiment.prepare(run.config)


def execute(run: Run, workers: int) -> dict[str, Any]:
    """Run, print what came out, and return the summary.

    Raises RunError, InterruptionError, DataError, BackendError or OSError; what is
    finished by then is on disk, and the same command goes on from there.
    """
    _expect_packages()
    if _is_complete(run):
        _open(run)
        _records(run)  # Read for damage only: the summary holds their numbers.
        print(_headline(run, workers))
        print(
            f"already done; to measure anew delete {run.folder.path}, to train anew "
            f"also {run.folder.trainings}"
        )
        summary = read_json(run.folder.summary)
    else:
        summary = _complete(run, workers)
    show_results(run.experiment, summary)
    print(f"\n{run.folder.flow.read_text(encoding='utf-8')}")
    print(f"figure    {run.folder.figure}")
    for path in run.extras:
        print(f"{path.suffix[1:]:<9} {path}")
    print(f"manifest  {run.folder.manifest}")
    return summary


def _complete(run: Run, workers: int) -> dict[str, Any]:
    """Train what is missing, file all and return the summary."""
    with run.folder.locked():
        circumstances = _open(run)
        print(_headline(run, workers), flush=True)
        records = _train(run, workers)
        circumstances |= {"seeds": len(records), "finished_time": manifest.now()}
        return _file(run, records, circumstances)


def _open(run: Run) -> dict[str, Any]:
    """Return the manifest, which a new folder is given."""
    return run.folder.open(
        manifest.describe(
            run.experiment.id, run.preset, run.config, run.config_hash, run.backend
        )
    )


def _records(run: Run) -> dict[int, dict[str, Any]]:
    return run.folder.records(run.seeds, run.config_hash)


def _is_complete(run: Run) -> bool:
    """Whether all that a run files is there, for as many seeds."""
    folder = run.folder
    paths = [folder.summary, folder.figure, folder.flow, folder.flow_page, *run.extras]
    paths += [folder.seed(seed) for seed in range(run.seeds)]
    return (
        all(path.exists() for path in paths)
        and read_json(folder.summary).get("seeds") == run.seeds
    )


def _expect_packages() -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise RunError(
            f"experiments need {', '.join(missing)}, which is not installed; "
            'run `pip install -e ".[models]"`'
        )


def _headline(run: Run, workers: int) -> str:
    return (
        f"{run.experiment.id}: {run.experiment.title}\n"
        f"preset {run.preset}, data set {run.config.dataset}, {run.seeds} "
        f"{'seed' if run.seeds == 1 else 'seeds'}, {run.backend}, {workers} "
        f"{'process' if workers == 1 else 'processes'} -> {run.folder.path}"
    )


def _train(run: Run, workers: int) -> list[dict[str, Any]]:
    """Train what is missing, file each seed as it is complete; return all records."""
    records = _records(run)
    missing = [seed for seed in range(run.seeds) if seed not in records]
    arms = run.experiment.arms
    if not all(run.folder.checkpoint(arm, 0).exists() for arm in arms):
        # What is explained at the end are the networks of seed 0.
        missing = sorted({0, *missing}) if run.config.epochs else missing
    if missing:
        _train_seeds(run, missing, workers, records)
    return [records[seed] for seed in range(run.seeds)]


def _train_seeds(
    run: Run, seeds: Sequence[int], workers: int, records: dict[int, Any]
) -> None:
    """Train all arms of seeds and add a record for each."""
    jobs = [run.job(arm, seed) for seed in seeds for arm in run.experiment.arms]
    progress = Progress(run.experiment.id, len(jobs) * run.config.epochs)
    found: dict[tuple[int, str], dict[str, Any]] = {}
    try:
        with closing(run_jobs(jobs, workers, progress.epoch)) as results:
            for job, result in results:
                found[job.seed, job.arm] = result
                arms = {
                    arm: found[job.seed, arm]
                    for arm in run.experiment.arms
                    if (job.seed, arm) in found
                }
                if len(arms) == len(run.experiment.arms):
                    records[job.seed] = _record(run, job.seed, arms)
                    write_json(run.folder.seed(job.seed), records[job.seed])
    except KeyboardInterrupt as cause:
        finished = {(arm, seed) for seed, arm in found}
        sentence = _how_to_go_on(jobs, finished, progress)
        raise InterruptionError(sentence, cause) from None
    finally:
        progress.close()


def _record(run: Run, seed: int, arms: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "experiment": run.experiment.id,
        "config_hash": run.config_hash,
        "seed": seed,
        "arms": dict(arms),
    }


def _how_to_go_on(
    jobs: Sequence[Job], finished: set[tuple[str, int]], progress: Progress
) -> str:
    """Name the epoch from which the least advanced training goes on."""
    open_ones = {
        key: epoch for key, epoch in progress.reached.items() if key not in finished
    }
    count = f"{len(finished)} of {len(jobs)} trainings are done"
    if not open_ones:
        fresh = not any(job.checkpoint.exists() for job in jobs)
        where = " from epoch 1" if fresh else ""
        return f"interrupted; run the same command to go on{where} ({count})"
    (arm, seed), epoch = min(open_ones.items(), key=lambda item: item[1])
    return (
        f"interrupted; run the same command to go on from epoch {epoch + 1} "
        f"({arm}, seed {seed}; {count})"
    )


def _file(
    run: Run, records: Sequence[dict[str, Any]], circumstances: dict[str, Any]
) -> dict[str, Any]:
    """Write manifest, figure, gradient flow, extras and, last, the summary."""
    experiment, folder = run.experiment, run.folder

    def draw(figure: Any) -> None:
        figure.suptitle(
            f"{experiment.id}, measured with preset {run.preset} on "
            f"{run.config.dataset}, n = {run.seeds}"
        )
        experiment.draw(figure, records)

    save_figure(folder.figure, draw, experiment.figure_size)
    checkpoints = {arm: folder.checkpoint(arm, 0) for arm in experiment.arms}
    with use_backend(run.backend):
        explanation = experiment.explain(run.config, checkpoints)
        for path in run.extras:
            experiment.extras[path.name](run.config, checkpoints, path)
    write_text(folder.flow, f"{explanation.table}\n\n{explanation.sentence}\n")
    explanation.flow.to_html(folder.flow_page)
    write_json(folder.manifest, circumstances)
    summary = make_summary(
        experiment, run.preset, run.config.dataset, records, circumstances
    )
    write_json(folder.summary, summary)
    return summary
