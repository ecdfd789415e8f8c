/** Connections for protocols that are not HTTP. The protocol's own client gets the socket and never a name. */
import { connect, type Socket } from "node:net";
import type { Call } from "./call.ts";
import { netError, toNetError } from "./failure.ts";
import type { Names } from "./resolve.ts";

export interface ConnectRequest {
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** Total: lookup and connection. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly tenantId: string;
}

/** A plain TCP socket to the first judged address that accepts. Rejects with a NetError; nothing was sent. */
export async function connectSocket(call: Call, names: Names, host: string, port: number): Promise<Socket> {
  const addresses = names.known(host) ?? (await call.orStop(names.find(host)));
  for (let i = 0; ; i++) {
    const address = addresses[i];
    if (address === undefined)
      throw netError("NET_UNREACHABLE", { host, reason: "its name has no address" }, { sent: false });
    try {
      return await open(call, address, port);
    } catch (error) {
      if (call.stopped !== undefined || i + 1 >= addresses.length)
        throw toNetError(error, { host, sent: false });
      names.demote(host, address);
    }
  }
}

async function open(call: Call, address: string, port: number): Promise<Socket> {
  const socket = connect({ host: address, port, noDelay: true });
  try {
    await call.orStop(
      new Promise<void>((resolve, reject) => {
        socket.once("connect", () => {
          socket.off("error", reject);
          resolve();
        });
        socket.once("error", reject);
      }),
    );
    return socket;
  } catch (error) {
    socket.on("error", () => undefined).destroy();
    throw error;
  }
}
