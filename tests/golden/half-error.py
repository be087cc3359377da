#!/usr/bin/env python3
"""How far PyTorch itself is from the golden numbers when it computes in 16 bits: what golden-check's tolerances stand on.

    half-error.py [--device cuda] GOLDEN_FOLDER...

Weights and activations are bf16 (fp16 with a loss scale of 65536), norms and softmax in fp32, as transformers computes
them in eager mode; written out here in PyTorch alone, so that transformers is not needed. In fp32 the same code must
agree with the golden numbers (the "fp32" lines): that checks it. Prints the error of the loss, of the logits (worst,
over the largest) and of the gradients (worst parameter, ||ours - theirs|| / ||theirs||).
"""
import argparse
import json
import math
import os
import struct

import torch
import torch.nn.functional as F

DTYPES = {"F32": torch.float32, "I32": torch.int32, "BF16": torch.bfloat16, "F16": torch.float16}


def read(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = bytearray(file.read())
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            tensors[name] = torch.frombuffer(data[begin:end], dtype=DTYPES[entry["dtype"]]).reshape(entry["shape"]).clone()
    return tensors


def attend(q, k, v, window):
    """q, k, v: (B, H, T, head_dim)"""
    T = q.shape[2]
    at = torch.arange(T, device=q.device)
    visible = at[None, :] <= at[:, None]
    if window:
        visible &= at[None, :] > at[:, None] - window
    scores = (q @ k.transpose(2, 3)) * q.shape[3] ** -0.5
    scores = scores.masked_fill(~visible, torch.finfo(scores.dtype).min)
    return scores.float().softmax(-1).to(q.dtype) @ v


def split(x, heads):
    return x.view(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)


def gpt2(w, config, ids):
    W = lambda name: w["transformer." + name]
    norm = lambda x, name: F.layer_norm(x, x.shape[-1:], W(name + ".weight"), W(name + ".bias"), config["layer_norm_epsilon"])
    linear = lambda x, name: x @ W(name + ".weight") + W(name + ".bias")
    x = W("wte.weight")[ids] + W("wpe.weight")[: ids.shape[1]]
    for i in range(config["n_layer"]):
        h = "h.%d." % i
        q, k, v = (split(t, config["n_head"]) for t in linear(norm(x, h + "ln_1"), h + "attn.c_attn").chunk(3, -1))
        x = x + linear(attend(q, k, v, 0).transpose(1, 2).flatten(2), h + "attn.c_proj")
        x = x + linear(F.gelu(linear(norm(x, h + "ln_2"), h + "mlp.c_fc"), approximate="tanh"), h + "mlp.c_proj")
    return norm(x, "ln_f") @ W("wte.weight").T


def rotate(x, theta):
    half = x.shape[3] // 2
    angle = torch.arange(x.shape[2], device=x.device)[:, None] * theta ** (-torch.arange(half, device=x.device) / half)
    cos, sin = (f(angle).to(x.dtype) for f in (torch.cos, torch.sin))
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


def llama(w, config, ids):
    W = lambda name: w["model." + name]
    theta, heads, kv = config["rope_parameters"]["rope_theta"], config["num_attention_heads"], config["num_key_value_heads"]

    def norm(x, name):
        y = x.float()
        return W(name) * (y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + config["rms_norm_eps"])).to(x.dtype)

    def linear(x, name):
        y = x @ W(name + ".weight").T
        return y + W(name + ".bias") if "model." + name + ".bias" in w else y

    x = F.embedding(ids, W("embed_tokens.weight"), padding_idx=config["pad_token_id"])  # the padding token learns nothing
    for i in range(config["num_hidden_layers"]):
        h = "layers.%d." % i
        y = norm(x, h + "input_layernorm.weight")
        q, k, v = (split(linear(y, h + "self_attn.%s_proj" % n), c) for n, c in (("q", heads), ("k", kv), ("v", kv)))
        q, k = rotate(q, theta), rotate(k, theta)
        k, v = (t.repeat_interleave(heads // kv, 1) for t in (k, v))
        o = attend(q, k, v, config.get("sliding_window") or 0)
        x = x + linear(o.transpose(1, 2).flatten(2), h + "self_attn.o_proj")
        y = norm(x, h + "post_attention_layernorm.weight")
        x = x + linear(F.silu(linear(y, h + "mlp.gate_proj")) * linear(y, h + "mlp.up_proj"), h + "mlp.down_proj")
    head = w["model.embed_tokens.weight"] if config["tie_word_embeddings"] else w["lm_head.weight"]
    return norm(x, "norm.weight") @ head.T


def check(folder, dtype, device):
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    with open(os.path.join(folder, "golden.json"), encoding="utf-8") as file:
        golden_loss = json.load(file)["loss"]
    golden = read(os.path.join(folder, "golden.safetensors"))
    weights = read(os.path.join(folder, "model.safetensors"))
    weights = {k: v.to(device, dtype).requires_grad_() for k, v in weights.items() if v.is_floating_point()}
    ids = golden["input_ids"].long().to(device)
    scale = 65536.0 if dtype == torch.float16 else 1.0
    logits = (gpt2 if config["model_type"] == "gpt2" else llama)(weights, config, ids)
    loss = F.cross_entropy(logits.float()[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    (loss * scale).backward()
    theirs = golden["logits"]
    worst, name = 0.0, ""
    for key, value in weights.items():
        reference = golden.get("grad." + key)
        if reference is not None and value.grad is not None:
            error = float((value.grad.float().cpu() / scale - reference).norm() / max(float(reference.norm()), 1e-30))
            if not error <= worst:
                worst, name = error, key
    print("%-14s %-9s loss %.2e  logits %.2e  gradient %.2e (%s)"
          % (os.path.basename(folder.rstrip("/")), str(dtype)[6:], abs(float(loss.detach()) - golden_loss),
             float((logits.detach().float().cpu() - theirs).abs().max() / theirs.abs().max()), worst, name))
    return not (math.isnan(worst) or dtype == torch.float32 and worst > 1e-4)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("folders", nargs="+")
    options = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = False
    results = [check(f, d, options.device) for f in options.folders for d in (torch.float32, torch.bfloat16, torch.float16)]
    raise SystemExit(not all(results))
