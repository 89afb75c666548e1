import type { NetworkChanges } from "../kernel.ts";
import type { FakeNamespace } from "./namespace.ts";

/** Compares what stands with what stood, so that a change undone in between is no news; the real kernel would tell. */
export function fakeChanges(here: FakeNamespace): NetworkChanges {
  const look = () => {
    const links = [...here.links.values()].map(({ peer: _, ...link }) => link);
    return JSON.stringify([links, here.addresses, here.routes]);
  };
  let seen = look();
  return {
    drain() {
      const now = look();
      const hasChanged = now !== seen;
      seen = now;
      return hasChanged;
    },
    [Symbol.dispose]() {},
  };
}
