import { parentPort, workerData } from "node:worker_threads";
import { Database } from "./database.ts";
import type { FromDatabase, NumberedWrite, ToDatabase } from "./protocol.ts";
import { reasonOf } from "./reason.ts";

/** The thread that owns the database: gathers the writes that came while the last commit was syncing, and commits them together. */
if (parentPort !== null) serve(parentPort, workerData as { readonly path: string });

type Port = NonNullable<typeof parentPort>;

function serve(port: Port, { path }: { readonly path: string }): void {
  const say = (message: FromDatabase) => port.postMessage(message);
  const database = openDatabase(path, say);
  if (database) listen(port, database, say);
}

/** Says what it has loaded, or why it could not. */
function openDatabase(path: string, say: (message: FromDatabase) => void): Database | undefined {
  try {
    const database = new Database(path);
    for (const changes of database.load()) say({ op: "loading", changes });
    say({ op: "loaded", loaded: database.loaded });
    return database;
  } catch (error) {
    say({ op: "unusable", why: reasonOf(error) });
    return undefined;
  }
}

function listen(port: Port, database: Database, say: (message: FromDatabase) => void): void {
  let waiting: NumberedWrite[] = [];
  const commit = () => {
    const batch = waiting;
    waiting = [];
    try {
      const results = database.commit(batch);
      say({ op: "committed", results: results.map((result, i) => ({ id: batch[i]?.id ?? 0, result })) });
    } catch (error) {
      say({ op: "refused", ids: batch.map(({ id }) => id), message: reasonOf(error) });
    }
  };
  const compact = (id: number, revision: number) => {
    try {
      if (database.compactStep(revision) || database.shrinkStep()) setImmediate(compact, id, revision);
      else say({ op: "compacted", id });
    } catch (error) {
      say({ op: "refused", ids: [id], message: reasonOf(error) });
    }
  };
  port.on("message", (message: ToDatabase) => {
    switch (message.op) {
      case "write":
        if (waiting.length === 0) setImmediate(commit);
        waiting.push(...message.writes);
        break;
      case "compact":
        compact(message.id, message.revision);
        break;
      case "close":
        if (waiting.length > 0) commit();
        database[Symbol.dispose]();
        say({ op: "closed" });
        port.close();
        break;
      default:
        message satisfies never;
    }
  });
}
