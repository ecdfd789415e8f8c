/** The real server in this process, on a free port, with an administrator's key. */
import { loadConfig, loadOrCreateKeys } from "../../apps/server/src/platform/config/index.ts";
import { createTelemetry } from "../../apps/server/src/platform/telemetry/index.ts";
import { type Serving, serve } from "../../apps/server/src/serve.ts";
import { freePort } from "./http.ts";
import { temporaryDirectory } from "./temporary.ts";

/** On the PostgreSQL database of that URL, or embedded when there is none. The key is shown on new data alone. */
export async function startServer(
  url: string | null,
  env: Readonly<Record<string, string>> = {},
): Promise<{ serving: Serving; adminKey: string | undefined }> {
  const dataDir = await temporaryDirectory("server");
  const port = await freePort();
  const config = loadConfig({
    OARS_DATA_DIR: dataDir,
    OARS_PORT: String(port),
    OARS_PUBLIC_URL: `http://127.0.0.1:${port}`,
    ...env,
    ...(url === null ? { OARS_STORE: "pglite" } : { OARS_STORE: "postgres", OARS_POSTGRES_URL: url }),
  });
  let banner = "";
  const serving = await serve({
    config,
    keys: await loadOrCreateKeys(dataDir, config.keys),
    telemetry: createTelemetry({ level: config.logLevel, name: "oars-server" }),
    print: (text) => {
      banner += text;
    },
    kill: () => {},
  });
  const adminKey = /\boars_\S+/.exec(banner)?.[0];
  return { serving, adminKey };
}
