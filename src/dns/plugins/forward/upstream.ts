import { FLAG, TYPE } from "#wire/dns/numbers";
import { exchangeTcp, type Target, UdpDialer } from "../../dial.ts";
import { encodeQuestion } from "../../encode-question.ts";
import type { PluginHost } from "../../plugin.ts";
import type { ForwardConfig } from "./config.ts";

const PROBE_TIMEOUT_MS = 1000;

/** One server that questions are sent on to, and what is known about its health. It is probed only while it fails. */
export class Upstream implements Disposable {
  readonly target: Target;
  readonly #config: ForwardConfig;
  readonly #host: PluginHost;
  readonly #udp: UdpDialer;
  #fails = 0;
  #isProbing = false;

  constructor(target: Target, config: ForwardConfig, host: PluginHost) {
    this.target = target;
    this.#config = config;
    this.#host = host;
    this.#udp = new UdpDialer(target);
  }

  get isDown(): boolean {
    return this.#config.maxFails > 0 && this.#fails > this.#config.maxFails;
  }

  /** The server's reply to the message, whatever it says. @throws {Fault} {@link UpstreamFault} */
  async exchange(
    message: Buffer,
    questionEnd: number,
    protocol: "udp" | "tcp",
    timeoutMs: number,
  ): Promise<Buffer> {
    const options = { timeoutMs, random: this.#host.random };
    const { forcesTcp, prefersUdp } = this.#config;
    if (this.target.tlsName !== undefined || forcesTcp || (protocol === "tcp" && !prefersUdp))
      return exchangeTcp(this.target, message, questionEnd, options);
    const reply = await this.#udp.exchange(message, questionEnd, options);
    const isCut = (reply.readUInt16BE(2) & FLAG.TC) !== 0;
    return isCut && prefersUdp ? exchangeTcp(this.target, message, questionEnd, options) : reply;
  }

  /** Notes a failure; probes go out until the server answers again. */
  noteFailure(): void {
    this.#fails++;
    if (this.#isProbing || this.#config.maxFails === 0) return;
    this.#isProbing = true;
    void this.#probe();
  }

  async #probe(): Promise<void> {
    const { clock, signal } = this.#host;
    const message = encodeQuestion(".", TYPE.NS, { id: 0, flags: FLAG.RD });
    while (!signal.aborted) {
      try {
        await this.exchange(message, message.length, "udp", PROBE_TIMEOUT_MS);
        this.#fails = 0;
        break;
      } catch {
        await clock.sleep(this.#config.probeMs, { signal }).catch(() => {});
      }
    }
    this.#isProbing = false;
  }

  [Symbol.dispose](): void {
    this.#udp[Symbol.dispose]();
  }
}
