"""Does to the desktop what a screen reader's user does: one JSON command a line on stdin, one JSON answer a line on stdout."""
import json
import sys
import time

# The tree may be another user's.
sys.dont_write_bytecode = True
from accessible_bus import ACCESSIBLE, REGISTRY, ROOT, Atspi, GLib, ask, ask_all, look, places, states_now  # noqa: E402

POLL_S = 0.03
# Only what never comes is waited for so long.
LIMIT_S = 25
ACTION = "org.a11y.atspi.Action"
TEXT = "org.a11y.atspi.Text"
COMPONENT = "org.a11y.atspi.Component"


def role_of(node):
    """Newer versions of AT-SPI call a push button a button, and GTK 4.18 one that stays pressed a toggle button."""
    return "push button" if node.role in ("button", "toggle button") else node.role


def names_of(command):
    """GTK 4.8 says the label of a plain button twice, the first time with the mark of the letter for the keyboard."""
    return (command["name"], f"{command['name']} {command['name']}")


def plain(name):
    """'_Skip Skip' is what GTK 4.8 calls a button with a marked letter."""
    words = name.split(" ")
    half = len(words) // 2
    first, second = " ".join(words[:half]), " ".join(words[half:])
    return second if first.replace("_", "", 1) == second else name


def matches(node, command):
    if role_of(node) != command["role"] or (node.name not in names_of(command) and plain(node.name) != command["name"]):
        return False
    return command.get("any_state", False) or node.has(Atspi.StateType.SENSITIVE)


def find(command):
    found = [node for node in look() if matches(node, command)]
    index = command.get("index", 0)
    return found[index] if len(found) > index else None


def dump():
    return [f"{node.role}: {node.name}" for node in look() if node.name]


def texts_of(nodes):
    """What stands in each of them, '' where that is nothing."""
    counts = ask_all([node.property_call(TEXT, "CharacterCount") for node in nodes])
    lengths = [0 if count is None else count[0] for count in counts]
    texts = ask_all([node.call(TEXT, "GetText", GLib.Variant("(ii)", (0, length))) for node, length in zip(nodes, lengths)])
    return ["" if text is None else text[0] for text in texts]


def words():
    """Everything that a screen reader can say of what is visible: names, descriptions, and what stands in texts and fields."""
    nodes = look()
    written = [node for node in nodes if TEXT in node.interfaces]
    texts = dict(zip(map(id, written), texts_of(written)))
    return [[role_of(node), node.name, node.description, texts.get(id(node), "")] for node in nodes]


def boxes_of(nodes, origin):
    """x, y, width and height of each; None where it has none."""
    answers = ask_all([node.call(COMPONENT, "GetExtents", GLib.Variant("(u)", (int(origin),))) for node in nodes])
    return [None if answer is None else list(answer[0]) for answer in answers]


def bounds(on_screen):
    """
    Where each visible object is, in its own window or, of other toolkits, on the screen, and the height of the nearest thing
    around it that scrolls; GTK gives it for what has been drawn.
    """
    nodes = look()
    panes = {}
    lines = []
    for node, box in zip(nodes, boxes_of(nodes, Atspi.CoordType.SCREEN if on_screen else Atspi.CoordType.WINDOW)):
        pane = panes.get(id(node.parent), 0)
        panes[id(node)] = box[3] if box is not None and node.role == "scroll pane" else pane
        if box is not None:
            lines.append([role_of(node), node.name, *box, pane])
    return lines


def ask_for_what_has_gone():
    """The next child of every application that has as many as there were: what a screen reader asks for when a window closes just then."""
    answer = ask(REGISTRY, ROOT, ACCESSIBLE, "GetChildren")
    for owner, path in answer[0] if answer is not None else []:
        children = ask(owner, path, ACCESSIBLE, "GetChildren")
        for beyond in range(3):
            ask(owner, path, ACCESSIBLE, "GetChildAtIndex", GLib.Variant("(i)", (len(children[0]) + beyond if children else beyond,)))


