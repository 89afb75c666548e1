/** Copies the output of a run into its log until it is killed: `node pump.ts FOLDER LOG`. Says `ready` once it reads. */
import { PipeWindow } from "#kernel/pipe-taker";
import { OutputPump } from "../output.ts";
import { Turns } from "../turns.ts";

const [folder = "", logPath = ""] = process.argv.slice(2);
const pump = new OutputPump(folder, logPath, {
  window: new PipeWindow(),
  turns: new Turns(),
  onRefusal: (error) => process.stderr.write(`${String(error)}\n`),
});
process.stdout.write("ready\n");
const awake = setInterval(() => pump.wake(), 20);
await pump.drained;
clearInterval(awake);
