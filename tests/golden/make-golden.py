#!/usr/bin/env python3
"""Makes a golden folder out of a model folder, with transformers in fp32 on the CPU (eager attention).

    make-golden.py MODEL_FOLDER GOLDEN_FOLDER

The result has the format of tests/golden/data (see its README.md) and is what golden-check reads. Run it where PyTorch
and transformers are; neither the build nor the tests need them. It is also the check that a model which Fenestra saved
loads in transformers: golden-check on the result compares loss, logits, gradients, ten AdamW steps and greedy text.
"""
import json
import os
import shutil
import sys

import torch
import transformers
from safetensors.torch import save_file

ADAMW = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.95, "eps": 1e-8, "weight_decay": 0.1, "clip": 1.0, "decay_all": True}


def mean_loss(model, ids):
    logits = model(input_ids=ids).logits.float()
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].reshape(-1, logits.shape[-1]), ids[:, 1:].reshape(-1))
    return logits, loss


def train_ten_steps(model, ids):
    optimizer = torch.optim.AdamW(model.parameters(), lr=ADAMW["lr"], betas=(ADAMW["beta1"], ADAMW["beta2"]),
                                  eps=ADAMW["eps"], weight_decay=ADAMW["weight_decay"])
    losses, norms = [], []
    for _ in range(10):
        optimizer.zero_grad()
        _, loss = mean_loss(model, ids)
        loss.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), ADAMW["clip"])))
        losses.append(float(loss))
        optimizer.step()
    return losses, norms


def greedy(model, ids, new_tokens):
    row = ids[:1, :8]
    with torch.no_grad():
        for _ in range(new_tokens):
            row = torch.cat([row, model(input_ids=row).logits[:, -1:].argmax(-1)], dim=1)
    return row[0].tolist()


def main(source, target):
    torch.manual_seed(1)
    torch.set_num_threads(4)
    model = transformers.AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager")
    model.eval()
    length = min(96, getattr(model.config, "max_position_embeddings", 96))
    ids = torch.randint(3, model.config.vocab_size, (2, length))
    logits, loss = mean_loss(model, ids)
    loss.backward()
    tensors = {"input_ids": ids.to(torch.int32), "logits": logits.detach().contiguous()}
    for name, parameter in model.named_parameters():
        tensors["grad." + name] = parameter.grad.detach().clone().contiguous()
    tokens = greedy(model, ids, min(48, length - 8))
    losses, norms = train_ten_steps(model, ids)
    shutil.copytree(source, target, dirs_exist_ok=True)
    save_file(tensors, os.path.join(target, "golden.safetensors"))
    with open(os.path.join(target, "golden.json"), "w", encoding="utf-8") as file:
        json.dump({"loss": float(loss), "adamw": ADAMW, "losses": losses, "grad_norms": norms, "greedy": tokens,
                   "torch": torch.__version__, "transformers": transformers.__version__, "attn": "eager"}, file)
    print("%s: loss %.8f" % (source, float(loss)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
