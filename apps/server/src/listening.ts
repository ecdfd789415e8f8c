import { createServer } from "node:net";
import { OarsError } from "#platform/kernel";

/**
 * Looks before anything is made: a first start that could not listen would have shown its key to nobody.
 * Errors: SERVER_ADDRESS_TAKEN.
 */
export function assertFree(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (cause: NodeJS.ErrnoException) => {
      reject(
        cause.code === "EADDRINUSE"
          ? new OarsError("SERVER_ADDRESS_TAKEN", { host, port }, { cause })
          : cause,
      );
    });
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve()));
  });
}
