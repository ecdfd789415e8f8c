import {
  evidenceExport,
  evidenceExportFilter,
  evidenceExportInFull,
  evidenceExportRequest,
  evidenceId,
  evidenceSchedule,
  evidenceScheduleRequest,
  evidenceSchedules,
  evidenceVerification,
  frameworkName,
  pageOf,
  verifyEvidenceRequest,
} from "@oars/contract";
import { type PackReport, parseSignedManifest } from "@oars/receipts";
import { z } from "zod";
import type { Pack, Schedule } from "#sign/evidence";
import { afterId, pageOfRows } from "./page.ts";
import { route, type ServiceRoute } from "./services.ts";
import { idOf, idOrUndefined, shown, shownOrNull } from "./wire-id.ts";

const tag = "evidence";
const byId = z.strictObject({ id: evidenceId });

const toPack = (p: Pack) => ({
  id: shown("evidence", p.id),
  kind: p.kind,
  frameworks: p.frameworks,
  window: { from: p.from, to: p.to },
  run: shownOrNull("run", p.runId),
  action: shownOrNull("action", p.actionId),
  mode: p.mode,
  seed: p.seed,
  state: p.state,
  progress: { done: p.done, total: p.total },
  bytes: p.bytes,
  sha256: p.sha256,
  error: p.error,
  requestedBy: shownOrNull("principal", p.requestedBy),
  createdAt: p.createdAt,
  finishedAt: p.finishedAt,
  deliveredAt: p.deliveredAt,
});

const toPackInFull = (p: Pack) => ({
  ...toPack(p),
  manifest: p.manifest === null ? null : parseSignedManifest(p.manifest).manifest,
  signature: p.manifest,
});

const toVerification = ({ verdict, exitCode, checks }: PackReport) => ({
  verdict,
  exitCode,
  isHashValid: checks.files.status === "ok",
  isSignatureValid: checks.manifest.status === "ok",
  errors: Object.entries(checks).flatMap(([name, { status, detail }]) =>
    status === "failed" || status === "undecidable" ? [`${name}: ${detail}`] : [],
  ),
  checks,
});

const toSchedule = (s: Schedule) => ({ ...s, createdBy: shown("principal", s.createdBy) });

const dateOf = (text: string | undefined): Date | undefined =>
  text === undefined ? undefined : new Date(text);

export const evidenceRoutes: readonly ServiceRoute[] = [
  route({
    method: "POST",
    path: "/v1/evidence/exports",
    access: "evidence:export",
    tag,
    summary: "Have an evidence pack made",
    description:
      "A pack is made in the background: ask for it by its id until `state` is `ready`. A window with a framework, or an incident by its run or action.",
    body: evidenceExportRequest,
    idempotency: "door",
    startsWork: true,
    answer: { status: 202, body: evidenceExport },
    handle: async ({ evidence }, { caller, body, reply }) => {
      const pack = await evidence.packs.create(caller, {
        frameworks: body.frameworks ?? (body.framework === undefined ? [] : [body.framework]),
        from: dateOf(body.dateFrom),
        to: dateOf(body.dateTo),
        runId: idOrUndefined("run", body.run),
        actionId: idOrUndefined("action", body.action),
        mode: body.mode,
        perControl: body.samplesPerControl,
        overall: body.samples,
        seed: body.seed,
      });
      const shownPack = toPack(pack);
      reply.header("location", `/v1/evidence/exports/${shownPack.id}`).header("retry-after", "1");
      return shownPack;
    },
  }),
  route({
    method: "GET",
    path: "/v1/evidence/exports",
    access: "evidence:read",
    tag,
    summary: "List evidence packs, newest first",
    query: evidenceExportFilter,
    answer: { status: 200, body: pageOf(evidenceExport) },
    handle: async ({ evidence }, { caller, query }) => {
      const { limit, cursor, ...filter } = query;
      const rows = await evidence.packs.list(caller, filter, { limit, before: afterId(cursor) });
      return pageOfRows(rows, limit, (p) => p.id, toPack);
    },
  }),
  route({
    method: "GET",
    path: "/v1/evidence/exports/:id",
    access: "evidence:read",
    tag,
    summary: "Show an evidence pack with its signed manifest",
    params: byId,
    notFound: "EVIDENCE_NOT_FOUND",
    answer: { status: 200, body: evidenceExportInFull },
    handle: async ({ evidence }, { caller, params }) =>
      toPackInFull(await evidence.packs.find(caller, idOf("evidence", params.id))),
  }),
  route({
    method: "GET",
    path: "/v1/evidence/exports/:id/download",
    access: "evidence:export",
    tag,
    summary: "Take an evidence pack away, as a zip archive",
    description:
      "From the first download on the pack counts as delivered: the next one proves that the log only grew since.",
    params: byId,
    notFound: "EVIDENCE_NOT_FOUND",
    answer: { status: 200, type: "application/zip" },
    handle: async ({ evidence }, { caller, params, reply }) => {
      const { pack, body } = await evidence.packs.download(caller, idOf("evidence", params.id));
      return reply
        .code(200)
        .header("content-type", "application/zip")
        .header("content-length", pack.bytes ?? 0)
        .header("content-disposition", `attachment; filename="${shown("evidence", pack.id)}.zip"`)
        .header("etag", `"${pack.sha256}"`)
        .send(body);
    },
  }),
  route({
    method: "POST",
    path: "/v1/evidence/exports/verify",
    access: "evidence:read",
    tag,
    summary: "Verify an evidence pack",
    description: "The same checks as the offline verifier, against the tenant's own keys.",
    body: verifyEvidenceRequest,
    answer: { status: 200, body: evidenceVerification },
    handle: async ({ evidence }, { caller, body }) =>
      toVerification(
        body.id === undefined
          ? await evidence.packs.verifyBytes(caller, Buffer.from(body.bundle ?? "", "base64"))
          : await evidence.packs.verifyStored(caller, idOf("evidence", body.id)),
      ),
  }),
  route({
    method: "GET",
    path: "/v1/evidence/schedules",
    access: "evidence:read",
    tag,
    summary: "List the frameworks of which a pack is made each month",
    answer: { status: 200, body: evidenceSchedules },
    handle: async ({ evidence }, { caller }) => ({
      items: (await evidence.schedules.list(caller)).map(toSchedule),
    }),
  }),
  route({
    method: "PUT",
    path: "/v1/evidence/schedules",
    access: "compliance:write",
    tag,
    summary: "Have a pack of a framework made each month, of the month before",
    body: evidenceScheduleRequest,
    answer: { status: 200, body: evidenceSchedule },
    handle: async ({ evidence }, { caller, body }) =>
      toSchedule(await evidence.schedules.set(caller, body.framework)),
  }),
  route({
    method: "DELETE",
    path: "/v1/evidence/schedules/:framework",
    access: "compliance:write",
    tag,
    summary: "Have no further monthly packs of a framework made",
    params: z.strictObject({ framework: frameworkName }),
    notFound: "EVIDENCE_SCHEDULE_NOT_FOUND",
    answer: { status: 204 },
    handle: ({ evidence }, { caller, params }) => evidence.schedules.remove(caller, params.framework),
  }),
];
