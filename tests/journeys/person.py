"""A person in front of the real application: sees what is on the screen, moves a mouse, types.

What is on the screen comes from the accessibility tree, as a screen reader gets it; what is done goes through the X
server, as a hand's doing does. The tree is read over D-Bus directly and not through libatspi, because its cache is kept
right by events that a test, which never idles, does not take: a look here is always what is there now.

GTK 4.8's tree, and what is made of it:
  - children lack the state "showing": a thing is on the screen when it has an extent and lies inside all that holds it;
  - objects come into being when their parent is asked for its children: look() asks those that miss some;
  - extents are known relative to the window only: the X server says where the window is;
  - check boxes have no action, grabFocus answers with an error: both are clicked.
"""
import ast
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gi.repository import Gio, GLib

# The numbers of at-spi's AtspiRole and AtspiStateType that a window of ours has.
ROLES = {2: "alert", 7: "check box", 11: "combo box", 16: "dialog", 20: "filler", 23: "frame", 27: "image", 29: "label",
         31: "list", 32: "list item", 33: "menu", 35: "menu item", 37: "page tab", 38: "page tab list", 39: "panel",
         41: "popup menu", 42: "progress bar", 43: "push button", 44: "radio button", 48: "scroll bar", 49: "scroll pane", 50: "separator",
         51: "slider", 52: "spin button", 55: "table", 61: "text", 62: "toggle button", 64: "tool tip", 66: "tree table",
         69: "window", 75: "application", 79: "entry", 83: "heading", 88: "link", 90: "table row", 98: "list box",
         99: "grouping", 102: "info bar", 103: "level bar"}
STATES = {1: "active", 4: "checked", 11: "focusable", 12: "focused", 23: "selected", 24: "sensitive", 8: "enabled",
          32: "indeterminate", 20: "pressed", 9: "expandable", 10: "expanded", 36: "invalid", 30: "visible"}
ROOT = "/org/a11y/atspi/accessible/root"
ACCESSIBLE = "org.a11y.atspi.Accessible"
WINDOW_COORDINATES = 1
POPUPS = ("menu", "popup menu", "list box")


# Warnings of the libraries that are no fault of ours. GTK 4.8: a text view that has lines to measure yet does so while it
# is drawn, and corrects its scroll position there; its scrollbar (the log's), drawn after it, then lacks a place for one
# frame. Seen in the stack of the adjustment's last change: nothing of ours stands between drawing the view and it.
KNOWN_WARNINGS = re.compile(r"Trying to snapshot GtkGizmo 0x[0-9a-f]+ without a current allocation")


class Failed(AssertionError):
    """Something that a person should have seen was not there in time."""


