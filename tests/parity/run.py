"""Downhill beside PyTorch, through the train.py that Downhill exports: the program runs as it is, with the classes it defines itself.

    run.py COMMAND            trains each experiment with both and compares loss curves and evaluations, then runs the program of every preset
    run.py COMMAND --write    writes fixtures/: what PyTorch computes, for the tests that run without it

COMMAND is the downhill command. The comparison of logits, of every gradient and of buffers and averages at the end is
`crates/train/tests/parity.rs`, which reads the fixtures.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

HERE = Path(__file__).resolve().parent
STEPS = 100
# Both sum in f32, in different orders, and differences grow with every step.
RELATIVE = 1e-4
# Experiments that are trained by two processes too. Where a norm takes the statistics of a batch, each process would have its own.
SHARED = ["adamw_cosine_clip", "classification_adam", "reduce_on_plateau"]
# A preset need not stay close for long: some are there to run away.
PRESET_STEPS = 3
# How experiments with a text go on with it: a prompt that is one token, whatever the tokenizer, and tokens to add.
PROMPT, TOKENS = "T", 80
# Samples that a decoder writes of.
ANSWERS = 6
TEXTS = {
    "greedy": [],
    "penalised": ["--repetition-penalty", 1.3],
    "stopped": ["--stop", "sat t", "--stop", "n, and"],
}


def output_of(command, folder=HERE):
    """Standard output and standard error of a command, or the end of the run with what it had to say."""
    done = subprocess.run([str(word) for word in command], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout, done.stderr


def losses_of(lines):
    return [json.loads(line)["loss"] for line in lines.splitlines() if line.startswith('{"step"')]


def evaluation_of(lines):
    """The evaluation at the end of a run: the last line that is an object."""
    return json.loads([line for line in lines.splitlines() if line.startswith("{")][-1])


def pytorch(downhill, experiment, folder, steps=STEPS):
    """Exports the experiment and trains it with PyTorch: losses, and the evaluation at the end. The first batch's tensors are in
    `first.safetensors`, the weights at the end in `weights.safetensors`."""
    output_of([downhill, "export", experiment, "--format", "pytorch", "--steps", steps, "-o", folder])
    files = ["--dump", "first.safetensors", "--save", "weights.safetensors"]
    lines, evaluation = output_of([sys.executable, "train.py", "--steps", steps, *files], folder)
    return losses_of(lines), evaluation_of(evaluation)


def ours(downhill, experiment, folder, steps=STEPS):
    metrics = folder / "metrics.jsonl"
    lines, _ = output_of([downhill, "train", experiment, "--backend", "cpu", "--steps", steps, "--metrics", metrics])
    return losses_of(metrics.read_text()), evaluation_of(lines)


def weights_come_back(downhill, experiment, folder):
    """Ends the run where Downhill does not read and write what PyTorch saved as it is, or does not say what does not fit."""
    saved, back, other = folder / "weights.safetensors", folder / "back.safetensors", folder / "other.safetensors"
    output_of([downhill, "export", experiment, "--format", "safetensors", "--weights", saved, "-o", back])
    theirs, mine = load_file(saved), load_file(back)
    if theirs.keys() != mine.keys() or not all(torch.equal(theirs[name], mine[name]) for name in theirs):
        sys.exit(f"{experiment.stem}: weights do not come back as they were saved")
    names = [name for name in theirs if not name.startswith("ema.") and theirs[name].is_floating_point()]
    if len(names) < 3:
        return
    missing, reshaped = names[0], names[1]
    odd = {name: tensor for name, tensor in theirs.items() if name != missing}
    odd |= {"unknown.weight": torch.zeros(3), reshaped: torch.zeros([*theirs[reshaped].shape, 2])}
    save_file(odd, other)
    command = [downhill, "train", experiment, "--backend", "cpu", "--steps", 1, "--init", other, "--partial"]
    _, notes = output_of(command)
    said = [f"{missing}: The file does not hold", f"{reshaped}: The file holds a F32 tensor of shape", "unknown.weight: The network has no"]
    if not all(text in notes for text in said):
        sys.exit(f"{experiment.stem}: not all that does not fit is told\n{notes}")
    save_file({name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in theirs.items()}, other)
    output_of([downhill, "export", experiment, "--format", "safetensors", "--weights", other, "-o", back])
    if not all(torch.equal(load_file(other)[name].to(tensor.dtype), tensor) for name, tensor in load_file(back).items()):
        sys.exit(f"{experiment.stem}: weights of half precision are read otherwise")


def shared(experiment, folder):
    """How far the losses of two processes that share every batch are from those of one, relative. The program lies in the folder."""
    one, _ = output_of([sys.executable, "train.py", "--steps", STEPS], folder)
    two, _ = output_of([sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", 2, "train.py", "--steps", STEPS], folder)
    one, two = losses_of(one), losses_of(two)
    if not len(one) == len(two) == STEPS:
        sys.exit(f"{experiment.stem}: {len(two)} losses from two processes")
    return max(abs(a - b) / max(abs(b), 1e-12) for a, b in zip(two, one))


def difference(downhill, experiment, steps=STEPS):
    """The largest relative difference of the two loss curves and of the loss of the evaluation at the end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (theirs, at_end), (mine, my_end) = pytorch(downhill, experiment, folder, steps), ours(downhill, experiment, folder, steps)
        weights_come_back(downhill, experiment, folder)
        if experiment.stem in SHARED:
            apart = shared(experiment, folder)
            print(f"{experiment.stem}: losses of two processes differ by at most {apart:.1e} from those of one (allowed {RELATIVE:.0e})", flush=True)
            if apart > RELATIVE:
                sys.exit(f"{experiment.stem}: two processes train otherwise than one")
    if not len(theirs) == len(mine) == steps:
        sys.exit(f"{experiment.stem}: {len(theirs)} losses from PyTorch, {len(mine)} from Downhill, expected {steps}")
    pairs = [*zip(mine, theirs), (my_end["validation_loss"], at_end["validation_loss"])]
    return max(abs(a - b) / max(abs(b), 1e-12) for a, b in pairs)


