"""Does to the desktop what a screen reader's user does: one JSON command a line on stdin, one JSON answer a line on stdout."""
import json
import sys
import time

import gi

gi.require_version("Atspi", "2.0")
from gi.repository import Atspi  # noqa: E402

POLL_S = 0.03


def visible(node):
    """GTK 4.8 gives SHOWING to windows only; inside them, what is hidden is not VISIBLE."""
    try:
        states = node.get_state_set()
        top = node.get_role_name() in ("frame", "dialog", "alert", "window")
        return node.get_role_name() == "application" or states.contains(
            Atspi.StateType.SHOWING if top else Atspi.StateType.VISIBLE
        )
    except Exception:
        return False


def walk(node):
    """Every visible object below node, the nearest first."""
    try:
        count = min(node.get_child_count(), 400)
        children = [node.get_child_at_index(index) for index in range(count)]
    except Exception:
        return
    for child in children:
        if child is None or not visible(child):
            continue
        yield child
        yield from walk(child)


def role_of(node):
    """Newer versions of AT-SPI call a push button a button."""
    name = node.get_role_name()
    return "push button" if name == "button" else name


def names_of(command):
    """GTK 4.8 says the label of a plain button twice."""
    return (command["name"], f"{command['name']} {command['name']}")


def matches(node, command):
    try:
        if role_of(node) != command["role"] or node.get_name() not in names_of(command):
            return False
        return command.get("any_state", False) or node.get_state_set().contains(Atspi.StateType.SENSITIVE)
    except Exception:
        return False


def find(command):
    desktop = Atspi.get_desktop(0)
    found = [node for node in walk(desktop) if matches(node, command)]
    index = command.get("index", 0)
    return found[index] if len(found) > index else None


def dump():
    lines = []
    for node in walk(Atspi.get_desktop(0)):
        try:
            if node.get_name():
                lines.append(f"{node.get_role_name()}: {node.get_name()}")
        except Exception:
            continue
    return lines


def act(node, command):
    if command["do"] == "click":
        actions = [Atspi.Action.get_action_name(node, index) for index in range(Atspi.Action.get_n_actions(node))]
        wanted = next((name for name in ("click", "toggle", "activate") if name in actions), None)
        return Atspi.Action.do_action(node, actions.index(wanted) if wanted else 0)
    if command["do"] == "type":
        return Atspi.EditableText.set_text_contents(node, command["text"])
    if command["do"] == "focused":
        return node.get_state_set().contains(Atspi.StateType.FOCUSED)
    return True


def obey(command):
    if command["do"] == "dump":
        return {"ok": True, "lines": dump()}
    until = time.monotonic() + command.get("timeout", 8)
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
