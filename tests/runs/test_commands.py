"""Commands: each is answered, what is refused is refused in one sentence and changes nothing."""

from __future__ import annotations

import json

import msgspec
import pytest

from tests.fake_experiment import (
    DIVERGE,
    FAIL_AT_ONCE,
    FAIL_IN_FRAME,
    FAIL_IN_TRAINING,
    NO_SUCH_UNIT,
    STEPS_PER_EPOCH,
)
from tests.labs import BareSocket, metric
from webapp.contract.replies import Status
from webapp.kinds import commands
from webapp.stream.packets import prepare_event

PIXELS = "AAAA" * (784 // 3) + "AA=="


@pytest.mark.parametrize(
    "command",
    [
        {"type": "set", "settings": {"rate": 0.3}},
        {"type": "play"},
        {"type": "pause"},
        {"type": "step", "unit": "batch"},
        {"type": "reset"},
        {"type": "recover"},
        {"type": "weight", "layer": 1, "source": 0, "target": 0, "value": 1.5},
        {"type": "look", "layer": 1, "unit": 2},
        {"type": "draw", "pixels": PIXELS},
        {"type": "lens", "lens": "network"},
        {"type": "close"},
    ],
    ids=lambda command: command["type"],
)
def test_every_command_is_answered_and_named_by_a_frame(page, command):
    run = page.open("digits" if command["type"] == "draw" else "points")
    reply = page.command(**command, run=run)
    assert reply["ok"], reply
    if command["type"] not in {"lens", "close"}:  # which are not the worker's business
        page.wait_frame(lambda frame: frame.command == reply["seq"], "the frame that shows the command")


def test_the_list_above_is_complete():
    tags = {struct.__struct_config__.tag for struct in commands().structs}
    marks = test_every_command_is_answered_and_named_by_a_frame.pytestmark[0]
    assert tags == {command["type"] for command in marks.args[1]} | {"open"}


RUN = "{run}"
BAD = {
    "unknown command": ({"type": "explode", "run": RUN}, "unknown_command"),
    "no type": ({"run": RUN}, "bad_value"),
    "type of a wrong type": ({"type": 7, "run": RUN}, "bad_value"),
    "no run": ({"type": "play"}, "bad_value"),
    "a field too many": ({"type": "play", "run": RUN, "fast": True}, "bad_value"),
    "wrong type": ({"type": "set", "run": RUN, "settings": {"rate": "fast"}}, "bad_value"),
    "null for a number": ({"type": "set", "run": RUN, "settings": {"rate": None}}, "bad_value"),
    "rate too high": ({"type": "set", "run": RUN, "settings": {"rate": 11}}, "bad_value"),
    "too many layers": ({"type": "set", "run": RUN, "settings": {"hidden": [1] * 9}}, "bad_value"),
    "too wide a layer": ({"type": "set", "run": RUN, "settings": {"hidden": [33]}}, "bad_value"),
    "a huge batch": ({"type": "set", "run": RUN, "settings": {"batch": 10**9}}, "bad_value"),
    "a batch beyond 64 bits": ({"type": "set", "run": RUN, "settings": {"batch": 10**30}}, "bad_value"),
    "an unknown setting": ({"type": "set", "run": RUN, "settings": {"colour": "red"}}, "bad_value"),
    "no inputs": ({"type": "set", "run": RUN, "settings": {"inputs": []}}, "bad_value"),
    "an input twice": ({"type": "set", "run": RUN, "settings": {"inputs": ["x", "x"]}}, "bad_value"),
    "a setting of the other page": ({"type": "set", "run": RUN, "settings": {"gallery": "sample"}}, "bad_value"),
    "a forged run id": ({"type": "play", "run": "A" * 22}, "unknown_run"),
    "a malformed run id": ({"type": "play", "run": "../../etc/passwd"}, "bad_value"),
    "a drawing of a wrong size": ({"type": "draw", "run": RUN, "pixels": "AAAA"}, "bad_value"),
    "a drawing that isn't base64": ({"type": "draw", "run": RUN, "pixels": "?" * 1048}, "bad_value"),
    "a negative number of a command": ({"type": "play", "run": RUN, "seq": -1}, "bad_value"),
    "an unknown kind": ({"type": "open", "kind": "poems"}, "bad_value"),
    "a broken URL state": ({"type": "open", "kind": "points", "settings": {"hidden": "4-3"}}, "bad_value"),
    "an unknown lens": ({"type": "lens", "run": RUN, "lens": "kaleidoscope"}, "no_such_lens"),
    "a page with an unknown lens": ({"type": "open", "kind": "points", "lens": "kaleidoscope"}, "no_such_lens"),
    "another kind's run": ({"type": "open", "kind": "digits", "run": RUN}, "wrong_kind"),
}


@pytest.mark.parametrize(("command", "code"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_in_one_sentence_and_the_run_untouched(page, command, code):
    run = page.open(rate=0.25)
    message = json.loads(json.dumps({"seq": 77, **command}).replace(RUN, run))
    reply = page.call("command", message)
    assert not reply["ok"]
    assert reply["error"]["code"] == code
    assert reply.get("seq", 0) in {77, 0}
    sentence = reply["error"]["message"]
    assert sentence.endswith(".") and len(sentence) < 200 and "Traceback" not in sentence
    again = page.command("set", run=run, settings={})
    assert again["settings"]["rate"] == 0.25, "the refused command changed a setting"
    frame = page.wait_frame(lambda frame: frame.command == again["seq"])
    assert not frame.playing and metric(frame, 3) == 0


@pytest.mark.parametrize("payload", [5, "play", None, [1, 2], True], ids=repr)
def test_what_is_no_object_is_refused(page, payload):
    reply = page.call("command", payload)
    assert reply["error"]["code"] == "bad_value"
    assert "object" in reply["error"]["message"]


def test_two_objects_in_one_command_are_refused(page):
    assert page.call("command", {"type": "play"}, {"type": "play"})["error"]["code"] == "bad_value"


def test_an_unknown_event_is_refused(page):
    assert page.call("steal", {"run": 1})["error"]["code"] == "unknown_event"


def test_a_bad_credit_is_refused(page):
    assert page.call("credit", {"run": 5})["error"]["code"] == "bad_value"
    assert page.call("credit")["error"]["code"] == "bad_value"
    assert page.call("credit", {"run": "A" * 22, "frame": 0})["ok"], "of a run that is no longer watched: ignored"


def test_a_refusal_that_nobody_waits_for_comes_as_a_notice(page):
    page.client.emit("command", {"type": "explode", "seq": 1})
    notice = page.wait_event(type="notice", code="refused")
    assert notice["values"]["code"] == "unknown_command"


def test_commands_keep_their_order(page):
    """With async_handlers a later command could overtake an earlier one."""
    run = page.open()
    for rate in range(1, 51):  # fewer than may wait for one run
        page.client.emit("command", {"type": "set", "run": run, "seq": rate, "settings": {"rate": rate / 100}})
    page.wait_frame(lambda frame: frame.command == 50)
    assert page.command("set", run=run, settings={})["settings"]["rate"] == 0.5


def test_settings_are_merged_and_all_are_told(page):
    run = page.open(hidden=[2])
    assert page.command("set", run=run, settings={"rate": 0.5})["settings"]["layers"] == [{"type": "dense", "units": 2}]
    assert page.command("set", run=run, settings={"hidden": [3, 3]})["settings"]["rate"] == 0.5
    page.wait_frame(lambda frame: frame.parts["layers"].tolist() == [2, 3, 3, 1])


def test_step_trains_one_batch_or_epoch_and_then_stands_still(page):
    run = page.open()
    page.command("step", run=run, unit="batch")
    assert page.wait_event(type="status", reason="stepped")["step"] == 1
    page.events.clear()
    page.command("step", run=run, unit="epoch")
    assert page.wait_event(type="status", reason="stepped", playing=False, step=1 + STEPS_PER_EPOCH)


def test_reset_goes_back_to_step_zero_and_pauses(page):
    run = page.open()
    page.command("play", run=run)
    page.wait_frame(lambda frame: frame.step > 3)
    page.command("reset", run=run)
    assert page.wait_event(type="status", reason="reset")["step"] == 0


def test_a_diverged_loss_pauses_and_recover_goes_on_with_a_tenth_of_the_rate(page):
    run = page.open(rate=0.7)
    page.steer(run, DIVERGE)
    page.command("play", run=run)
    assert page.wait_event(type="status", reason="diverged", playing=False)["step"] == 1
    reply = page.command("recover", run=run)
    assert reply["settings"]["rate"] == 0.07
    frame = page.wait_frame(lambda frame: frame.command == reply["seq"] and frame.step > 0)
    assert frame.playing and metric(frame, 2) == pytest.approx(0.07)


def test_recover_never_goes_below_the_least_rate(page):
    run = page.open(rate=1e-5)
    assert page.command("recover", run=run)["settings"]["rate"] == 1e-5


@pytest.mark.parametrize("fault", [FAIL_AT_ONCE, FAIL_IN_TRAINING, FAIL_IN_FRAME])
def test_a_bug_in_an_experiment_pauses_that_run_alone(page, open_page, lab, fault):
    other = open_page()
    healthy = other.open(speed="max")
    other.command("play", run=healthy)
    pids = lab.pool.pids
    for _ in range(3):  # one of them on the worker of the healthy run
        run = page.open()
        page.command("play", run=run)
        page.steer(run, fault)
        page.wait_event(type="notice", run=run, code="internal_error")
        page.wait_event(type="status", run=run, playing=False, reason="internal_error")
    before = other.frames[-1].step
    other.wait_frame(lambda frame: frame.step > before)
    assert lab.pool.pids == pids, "a worker died of a bug in one run"


def test_a_run_goes_on_after_a_bug(page):
    run = page.open()
    page.steer(run, FAIL_IN_FRAME)
    page.wait_event(code="internal_error")
    page.command("reset", run=run)
    page.wait_frame(lambda frame: frame.command == 3)


def test_what_only_the_worker_can_refuse_comes_as_a_notice(page):
    run = page.open()
    assert page.steer(run, NO_SUCH_UNIT)["ok"]
    notice = page.wait_event(type="notice", code="refused")
    assert notice["values"] == {"layer": 1, "code": "no_such_unit"}
    assert notice["message"] == "weight: this network has no such unit."


def test_too_many_runs_the_oldest_unwatched_gives_way(make_lab, open_page):
    lab = make_lab(max_runs_per_person=3)
    page = open_page(lab)
    first, second, _ = (page.open() for _ in range(3))
    refused = page.command("open", kind="points")
    assert refused["error"]["code"] == "too_many_runs"
    page.command("close", run=second)
    page.open()
    assert page.command("play", run=second)["error"]["code"] == "unknown_run"
    assert page.command("play", run=first)["ok"]


def test_too_many_runs_in_all(make_lab, open_page):
    lab = make_lab(max_runs=2)
    one, other = open_page(lab), open_page(lab)
    run = one.open()
    one.command("close", run=run)
    other.open()
    refused = other.command("open", kind="points")
    assert refused["error"]["code"] == "too_many_runs", "a page that reloads must not lose its run to another person"


def test_a_worker_that_is_behind_refuses_with_busy_and_nothing_changes(make_lab, open_page):
    lab = make_lab(max_queue_per_run=0)
    page = open_page(lab)
    assert page.command("open", kind="points")["error"]["code"] == "busy"


def test_a_busy_run_keeps_its_settings(lab, page, monkeypatch):
    run = page.open(rate=0.5)
    monkeypatch.setattr(lab.pool, "post", lambda run, message, force=False: force)
    assert page.command("set", run=run, settings={"rate": 0.1})["error"]["code"] == "busy"
    monkeypatch.undo()
    assert page.command("set", run=run, settings={})["settings"]["rate"] == 0.5


def test_a_bug_in_the_server_is_answered_too(lab, page, monkeypatch):
    run = page.open()
    monkeypatch.setattr(lab.pool, "post", lambda run, message, force=False: force or 1 / 0)
    assert page.command("play", run=run)["error"]["code"] == "internal_error"
    monkeypatch.undo()
    assert page.command("play", run=run)["ok"]


def test_numbers_that_json_has_no_word_for(lab):
    bare = BareSocket(lab.url)
    bare.ws.send('421["command",{"type":"open","kind":"points","seq":1,"settings":{"rate":NaN}}]')
    code, reason = bare.closing() or (0, "")
    assert code == 1008 and "JSON" in reason


def test_no_message_of_the_server_holds_nan(lab):
    """Python's json writes NaN, on which JSON.parse throws in a browser."""
    status = Status(run="r", playing=False, epoch=float("nan"))
    assert b'"epoch":null' in prepare_event("event", msgspec.to_builtins(status))
    text = lab.app.extensions["layerlab.sockets"].socketio.server.packet_class.json.dumps({"a": float("inf")})
    assert text == '{"a":null}'
