import { once } from "node:events";
import { createServer } from "node:net";

/** Has the name for this process alone among those of its network namespace, by a socket without a file: the kernel gives it back however
 *  the process ends. Undefined where another has it. */
export async function holdName(name: string): Promise<Disposable | undefined> {
  const server = createServer();
  try {
    await once(server.listen(`\0${name}`), "listening");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE") return undefined;
    throw cause;
  }
  server.unref();
  return { [Symbol.dispose]: () => void server.close() };
}
