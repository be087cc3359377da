"""What the journeys do in Training Settings."""
import re


def open_settings(person):
    person.press("Training Settings")
    person.see("Attention and Memory", "page tab")
    person.take_keyboard()


def show_page(person, name):
    person.click(person.see(name, "page tab"))


def entry(person, title):
    """The entry of a setting; its page must be shown."""
    return person.wait(lambda: [t for t in person.find(title, "text", on_screen=False) if not covered(t)],
                       "entry %r" % title)[0]


def covered(thing):
    """On another page than the one that is shown? What only is scrolled away is not: its page is seen."""
    panes = [ancestor for ancestor in thing.ancestors() if ancestor.role == "scroll pane"]
    return bool(panes) and panes[-1].hidden_by() is not None


def row_text(person, title):
    """All that a setting's row says."""
    row = person.wait(lambda: [t for t in person.find(title, "list item", on_screen=False) if not covered(t)],
                      "row %r" % title)[0]
    return "\n".join(t.words for t in row.below() if t.role == "label" and t.rect[2] > 0 and t.words)


def enter(person, title, text):
    person.type(entry(person, title), text)
    person.wait(lambda: entry(person, title).text == text, "%r in %r" % (text, title))


def tick(person, title, wanted=True):
    def box():
        return person.wait(lambda: [t for t in person.find(title, "check box", on_screen=False) if not covered(t)],
                           "check box %r" % title)[0]
    if ("checked" in box().states) != wanted:
        person.click(box())
    person.wait(lambda: ("checked" in box().states) == wanted, "%r %s" % (title, "ticked" if wanted else "not ticked"))


def start_button(person):
    """Start at the foot of the settings."""
    return [t for t in person.find("Start", "push button") if t.window.name == "Training Settings"][0]


def can_start(person):
    return start_button(person).usable


def planned_bytes(person):
    """The number in the line "Planned 217.1 MiB of ..."; None while there is none."""
    units = {"B": 1, "bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
    for thing in person.find(re.compile(r"^Planned "), "label"):
        match = re.search(r"Planned ([\d.,]+)\s(\w+)", thing.words)
        if match:
            return float(match.group(1).replace(",", "")) * units[match.group(2)]
    return None
