import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { connect as connectTls } from "node:tls";
import { openUnconnectedSocket } from "#kernel/unconnected-socket";
import { askCommand, COMMAND_PROTOCOL, type RemoteCommand } from "#kube/stream/ask-command";
import { PortClient } from "#kube/stream/ask-port";
import { askUpgrade, type UpgradeAnswer } from "#kube/stream/ask-upgrade";
import type { CommandWants } from "#kube/stream/command-session";
import { SpdyConnection } from "#kube/stream/spdy-connection";
import { IDLE_MS } from "#kube/stream/upgrade";
import type { Identity } from "./certificates.ts";

const KUBELET_PORT = 10250;

export interface KubeletAnswer {
  readonly status: number;
  readonly body: string;
}

/** Speaks to the kubelet's port of a node that is a network namespace, as the holder of a client certificate. */
export class KubeletClient {
  readonly #netns: string;
  readonly #tls: Identity & { readonly ca: string };

  /** `netns` is where the node's network namespace is mounted. */
  constructor(netns: string, tls: Identity & { readonly ca: string }) {
    this.#netns = netns;
    this.#tls = tls;
  }

  async ask(method: string, path: string): Promise<KubeletAnswer> {
    const answer = await this.stream(method, path);
    return { status: answer.statusCode ?? 0, body: await text(answer) };
  }

  /** The answer with its body still to come. */
  async stream(method: string, path: string): Promise<IncomingMessage> {
    const socket = await this.#connect();
    return await new Promise((resolve, reject) => {
      const asking = request({ method, path, headers: { Host: "node" }, createConnection: () => socket });
      asking.once("response", resolve);
      asking.once("error", reject);
      asking.end();
    });
  }

  /** Asks for SPDY. */
  async upgrade(path: string, protocol: string): Promise<UpgradeAnswer> {
    return await askUpgrade(await this.#connect(), {
      method: "POST",
      path,
      headers: {
        Host: "node",
        Connection: "Upgrade",
        Upgrade: "SPDY/3.1",
        "X-Stream-Protocol-Version": protocol,
      },
      signal: new AbortController().signal,
    });
  }

  /** Runs a remote command; its output is still to be read. */
  async command(
    path: string,
    wants: CommandWants,
  ): Promise<RemoteCommand & { readonly connection: SpdyConnection }> {
    const connection = await this.#spdy(path, COMMAND_PROTOCOL);
    return { connection, ...(await askCommand(connection, wants)) };
  }

  async ports(path: string): Promise<{ readonly client: PortClient; readonly connection: SpdyConnection }> {
    const connection = await this.#spdy(path, "portforward.k8s.io");
    return { connection, client: new PortClient(connection) };
  }

  async #spdy(path: string, protocol: string): Promise<SpdyConnection> {
    const answer = await this.upgrade(path, protocol);
    if (answer.kind === "refused")
      throw new Error(`refused: ${answer.answer.statusCode} ${await text(answer.answer)}`);
    return new SpdyConnection(answer.socket, { side: "client", head: answer.head, idleMs: IDLE_MS });
  }

  async #connect(): Promise<Duplex> {
    const fd = openUnconnectedSocket(this.#netns, 4).disown();
    const socket = new Socket({ fd }).connect({ host: "127.0.0.1", port: KUBELET_PORT });
    const secure = connectTls({ socket, host: "127.0.0.1", ...this.#tls });
    await once(secure, "secureConnect");
    return secure;
  }
}
