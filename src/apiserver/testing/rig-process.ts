/** A rig in a process of its own, so that it can be weighed and killed: `node rig-process.ts DIRECTORY PORT`. */
import { openRig } from "./rig.ts";

/** What the process sends once it answers. */
export interface RigReady {
  readonly url: string;
  readonly ca: string;
  readonly admin: { readonly cert: string; readonly key: string };
  /** From the start of the process until it answered. */
  readonly readyMs: number;
}

const [, , directory = "", port = "0"] = process.argv;
const rig = await openRig({ directory, port: Number(port) });
const { url, ca, admin } = rig;
process.once("disconnect", () => {
  void rig[Symbol.asyncDispose]();
});
const ready: RigReady = { url, ca, admin, readyMs: performance.now() };
process.send?.(ready);
