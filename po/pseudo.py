#!/usr/bin/env python3
"""Makes the pseudo-locale: every string accented, bracketed and about 40 % longer, as a translation may be.

    pseudo.py SOURCE_ROOT LOCALE_DIR

writes LOCALE_DIR/en@pseudo/LC_MESSAGES/fenestra.mo; run the program with LANGUAGE=en@pseudo. What still reads as plain
English on a screenshot is not translatable, what lacks its closing bracket is cut off. Formats, markup, entities and
mnemonics stay as they are."""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import pofile  # noqa: E402

KEEP = re.compile(r"%[-+ #0-9.'*$]*(?:<[^>]*>|(?:hh|h|ll|l|L|j|z|t)?[A-Za-z%])|<[^>]+>|&#?\w+;|\\.|\{[^}]*\}|https?://\S+")
ACCENTS = str.maketrans("AaBbCcDdEeGgHhIiKkLlNnOoRrSsTtUuWwYyZz", "ÅåƁƀÇçÐðÉéĜĝĤĥÎîĶķĻļÑñÖöŔŕŠšŢţÛûŴŵÝýŽž")
GROWTH = 0.4
FILLER = "one two three four five six seven eight nine ten eleven twelve "


def pseudo(text):
    """ "Window Size" -> "[Ŵîñðöŵ Šîžé öñé]" """
    if not text.strip():
        return text
    pieces, end = [], 0
    for match in KEEP.finditer(text):
        pieces.append(text[end:match.start()].translate(ACCENTS))
        pieces.append(match.group())
        end = match.end()
    pieces.append(text[end:].translate(ACCENTS))
    letters = len(KEEP.sub("", text))
    if letters == 0:
        return text  # nothing but a format: a number is as long as it is
    extra = round(letters * GROWTH)
    filler = (FILLER * (extra // len(FILLER) + 1))[:extra].strip().translate(ACCENTS)
    body = "".join(pieces).rstrip("\n")
    newlines = text[len(text.rstrip("\n")):]
    return "[" + body + (" " + filler if filler else "") + "]" + newlines


def quote(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'


def write(entries, stream):
    stream.write('msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n'
                 '"Language: en@pseudo\\n"\n"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\n')
    for entry in entries:
        if entry.flags:
            stream.write("#, " + ", ".join(sorted(entry.flags - {"fuzzy"})) + "\n")
        if entry.context is not None:
            stream.write("msgctxt %s\n" % quote(entry.context))
        stream.write("msgid %s\n" % quote(entry.id))
        if entry.plural is None:
            stream.write("msgstr %s\n\n" % quote(pseudo(entry.id)))
        else:
            stream.write("msgid_plural %s\n" % quote(entry.plural))
            stream.write("msgstr[0] %s\nmsgstr[1] %s\n\n" % (quote(pseudo(entry.id)), quote(pseudo(entry.plural))))


def main():
    root, locale_dir = sys.argv[1:3]
    output = Path(locale_dir) / "en@pseudo" / "LC_MESSAGES" / "fenestra.mo"
    output.parent.mkdir(parents=True, exist_ok=True)
    entries = [entry for entry in pofile.parse(pofile.make_pot(root)) if entry.id]
    with tempfile.NamedTemporaryFile("w", suffix=".po", encoding="utf-8") as stream:
        write(entries, stream)
        stream.flush()
        # A format that was changed by mistake is an error here, not a crash there.
        subprocess.run(["msgfmt", "--check-format", "--output-file", output, stream.name], check=True)


if __name__ == "__main__":
    main()
