/** Clients of a scene that stay with what they began: a UDP socket that keeps sending, a TCP connection that is kept. */
import { FAMILIES, type Family } from "#addr/family";
import { type Scene, SENDERS, type Sender, type To } from "./cases.ts";
import type { Question } from "./host-worker.ts";
import { addressIn, targetOf } from "./scene-objects.ts";
import { endpointName } from "./walked.ts";
import type { ServiceWorld } from "./world.ts";

const PATIENCE_MS = 4_000;

export interface Client {
  readonly from: Sender;
  readonly to: To;
}

export interface Asked {
  readonly name: string;
  /** `a`, `a:8081`, or the code of an error, or `silence`. */
  readonly by: string;
  readonly fromPort: number;
  readonly family: Family;
}

export class Conversations {
  readonly #world: ServiceWorld;
  readonly #scene: Scene;
  readonly #index: number;
  readonly #kept: {
    readonly name: string;
    readonly from: Sender;
    readonly id: number;
    readonly fromPort: number;
    readonly family: Family;
  }[] = [];

  constructor(world: ServiceWorld, scene: Scene, index = 0) {
    this.#world = world;
    this.#scene = scene;
    this.#index = index;
  }

  /** Each client asks in both families, from a port of its own. */
  async ask(
    clients: readonly Client[],
    protocol: Question["protocol"],
    keep = false,
  ): Promise<readonly Asked[]> {
    const asked = clients.flatMap(({ from, to }) =>
      FAMILIES.map(async (family): Promise<Asked> => {
        const host = this.#world.host(from);
        const target = targetOf(this.#scene, this.#index, to, family);
        const [source, fromPort] = [addressIn(SENDERS[from], family), host.nextPort()];
        const { id, answer } = host.ask({
          protocol,
          from: source,
          fromPort,
          to: target.ip,
          port: target.port,
          keep,
        });
        const name = `${from} -> ${to} ${protocol}/${family}`;
        if (keep) this.#kept.push({ name, from, id, fromPort, family });
        return { name, by: await inTime(answer, family), fromPort, family };
      }),
    );
    return Promise.all(asked);
  }

  /** All that were kept ask once more. */
  async again(): Promise<readonly Asked[]> {
    return Promise.all(
      this.#kept.map(async ({ name, from, id, fromPort, family }) => {
        return { name, by: await inTime(this.#world.host(from).again(id), family), fromPort, family };
      }),
    );
  }

  async end(): Promise<void> {
    for (const host of this.#world.hosts()) await host.giveUp();
    this.#kept.splice(0);
  }
}

async function inTime(answer: Promise<string>, family: Family): Promise<string> {
  const late = Promise.withResolvers<string>();
  const timer = setTimeout(() => late.resolve("silence"), PATIENCE_MS);
  const text = await Promise.race([answer, late.promise]);
  clearTimeout(timer);
  const [server = "", client, port] = text.split(" ");
  return client === undefined ? text : endpointName(server, Number(port), family);
}
