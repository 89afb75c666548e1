import type { SocketHolder, Sockets, WaitingSocket } from "../waiting-socket.ts";

/** Sockets that tests put there. */
export class FakeSockets implements Sockets {
  #waiting: (WaitingSocket & { readonly holder: SocketHolder | undefined })[] = [];

  /** As if a process had opened it; `holder` undefined is one that may not be looked at. */
  wait(socket: WaitingSocket, holder?: SocketHolder): void {
    this.#waiting.push({ ...socket, holder });
  }

  close(inode: number): void {
    this.#waiting = this.#waiting.filter((socket) => socket.inode !== inode);
  }

  listWaiting(): readonly WaitingSocket[] {
    return this.#waiting.map(({ holder, ...socket }) => socket);
  }

  findHolders(inodes: ReadonlySet<number>): Promise<ReadonlyMap<number, SocketHolder>> {
    const found = this.#waiting.flatMap(({ inode, holder }) =>
      holder && inodes.has(inode) ? [[inode, holder] as const] : [],
    );
    return Promise.resolve(new Map(found));
  }

  [Symbol.dispose](): void {}
}
