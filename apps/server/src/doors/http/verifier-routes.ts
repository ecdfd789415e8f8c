/**
 * The verifier of `@oars/receipts` in one file: for people who were given receipts. It is the same for everybody, asks
 * nothing of this server, and its own policy keeps it from reaching any network.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { isHeld } from "./if-none-match.ts";
import { route, type ServiceRoute } from "./services.ts";

const type = "text/html; charset=utf-8";
const html = readFileSync(createRequire(import.meta.url).resolve("@oars/receipts/verify.html"), "utf8");
const etag = `"${createHash("sha256").update(html).digest("base64url")}"`;

/** What the file says of itself, and what only a header can say. */
const policy = `${/http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(html)?.[1] ?? "default-src 'none'"}; frame-ancestors 'none'`;

export const verifierRoutes: readonly ServiceRoute[] = [
  route({
    method: "GET",
    path: "/verify",
    access: "anonymous",
    tag: "trust",
    summary: "The page that verifies receipts and packs offline",
    description:
      "One file without any reference to another: save it, and open it where no network is. Keys, receipts, bundles and packs are dropped onto it and stay there.",
    headers: [
      { name: "If-None-Match", description: "The ETag of the page that the caller holds.", example: '"abc"' },
    ],
    answer: { status: 200, type },
    otherAnswers: [{ status: 304, description: "The page is the one that If-None-Match names" }],
    handle: (_services, { request, reply }) => {
      reply
        .header("etag", etag)
        .header("cache-control", "public, no-cache")
        .header("content-security-policy", policy);
      return isHeld(request, etag)
        ? reply.code(304).send()
        : reply.code(200).header("content-type", type).send(html);
    },
  }),
];
