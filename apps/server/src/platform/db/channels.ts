/**
 * Channels: hints between the processes on one database that there is something to look for. Owns: when a hint
 * goes out and who hears it. Does not own: what it hints at, which is in the tables.
 *
 * N1 a hint may be lost, doubled or late: whoever listens also looks by itself from time to time.
 * N2 a listener that may have missed hints, as after a lost connection, is called once with "".
 * N3 hints that wait are sent together, equal ones once, and no two statements lie closer than `gapMs`: a
 *    commit that notifies takes a lock of the whole database, so it is never part of a transaction that writes.
 * N4 `notify` never throws and never waits; what goes wrong is told to `onError`.
 */

export interface Channels {
  /** Resolves once hints are heard; never rejects for a database out of reach (N2). The answer ends it. */
  listen(channel: string, fn: (payload: string) => void): Promise<() => Promise<void>>;
  /** A hint to all listeners of all processes, this one included. A payload over 200 bytes goes out as "". */
  notify(channel: string, payload: string): void;
  close(): Promise<void>;
}

export interface Hint {
  readonly channel: string;
  readonly payload: string;
}

/** How hints travel: through the server between processes, or within this one. */
export interface Carrier {
  send(hints: readonly Hint[]): Promise<void>;
  /** Told before the first listener of a channel counts as listening, and after its last one has gone. */
  open(channel: string): Promise<void>;
  shut(channel: string): Promise<void>;
  close(): Promise<void>;
}

/** What arrives: `hint` at the listeners of its channel, `missed` at everyone (N2). */
export interface Arrivals {
  hint(hint: Hint): void;
  missed(): void;
}

const maxPayload = 200;
/** Also safe between double quotes as an identifier. */
const channelShape = /^[a-z][a-z0-9_]{0,62}$/;

export function createChannels(
  carry: (arrivals: Arrivals) => Carrier,
  onError: (error: Error) => void,
): Channels {
  const listeners = new Map<string, Set<{ readonly fn: (payload: string) => void }>>();
  const tell = (channel: string, payload: string): void => {
    for (const { fn } of [...(listeners.get(channel) ?? [])]) {
      try {
        fn(payload);
      } catch (error) {
        onError(asError(error));
      }
    }
  };
  const carrier = carry({
    hint: ({ channel, payload }) => tell(channel, payload),
    missed: () => {
      for (const channel of listeners.keys()) tell(channel, "");
    },
  });
  const sender = createSender(carrier, onError);
  return {
    listen: async (channel, fn) => {
      if (!channelShape.test(channel)) throw new Error(`${channel} is no name of a channel`);
      const entry = { fn };
      const others = listeners.get(channel);
      if (others) others.add(entry);
      else listeners.set(channel, new Set([entry]));
      await carrier.open(channel);
      return async () => {
        const here = listeners.get(channel);
        if (!here?.delete(entry) || here.size > 0) return;
        listeners.delete(channel);
        await carrier.shut(channel);
      };
    },
    notify: (channel, payload) => {
      const fits = Buffer.byteLength(payload) <= maxPayload && !payload.includes("\0");
      if (!channelShape.test(channel)) return onError(new Error(`${channel} is no name of a channel`));
      if (!fits) onError(new Error(`a hint on ${channel} has over ${maxPayload} bytes or a zero byte`));
      sender.add({ channel, payload: fits ? payload : "" });
    },
    close: async () => {
      listeners.clear();
      await sender.close();
      await carrier.close();
    },
  };
}

interface Sender {
  add(hint: Hint): void;
  /** Sends what waits. */
  close(): Promise<void>;
}

const gapMs = 10;

/** A lone hint goes out at once; while one is under way, and for `gapMs` after, further ones gather (N3). */
function createSender(carrier: Pick<Carrier, "send">, onError: (error: Error) => void): Sender {
  let waiting = new Map<string, Hint>();
  let sending: Promise<void> | undefined;
  let closed = false;

  const flush = async (): Promise<void> => {
    const hints = [...waiting.values()];
    waiting = new Map();
    await carrier.send(hints).catch((error: unknown) => onError(asError(error)));
  };
  const work = async (): Promise<void> => {
    await new Promise(setImmediate); // those of the same turn go together
    while (waiting.size > 0) {
      const gap = new Promise((done) => setTimeout(done, closed ? 0 : gapMs));
      await flush();
      await gap;
    }
    sending = undefined; // in the turn that found nothing waiting
  };
  return {
    add: (hint) => {
      if (closed) return;
      waiting.set(`${hint.channel} ${hint.payload}`, hint);
      sending ??= work();
    },
    close: async () => {
      closed = true;
      await sending;
    },
  };
}

/** Within this process: for the embedded database, which nobody else can open. */
export const carryHere = (arrivals: Arrivals): Carrier => ({
  send: async (hints) => {
    for (const hint of hints) arrivals.hint(hint);
  },
  open: async () => {},
  shut: async () => {},
  close: async () => {},
});

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