def at_end(folder, evaluation):
    """What a run leaves besides the weights that it learns: buffers, averages, frozen weights, and the loss of its evaluation."""
    weights = {name.removeprefix("grad.") for name in load_file(folder / "first.safetensors") if name.startswith("grad.")}
    tensors = {name: tensor for name, tensor in load_file(folder / "weights.safetensors").items() if name not in weights}
    return tensors | {"validation_loss": torch.tensor([evaluation["validation_loss"]])}


def write_fixture(downhill, experiment):
    fixture = HERE / "fixtures" / experiment.stem
    fixture.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        losses, evaluation = pytorch(downhill, experiment, folder)
        shutil.copy(folder / "first.safetensors", fixture)
        save_file(at_end(folder, evaluation), fixture / "last.safetensors")
        if experiment.stem.startswith("text_"):
            write_texts(folder, fixture)
        if experiment.stem.startswith("written_"):
            write_answers(folder, fixture)
    (fixture / "losses.json").write_text("[\n" + ",\n".join(f"  {loss!r}" for loss in losses) + "\n]\n")
    print(f"{experiment.stem}: {len(losses)} losses, {losses[0]:.6f} to {losses[-1]:.6f}")


def write_texts(folder, fixture):
    """How the program goes on with a text after its steps, always with the likeliest token."""
    for name, more in TEXTS.items():
        ask = ["--steps", STEPS, "--generate", PROMPT, "--tokens", TOKENS, *more]
        lines, _ = output_of([sys.executable, "train.py", *ask], folder)
        (fixture / f"{name}.json").write_text(lines.splitlines()[-1] + "\n")


def write_answers(folder, fixture):
    """What the decoder of the program writes of some samples after its steps, always with the likeliest token."""
    ask = ["--steps", STEPS, "--generate", "", "--tokens", TOKENS, "--sample", *range(ANSWERS)]
    lines = output_of([sys.executable, "train.py", *ask], folder)[0].splitlines()[-ANSWERS:]
    (fixture / "answers.json").write_text("[\n" + ",\n".join(f"  {line}" for line in lines) + "\n]\n")


def compare(downhill, experiments):
    """Whether every curve is close enough, and every preset's program runs and begins where Downhill does."""
    worst = 0.0
    for experiment in experiments:
        found = difference(downhill, experiment)
        worst = max(worst, found)
        print(f"{experiment.stem}: loss curves over {STEPS} steps and evaluation differ by at most {found:.1e} (allowed {RELATIVE:.0e})", flush=True)
    for preset in sorted((HERE / "../../static/presets").resolve().glob("*.json")):
        # PyTorch draws other random numbers, so that dropout leaves nothing to compare.
        random = '"dropout"' in preset.read_text()
        found = difference(downhill, preset, PRESET_STEPS)
        worst = worst if random else max(worst, found)
        said = "its program runs" if random else f"loss curves over {PRESET_STEPS} steps differ by at most {found:.1e}"
        print(f"preset {preset.stem}: {said}", flush=True)
    return worst <= RELATIVE


def main():
    downhill = Path(sys.argv[1]).resolve()
    experiments = sorted((HERE / "experiments").glob("*.json"))
    if "--write" in sys.argv:
        for experiment in experiments:
            write_fixture(downhill, experiment)
        return
    sys.exit(0 if compare(downhill, experiments) else 1)


if __name__ == "__main__":
    main()
