/** Peers for this room's tests: real servers on loopback, and a certificate that belongs to no one. */
import { createServer, type RequestListener, type Server } from "node:http";
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from "node:net";

export interface Peer extends AsyncDisposable {
  readonly port: number;
  readonly origin: string;
  /** Connections accepted so far. */
  connections(): number;
}

function peerOf(server: Server | TcpServer, sockets: Set<Socket>): Promise<Peer> {
  let accepted = 0;
  server.on("connection", (socket: Socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => socket.destroy());
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo; // a listening TCP server has a port
      resolve({
        port,
        origin: `http://127.0.0.1:${port}`,
        connections: () => accepted,
        [Symbol.asyncDispose]: () =>
          new Promise((done) => {
            server.close(() => done());
            for (const socket of sockets) socket.destroy();
          }),
      });
    });
  });
}

export const httpPeer = (listener: RequestListener): Promise<Peer> =>
  peerOf(createServer({ keepAliveTimeout: 30_000 }, listener), new Set());

/** A peer below HTTP: `onData` sees each piece of each request. */
export const tcpPeer = (onData: (socket: Socket, data: string) => void): Promise<Peer> =>
  peerOf(
    createTcpServer((socket) => socket.on("data", (data) => onData(socket, data.toString()))),
    new Set(),
  );

/** A port on which nothing listens. */
export async function deadPort(): Promise<number> {
  const peer = await tcpPeer(() => undefined);
  await peer[Symbol.asyncDispose]();
  return peer.port;
}

/** A test-only key and its self-signed certificate for `api.oars.test`, valid 2020-2120. It protects nothing. */
export const testTls = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgkBXNFO2Y5PSzgZ6g
bxhvJqa+cwv1u3P40zJC8QtuNIehRANCAATPid99HFiKpt0jiPlfrjAe/6GoRUBa
FqlrtSJJvFl0TuL8uEMdaWFt1W6spRHwsuqr3TUmY3AzurbwCEhWS8Kr
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBZTCCAQugAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlvYXJzLnRl
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CW9hcnMudGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABM+J330cWIqm3SOI
+V+uMB7/oahFQFoWqWu1Ikm8WXRO4vy4Qx1pYW3VbqylEfCy6qvdNSZjcDO6tvAI
SFZLwqujTDBKMA8GA1UdEwEB/wQFMAMBAf8wGAYDVR0RBBEwD4INYXBpLm9hcnMu
dGVzdDAdBgNVHQ4EFgQU7K3KCvQ1ZITjaOZO8vJ8s2ws1EIwCgYIKoZIzj0EAwID
SAAwRQIgNqOyau70Oyck+CUCU3Yxg75gTSMa3HlDxKyf4QG0gw0CIQDaBxQLk0yh
6hRa06yHCpyWpcEy6K3ME0BMMWds0EsoJg==
-----END CERTIFICATE-----
`,
};
