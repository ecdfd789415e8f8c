/**
 * The page behind a link to an approval. Self-contained: no other file, no other origin, and the policy names the
 * digests of its one script and one style. It knows nothing of the approval; the script asks for the approver's own
 * credentials and calls the API with them. Opening it changes nothing, so mail scanners may fetch it.
 */
import { createHash } from "node:crypto";

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 44rem; padding: 0 1rem; }
label { display: block; margin: .75rem 0 .25rem; }
input, textarea, button { font: inherit; padding: .5rem; }
input, textarea { width: 100%; box-sizing: border-box; }
button { margin: 1rem .5rem 0 0; cursor: pointer; }
dt { font-weight: 600; margin-top: .5rem; }
dd { margin: 0; overflow-wrap: anywhere; }
pre { overflow: auto; padding: .75rem; border: 1px solid; border-radius: .25rem; max-height: 24rem; }
[role=alert] { font-weight: 600; }
`;

const script = `
"use strict";
const token = location.pathname.split("/").pop();
const at = (path) => new URL("../v1/" + path, location.href);
const byId = (id) => document.getElementById(id);
const say = (text) => { byId("say").textContent = text; };
let credential = "";
let approval;

async function ask(path, body) {
  const headers = {
    authorization: "Bearer " + credential,
    "content-type": "application/json",
    "idempotency-key": crypto.randomUUID(),
  };
  const answer = await fetch(at(path), { method: "POST", headers, body: JSON.stringify(body), credentials: "omit" });
  const json = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(json.detail || json.title || "The server answered " + answer.status + ".");
  return json;
}

function row(list, name, value) {
  if (value === null || value === undefined || value === "") return;
  const term = document.createElement("dt");
  const text = document.createElement("dd");
  term.textContent = name;
  text.textContent = value;
  list.append(term, text);
}

function show() {
  const list = byId("facts");
  list.replaceChildren();
  const s = approval.subject;
  row(list, "State", approval.state);
  row(list, "Tool", s.tool);
  row(list, "Target", s.target);
  row(list, "Environment and risk", s.environment + ", " + s.risk);
  row(list, "Why people are asked", approval.reason);
  row(list, "Policies", s.rules.join(", "));
  row(list, "Requested by", approval.chain.map((link) => link.name).join(" \\u2192 "));
  row(list, "Needs", approval.requirements.map((r) => r.quorum + " \\u00d7 " + r.role).join(", "));
  row(list, "Votes", approval.votes.map((v) => v.principalName + ": " + v.decision).join(", "));
  row(list, "Earlier decisions", approval.earlier.map((e) => e.state).join(", "));
  row(list, "Run", s.runId && s.runId + (s.step ? ", step " + s.step : ""));
  row(list, "Expires", new Date(approval.expiresAt).toUTCString());
  row(list, "Digest", approval.actionDigest);
  byId("arguments").textContent = JSON.stringify(approval.arguments, null, 2);
  byId("changes").textContent = approval.changes ? JSON.stringify(approval.changes.differences, null, 2) : "";
  byId("changed").hidden = !approval.changes;
  byId("vote").hidden = !approval.mine;
  byId("confirm").hidden = approval.stepUp === null;
  byId("code-part").hidden = approval.stepUp !== "totp";
  byId("key").hidden = !window.PublicKeyCredential;
  byId("detail").hidden = false;
  if (!approval.mine) say(approval.state === "pending" ? "You cannot vote on this approval." : "The approval is " + approval.state + ".");
}

async function open(event) {
  event.preventDefault();
  credential = byId("credential").value.trim();
  byId("credential").value = "";
  try {
    approval = await ask("approval-links/open", { token });
    byId("who").hidden = true;
    say("");
    show();
  } catch (error) { say(error.message); }
}

async function decide(decision, proof) {
  const reason = byId("reason").value.trim();
  const code = byId("code").value.trim();
  byId("code").value = "";
  try {
    const given = proof || (code && decision === "approve" ? { stepUpCode: code } : {});
    const done = await ask("approvals/" + approval.id + "/decision", { decision, reason, ...given });
    approval = { ...approval, ...done, mine: false };
    show();
    say("Your vote counts; the approval is " + done.state + ".");
  } catch (error) { say(error.message); }
}

async function withKey() {
  try {
    const { challengeId, options } = await ask("approvals/" + approval.id + "/challenge", { decision: "approve" });
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
    const response = (await navigator.credentials.get({ publicKey })).toJSON();
    await decide("approve", { assertion: { challengeId, response } });
  } catch (error) { say(error.message); }
}

byId("who").addEventListener("submit", open);
byId("approve").addEventListener("click", () => decide("approve"));
byId("reject").addEventListener("click", () => decide("reject"));
byId("key").addEventListener("click", withKey);
`;

const frame = (body: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Approval</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>Approval</h1>
${body}
</main>
</body>
</html>
`;

const page =
  frame(`<p>An action waits for a person. Sign in with your own API key or session token; it stays in this page.</p>
<p id="say" role="alert"></p>
<form id="who">
<label for="credential">API key or session token</label>
<input id="credential" type="password" autocomplete="off" required>
<button type="submit">Show the approval</button>
</form>
<section id="detail" hidden>
<dl id="facts"></dl>
<h2>Arguments</h2>
<pre id="arguments"></pre>
<section id="changed"><h2>Changed since the last try</h2><pre id="changes"></pre></section>
<section id="vote">
<label for="reason">Reason; it is signed with your vote</label>
<textarea id="reason" rows="3" minlength="3" required></textarea>
<div id="confirm">
<div id="code-part"><label for="code">Code of your authenticator app, or a recovery code</label>
<input id="code" autocomplete="one-time-code" inputmode="text"></div>
<button id="key" type="button">Approve with a security key</button>
</div>
<button id="approve" type="button">Approve</button>
<button id="reject" type="button">Reject</button>
</section>
</section>
<noscript>This page needs JavaScript. From a terminal: oars approval show</noscript>
<script>${script}</script>`);

const gone = frame(
  "<p>This link is damaged or has expired. Look for the approval in your list of approvals.</p>",
);

const hashOf = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

const policy = [
  "default-src 'none'",
  `script-src ${hashOf(script)}`,
  `style-src ${hashOf(style)}`,
  "connect-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

export const approvalPage = { html: page, gone, policy } as const;
