"""Reading the run page as a person does."""
import re

STEP = r"Step ([\d,]+) of ([\d,]+)"


def step_shown(person):
    """The step that the status line names, or None."""
    for thing in person.find(re.compile(STEP), "label"):
        return int(re.search(STEP, thing.words).group(1).replace(",", ""))
    return None


def tile(person, title):
    """The number under a tile's title ("Loss"), or None while it is not measured."""
    for thing in person.find(title, "label"):
        siblings = [t.words for t in thing.parent.children if t.role == "label"]
        numbers = [re.search(r"^[\d.,]+", words) for words in siblings]
        found = [float(match.group().replace(",", "")) for match in numbers if match]
        if found:
            return found[0]
    return None