class Thing:
    """One object of the tree, at the time of one look."""

    def __init__(self, person, item):
        self.person = person
        self.bus_name, self.path = item[0]
        self.parent_key = item[2]
        self.index, self.n_children = item[3], item[4]
        self.interfaces = item[5]
        # GTK 4.8 names a button with a mnemonic "_Start Start": its property and then its label.
        self.name = re.sub(r"^(.*)_(.*) \1\2$", r"\1\2", item[6])
        self.description = item[8]
        self.role = ROLES.get(item[7], "role %d" % item[7])
        bits = item[9][0] | item[9][1] << 32
        self.states = {name for bit, name in STATES.items() if bits >> bit & 1}
        self.parent = None
        self.children = []
        self._rect = self._text = None

    @property
    def key(self):
        return (self.bus_name, self.path)

    @property
    def rect(self):
        """x, y, width, height in its window; None where it has none."""
        if self._rect is None:
            self._rect = (0, 0, 0, 0)
            if "org.a11y.atspi.Component" in self.interfaces:
                answer = self.person.call(self, "org.a11y.atspi.Component", "GetExtents",
                                          GLib.Variant("(u)", (WINDOW_COORDINATES,)))
                if answer:
                    self._rect = answer[0]
        return self._rect

    @property
    def text(self):
        """What stands in an entry; a label's text is its name. Asked of entries alone: it takes two calls."""
        if self._text is None:
            self._text = ""
            if self.role == "label" and not re.match(r"(Gtk|Adw)[A-Z]\w+$", self.name):
                self._text = self.name
            elif self.role not in ("label", "push button", "panel", "list item") and "org.a11y.atspi.Text" in self.interfaces:
                count = self.person.call(self, "org.freedesktop.DBus.Properties", "Get",
                                         GLib.Variant("(ss)", ("org.a11y.atspi.Text", "CharacterCount")))
                answer = count and self.person.call(self, "org.a11y.atspi.Text", "GetText",
                                                    GLib.Variant("(ii)", (0, count[0])))
                self._text = answer[0] if answer else ""
        return self._text

    @property
    def words(self):
        return self.text or self.name

    @property
    def center(self):
        x, y, width, height = self.rect
        return x + width // 2, y + height // 2

    def ancestors(self):
        thing = self.parent
        while thing:
            yield thing
            thing = thing.parent

    def hidden_by(self):
        """The nearest ancestor that keeps it off the screen (itself when it has no extent); None when it is seen."""
        if self.rect[2] <= 0 or self.rect[3] <= 0 or "visible" not in self.states:
            return self
        x, y = self.center
        for ancestor in self.ancestors():
            if "visible" not in ancestor.states and ancestor.role != "application":
                return ancestor
            left, top, width, height = ancestor.rect
            if width > 0 and height > 0 and not (left <= x < left + width and top <= y < top + height):
                return ancestor
        return self.covered_by()

    def covered_by(self):
        """A page of a stack that is not shown keeps its place and its state: what a click would hit tells. None when it
        is this thing or a part of it, or what holds it where it is insensitive, for such things are not hit. What pops
        up lies in a window of its own, which GTK does not name."""
        if any(a.role in POPUPS for a in self.ancestors()):
            return None
        window = self.window
        answer = self.person.call(window, "org.a11y.atspi.Component", "GetAccessibleAtPoint",
                                  GLib.Variant("(iiu)", (*self.center, WINDOW_COORDINATES)))
        hit = self.person.things.get(tuple(answer[0])) if answer else None
        if hit is None or hit.is_in(self):
            return None
        thing = self
        while thing and self.is_in(hit) and thing.key != hit.key:
            if "sensitive" not in thing.states:
                return None
            thing = thing.parent
        return hit

    @property
    def usable(self):
        """Sensitive, with all that holds it: the state says so of the one widget that was made insensitive."""
        return "sensitive" in self.states and all("sensitive" in a.states or a.role == "application"
                                                  for a in self.ancestors())

    @property
    def on_screen(self):
        return self.hidden_by() is None

    @property
    def window(self):
        thing = self
        while thing.parent and thing.parent.role != "application":
            thing = thing.parent
        return thing

    def below(self):
        for child in self.children:
            yield child
            yield from child.below()

    def is_in(self, other):
        return self.key == other.key or any(a.key == other.key for a in self.ancestors())

    def __repr__(self):
        return "%s %r%s%s" % (self.role, self.name, " = %r" % self.text if self.text not in ("", self.name) else "",
                              " " + ",".join(sorted(self.states - {"visible", "sensitive", "focusable"})))


