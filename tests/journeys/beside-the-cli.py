#!/usr/bin/env python3
"""Runs of other processes, and a window that is killed: a run of fenestra-cli appears within two seconds and is followed;
after kill -9 in the middle of a run the next start says so and resumes from the last checkpoint."""
import json
import re
import sys
import time

from person import travel
from status import step_shown

INTERVAL = 20  # steps between two checkpoints of the window's own run


def follow_cli(person):
    """A run that fenestra-cli starts appears in the list by itself"""
    person.start_application()
    person.see("No Runs Yet")
    person.run_cli("train", "--model", "nano", "--tokenizer", "bytes", "--max-seq-len", "128", "--steps", "400",
                   "--checkpoint-interval", "100", "--run-name", "Outside")
    person.wait(lambda: (person.runs / "Outside" / "run.json").exists(), "the run's folder", 20)
    began = time.monotonic()
    person.see(re.compile(r"^Outside, (Running|Finished)"), "list item", 10)
    # How soon is run-store's test (2 s); here the search through the accessibility tree takes much of the time.
    print("# in the list after %.1f s" % (time.monotonic() - began))


def watch_cli(person):
    """Opened, it is followed live to its end"""
    person.click(person.see(re.compile(r"^Outside, "), "list item"))
    first = person.wait(lambda: step_shown(person), "a step", 10)
    person.wait(lambda: (step_shown(person) or 0) > first, "a step after %d" % first, 10)
    person.see(re.compile(r"^Outside, Finished"), "list item", 60)
    person.wait(lambda: re.search(r"last", person.find("Loss", "image")[0].description), "the chart in words")


def metrics(run):
    """What a run has written; a kill may have cut the last line"""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").split("\n")[:-1]]


def start_own(person):
    """A run of the window itself, with checkpoints"""
    config = person.home / "own.json"
    config.write_text(json.dumps({"model": "nano", "tokenizer": "bytes", "max_seq_len": 128, "steps": 100000,
                                  "checkpoint_interval": INTERVAL, "run_name": "Own"}), encoding="utf-8")
    person.keys("ctrl+q")
    assert person.application_ended() == 0
    person.start_application("--config", str(config))
    person.press("Start")
    person.wait(lambda: (step_shown(person) or 0) > 45, "step 45", 30)
    person.kill_application()
    # Nobody writes the folder any more. A checkpoint gets its name when it is whole, and no step is trained meanwhile, so
    # what was trained since the newest one is at most an interval.
    run = person.runs / "Own"
    person.kept = max(int(folder.name[5:]) for folder in (run / "checkpoints").glob("step-*"))
    trained = max(line["step"] for line in metrics(run))
    assert 0 <= trained - person.kept <= INTERVAL, "trained to %d, newest checkpoint %d" % (trained, person.kept)


def offer_to_resume(person):
    """Killed and started again, it says what was interrupted, and where it can go on"""
    person.start_application()
    person.see(re.compile("“Own” was interrupted at step"), within=10)
    said = person.read(r"was interrupted at step ([\d,]+)\. It can go on from its checkpoint at step ([\d,]+)")
    reached, kept = (int(text.replace(",", "")) for text in said.groups())
    assert kept == person.kept, "it says checkpoint %d, the newest is %d" % (kept, person.kept)
    assert 0 <= reached - kept <= INTERVAL, "interrupted at %d, checkpoint %d" % (reached, kept)
    person.see(re.compile(r"^Own, Interrupted"), "list item", 10)


def resume(person):
    """Resume goes on from there"""
    person.press("Resume")
    person.see_no(re.compile("was interrupted at step"))
    person.see("Pause", "push button", 20)
    person.wait(lambda: (step_shown(person) or 0) > person.kept, "a step after %d" % person.kept, 20)
    begun = [line["step"] for line in metrics(person.runs / "Own") if line.get("event") == "resume"]
    assert begun == [person.kept], "resumed at %s, the newest checkpoint was %d" % (begun, person.kept)
    person.press("Stop")
    person.see("Resume", "push button", 20)
    person.keys("ctrl+q")
    assert person.application_ended() == 0


def not_again(person):
    """The next start has nothing to say about it"""
    person.start_application()
    person.see(re.compile(r"^Own, Stopped"), "list item", 10)
    person.see_no(re.compile("was interrupted at step"), within=2)
    person.keys("ctrl+q")
    assert person.application_ended() == 0


if __name__ == "__main__":
    sys.exit(travel("beside-the-cli", [follow_cli, watch_cli, start_own, offer_to_resume, resume, not_again]))
