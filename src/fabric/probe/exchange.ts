import type { Family } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import { isFault } from "#fault/fault";
import { CLAIMS } from "#kernel/claims";
import type { NetKernel, ProbeAnswer, Probes } from "#kernel/kernel";
import type { Clock } from "#life/clock";

/** How long an answer may take. */
export const PATIENCE_MS = 1_000;
/** Where traceroute has its ports: nothing listens there. Another one each time, in case something does. */
const PORTS = { first: 33_434, count: 90 } as const;

/** Who hears so much at once lets others have their turn. */
const ANSWERS_A_TURN = 1_000;

export type EchoOutcome =
  | { readonly kind: "answered"; readonly roundTripUs: number }
  /** A router said so, and what would fit. */
  | { readonly kind: "too-big"; readonly mtuBytes: number }
  | { readonly kind: "lost" };

export interface Waiting {
  readonly signal: AbortSignal;
}

/** Asks addresses by packets and waits for their answers. Sockets are open only while somebody waits. */
export class Exchange {
  readonly #kernel: Pick<NetKernel, "openProbes">;
  readonly #clock: Clock;
  readonly #open = new Map<Family, { readonly probes: Probes; users: number }>();
  readonly #waiting = new Map<string, (answer: ProbeAnswer) => void>();
  #count = 0;

  constructor({ kernel, clock }: { kernel: Pick<NetKernel, "openProbes">; clock: Clock }) {
    this.#kernel = kernel;
    this.#clock = clock;
  }

  /** Sends an echo of `packetBytes` in all. @throws {Fault} when this process may not probe at all */
  async echo(to: Ip, packetBytes: number, { signal }: Waiting): Promise<EchoOutcome> {
    const family = familyOf(to);
    const sequence = this.#count++ & 0xffff;
    const answer = await this.#ask(family, { signal }, (probes) => {
      probes.sendEcho({ to, sequence, packetBytes });
      return echoKey(family, sequence);
    });
    if (answer?.kind === "echo") return { kind: "answered", roundTripUs: answer.roundTripUs };
    if (answer?.kind === "too-big") return { kind: "too-big", mtuBytes: answer.mtuBytes };
    return { kind: "lost" };
  }

  /** Whether the other end has seen a datagram whose checksum is filled in by a device, or complete from the start. It bears
   *  the mark of services' traffic, so that it goes the same way through the packet filter. @throws {Fault} as `echo` */
  async datagram(to: Ip, checksum: "device" | "complete", { signal }: Waiting): Promise<boolean> {
    const port = PORTS.first + (this.#count++ % PORTS.count);
    const answer = await this.#ask(familyOf(to), { signal }, (probes) => {
      const sourcePort = probes.sendDatagram({ to, port, checksum });
      return datagramKey({ to, sourcePort, port });
    });
    return answer !== undefined;
  }

  /** What the kernel has learnt to fit on the way to `to`, without asking anybody. */
  knownPathMtu(to: Ip): number | undefined {
    using shared = this.#share(familyOf(to));
    try {
      return shared.probes.knownPathMtu(to);
    } catch (error) {
      if (isFault(error)) return undefined; // no way there at the moment
      throw error;
    }
  }

  async #ask(
    family: Family,
    { signal }: Waiting,
    send: (probes: Probes) => string,
  ): Promise<ProbeAnswer | undefined> {
    using shared = this.#share(family);
    const key = sent(() => send(shared.probes));
    if (key === undefined) return undefined;
    const answer = Promise.withResolvers<ProbeAnswer>();
    const patience = new AbortController();
    this.#waiting.set(key, answer.resolve);
    try {
      const stop = AbortSignal.any([signal, patience.signal]);
      const late = this.#clock.sleep(PATIENCE_MS, { signal: stop }).then(() => {
        // After this process was busy the timer may be heard before the answer that has long been there.
        this.#hear(family);
        return undefined;
      });
      return await Promise.race([answer.promise, late]);
    } finally {
      this.#waiting.delete(key);
      patience.abort();
    }
  }

  #share(family: Family): Disposable & { readonly probes: Probes } {
    const open = this.#open.get(family) ?? this.#openFor(family);
    open.users += 1;
    return {
      probes: open.probes,
      [Symbol.dispose]: () => {
        open.users -= 1;
        if (open.users > 0) return;
        this.#open.delete(family);
        open.probes[Symbol.dispose]();
      },
    };
  }

  #openFor(family: Family) {
    const mark = CLAIMS.marks.masquerade;
    const probes = this.#kernel.openProbes({ family, mark, heard: () => this.#hear(family) });
    const open = { probes, users: 0 };
    this.#open.set(family, open);
    return open;
  }

  #hear(family: Family): void {
    for (let heard = 0; heard < ANSWERS_A_TURN; heard++) {
      const answer = this.#open.get(family)?.probes.receive();
      if (!answer) return;
      const key = answer.kind === "refused" ? datagramKey(answer) : echoKey(family, answer.sequence);
      this.#waiting.get(key)?.(answer);
    }
    setImmediate(() => this.#hear(family));
  }
}

/** What this machine does not even send is lost like what gets lost. */
function sent(send: () => string): string | undefined {
  try {
    return send();
  } catch (error) {
    if (isFault(error)) return undefined;
    throw error;
  }
}

function echoKey(family: Family, sequence: number): string {
  return `echo ${family} ${sequence}`;
}

function datagramKey({ to, sourcePort, port }: { to: Ip; sourcePort: number; port: number }): string {
  return `datagram ${to} ${sourcePort} ${port}`;
}
