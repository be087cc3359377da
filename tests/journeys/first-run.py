#!/usr/bin/env python3
"""The main journey: from a fresh profile through Training Settings to a run that is watched, paused, stopped, found
again, resumed, compared, deleted and brought back. Everything asserted is what a person would see."""
import re
import sys

from person import travel
from settings import can_start, enter, open_settings, planned_bytes, row_text, show_page, start_button, tick
from status import step_shown, tile


def fresh_profile(person):
    """A fresh profile opens on an empty page that says what Start does"""
    person.start_application()
    person.see("No Run Yet")
    person.see("No Runs Yet")


def data_and_model(person):
    """Training Settings: the bundled sample with the smallest model"""
    open_settings(person)
    person.see(re.compile(r"\d+ documents"), "label", 15)
    enter(person, "Model", "nano")
    enter(person, "Tokenizer", "bytes")
    person.see(re.compile(r"parameters"), "label", 10)
    # The smallest model has 1024 positions and the default context is 2048: said at the foot, with what to do.
    person.see(re.compile(r"Context Length 2048 is more than the 1024 positions"), "label", 10)
    assert not can_start(person)


def training_page(person):
    """A longer context raises the planned memory"""
    show_page(person, "Training")
    enter(person, "Context Length", "64")
    small = person.wait(lambda: planned_bytes(person), "planned memory", 10)
    enter(person, "Context Length", "1024")
    person.wait(lambda: (planned_bytes(person) or 0) > small, "more planned memory than %d" % small, 10)
    enter(person, "Context Length", "512")
    enter(person, "Steps", "100000")
    enter(person, "Warm-up", "10")


def flash_attention(person):
    """FlashAttn-2 can be unticked and ticked"""
    show_page(person, "Attention and Memory")
    tick(person, "FlashAttn-2", False)
    tick(person, "FlashAttn-2", True)


def windows(person):
    """Window Size takes nothing, 0, 256 and 8192, and says what is wrong with 255, 8193 and abc"""
    for text in ("", "0", "256", "8192"):
        enter(person, "Window Size", text)
        person.wait(lambda: can_start(person), "Start with window %r" % text, 10)
    for text in ("255", "8193", "abc"):
        enter(person, "Window Size", text)
        person.wait(lambda: "256 to 8192" in row_text(person, "Window Size").replace(",", ""),
                    "the range beside %r" % text)
        person.wait(lambda: not can_start(person), "that Start is blocked by window %r" % text)
    enter(person, "Window Size", "256")
    person.wait(lambda: can_start(person), "Start again", 10)


def chunking(person):
    """Context Chunking wakes Chunk Size, which says how many chunks there are"""
    assert "Context Chunking is off" in row_text(person, "Chunk Size"), row_text(person, "Chunk Size")
    tick(person, "Context Chunking")
    person.wait(lambda: "Context Chunking is off" not in row_text(person, "Chunk Size"), "that Chunk Size is awake")
    enter(person, "Chunk Size", "7")
    person.wait(lambda: not can_start(person), "that Start is blocked by chunks of 7")
    enter(person, "Chunk Size", "128")
    person.wait(lambda: can_start(person), "Start with chunks of 128", 10)


def start(person):
    """Start trains: the loss appears, and falls"""
    show_page(person, "Output")
    enter(person, "Run Name", "First")
    enter(person, "Checkpoint Every", "25")
    person.wait(lambda: can_start(person), "Start", 10)
    person.click(start_button(person))
    person.see_no("Attention and Memory", "page tab")
    person.take_keyboard()
    first = person.wait(lambda: tile(person, "Loss"), "a loss", 20)
    person.wait(lambda: (tile(person, "Loss") or first) < 0.8 * first, "a loss below 0.8 of %g" % first, 40)
    person.see(re.compile(r"FlashAttn-2 .*window 256"), "label")
    chart = person.see("Loss", "image")
    assert chart.rect[2] > 200 and chart.rect[3] > 80, "the loss chart has %r" % (chart.rect,)
    person.wait(lambda: re.search(r"last", person.find("Loss", "image")[0].description), "the chart in words")


def pause_and_continue(person):
    """Pause stands still, Continue goes on"""
    person.press("Pause")
    person.see("Continue", "push button", 10)
    person.see("Paused")
    paused = step_shown(person)
    person.x("sleep", "0.7")
    assert step_shown(person) == paused, "%s after %s while paused" % (step_shown(person), paused)
    person.press("Continue")
    person.wait(lambda: step_shown(person) > paused, "a step after %s" % paused, 10)


def stop(person):
    """Stop saves and says so"""
    person.press("Stop")
    person.see("Resume", "push button", 20)
    person.see(re.compile("Stopped"), within=10)
    person.see(re.compile(r"First, Stopped"), "list item", 10)


def restart(person):
    """Quit and start again: the run is found, with its curve"""
    person.keys("ctrl+q")
    assert person.application_ended() == 0
    person.start_application()
    person.click(person.see(re.compile(r"^First, Stopped"), "list item", 10))
    person.wait(lambda: tile(person, "Loss"), "the loss of the run that was stopped", 15)
    person.wait(lambda: re.search(r"last", person.find("Loss", "image")[0].description), "the chart in words")


def resume(person):
    """Resume goes on after the checkpoint"""
    stopped = step_shown(person)
    person.press("Resume")
    person.wait(lambda: (step_shown(person) or 0) > stopped, "a step after %s" % stopped, 20)
    person.press("Stop")
    person.see("Resume", "push button", 20)


def compare(person):
    """A second run beside the first, in one chart"""
    person.run_cli("train", "--model", "nano", "--tokenizer", "bytes", "--max-seq-len", "64", "--steps", "20",
                   "--run-name", "Second")
    person.see(re.compile(r"^Second, Finished"), "list item", 20)
    person.press("Select Runs to Compare")
    for name in ("First", "Second"):
        person.click(person.see(name, "check box"))
    person.press("Compare")
    for name in ("First, evaluation", "Second, evaluation"):
        person.see(name, within=10)
    differs = person.wait(lambda: person.find(re.compile("^Window Size"), on_screen=False), "the setting that differs")
    person.scroll_to(differs[0])
    person.see(re.compile(r"^256"))
    person.see(re.compile(r"^512"))


def delete_and_undo(person):
    """Delete takes a run out of the list, Undo brings it back"""
    row = person.see(re.compile(r"^Second, "), "list item")
    person.click(row)
    person.keys("Delete")
    person.see_no(re.compile(r"^Second, "), "list item")
    person.press("Undo")
    person.see(re.compile(r"^Second, "), "list item")
    assert (person.runs / "Second" / "run.json").exists()


def leave(person):
    """Quit ends the program, with nothing to complain about"""
    person.keys("ctrl+q")
    assert person.application_ended() == 0


if __name__ == "__main__":
    sys.exit(travel("first-run", [fresh_profile, data_and_model, training_page, flash_attention, windows, chunking, start,
                                  pause_and_continue, stop, restart, resume, compare, delete_and_undo, leave]))
