import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import type { Config } from "#platform/config";
import { OarsError } from "#platform/kernel";

/**
 * Looks before anything is made: a first start that could not listen would have shown its key to nobody. Answers
 * with the port, which is a free one where 0 was asked for. Errors: SERVER_ADDRESS_TAKEN.
 */
export function assertFree(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (cause: NodeJS.ErrnoException) => {
      reject(
        cause.code === "EADDRINUSE"
          ? new OarsError("SERVER_ADDRESS_TAKEN", { host, port }, { cause })
          : cause,
      );
    });
    probe.listen({ host, port, exclusive: true }, () => {
      const bound = probe.address() as AddressInfo; // it listens on TCP
      probe.close(() => resolve(bound.port));
    });
  });
}

/** The configuration with the port that it listens on, also in its public URL where that is not set. */
export function atPort(config: Config, port: number): Config {
  const { http } = config;
  if (http.port === port) return config;
  const publicUrl = http.publicUrl.replace(/:0$/, `:${port}`);
  return { ...config, http: { ...http, port, publicUrl } };
}