def tree():
    """Every visible object with what a screen reader would say of it, as a list in order, with its depth."""
    lines = []
    nodes = [node for node in look() if node.depth > 1]
    # The toolkit gives texts nothing else to tell.
    told = [node for node in nodes if node.role != "label"]
    boxes = dict(zip(map(id, told), boxes_of(told, Atspi.CoordType.WINDOW)))
    for node in nodes:
        line = {"id": node.path, "depth": node.depth, "role": role_of(node), "name": plain(node.name)}
        if id(node) in boxes:
            line.update({
                "description": node.description, "states": [Atspi.StateType(number).value_nick for number in sorted(node.states)],
                # The page of a stack has none.
                "box": boxes[id(node)] or [0, 0, 0, 0],
            })
        lines.append(line)
    return lines


def with_keyboard(title):
    """The path of what has the keyboard, where that was there at the last look already, or where a new one finds it."""
    states = states_now()
    for path, (_owner, window, name) in places.items():
        if Atspi.StateType.FOCUSED in states[path] and Atspi.StateType.ACTIVE in states[window] and title in ("", name):
            return path
    return looked_for_keyboard(title)


def looked_for_keyboard(title):
    """
    Of all that is shown now, in the window of this title. When a menu closes in a window that is no longer in front, GTK 4.8 goes
    on calling its button focused, and without a window manager it may call both windows active.
    """
    focused = [node for node in look() if node.has(Atspi.StateType.FOCUSED) and title in ("", node.window.name)]
    in_front = [node for node in focused if node.window.has(Atspi.StateType.ACTIVE)]
    return next((node.path for node in in_front or (focused if title else [])), None)


def focus(before, title, limit):
    """What has the keyboard once it is another than `before`; None where it stays there."""
    until = time.monotonic() + limit
    while True:
        found = with_keyboard(title)
        if found is not None and found != before:
            return found
        if time.monotonic() > until:
            return None
        time.sleep(POLL_S)


def click(node):
    count = ask(*node.property_call(ACTION, "NActions"))
    names = ask_all([node.call(ACTION, "GetName", GLib.Variant("(i)", (index,))) for index in range(count[0] if count else 0)])
    actions = ["" if name is None else name[0] for name in names]
    wanted = next((name for name in ("click", "toggle", "activate") if name in actions), None)
    return ask(*node.call(ACTION, "DoAction", GLib.Variant("(i)", (actions.index(wanted) if wanted else 0,)))) == (True,)


def act(node, command):
    if command["do"] == "click":
        return click(node)
    if command["do"] == "type":
        return ask(*node.call("org.a11y.atspi.EditableText", "SetTextContents", GLib.Variant("(s)", (command["text"],)))) == (True,)
    if command["do"] == "focused":
        # What has the keyboard in its own window, in front or not.
        return node.has(Atspi.StateType.FOCUSED)
    return True


def obey(command):
    if command["do"] == "dump":
        return {"ok": True, "lines": dump()}
    if command["do"] == "tree":
        return {"ok": True, "lines": [json.dumps(line) for line in tree()]}
    if command["do"] == "focus":
        return {"ok": True, "lines": [json.dumps(focus(command["before"], command["title"], command["limit"]))]}
    if command["do"] == "words":
        return {"ok": True, "lines": [json.dumps(line) for line in words()]}
    if command["do"] == "bounds":
        return {"ok": True, "lines": [json.dumps(line) for line in bounds(command.get("on_screen", False))]}
    if command["do"] == "ask-for-what-has-gone":
        ask_for_what_has_gone()
        return {"ok": True}
    until = time.monotonic() + command.get("timeout", LIMIT_S)
    while True:
        node = find(command)
        if command["do"] == "gone":
            if node is None:
                return {"ok": True}
        elif node is not None and act(node, command):
            return {"ok": True}
        if time.monotonic() > until:
            return {"ok": False, "lines": dump()}
        time.sleep(POLL_S)


for line in sys.stdin:
    try:
        answer = obey(json.loads(line))
    except Exception as error:
        answer = {"ok": False, "lines": [repr(error)]}
    print(json.dumps(answer), flush=True)
