import { type CommitterOptions, createCommitter } from "./committer.ts";
import type { Database, Db, Driver, Scope, Tx } from "./port.ts";
import { isTransient } from "./port.ts";

const attempts = 5;

/** The port over a driver: transactions with retry and after-commit callbacks, and the committer. */
export function overDriver(driver: Driver, options: CommitterOptions = {}): Database {
  const committer = createCommitter(driver, options);

  const transact = async <T>(scope: Scope, fn: (tx: Tx) => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      const callbacks: (() => void)[] = [];
      let open = true;
      try {
        const result = await driver.transaction(scope, (db) => fn(toTx(db, callbacks, () => open)));
        for (const callback of callbacks) callback();
        return result;
      } catch (error) {
        if (attempt >= attempts || !isTransient(error)) throw error;
        await new Promise((done) => setTimeout(done, Math.random() * 10 * attempt));
      } finally {
        open = false;
      }
    }
  };

  const close = async (): Promise<void> => {
    await committer.drain();
    await driver.channels.close();
    await driver.close();
  };
  let closing: Promise<void> | undefined;

  return {
    kind: driver.kind,
    read: (tenantId, fn) => driver.snapshot({ tenantId }, fn),
    tx: (tenantId, fn) => transact({ tenantId }, fn),
    system: { query: (statement) => driver.query(statement), tx: (fn) => transact("system", fn) },
    committer,
    listen: driver.channels.listen,
    notify: driver.channels.notify,
    tidy: driver.tidy,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

function toTx(db: Db, callbacks: (() => void)[], isOpen: () => boolean): Tx {
  return {
    kind: "tx",
    query: (statement) => {
      if (!isOpen()) throw new Error("a transaction was used after its end");
      return db.query(statement);
    },
    onCommit: (fn) => {
      callbacks.push(fn);
    },
  };
}
