"""PyTorch's FlashAttention-2 in the shapes of bench-attention's GPU tables, for figures of the same run.

GFLOP/s counts visible pairs only, as bench-attention does: 4 * d a pair and head forward, 10 * d backward. Median of 9.
Needs PyTorch with CUDA; nothing else in this project does.

    attention-peers.py [--head-dim 64] [--backward]
"""
import argparse
import math
import statistics

import torch

BATCH_TOKENS, WIDTH = 32768, 2048
FLASH = torch.ops.aten


def seconds(call, runs=9):
    call()
    events = [torch.cuda.Event(enable_timing=True) for _ in range(runs + 1)]
    for event in events[:-1]:
        event.record()
        call()
    events[-1].record()
    torch.cuda.synchronize()
    return statistics.median(a.elapsed_time(b) for a, b in zip(events, events[1:])) * 1e-3


def pairs(tokens, window):
    w = window or tokens
    return w * (w + 1) / 2 + (tokens - w) * w


def row(tokens, window, d, backward):
    heads, batch = WIDTH // d, max(BATCH_TOKENS // tokens, 1)
    q, k, v, do = (torch.randn(batch, tokens, heads, d, device="cuda", dtype=torch.bfloat16) for _ in range(4))
    options = dict(scale=1 / math.sqrt(d), window_size_left=window - 1 if window else -1, window_size_right=0)

    def forward():
        return FLASH._flash_attention_forward(q, k, v, None, None, tokens, tokens, 0.0, True, False, **options)

    work = pairs(tokens, window) * heads * batch * d / 1e9
    text = f"{tokens:8} {window:8} {4 * work / seconds(forward):10.0f}"
    if backward:
        o, lse, state, unused, _ = forward()
        t = seconds(lambda: FLASH._flash_attention_backward(do, q, k, v, o, lse, None, None, tokens, tokens, 0.0, True,
                                                            state, unused, **options))
        text += f" {10 * work / t:10.0f}"
    print(text, flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--head-dim", type=int, default=64)
    parser.add_argument("--backward", action="store_true")
    options = parser.parse_args()
    print(f"FlashAttention-2 of PyTorch {torch.__version__}, {torch.cuda.get_device_name()}, head_dim {options.head_dim}")
    print("       T        W     fwd GF" + ("     bwd GF" if options.backward else ""))
    for tokens in (2048, 4096, 8192, 16384, 32768):
        row(tokens, 0, options.head_dim, options.backward)
    for tokens in (16384, 65536):
        for window in (512, 1024, 2048, 4096):
            row(tokens, window, options.head_dim, options.backward)


main()
