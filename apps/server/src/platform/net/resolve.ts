/**
 * Names to addresses. Every answer is judged before it is used, and the dialer connects to the address that
 * was judged, so a name that changes its mind between check and connect (DNS rebinding) gains nothing.
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { AddressRules } from "./address.ts";
import { netError } from "./failure.ts";

export type Resolve = (host: string) => Promise<readonly string[]>;

export interface Names {
  /** The addresses to try, best first, when the answer is at hand. Throws NET_ADDRESS_FORBIDDEN. */
  known(host: string): readonly string[] | undefined;
  /** Looks the name up. Rejects with NET_ADDRESS_FORBIDDEN or NET_UNREACHABLE. */
  find(host: string): Promise<readonly string[]>;
  /** An address did not accept a connection: it is tried last from now on. */
  demote(host: string, address: string): void;
}

interface Answer {
  readonly addresses: readonly string[];
  /** The address for which the whole answer is refused: a name that also points inside is not trusted outside. */
  readonly forbidden: string | undefined;
  readonly until: number;
}

const maxNames = 2_000;

/** The operating system's resolver: hosts file and DNS, in its order of preference. */
export const systemResolve: Resolve = async (host) =>
  (await lookup(host, { all: true, order: "verbatim" })).map((found) => found.address);

/** @param ttlMs how long an answer serves; short, since the system's resolver hides the records' own TTL. */
export function createNames(deps: { rules: AddressRules; resolve: Resolve; ttlMs: number }): Names {
  const answers = new Map<string, Answer>();
  const asking = new Map<string, Promise<readonly string[]>>();

  const keep = (host: string, answer: Answer): Answer => {
    answers.delete(host);
    if (answers.size >= maxNames) {
      for (const oldest of answers.keys()) {
        answers.delete(oldest);
        break;
      }
    }
    answers.set(host, answer);
    return answer;
  };

  const known = (host: string): readonly string[] | undefined => {
    let answer = answers.get(host);
    if (answer === undefined || answer.until < performance.now()) {
      const fixed = fixedAddresses(host, deps.rules);
      if (fixed === undefined) return undefined;
      answer = keep(host, { ...fixed, until: Number.POSITIVE_INFINITY });
    }
    return usable(host, answer);
  };

  const ask = async (host: string): Promise<readonly string[]> => {
    let found: readonly string[];
    try {
      found = (await deps.resolve(host)).filter((address) => isIP(address) !== 0);
    } catch (cause) {
      throw netError(
        "NET_UNREACHABLE",
        { host, reason: "its name cannot be resolved" },
        { sent: false, cause },
      );
    }
    if (found.length === 0) {
      throw netError("NET_UNREACHABLE", { host, reason: "its name has no address" }, { sent: false });
    }
    const forbidden = found.find((address) => !deps.rules.permits(address));
    const addresses = inKnownOrder(found, answers.get(host)?.addresses);
    return usable(host, keep(host, { addresses, forbidden, until: performance.now() + deps.ttlMs }));
  };

  const find = (host: string): Promise<readonly string[]> => {
    let pending = asking.get(host);
    if (pending === undefined) {
      pending = ask(host).finally(() => asking.delete(host));
      asking.set(host, pending);
    }
    return pending;
  };

  const demote = (host: string, address: string): void => {
    const answer = answers.get(host);
    if (answer === undefined || answer.addresses.length < 2) return;
    const rest = answer.addresses.filter((other) => other !== address);
    if (rest.length < answer.addresses.length)
      answers.set(host, { ...answer, addresses: [...rest, address] });
  };

  return { known, find, demote };
}

/** Addresses that need no lookup: IP literals, and `localhost`, which is loopback by RFC 6761 whatever DNS says. */
function fixedAddresses(host: string, rules: AddressRules): Omit<Answer, "until"> | undefined {
  if (host === "localhost" || host.endsWith(".localhost")) {
    const open = ["127.0.0.1", "::1"].filter((address) => rules.permits(address));
    return { addresses: open, forbidden: open.length === 0 ? "127.0.0.1" : undefined };
  }
  if (isIP(host) === 0) return undefined;
  return { addresses: [host], forbidden: rules.permits(host) ? undefined : host };
}

/** The order that failed connections taught us, as long as the name keeps the same addresses. */
function inKnownOrder(found: readonly string[], before: readonly string[] | undefined): readonly string[] {
  const same = before?.length === found.length && found.every((address) => before.includes(address));
  return same ? before : found;
}

function usable(host: string, answer: Answer): readonly string[] {
  if (answer.forbidden === undefined) return answer.addresses;
  throw netError("NET_ADDRESS_FORBIDDEN", { host, address: answer.forbidden }, { sent: false });
}
