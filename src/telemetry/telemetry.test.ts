import assert from "node:assert/strict";
import { test } from "node:test";
import { openLog } from "./log.ts";
import { Metrics } from "./metrics.ts";

test("a log line is a time, a level, a constant message and fields", () => {
  const lines: string[] = [];
  const log = openLog({ write: (line) => lines.push(line), level: "info", now: () => 0 }).child({
    room: "fabric",
  });
  log.debug("not shown");
  log.warn("a peer is ignored", {
    node: "b c",
    error: new Error("one", { cause: new Error("two") }),
    none: undefined,
  });
  assert.deepEqual(lines, [
    '1970-01-01T00:00:00.000Z WARN  a peer is ignored room=fabric node="b c" error="one: two"\n',
  ]);
});

test("a newline in a field cannot forge a line", () => {
  const lines: string[] = [];
  openLog({ write: (line) => lines.push(line), level: "info", now: () => 0 }).info("x", { text: "a\nb" });
  assert.equal(lines[0]?.split("\n").length, 2);
});

test("nothing in a line is a terminal's command", () => {
  const lines: string[] = [];
  const log = openLog({ write: (line) => lines.push(line), level: "info", now: () => 0 });
  log.info("x", { text: "a\u001b[2Jb\u009b2Jc\u202ed\u2028e\u{e0001}" });
  assert.match(lines[0] ?? "", / x text="a\\u001b\[2Jb\\u\{9b\}2Jc\\u\{202e\}d\\u\{2028\}e\\u\{e0001\}"\n$/);
});

test("metrics are exposed as Prometheus reads them", () => {
  const metrics = new Metrics();
  const counter = metrics.counter("twill_rounds_total", "Rounds done.");
  counter.add({ room: "fabric" });
  counter.add({ room: "fabric" }, 2);
  metrics.gauge("twill_nodes", "Nodes.").set(3);
  const histogram = metrics.histogram("twill_apply_seconds", "Time of an apply.", [0.1, 1]);
  for (const seconds of [0.05, 0.5, 5]) histogram.observe(seconds);
  assert.equal(
    metrics.expose(),
    [
      "# HELP twill_rounds_total Rounds done.",
      "# TYPE twill_rounds_total counter",
      'twill_rounds_total{room="fabric"} 3',
      "# HELP twill_nodes Nodes.",
      "# TYPE twill_nodes gauge",
      "twill_nodes 3",
      "# HELP twill_apply_seconds Time of an apply.",
      "# TYPE twill_apply_seconds histogram",
      'twill_apply_seconds_bucket{le="0.1"} 1',
      'twill_apply_seconds_bucket{le="1"} 2',
      'twill_apply_seconds_bucket{le="+Inf"} 3',
      "twill_apply_seconds_sum 5.55",
      "twill_apply_seconds_count 3",
      "",
    ].join("\n"),
  );
});
