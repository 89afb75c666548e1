import { once } from "node:events";
import { createServer } from "node:net";
import { Fault } from "#fault/fault";

/** Holds a lab for one command at a time, by a socket without a file: the kernel gives the name back however this process
 *  ends. @throws {Fault} Busy */
export async function holdLab(name: string): Promise<Disposable> {
  const server = createServer();
  try {
    await once(server.listen(`\0twill-lab-${name}`), "listening");
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE")) throw cause;
    throw new Fault(
      "Busy",
      `Cannot touch lab "${name}": another ./twill up or down is at work on it; wait for that to end, or end it with Ctrl-C`,
    );
  }
  server.unref();
  return { [Symbol.dispose]: () => void server.close() };
}
