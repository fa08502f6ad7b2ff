"""Downhill beside PyTorch, through the train.py that Downhill exports.

    run.py            trains each experiment with both and compares the loss curves
    run.py --write    writes fixtures/: what PyTorch computes, for the tests that run without it

The comparison of logits and of every gradient is `crates/train/tests/parity.rs`, which reads the fixtures.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
DOWNHILL = ["cargo", "run", "--quiet", "--release", "--package", "downhill-cli", "--"]
STEPS = 100
RELATIVE = 1e-4


def output_of(command, folder=HERE):
    """Standard output of a command, or the end of the run with what it had to say."""
    done = subprocess.run([str(word) for word in command], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def losses_of(lines):
    return [json.loads(line)["loss"] for line in lines.splitlines() if line.startswith("{")]


def pytorch(experiment, folder):
    """Exports the experiment and trains it with PyTorch; the first batch's tensors are in `first.safetensors`."""
    output_of([*DOWNHILL, "export", experiment, "--format", "pytorch", "--steps", STEPS, "-o", folder])
    lines = output_of([sys.executable, "train.py", "--steps", STEPS, "--dump", "first.safetensors"], folder)
    return losses_of(lines)


def ours(experiment, folder):
    metrics = folder / "metrics.jsonl"
    output_of([*DOWNHILL, "train", experiment, "--steps", STEPS, "--metrics", metrics])
    return losses_of(metrics.read_text())


def compare(experiment):
    """The largest relative difference of the two loss curves."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        theirs, mine = pytorch(experiment, folder), ours(experiment, folder)
    if not len(theirs) == len(mine) == STEPS:
        sys.exit(f"{experiment.stem}: {len(theirs)} losses from PyTorch, {len(mine)} from Downhill, expected {STEPS}")
    return max(abs(a - b) / max(abs(b), 1e-12) for a, b in zip(mine, theirs))


def write_fixture(experiment):
    fixture = HERE / "fixtures" / experiment.stem
    fixture.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        losses = pytorch(experiment, folder)
        shutil.copy(folder / "first.safetensors", fixture)
    shutil.copy(experiment, fixture / "experiment.json")
    (fixture / "losses.json").write_text("[\n" + ",\n".join(f"  {loss!r}" for loss in losses) + "\n]\n")
    print(f"{experiment.stem}: {len(losses)} losses, {losses[0]:.6f} to {losses[-1]:.6f}")


def main():
    experiments = sorted((HERE / "experiments").glob("*.json"))
    if "--write" in sys.argv:
        for experiment in experiments:
            write_fixture(experiment)
        return
    worst = 0.0
    for experiment in experiments:
        difference = compare(experiment)
        worst = max(worst, difference)
        print(f"{experiment.stem}: loss curves over {STEPS} steps differ by at most {difference:.1e} (allowed {RELATIVE:.0e})")
    sys.exit(0 if worst <= RELATIVE else 1)


if __name__ == "__main__":
    main()
