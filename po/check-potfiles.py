#!/usr/bin/env python3
"""Compares POTFILES with the tree: every source that has something to translate is listed, and every listed file is
there and has something. A string in a file that nobody listed would stay English for ever, without any error.

    check-potfiles.py           compares (TAP)
    check-potfiles.py --write   makes POTFILES anew"""
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import pofile  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ["core", "gui", "data", "kernels"]
# A call of gettext with a literal; the definitions of such macros are not calls.
C_CALL = re.compile(r'(?<![\w"])(?:_|N_|C_|NC_|Q_|gettext|ngettext|g_dgettext|g_dngettext|g_dpgettext2|g_dcgettext|'
                    r'dgettext|dngettext|dcgettext|dpgettext)\s*\((?!\s*(?:String|Text|Msgid)\s*\))')
C_COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*|^\s*#\s*define[^\n]*', re.S | re.M)
UI_MARK = re.compile(r'translatable\s*=\s*["\'](?:yes|true|1)["\']')
SCHEMA_MARK = re.compile(r'<(?:summary|description)\b')
DESKTOP_MARK = re.compile(r'^(?:Name|GenericName|Comment|Keywords)=', re.M)


def has_strings(path):
    name = path.name[:-3] if path.name.endswith(".in") else path.name
    text = path.read_text(encoding="utf-8", errors="replace")
    if name.endswith((".c", ".h")):
        return bool(C_CALL.search(C_COMMENT.sub(" ", text)))
    if name.endswith(".ui"):
        return bool(UI_MARK.search(text))
    if name.endswith(".gschema.xml"):
        return bool(SCHEMA_MARK.search(text))
    if name.endswith(".desktop"):
        return bool(DESKTOP_MARK.search(text))
    return name.endswith(".metainfo.xml")


def in_tree():
    found = []
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and has_strings_name(path.name) and has_strings(path):
                found.append(path.relative_to(ROOT).as_posix())
    return set(found)


def has_strings_name(name):
    return re.search(r"\.(c|h|ui|gschema\.xml|desktop|metainfo\.xml)(\.in)?$", name) is not None


def main():
    found = in_tree()
    if "--write" in sys.argv:
        (ROOT / "po" / "POTFILES").write_text("".join(name + "\n" for name in sorted(found)), encoding="utf-8")
        return 0
    listed = pofile.potfiles(ROOT)
    checks = [
        ("every file with strings is in POTFILES", sorted(found - set(listed)), "run po/check-potfiles.py --write; not in po/POTFILES: "),
        ("every file in POTFILES has strings", sorted(set(listed) - found), "no strings, or not there: "),
        ("POTFILES is sorted and names each file once", [] if listed == sorted(set(listed)) else ["po/POTFILES"],
         "run po/check-potfiles.py --write: "),
    ]
    print("1..%d" % len(checks))
    for number, (title, problems, words) in enumerate(checks, 1):
        print("%s %d - %s" % ("not ok" if problems else "ok", number, title))
        for problem in problems:
            print("# " + words + problem)
    return any(problems for _, problems, _ in checks)


if __name__ == "__main__":
    sys.exit(main())
