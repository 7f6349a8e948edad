"""Trains the demo model: train.py FOLDER [--steps N] [--decay N] [--short N] [--resume CHECKPOINT]

Checkpoints and the log go to FOLDER. Batches follow from the seed and the number of the step alone.
The learning rate rises for some steps, stays, and falls to zero over the last `--decay` ones.
The first `--short` steps take short rows only and cut most answers off after some tokens: which
answer fits is harder to learn than how it goes on. The others mix lengths and cut nothing.
"""

import argparse
import multiprocessing
import pathlib
import time

import numpy as np
import torch
import torch.distributed as distributed

import dialogues
import network
from tokenizer import Tokenizer, learn_merges

HERE = pathlib.Path(__file__).resolve().parent
VOCABULARY = HERE.parent / "vocabulary.json"
MERGES = 1524
BATCH_TOKENS = 4096
LENGTHS, LENGTH_WEIGHTS = [256, 512, 1024, 2048], [12, 5, 2, 1]
WARM_UP = 50
CUT = 0.75


def learn_vocabulary():
    source = dialogues.Dialogues(7)
    texts = ["".join(text for text, _ in source.conversation(3000)) for _ in range(2500)]
    Tokenizer(learn_merges(texts, MERGES)).save(VOCABULARY)


class Batches:
    """Rows of token ids and which of them are to be foretold."""

    def __init__(self, seed, short_steps):
        self.seed = seed
        self.short_steps = short_steps
        self.tokenizer = Tokenizer.load(VOCABULARY)
        self.source = dialogues.Dialogues(0)

    def row(self, length, cuts):
        ids, wanted = [], []
        characters = length * 5
        while len(ids) < length + 1:
            ids, wanted = [], []
            for text, is_wanted in self.source.conversation(characters):
                part = self.tokenizer.encode_with_special(text)
                if (is_wanted and cuts and "<tool_call>" not in text and "<think>" not in text
                        and self.source.rng.random() < CUT):
                    part = part[:self.source.rng.randrange(6, 15)]
                ids += part
                wanted += [is_wanted] * len(part)
                if len(ids) > length:
                    break
            characters *= 2
        return ids[:length + 1], wanted[:length + 1]

    def batch(self, step):
        self.source.rng.seed(self.seed * 1_000_003 + step)
        length = LENGTHS[0]
        if step >= self.short_steps:
            length = self.source.rng.choices(LENGTHS, LENGTH_WEIGHTS)[0]
        count = max(2, BATCH_TOKENS // length)
        rows = [self.row(length, step < self.short_steps) for _ in range(count)]
        return np.array([r[0] for r in rows], np.int64), np.array([r[1] for r in rows])


def factor(step, steps, decay):
    return min(1.0, (step + 1) / WARM_UP, (steps - step) / max(1, decay))


def save(path, net, optimizer, step):
    torch.save({"shape": net.shape, "step": step, "optimizer": optimizer.state(),
                "weights": {k: v.detach() for k, v in net.named_parameters()}}, path)


def load(path, net, optimizer):
    checkpoint = torch.load(path)
    with torch.no_grad():
        for name, value in net.named_parameters():
            value.copy_(checkpoint["weights"][name])
    optimizer.restore(checkpoint["optimizer"])
    return checkpoint["step"]


def run(rank, arguments):
    """One of the processes: it takes every n-th row of each batch."""
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(1)
    folder = pathlib.Path(arguments.folder)
    count = arguments.processes
    if count > 1:
        distributed.init_process_group("gloo", f"file://{folder.resolve()}/meeting", rank=rank,
                                       world_size=count)
    batches = Batches(arguments.seed, arguments.short)
    net = network.Network(len(batches.tokenizer.tokens))
    optimizer = network.Optimizer(net, arguments.rate, arguments.rate * 0.4)
    first = load(arguments.resume, net, optimizer) if arguments.resume else 0
    log = open(folder / "training.log" if rank == 0 else "/dev/null", "a", encoding="utf-8")
    print(f"# steps {first} to {arguments.steps}, decay {arguments.decay}, "
          f"short {arguments.short}, "
          f"rate {arguments.rate}, batch {BATCH_TOKENS}, seed {arguments.seed}, "
          f"{sum(p.numel() for p in net.parameters())} parameters", file=log, flush=True)
    begin, total, seen, tokens = time.time(), 0.0, 0, 0
    for step in range(first, arguments.steps):
        ids, wanted = batches.batch(step)
        loss = net.loss(torch.from_numpy(ids[rank::count]), torch.from_numpy(wanted[rank::count]))
        loss.backward()
        optimizer.step(factor(step, arguments.steps, arguments.decay))
        total += loss.item()
        seen += 1
        tokens += ids.size
        if (step + 1) % 20 == 0:
            speed = tokens / (time.time() - begin)
            print(f"step {step + 1} loss {total / seen:.4f} tokens/s {speed:.0f}", file=log,
                  flush=True)
            begin, total, seen, tokens = time.time(), 0.0, 0, 0
        if rank == 0 and ((step + 1) % arguments.every == 0 or step + 1 == arguments.steps):
            save(folder / "latest.tmp", net, optimizer, step + 1)
            (folder / "latest.tmp").rename(folder / "latest.pt")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--decay", type=int, default=1000)
    parser.add_argument("--short", type=int, default=3000)
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=0.02)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--resume")
    arguments = parser.parse_args()
    folder = pathlib.Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "meeting").unlink(missing_ok=True)
    if not VOCABULARY.exists():
        learn_vocabulary()
    others = [multiprocessing.Process(target=run, args=(rank, arguments), daemon=True)
              for rank in range(1, arguments.processes)]
    for process in others:
        process.start()
    run(0, arguments)
    for process in others:
        process.join()


if __name__ == "__main__":
    main()
