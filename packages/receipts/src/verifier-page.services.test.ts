/** The page in a real browser, opened as a file; `npm run test:services` installs Chromium. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { verifierFile } from "../../../scripts/build-verifier.ts";

const chromium = "/usr/bin/chromium";
const missing = !existsSync(chromium);
const title = missing
  ? "the verifier's page in a browser (skipped: no chromium here; npm run test:services has it)"
  : "the verifier's page in a browser";

type Message = { readonly id?: number; readonly method?: string; readonly [name: string]: unknown };
type Params = Readonly<Record<string, unknown>>;

/** A client of the DevTools protocol over the two pipes of `--remote-debugging-pipe`: JSON, each ended by a NUL. */
function createClient(to: Writable, from: Readable) {
  const waiting = new Map<number, { resolve(result: Params): void; reject(error: Error): void }>();
  const events: { readonly method: string; readonly params: Params }[] = [];
  let last = 0;
  let rest = "";
  from.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).split("\0");
    rest = parts.pop() ?? "";
    for (const part of parts) take(JSON.parse(part));
  });
  const take = ({ id, method, params, result, error }: Message): void => {
    if (id === undefined) {
      events.push({ method: method ?? "", params: params as Params });
      return;
    }
    const call = waiting.get(id);
    waiting.delete(id);
    if (error) call?.reject(new Error(JSON.stringify(error)));
    else call?.resolve(result as Params);
  };
  const send = (method: string, params: Params = {}, sessionId?: string): Promise<Params> =>
    new Promise((resolve, reject) => {
      last += 1;
      waiting.set(last, { resolve, reject });
      to.write(`${JSON.stringify({ id: last, method, params, ...(sessionId ? { sessionId } : {}) })}\0`);
    });
  return { send, events };
}

const vectors = new URL("./vectors/", import.meta.url);
const inputOf = (name: string): string => JSON.parse(readFileSync(new URL(name, vectors), "utf8")).input;

