"""
What the accessibility bus says of what is shown. All objects of a level are asked at once, and GTK 4 for all that it knows in
one call: asked one object at a time, the window would have no time for anything else while somebody waits for what it shows.
"""
import gi

gi.require_version("Atspi", "2.0")
from gi.repository import Atspi, Gio, GLib  # noqa: E402

ACCESSIBLE = "org.a11y.atspi.Accessible"
PROPERTIES = "org.freedesktop.DBus.Properties"
REGISTRY = "org.a11y.atspi.Registry"
ROOT = "/org/a11y/atspi/accessible/root"
TIMEOUT_MS = 8000
# Of a list of many rows a screen reader does not ask for all.
MOST_CHILDREN = 400
WINDOWS = ("frame", "dialog", "alert", "window")


def connect():
    session = Gio.bus_get_sync(Gio.BusType.SESSION)
    answer = session.call_sync("org.a11y.Bus", "/org/a11y/bus", "org.a11y.Bus", "GetAddress", None, None, Gio.DBusCallFlags.NONE, TIMEOUT_MS, None)
    flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
    return Gio.DBusConnection.new_for_address_sync(answer.unpack()[0], flags, None, None)


bus = None


def ask_all(calls):
    """The answers to (owner, path, interface, method, arguments), sent together; None where there is none, as of what has gone."""
    global bus
    bus = bus or connect()
    answers = [None] * len(calls)
    left = len(calls)

    def done(_source, result, index):
        nonlocal left
        left -= 1
        try:
            answers[index] = bus.call_finish(result).unpack()
        except GLib.Error:
            pass

    for index, (owner, path, interface, method, arguments) in enumerate(calls):
        bus.call(owner, path, interface, method, arguments, None, Gio.DBusCallFlags.NONE, TIMEOUT_MS, None, done, index)
    while left > 0:
        GLib.MainContext.default().iteration(True)
    return answers


def ask(owner, path, interface, method, arguments=None):
    [answer] = ask_all([(owner, path, interface, method, arguments)])
    return answer


def property_call(owner, path, interface, name):
    return (owner, path, PROPERTIES, "Get", GLib.Variant("(ss)", (interface, name)))


def numbers(states):
    """Those whose bit is set, of two words of 32."""
    bits = states[0] | states[1] << 32
    return {number for number in range(bits.bit_length()) if bits >> number & 1}


class Node:
    """One object as it was at the last look; `known` is what its application said of it."""

    def __init__(self, owner, path, parent, known):
        self.owner = owner
        self.path = path
        self.parent = parent
        self.depth = 0 if parent is None else parent.depth + 1
        self.role, self.name, self.description, self.interfaces, states = known
        self.states = numbers(states)
        self.children = []

    def has(self, state):
        return int(state) in self.states

    def call(self, interface, method, arguments=None):
        return (self.owner, self.path, interface, method, arguments)

    def property_call(self, interface, name):
        return property_call(self.owner, self.path, interface, name)

    @property
    def shown(self):
        """GTK 4.8 gives SHOWING to windows only; inside them, what is hidden is not VISIBLE."""
        if self.role == "application":
            return True
        # An alert is a dialog, or a label inside a window that a screen reader reads out.
        top = self.role in WINDOWS and self.parent.role == "application"
        return self.has(Atspi.StateType.SHOWING if top else Atspi.StateType.VISIBLE)

    @property
    def window(self):
        node = self
        while node.depth > 2:
            node = node.parent
        return node


def role_name(number):
    return Atspi.role_get_name(Atspi.Role(number))


# By owner: whether the toolkit is GTK 4.
in_bulk = {}


def is_gtk_4(owner):
    if owner not in in_bulk:
        answer = ask(*property_call(owner, ROOT, "org.a11y.atspi.Application", "Version"))
        toolkit = ask(*property_call(owner, ROOT, "org.a11y.atspi.Application", "ToolkitName"))
        in_bulk[owner] = toolkit == ("GTK",) and answer is not None and str(answer[0]).startswith("4.")
    return in_bulk[owner]


def all_known(owner):
    """What GTK 4 knows of every object that has been asked for: by path, role, name, description, interfaces and states."""
    answer = ask(owner, "/org/a11y/atspi/cache", "org.a11y.atspi.Cache", "GetItems") if is_gtk_4(owner) else None
    if answer is None:
        return {}
    return {item[0][1]: (role_name(item[7]), item[6], item[8], item[5], item[9]) for item in answer[0]}


def asked(places):
    """The same, asked of each object; None for one that has gone."""
    calls = []
    for owner, path in places:
        calls += [
            (owner, path, ACCESSIBLE, "GetRole", None), property_call(owner, path, ACCESSIBLE, "Name"),
            property_call(owner, path, ACCESSIBLE, "Description"), (owner, path, ACCESSIBLE, "GetInterfaces", None),
            (owner, path, ACCESSIBLE, "GetState", None),
        ]
    answers = ask_all(calls)
    found = []
    for at in range(0, len(answers), 5):
        role, name, description, interfaces, states = answers[at:at + 5]
        gone = role is None or name is None or states is None
        found.append(None if gone else (
            role_name(role[0]), name[0], description[0] if description else "", interfaces[0] if interfaces else [], states[0],
        ))
    return found


def children_of(nodes, known):
    """Puts the visible children into the nodes, and returns them."""
    answers = ask_all([node.call(ACCESSIBLE, "GetChildren") for node in nodes])
    places = [(node, owner, path) for node, answer in zip(nodes, answers) if answer is not None for owner, path in answer[0][:MOST_CHILDREN]]
    unknown = [(owner, path) for _node, owner, path in places if path not in known.get(owner, {})]
    told = dict(zip(unknown, asked(unknown)))
    found = []
    for node, owner, path in places:
        facts = known.get(owner, {}).get(path) or told.get((owner, path))
        child = None if facts is None else Node(owner, path, node, facts)
        if child is not None and child.shown:
            node.children.append(child)
            found.append(child)
    return found


# By path, what could have the keyboard at the last look, and the windows: the owner, and its window's path and name.
places = {}


def look():
    """Every visible object, in order, those of depth 1 being the applications and those of depth 2 their windows."""
    desktop = Node(REGISTRY, ROOT, None, ("desktop frame", "", "", [], (0, 0)))
    applications = children_of([desktop], {})
    known = {application.owner: all_known(application.owner) for application in applications}
    level = applications
    while level:
        level = children_of(level, known)

    def below(node):
        for child in node.children:
            yield child
            yield from below(child)

    nodes = list(below(desktop))
    places.clear()
    places.update((node.path, (node.owner, node.window.path, node.window.name)) for node in nodes if node.depth == 2 or node.has(Atspi.StateType.FOCUSABLE))
    return nodes


def states_now():
    """By path, the states of those places as they are now."""
    answers = ask_all([(owner, path, ACCESSIBLE, "GetState", None) for path, (owner, _window, _name) in places.items()])
    return {path: set() if answer is None else numbers(answer[0]) for path, answer in zip(places, answers)}