class Person:
    """One profile (a fresh home) and, in it, the application, started as often as the journey wants."""

    def __init__(self, name):
        self.name = name
        self.program = os.environ["FENESTRA"]
        self.cli = os.environ["FENESTRA_CLI"]
        self.home = Path(tempfile.mkdtemp(prefix="fenestra-journey-"))
        self.process = None
        self.children = []
        self.things = {}
        self.origins = {}
        self.asked = {}
        self.pictures = Path(os.environ.get("FENESTRA_PICTURES") or self.home / "pictures")
        self.pictures.mkdir(parents=True, exist_ok=True)
        self.env = dict(os.environ, HOME=str(self.home), GSETTINGS_BACKEND="keyfile", GTK_A11Y="atspi",
                        G_DEBUG="fatal-criticals", NO_AT_BRIDGE="0", OPENBLAS_NUM_THREADS="1")
        for variable, folder in (("XDG_DATA_HOME", "data"), ("XDG_CONFIG_HOME", "config"), ("XDG_CACHE_HOME", "cache"),
                                 ("XDG_STATE_HOME", "state")):
            (self.home / folder).mkdir()
            self.env[variable] = str(self.home / folder)
        self.runs = self.home / "data" / "fenestra" / "runs"
        session = Gio.bus_get_sync(Gio.BusType.SESSION)
        address = session.call_sync("org.a11y.Bus", "/org/a11y/bus", "org.a11y.Bus", "GetAddress", None, None, 0, -1,
                                    None).unpack()[0]
        self.bus = Gio.DBusConnection.new_for_address_sync(
            address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION,
            None, None)
        self.log = open(self.home / "application.log", "wb")

    # ---- the application ----

    def start_application(self, *arguments):
        assert self.process is None or self.process.poll() is not None
        self.process = subprocess.Popen([self.program, *arguments], env=self.env, stdout=self.log, stderr=self.log)
        self.wait(lambda: any(t.role == "frame" for t in self.look()), "a window", 20)
        self.take_keyboard()

    def application_ended(self, within=15):
        """Waits until the process ends by itself; its exit status."""
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise Failed("the application is still there after %d s" % within) from None

    def kill_application(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def run_cli(self, *arguments):
        """Starts fenestra-cli beside the window; ended with the journey."""
        child = subprocess.Popen([self.cli, *arguments], env=self.env, stdout=self.log, stderr=self.log)
        self.children.append(child)
        return child

    def leave(self):
        for child in [self.process, *self.children]:
            if child and child.poll() is None:
                child.kill()
                child.wait()
        self.log.close()

    # ---- looking ----

    def call(self, thing, interface, method, arguments=None):
        """NULL for what is gone by now: the tree changes while it is read."""
        try:
            answer = self.bus.call_sync(thing.bus_name, thing.path, interface, method, arguments, None, 0, 10000, None)
            # GVariant's text is Python's, and reading it is ten times as fast as unpack() on a whole tree.
            return ast.literal_eval(answer.print_(False)) if method == "GetItems" else answer.unpack()
        except GLib.Error:
            if self.process and self.process.poll() is not None:
                raise Failed("the application ended with status %s" % self.process.returncode) from None
            return None

    def _bus_name(self):
        registry = Thing(self, ((("org.a11y.atspi.Registry"), ROOT), None, None, 0, 0, [], "", 0, "", [0, 0]))
        for name, _ in (self.call(registry, ACCESSIBLE, "GetChildren") or ([],))[0]:
            try:
                pid = self.bus.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                         "GetConnectionUnixProcessID", GLib.Variant("(s)", (name,)), None, 0, 5000,
                                         None).unpack()[0]
            except GLib.Error:
                continue
            if pid == self.process.pid:
                return name
        return None

    def has_new_children(self, thing, things):
        """Asks what seems to have other children than the cache says: those that were never asked for are not in it
        yet, those that were hidden are in it still. TRUE when there are new ones, so that the cache must be read again;
        some never come into it, and are waited for a few times only."""
        indices = sorted(child.index for child in thing.children)
        if thing.role != "application" and indices == list(range(thing.n_children)):
            return False
        answer = self.call(thing, ACCESSIBLE, "GetChildren")
        keys = [tuple(key) for key in (answer or ([],))[0]]
        thing.children = [things[key] for key in keys if key in things]
        new = [key for key in keys if key not in things and self.asked.get(key, 0) < 5]
        for key in new:
            self.asked[key] = self.asked.get(key, 0) + 1
        return bool(new)

    def look(self):
        """Everything that there is now, hidden or not, in the tree's order."""
        bus_name = self._bus_name()
        if not bus_name:
            if self.process.poll() is not None:
                raise Failed("the application ended with status %s" % self.process.returncode)
            return []
        cache = Thing(self, ((bus_name, "/org/a11y/atspi/cache"), None, None, 0, 0, [], "", 0, "", [0, 0]))
        while True:
            answer = self.call(cache, "org.a11y.atspi.Cache", "GetItems")
            things = {thing.key: thing for thing in (Thing(self, item) for item in (answer or ([],))[0])}
            for thing in things.values():
                thing.parent = things.get(tuple(thing.parent_key))
                if thing.parent is thing:
                    thing.parent = None
                if thing.parent:
                    thing.parent.children.append(thing)
            root = things.get((bus_name, ROOT))
            if not [t for t in list(things.values()) if self.has_new_children(t, things)]:
                break
        self.things = things
        for thing in things.values():
            thing.children.sort(key=lambda t: t.index)
        return list(root.below()) if root else []

    def all_text(self):
        """What can be read on the screen now, one thing a line."""
        return "\n".join(t.words for t in self.look() if t.role != "panel" and t.words and t.on_screen)

    def find(self, name, role=None, within=None, on_screen=True):
        """All things on the screen whose name (or text) is `name` (a string, or a compiled expression)."""
        found = []
        roles = [role] if isinstance(role, str) else role
        for thing in self.look():
            if (roles and thing.role not in roles) or (within and not thing.is_in(within)):
                continue
            words = {thing.name, thing.words} if role else {thing.words}
            if any(name.search(w) if isinstance(name, re.Pattern) else name == w for w in words):
                if not on_screen or thing.on_screen:
                    found.append(thing)
        return found

    def wait(self, condition, what, within=5):
        """Turns until `condition` gives something true, and gives it back."""
        end = time.monotonic() + within
        while True:
            result = condition()
            if result:
                return result
            if time.monotonic() > end:
                raise Failed("not seen within %g s: %s" % (within, what))
            time.sleep(0.05)

    def see(self, text, role=None, within=5):
        """Waits until a thing with these words is on the screen; the first of them."""
        what = text.pattern if isinstance(text, re.Pattern) else text
        return self.wait(lambda: self.find(text, role), "%s %r" % (role or "text", what), within)[0]

    def see_no(self, text, role=None, within=5):
        what = text.pattern if isinstance(text, re.Pattern) else text
        self.wait(lambda: not self.find(text, role), "that %s %r is gone" % (role or "text", what), within)

    def read(self, pattern, within=5):
        """Waits for a text that matches; the match."""
        return re.search(pattern, self.see(re.compile(pattern), within=within).words)

    # ---- doing ----

    def x(self, *arguments):
        result = subprocess.run(["xdotool", *map(str, arguments)], env=self.env, capture_output=True, text=True)
        return result.stdout.strip()

    def x_windows(self):
        return [int(line) for line in self.x("search", "--onlyvisible", "--pid", self.process.pid).split()]

    def x_window_of(self, frame):
        """The X window of a frame of the tree: the one with its title, the newest when several have it."""
        named = [w for w in self.x_windows() if self.x("getwindowname", w) == frame.name]
        return (named or self.x_windows() or [None])[-1]

    def origin(self, frame):
        """Where a window is on the screen. Without a window manager none moves."""
        if frame.key not in self.origins:
            self.origins[frame.key] = self.find_origin(frame)
        return self.origins[frame.key]

    def find_origin(self, frame):
        geometry = dict(re.findall(r"^(X|Y)=(-?\d+)$", self.x("getwindowgeometry", "--shell", self.x_window_of(frame)),
                                   re.M))
        return int(geometry.get("X", 0)), int(geometry.get("Y", 0))

    def take_keyboard(self):
        """What a window manager does: the newest window has the keyboard."""
        frames = [t for t in self.look() if t.parent and t.parent.role == "application"]
        if frames:
            newest = next((f for f in frames if "active" in f.states), frames[-1])
            window = self.x_window_of(newest)
            if window:
                self.x("windowfocus", "--sync", window)

    def scroll_to(self, thing):
        """Turns the wheel until the thing is in sight; the thing of a new look."""
        for _ in range(40):
            holder = thing.hidden_by()
            if holder is None:
                return thing
            left, top, width, height = holder.rect
            if not thing.is_in(holder) or holder is thing or width <= 0:
                raise Failed("%r is not on the screen" % thing)
            origin = self.origin(thing.window)
            self.x("mousemove", origin[0] + left + 8, origin[1] + top + height // 2, "click",
                   "5" if thing.center[1] >= top + height else "4")
            time.sleep(0.03)
            thing = next((t for t in self.look() if t.key == thing.key), thing)
        raise Failed("%r cannot be scrolled into sight" % thing)

    def click(self, thing, button=1, times=1):
        thing = self.scroll_to(thing)
        x, y = thing.center
        origin = self.origin(thing.window)
        self.x("mousemove", origin[0] + x, origin[1] + y, "click", "--repeat", times, "--delay", 60, button)
        return thing

    def press(self, name, role=("push button", "toggle button"), within=5):
        """Waits for a button that can be pressed, and clicks it."""
        buttons = self.wait(lambda: [t for t in self.find(name, role) if t.usable],
                            "button %r that can be pressed" % name, within)
        return self.click(buttons[0])

    def keys(self, *keys):
        self.x("key", "--clearmodifiers", "--delay", 20, *keys)

    def type(self, thing, text):
        """Replaces what stands in an entry."""
        self.click(thing)
        self.keys("ctrl+a", "BackSpace")
        if text:
            self.x("type", "--delay", 15, text)

    def focused(self):
        """What has the keyboard, or None."""
        return next((t for t in self.look() if "focused" in t.states and t.on_screen), None)

    def picture(self, name):
        path = self.pictures / ("%s-%s.png" % (self.name, name))
        subprocess.run(["import", "-window", "root", str(path)], env=self.env, stderr=subprocess.DEVNULL)
        return path


