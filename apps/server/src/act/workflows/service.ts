import { type Caller, permissions, requirePermission, roleNames } from "#platform/access";
import { applyWrites, type Database, type Db, type Tx, WriteSet } from "#platform/db";
import type { SecurityEvents } from "#platform/events";
import { digestOf, newId, OarsError } from "#platform/kernel";
import type { ReceiptDraft, Receipts } from "#sign/receipts";
import {
  type ApprovalSettings,
  builtIn,
  defaultName,
  type Fatigue,
  peopleOf,
  unchanged,
  type Workflow,
  type WorkflowContent,
  workflowProblems,
} from "./domain.ts";
import * as store from "./store.ts";

export interface WorkflowsDeps {
  readonly db: Database;
  readonly receipts: Pick<Receipts, "add">;
  readonly events: Pick<SecurityEvents, "record">;
}

export interface SettingsChange {
  readonly defaultWorkflow: string | null;
  readonly fatigue: Fatigue | null;
}

/** What an approval is made of, read in one look. */
export interface Followed {
  readonly settings: ApprovalSettings;
  /** By the names asked for; a name is missing when there is no such workflow in use. */
  readonly workflows: ReadonlyMap<string, Workflow>;
}

/**
 * `expected` is the version that the caller saw, 0 for "there is none"; undefined takes any. Reading needs
 * `approvals:read`, changing `approvals:manage`. Errors: WORKFLOW_NOT_FOUND, PRECONDITION_FAILED.
 */
export interface Workflows {
  /** Makes it or its next version; what is the same already stays as it is. Errors: also WORKFLOW_INVALID. */
  put(caller: Caller, name: string, content: WorkflowContent, expected?: number): Promise<Workflow>;
  /** Approvals that follow it go on; no new one can. Errors: also WORKFLOW_IN_USE. */
  retire(caller: Caller, name: string, expected?: number): Promise<Workflow>;
  find(caller: Caller, name: string, version?: number): Promise<Workflow>;
  list(caller: Caller, page: { readonly after: string | null; readonly limit: number }): Promise<Workflow[]>;
  versions(
    caller: Caller,
    name: string,
    page: { readonly before: number | null; readonly limit: number },
  ): Promise<Workflow[]>;
  settings(caller: Caller): Promise<ApprovalSettings>;
  /** Errors: also WORKFLOW_NOT_FOUND for the default. */
  changeSettings(caller: Caller, change: SettingsChange, expected?: number): Promise<ApprovalSettings>;
  /** For the maker of an approval, without a permission check. */
  follow(db: Db, tenantId: string, names: readonly string[]): Promise<Followed>;
}

const voterRoles: readonly string[] = roleNames.filter((role) =>
  permissions["approvals:decide"].roles.includes(role),
);

export function createWorkflows(deps: WorkflowsDeps): Workflows {
  const read = <T>(caller: Caller, fn: (db: Db) => Promise<T>): Promise<T> => {
    requirePermission(caller, "approvals:read");
    return deps.db.read(caller.tenantId, fn);
  };
  const settingsOf = async (db: Db, tenantId: string): Promise<ApprovalSettings> =>
    (await store.findSettings(db, tenantId)) ?? unchanged;
  return {
    put: (caller, name, content, expected) => put(deps, caller, name, content, expected),
    retire: (caller, name, expected) => retire(deps, caller, name, expected),
    find: (caller, name, version) =>
      read(caller, async (db) => {
        const found = await store.findWorkflow(db, caller.tenantId, name, version);
        if (!found) throw new OarsError("WORKFLOW_NOT_FOUND", { name });
        return found;
      }),
    list: (caller, page) => read(caller, (db) => store.listWorkflows(db, caller.tenantId, page)),
    versions: (caller, name, page) =>
      read(caller, async (db) => {
        const rows = await store.listVersions(db, caller.tenantId, name, page);
        if (rows.length === 0 && page.before === null) throw new OarsError("WORKFLOW_NOT_FOUND", { name });
        return rows;
      }),
    settings: (caller) => read(caller, (db) => settingsOf(db, caller.tenantId)),
    changeSettings: (caller, change, expected) => changeSettings(deps, caller, change, expected),
    follow: async (db, tenantId, names) => {
      const settings = await settingsOf(db, tenantId);
      const workflows = new Map<string, Workflow>();
      for (const asked of names) {
        const name = asked === defaultName ? (settings.defaultWorkflow ?? defaultName) : asked;
        const found = await store.findWorkflow(db, tenantId, name);
        if (found && found.retiredAt === null) workflows.set(asked, found);
        else if (asked === defaultName && settings.defaultWorkflow === null) workflows.set(asked, standard);
      }
      return { settings, workflows };
    },
  };
}

/** What `workflow:default` means to a tenant that says nothing. */
export const standard: Workflow = {
  ...builtIn,
  name: "built-in",
  version: 0,
  digest: digestOf({ ...builtIn }),
  createdBy: null,
  createdAt: null,
  retiredAt: null,
};

