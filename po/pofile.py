"""A small reader of .po and .pot files, for the checks and the pseudo-locale: entries with their comments dropped."""
import ast
import re
import subprocess
from pathlib import Path


class Entry:
    """One message. `strings` has one text, or one a plural form."""

    def __init__(self):
        self.flags = set()
        self.references = []
        self.context = None
        self.id = ""
        self.plural = None
        self.strings = {}

    @property
    def fuzzy(self):
        return "fuzzy" in self.flags

    @property
    def translated(self):
        return bool(self.strings) and all(self.strings.values()) and not self.fuzzy


def _unquote(text):
    # C string literals are Python's, as far as gettext writes them.
    return ast.literal_eval(text)


def parse(text):
    """All entries, the header (id "") first; obsolete ones (#~) are left out."""
    entries = []
    for block in re.split(r"\n\s*\n", text):
        entry, field = Entry(), None
        for line in block.splitlines():
            if line.startswith("#,"):
                entry.flags.update(flag.strip() for flag in line[2:].split(","))
            elif line.startswith("#:"):
                entry.references += line[2:].split()
            elif line.startswith("#") or not line.strip():
                continue
            else:
                match = re.match(r'(msgctxt|msgid_plural|msgid|msgstr(?:\[(\d+)\])?)\s+(".*")$', line)
                if match:
                    field = match.group(1)
                    value = _unquote(match.group(3))
                else:
                    value = _unquote(line.strip())
                if field == "msgctxt":
                    entry.context = (entry.context or "") + value
                elif field == "msgid":
                    entry.id += value
                elif field == "msgid_plural":
                    entry.plural = (entry.plural or "") + value
                else:
                    index = int(match.group(2) or 0) if match else index
                    entry.strings[index] = entry.strings.get(index, "") + value
        if field:
            entries.append(entry)
    return entries


def potfiles(root):
    """The files that POTFILES lists, in order."""
    lines = (Path(root) / "po" / "POTFILES").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


KEYWORDS = ["_", "N_", "C_:1c,2", "NC_:1c,2", "g_dcgettext:2", "g_dngettext:2,3", "g_dpgettext2:2c,3"]


def make_pot(root):
    """The text of a fresh .pot, made as `ninja fenestra-pot` makes it, without writing into the tree."""
    command = ["xgettext", "--from-code=UTF-8", "--add-comments=TRANSLATORS", "--output=-", "--directory", str(root)]
    command += ["--keyword=" + keyword for keyword in KEYWORDS]
    command += ["--flag=%s:1:pass-c-format" % name for name in ("N_", "_")]
    result = subprocess.run(command + potfiles(root), check=True, capture_output=True, text=True)
    return result.stdout
