import type { Conntrack } from "./kernel.ts";

/** Connection tracking of the namespace this thread is in now. */
export function openConntrack(): Conntrack {
  throw new Error("connection tracking is not built yet");
}