def complaints(person):
    """Warnings of the application, but the known ones."""
    person.log.flush()
    log = (person.home / "application.log").read_text(errors="replace").splitlines()
    return [line for line in log if re.search(r"-(WARNING|CRITICAL) \*\*", line) and not KNOWN_WARNINGS.search(line)]


def no_complaint(person):
    """The application wrote no warning all the way"""
    assert not complaints(person), "\n# ".join(complaints(person))


def travel(name, steps):
    """Runs the steps of a journey, one line of TAP each; the first that fails ends it, with a picture."""
    person = Person(name)
    steps = [*steps, no_complaint]
    print("1..%d" % len(steps))
    status = 0
    for number, step in enumerate(steps, 1):
        title = step.__doc__.strip().split("\n")[0]
        began = time.monotonic()
        if status:
            print("not ok %d - %s # not reached" % (number, title))
            continue
        try:
            step(person)
            print("ok %d - %s # %.1f s" % (number, title, time.monotonic() - began), flush=True)
        except Exception as error:  # whatever it is, what is on the screen explains it
            status = 1
            print("not ok %d - %s" % (number, title))
            print("# %s: %s" % (type(error).__name__, error))
            if not isinstance(error, AssertionError):
                import traceback
                traceback.print_exc()
            report(person)
            sys.stdout.flush()
    person.leave()
    if status == 0 or not os.environ.get("FENESTRA_KEEP_HOME"):
        shutil.rmtree(person.home, ignore_errors=True)
    return status


def report(person):
    try:
        print("# picture: %s" % person.picture("failed"))
        if person.process and person.process.poll() is None:
            for line in person.all_text().splitlines():
                print("# | " + line)
    except Exception as error:
        print("# nothing can be read: %s" % error)
    person.log.flush()
    log = (person.home / "application.log").read_text(errors="replace").splitlines()
    for line in log[-30:]:
        print("# log: " + line)
