/**
 * Counted events: what a stranger can cause as often as they like must neither be lost nor fill the disk.
 * E3 the first occurrence of a kind, an actor and a source is an event at once; further ones within the window are
 *    one more event, whose count grows in the database while they come and which is told when the window ends.
 * E4 in a window there are at most `maxKeys` of these per tenant and type; all others together are one, without actor
 *    and source. A count whose writing fails is kept and written later.
 * A process that is killed loses repetitions of the last `flushMs`, never the first occurrence.
 */
import { type Database, WriteSet } from "#platform/db";
import { newId } from "#platform/kernel";
import { type EventDraft, type EventOrigin, filled } from "./domain.ts";
import { type EventRow, insertSecurityEvent, putTally } from "./store.ts";

export interface TallyDeps {
  readonly db: Pick<Database, "committer">;
  /** The tenant to whom belongs what belongs to nobody; null: there is none yet. */
  readonly operator: () => Promise<string | null>;
  readonly onWritten: () => void;
  readonly onError: (error: unknown) => void;
  readonly windowMs?: number;
  readonly flushMs?: number;
  readonly maxKeys?: number;
}

export interface Tallies {
  /** Never throws and never waits. */
  count(draft: EventDraft, origin: EventOrigin | undefined): void;
  /** Writes what has been counted and not been written. */
  flush(): Promise<void>;
  /** Closes every window and writes what is left. */
  close(): Promise<void>;
}

interface Tally {
  readonly group: string;
  readonly tenantId: string | null;
  readonly row: Omit<EventRow, "tenant_id" | "id">;
  readonly opened: number;
  id: string;
  /** Since the first, which is an event of its own. */
  count: number;
  written: number;
  firstAt: number;
  lastAt: number;
}

const now = (): number => performance.now();

/** An IPv6 peer is its /64: whoever has one address has them all. */
export const sourceGroup = (address: string): string =>
  address.includes(":") && !address.includes(".") ? address.split(":").slice(0, 4).join(":") : address;

export function createTallies(deps: TallyDeps): Tallies {
  const { windowMs = 300_000, flushMs = 2_000, maxKeys = 200 } = deps;
  const tallies = new Map<string, Tally>();
  const groups = new Map<string, number>();
  const writing = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const arm = (): void => {
    if (timer !== undefined || closed) return;
    timer = setTimeout(() => {
      timer = undefined;
      void flush().finally(() => {
        if (tallies.size > 0) arm();
      });
    }, flushMs);
    timer.unref();
  };

  const open = (key: string, group: string, draft: EventDraft, origin: EventOrigin | undefined): void => {
    const row = filled(draft, origin);
    const at = now();
    tallies.set(key, {
      group,
      tenantId: draft.tenantId,
      row,
      opened: at,
      id: newId(),
      count: 0,
      written: 0,
      firstAt: at,
      lastAt: at,
    });
    groups.set(group, (groups.get(group) ?? 0) + 1);
    const work: Promise<void> = writeFirst(key, draft.tenantId, row).finally(() => writing.delete(work));
    writing.add(work);
  };
  const writeFirst = async (key: string, given: string | null, row: Tally["row"]): Promise<void> => {
    try {
      const tenantId = given ?? (await deps.operator());
      if (tenantId === null) return;
      const set = new WriteSet().add(insertSecurityEvent, { ...row, tenant_id: tenantId, id: newId() });
      await deps.db.committer.commit(set.onCommit(deps.onWritten));
    } catch (error) {
      deps.onError(error);
      const tally = tallies.get(key);
      if (tally) tally.count += 1; // the database may be back when its count is written
    }
  };

  const flush = async (ending = closed): Promise<void> => {
    const at = now();
    const set = new WriteSet();
    const done: { tally: Tally; count: number }[] = [];
    let operator: string | null | undefined;
    try {
      for (const tally of tallies.values()) {
        if (tally.count === tally.written) continue;
        operator ??= tally.tenantId === null ? await deps.operator() : undefined;
        const tenantId = tally.tenantId ?? operator;
        if (!tenantId) continue;
        const left = ending ? 0 : Math.max(0, tally.opened + windowMs - at) + 2 * flushMs;
        set.add(putTally, {
          ...tally.row,
          tenant_id: tenantId,
          id: tally.id,
          count: tally.count,
          first_ms: at - tally.firstAt,
          last_ms: at - tally.lastAt,
          route_ms: left,
        });
        done.push({ tally, count: tally.count });
      }
      if (!set.empty) await deps.db.committer.commit(ending ? set.onCommit(deps.onWritten) : set);
      for (const { tally, count } of done) tally.written = count;
      if (done.length > 0 && !ending) deps.onWritten();
    } catch (error) {
      deps.onError(error);
    }
    for (const [key, tally] of tallies) {
      if (tally.count !== tally.written || (!ending && at - tally.opened < windowMs)) continue;
      tallies.delete(key);
      const left = (groups.get(tally.group) ?? 1) - 1;
      if (left > 0) groups.set(tally.group, left);
      else groups.delete(tally.group);
    }
  };

  return {
    count: (draft, origin) => {
      const group = `${draft.tenantId ?? ""} ${draft.type}`;
      let key = keyOf(draft.tenantId, filled(draft, origin));
      let counted = draft;
      let from = origin;
      if (!tallies.has(key) && (groups.get(group) ?? 0) >= maxKeys) {
        key = `${group} others`;
        counted = { ...draft, actor: null, target: null, details: { others: true } };
        from = undefined;
      }
      const tally = tallies.get(key);
      const at = now();
      if (tally === undefined) open(key, group, counted, from);
      else {
        if (tally.count === 0) tally.firstAt = at;
        tally.count += 1;
        tally.lastAt = at;
      }
      arm();
    },
    flush: async () => {
      await Promise.all(writing);
      await flush();
    },
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await Promise.all(writing);
      await flush(true);
    },
  };
}

const keyOf = (tenantId: string | null, row: Tally["row"]): string =>
  [tenantId ?? "", row.type, row.actor_id ?? "", sourceGroup(row.source ?? ""), placeOf(row)].join(" ");

/** Targets of delivery are few and nobody's choice; other objects are named by whoever asks. */
const placeOf = (row: Tally["row"]): string =>
  row.target_kind === "target" ? (row.target_id ?? "") : (row.target_kind ?? "");
