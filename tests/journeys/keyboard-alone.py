#!/usr/bin/env python3
"""No mouse: Tab reaches everything on Training Settings, the keys that the shortcuts window names start, pause and stop a
run."""
import json
import re
import sys

from person import travel
from settings import covered
from status import step_shown

# What has the keyboard without being a stop of its own: the list around rows, the parts of a combined control.
CONTROLS = ("text", "check box", "combo box", "spin button")


def settings_by_key(person):
    """Ctrl+T opens Training Settings with the keyboard in it"""
    config = person.home / "small.json"
    config.write_text(json.dumps({"model": "nano", "tokenizer": "bytes", "max_seq_len": 128, "steps": 100000}),
                      encoding="utf-8")
    person.start_application("--config", str(config))
    person.x("mousemove", 1590, 1190)
    person.keys("ctrl+t")
    person.see("Attention and Memory", "page tab", 10)
    person.take_keyboard()
    person.keys("Tab")
    person.wait(lambda: person.focused(), "something with the keyboard")


def controls(person):
    """Entries, check boxes and choices of the page that is shown, sensitive ones."""
    return {(t.role, t.name) for t in person.look() if t.role in CONTROLS and t.window.name == "Training Settings"
            and t.usable and t.rect[2] > 0 and not covered(t)}


def tab_through(person):
    """Presses Tab until it comes round; what had the keyboard, by role and name, with those around it."""
    reached, first = set(), None
    for count in range(150):
        person.keys("Tab")
        thing = person.focused()
        if thing is None:
            continue
        if thing.key == first and count > 3:
            return reached
        first = first or thing.key
        reached.update((t.role, t.name) for t in (thing, *thing.ancestors()))
        # Focus in an entry is the entry's; a row hands it to its control.
        reached.update((t.role, t.name) for t in thing.below() if t.role == "check box")
    return reached


def every_page(person):
    """Tab reaches every control of every page"""
    for page in ("Data and Model", "Training", "Attention and Memory", "Output"):
        # To the page's tab by Tab, then Space: no mouse.
        for _ in range(150):
            thing = person.focused()
            if thing and thing.role == "page tab" and thing.name == page:
                break
            person.keys("Tab")
        person.keys("space")
        person.wait(lambda: "selected" in person.find(page, "page tab")[0].states, "page %s" % page)
        wanted = controls(person)
        assert len(wanted) >= 3, "%s has only %s" % (page, wanted)
        missing = wanted - tab_through(person)
        assert not missing, "on %s Tab does not reach %s" % (page, sorted(missing))


def start_by_key(person):
    """Ctrl+Return in the settings starts"""
    person.keys("ctrl+Return")
    person.see_no("Attention and Memory", "page tab", 10)
    person.take_keyboard()
    person.wait(lambda: (step_shown(person) or 0) > 3, "step 3", 20)


def pause_by_key(person):
    """Ctrl+P pauses, and goes on"""
    person.keys("ctrl+p")
    person.see("Paused", within=10)
    paused = step_shown(person)
    person.keys("ctrl+p")
    person.wait(lambda: step_shown(person) > paused, "a step after %s" % paused, 10)


def stop_by_key(person):
    """Ctrl+. stops with a checkpoint"""
    person.keys("ctrl+period")
    person.see(re.compile(r", Stopped"), "list item", 15)
    person.keys("ctrl+q")
    assert person.application_ended() == 0


if __name__ == "__main__":
    sys.exit(travel("keyboard-alone", [settings_by_key, every_page, start_by_key, pause_by_key, stop_by_key]))