describe.skipIf(missing)(title, () => {
  const folder = mkdtempSync(join(tmpdir(), "oars-page-"));
  let client: ReturnType<typeof createClient>;
  let stop: () => Promise<void> = async () => undefined;
  let session = "";
  const tell = (method: string, params: Params = {}): Promise<Params> => client.send(method, params, session);
  const read = async (expression: string): Promise<unknown> => {
    const { result, exceptionDetails } = await tell("Runtime.evaluate", {
      expression,
      returnByValue: true,
      awaitPromise: true,
    });
    if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value?: unknown }).value;
  };
  const fileOf = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const choose = async (input: "keys" | "evidence", ...files: readonly string[]): Promise<void> => {
    const { root } = (await tell("DOM.getDocument")) as { root: { nodeId: number } };
    const { nodeId } = await tell("DOM.querySelector", {
      nodeId: root.nodeId,
      selector: `#${input}-input`,
    });
    await tell("DOM.setFileInputFiles", { nodeId, files });
  };
  const settled = (selector: string): Promise<void> =>
    expect
      .poll(() => read(`document.querySelector(${JSON.stringify(selector)}) !== null`), { timeout: 20_000 })
      .toBe(true);
  const verdict = async (): Promise<unknown> => {
    await settled("#summary [data-verdict]");
    return read("document.querySelector('#summary [data-verdict]').dataset.verdict");
  };
  const checks = (): Promise<unknown> =>
    read(
      "Object.fromEntries([...document.querySelectorAll('[data-check]')].map(r => [r.dataset.check, r.dataset.status]))",
    );
  const keys = (): string => fileOf("keys.json", readFileSync(new URL("trust-acme.json", vectors), "utf8"));

  beforeAll(async () => {
    const flags = [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--disable-dev-shm-usage",
      "--remote-debugging-pipe",
      `--user-data-dir=${join(folder, "profile")}`,
      "about:blank",
    ];
    const browser = spawn(chromium, flags, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    const ended = once(browser, "exit");
    client = createClient(browser.stdio[3] as Writable, browser.stdio[4] as Readable);
    stop = async () => {
      await Promise.race([client.send("Browser.close"), ended]);
      await ended;
    };
    const { targetId } = await client.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await client.send("Target.attachToTarget", { targetId, flatten: true });
    session = String(sessionId);
    for (const domain of ["Page", "Network", "Runtime", "Log"]) await tell(`${domain}.enable`);
  });
  afterAll(async () => {
    await stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  beforeEach(async () => {
    client.events.length = 0;
    await tell("Page.navigate", { url: pathToFileURL(verifierFile).href });
    await expect.poll(() => read("document.readyState"), { timeout: 20_000 }).toBe("complete");
  });

  it("verifies a receipt, shows each check apart, and asks no network", async () => {
    await choose("keys", keys());
    await settled("#keys-list .ok");
    await choose("evidence", fileOf("receipt.tlog-proof", inputOf("valid-tlog-proof.json")));
    expect(await verdict()).toBe("verified");
    expect(await checks()).toMatchObject({
      signature: "ok",
      canonicalForm: "ok",
      inclusion: "ok",
      checkpoint: "ok",
    });
    expect(await read("fetch('https://example.com/').then(() => 'reached', () => 'refused')")).toBe(
      "refused",
    );
    const asked = client.events
      .filter(({ method }) => method === "Network.requestWillBeSent")
      .map(({ params }) => (params.request as { url: string }).url)
      .filter((url) => !url.startsWith("https://example.com/")); // the one that the test made, and that was refused
    expect(asked).toEqual([pathToFileURL(verifierFile).href]);
    const faults = client.events.filter(({ method }) => method === "Runtime.exceptionThrown");
    expect(faults).toEqual([]);
  });

  it("says that a receipt was tampered with, and where", async () => {
    await choose("keys", keys());
    await settled("#keys-list .ok");
    await choose("evidence", fileOf("forged.jws", inputOf("invalid-tampered-payload.json")));
    expect(await verdict()).toBe("tampered");
    expect(await checks()).toMatchObject({ signature: "failed" });
    expect(await read("document.querySelector('#summary').innerText")).toContain("Not genuine");
  });

  it("cannot decide without keys, and decides when they come", async () => {
    await choose("evidence", fileOf("run.json", inputOf("valid-bundle.json")));
    expect(await verdict()).toBe("undecidable");
    await choose("keys", keys());
    await expect.poll(verdict, { timeout: 20_000 }).toBe("verified");
    expect(await read("document.querySelectorAll('#results details.item').length")).toBe(12); // and the gaps
  });

  it("shows names and contents of files as text, whatever is in them", async () => {
    const name = "<img src=x onerror=document.title='owned'>.json";
    await choose("evidence", fileOf(name, '{"a":"<script>document.title=1</script>"}'));
    expect(await verdict()).toBe("undecidable");
    expect(await read("document.querySelector('#results').innerText")).toContain(name);
    expect(await read("document.querySelectorAll('#results img').length + document.title")).toBe(
      "0Verify receipts",
    );
  });

  it("can be used with the keyboard alone", async () => {
    const press = async (): Promise<unknown> => {
      for (const type of ["keyDown", "keyUp"])
        await tell("Input.dispatchKeyEvent", { type, key: "Tab", code: "Tab", windowsVirtualKeyCode: 9 });
      return read("document.activeElement.id || document.activeElement.tagName");
    };
    await choose("keys", keys());
    await settled("#keys-list .ok");
    await choose("evidence", fileOf("receipt.jws", inputOf("valid-jws.json")));
    expect(await verdict()).toBe("verified");
    await read("document.activeElement.blur()");
    expect([await press(), await press(), await press(), await press()]).toEqual([
      "keys-input",
      "SUMMARY",
      "evidence-input",
      "SUMMARY",
    ]);
  });
});
