/** A stretch of network in front of a server, that a test can break. */
import { createServer, connect as dial, type Socket } from "node:net";

export interface Relay {
  /** The connection string, by way of the relay. */
  readonly url: string;
  /** Ends all connections without a word and refuses new ones. */
  cut(): Promise<void>;
  restore(): Promise<void>;
  /** Passes nothing on from now on, in either direction, and closes nothing. */
  freeze(): void;
  close(): Promise<void>;
}

export async function startRelay(to: string): Promise<Relay> {
  const target = new URL(to);
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = dial(Number(target.port), target.hostname);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => {}); // "close" follows
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  const listen = (port: number): Promise<void> =>
    new Promise((ready) => server.listen(port, "127.0.0.1", ready));
  await listen(0);
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const stopped = (): Promise<unknown> => new Promise((done) => server.close(done));
  const each = (fn: (socket: Socket) => void): void => {
    for (const socket of sockets) fn(socket);
  };
  const url = new URL(to);
  url.port = String(port);
  const cut = async (): Promise<void> => {
    const refused = stopped();
    each((socket) => socket.destroy());
    await refused;
  };
  return {
    url: url.href,
    cut,
    restore: () => listen(port),
    freeze: () => each((socket) => socket.unpipe().pause()),
    close: async () => {
      if (server.listening) await cut();
    },
  };
}
