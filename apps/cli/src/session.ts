/** What a command works with: the client, and one way to show a result to people and to programs. */
import { createClient, type OarsClient } from "@oars/sdk";
import { currentCredentials, type Environment } from "./credentials.ts";
import { UsageError } from "./failure.ts";
import type { Terminal } from "./terminal.ts";

export interface Host {
  readonly terminal: Terminal;
  readonly env: Environment;
  readonly now: () => Date;
}

export interface Session extends Host {
  readonly json: boolean;
  /** Throws UsageError when nobody is logged in. */
  client(): Promise<OarsClient>;
  /** The value as JSON for programs, else the text for people. */
  show(value: unknown, text: () => string): void;
  /** A remark for people; programs do not get it. */
  remark(text: string): void;
}

export function createSession(host: Host, json: boolean): Session {
  const { terminal } = host;
  return {
    ...host,
    json,
    client: async () => {
      const { url, key } = await currentCredentials(host.env);
      if (url === undefined) throw new UsageError("Nobody is logged in. Log in: oars login --url URL");
      if (key === undefined) {
        throw new UsageError(`There is no key for ${url}. Set OARS_KEY, or log in: oars login --url ${url}`);
      }
      return clientFor(url, key);
    },
    show: (value, text) => terminal.out(json ? `${JSON.stringify(value, null, 2)}\n` : text()),
    remark: (text) => {
      if (!json) terminal.err(text);
    },
  };
}

/** Throws UsageError for an address that is none. */
export function clientFor(url: string, apiKey?: string): OarsClient {
  try {
    return createClient({ baseUrl: url, apiKey });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new UsageError(`${JSON.stringify(url)} is not the address of a server, as in https://oars.example`);
  }
}