async function put(
  deps: WorkflowsDeps,
  caller: Caller,
  name: string,
  content: WorkflowContent,
  expected: number | undefined,
): Promise<Workflow> {
  requirePermission(caller, "approvals:manage");
  const { tenantId } = caller;
  return deps.db.tx(tenantId, async (tx) => {
    const named = content.stages.flatMap((s) => [...peopleOf(s.approvers), ...peopleOf(s.escalateTo)]);
    const people = await store.findVoters(tx, tenantId, named, voterRoles);
    const errors = workflowProblems(content, voterRoles, people);
    if (errors.length > 0) throw new OarsError("WORKFLOW_INVALID", {}, { errors });
    const { description, stages } = content;
    const digest = digestOf({ description, stages });
    const before = await store.lockWorkflow(tx, tenantId, name);
    const inUse = before && before.retiredAt === null ? before.version : 0;
    if (expected !== undefined && expected !== inUse) throw new OarsError("PRECONDITION_FAILED");
    const current = before && (await store.findWorkflow(tx, tenantId, name));
    if (inUse > 0 && current?.digest === digest) return current;
    const id = before?.id ?? newId();
    const version = (before?.version ?? 0) + 1;
    if (before) await store.raiseVersion(tx, tenantId, id, version);
    else await store.insertWorkflow(tx, { tenantId, id, name });
    const made = {
      tenantId,
      workflowId: id,
      version,
      description,
      stages,
      digest,
      createdBy: caller.principalId,
    };
    await store.insertVersion(tx, made);
    await tell(deps, tx, caller, {
      command: `workflow.${inUse === 0 ? "created" : "updated"}`,
      from: `${name}@${inUse}`,
      to: `${name}@${version}`,
      disclose: { workflow: { name, version, digest, description, stages } },
    });
    const row = await store.findWorkflow(tx, tenantId, name);
    if (!row) throw new Error("a workflow that was written is not there");
    return row;
  });
}

async function retire(
  deps: WorkflowsDeps,
  caller: Caller,
  name: string,
  expected: number | undefined,
): Promise<Workflow> {
  requirePermission(caller, "approvals:manage");
  const { tenantId } = caller;
  return deps.db.tx(tenantId, async (tx) => {
    const before = await store.lockWorkflow(tx, tenantId, name);
    if (!before) throw new OarsError("WORKFLOW_NOT_FOUND", { name });
    if (expected !== undefined && expected !== before.version) throw new OarsError("PRECONDITION_FAILED");
    const settings = await store.findSettings(tx, tenantId);
    if (settings?.defaultWorkflow === name) throw new OarsError("WORKFLOW_IN_USE", { name });
    if (before.retiredAt === null) {
      await store.retireWorkflow(tx, tenantId, before.id);
      await tell(deps, tx, caller, { command: "workflow.retired", from: `${name}@${before.version}` });
    }
    const row = await store.findWorkflow(tx, tenantId, name);
    if (!row) throw new OarsError("WORKFLOW_NOT_FOUND", { name });
    return row;
  });
}

async function changeSettings(
  deps: WorkflowsDeps,
  caller: Caller,
  change: SettingsChange,
  expected: number | undefined,
): Promise<ApprovalSettings> {
  requirePermission(caller, "approvals:manage");
  const { tenantId } = caller;
  return deps.db.tx(tenantId, async (tx) => {
    const name = change.defaultWorkflow;
    if (name !== null) {
      const locked = await store.lockWorkflow(tx, tenantId, name); // so that it is not retired meanwhile
      if (!locked || locked.retiredAt !== null) throw new OarsError("WORKFLOW_NOT_FOUND", { name });
    }
    const before = (await store.findSettings(tx, tenantId)) ?? unchanged;
    if (expected !== undefined && expected !== before.version) throw new OarsError("PRECONDITION_FAILED");
    const written = await store.writeSettings(tx, {
      tenantId,
      from: before.version,
      ...change,
      by: caller.principalId,
    });
    if (written.length === 0) throw new OarsError("PRECONDITION_FAILED");
    const { defaultWorkflow, fatigue } = before;
    await tell(deps, tx, caller, {
      command: "settings.updated",
      from: `settings@${before.version}`,
      to: `settings@${before.version + 1}`,
      disclose: { before: { defaultWorkflow, fatigue }, after: { ...change } },
    });
    return (await store.findSettings(tx, tenantId)) ?? unchanged;
  });
}

type Told = NonNullable<ReceiptDraft["operation"]> & Pick<ReceiptDraft, "disclose">;

async function tell(deps: WorkflowsDeps, tx: Tx, caller: Caller, told: Told): Promise<void> {
  const { disclose, ...operation } = told;
  const set = new WriteSet();
  const draft: ReceiptDraft = {
    tenantId: caller.tenantId,
    type: "approval.workflow_changed",
    principal: {
      id: caller.principalId,
      kind: caller.principalKind,
      ownerId: caller.ownerId,
      auth: { method: caller.credential.kind },
    },
    operation,
    ...(disclose ? { disclose } : {}),
  };
  await deps.receipts.add(set, draft, tx);
  void deps.events.record(set, {
    tenantId: caller.tenantId,
    type: "approval.workflow_changed",
    actor: caller,
    target: { kind: "workflow", id: (operation.to ?? operation.from ?? "").slice(0, 120) },
    details: { command: operation.command },
  }); // nothing to wait for
  await applyWrites(tx, set);
}
