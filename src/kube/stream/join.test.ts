import assert from "node:assert/strict";
import { once } from "node:events";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { join } from "./join.ts";

const ENDS = [
  { name: "ends", leave: (far: Duplex) => far.push(null) },
  { name: "breaks off", leave: (far: Duplex) => far.destroy(new Error("read ECONNRESET")) },
];

for (const { name, leave } of ENDS) {
  test(`what one side has said arrives when it ${name}, however slow the other is and whatever that still says`, async () => {
    const { client: near, said, release } = slowClient();
    const far = new Duplex({
      read: () => {},
      write: (_bytes, _encoding, done) => done(new Error("write EPIPE")),
    });
    const joined = join(near, far, { signal: new AbortController().signal });
    far.push("first words, ");
    await once(near, "held");
    far.push("last words");
    await new Promise((resolve) => setImmediate(resolve));
    leave(far);
    near.push("are you there?");
    if (!far.closed) await new Promise((resolve) => far.once("close", resolve));
    near.push(null);
    release();
    await joined;
    assert.equal(said(), "first words, last words");
  });
}

test("both sides are cut when the signal says so", async () => {
  const stop = new AbortController();
  const [near, far] = [slowClient().client, slowClient().client];
  const joined = join(near, far, { signal: stop.signal });
  stop.abort();
  await joined;
  assert.deepEqual([near.destroyed, far.destroyed], [true, true]);
});

/** A side whose first write waits until it is released. */
function slowClient(): { client: Duplex; said: () => string; release: () => void } {
  let text = "";
  let isReleased = false;
  let done: (() => void) | undefined;
  const client = new Duplex({
    read: () => {},
    write: (bytes: Buffer, _encoding, next) => {
      text += bytes.toString();
      if (isReleased) return next();
      done = next;
      client.emit("held");
    },
  });
  return {
    client,
    said: () => text,
    release: () => {
      isReleased = true;
      done?.();
    },
  };
}
