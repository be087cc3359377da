#!/usr/bin/env python3
"""Every language of LINGUAS has every string that is in the sources now: none untranslated, none fuzzy, formats and
plural forms right (msgfmt -c). The catalogues are merged with a fresh .pot first, in a temporary folder: a string that
was added yesterday and never merged counts as missing."""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import pofile  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
# The same word in both languages, a name, a format: these may read like the English.
MOST_SAME = 0.25


def languages():
    lines = (ROOT / "po" / "LINGUAS").read_text(encoding="utf-8").splitlines()
    return [word for line in lines if not line.startswith("#") for word in line.split()]


def markup(text):
    return sorted(re.findall(r"</?[a-z]+[^>]*>", text))


def problems_of(language, pot, folder):
    """What is wrong with one catalogue, as lines."""
    catalogue = ROOT / "po" / (language + ".po")
    if not catalogue.exists():
        return ["po/%s.po is not there" % language]
    merged = folder / (language + ".po")
    subprocess.run(["msgmerge", "--quiet", "--no-fuzzy-matching", "--output-file", merged, catalogue, pot], check=True)
    check = subprocess.run(["msgfmt", "-c", "--output-file", folder / "out.mo", merged], capture_output=True, text=True)
    found = [] if check.returncode == 0 else check.stderr.strip().splitlines()
    entries = [entry for entry in pofile.parse(merged.read_text(encoding="utf-8")) if entry.id]
    for entry in entries:
        where = entry.references[0] if entry.references else "?"
        if entry.fuzzy:
            found.append("fuzzy: %r (%s)" % (entry.id, where))
        elif not entry.translated:
            found.append("untranslated: %r (%s)" % (entry.id, where))
        elif any(markup(text) not in (markup(entry.id), markup(entry.plural or entry.id))
                 for text in entry.strings.values()):
            found.append("other markup than the English: %r (%s)" % (entry.id, where))
    same = sum(1 for entry in entries if entry.translated and entry.strings[0] == entry.id)
    if same > MOST_SAME * len(entries):
        found.append("%d of %d read exactly like the English" % (same, len(entries)))
    return found


def main():
    names = sys.argv[1:] or languages()
    print("1..%d" % max(1, len(names)))
    if not names:
        print("ok 1 - no language is listed")
        return 0
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pot = folder / "fenestra.pot"
        pot.write_text(pofile.make_pot(ROOT), encoding="utf-8")
        for number, language in enumerate(names, 1):
            problems = problems_of(language, pot, folder)
            failed = failed or bool(problems)
            print("%s %d - %s" % ("not ok" if problems else "ok", number, language))
            for problem in problems:
                print("# " + problem)
    return failed


if __name__ == "__main__":
    sys.exit(main())
