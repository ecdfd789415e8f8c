/**
 * Permissions, and the roles that are named sets of them. The table is total over permissions: a new one does
 * not compile until it says who holds it.
 */
export const roleNames = [
  "platform_admin",
  "consultant",
  "admin",
  "operator",
  "approver",
  "auditor",
  "member",
  "agent",
  "service",
] as const;

export type Role = (typeof roleNames)[number];

export type Permission =
  | "actions:read"
  | "actions:write"
  | "actions:operate"
  | "actions:outputs"
  | "actions:impersonate"
  | "approvals:read"
  | "approvals:decide"
  | "approvals:manage"
  | "approvals:break_glass"
  | "receipts:read"
  | "receipts:verify"
  | "receipts:disclose"
  | "privacy:read"
  | "privacy:write"
  | "policies:read"
  | "policies:write"
  | "policies:publish"
  | "flows:read"
  | "flows:publish"
  | "runs:read"
  | "runs:start"
  | "runs:operate"
  | "runs:signal"
  | "connections:read"
  | "connections:write"
  | "tools:review"
  | "secrets:read"
  | "secrets:write"
  | "access:read"
  | "access:write"
  | "log:read"
  | "keys:write"
  | "webhooks:read"
  | "events:read"
  | "alerts:read"
  | "alerts:acknowledge"
  | "alerts:write"
  | "siem:read"
  | "siem:write"
  | "evidence:read"
  | "evidence:export"
  | "compliance:read"
  | "compliance:write"
  | "system:read"
  | "platform:operate";

interface PermissionSpec {
  readonly about: string;
  readonly roles: readonly Role[];
}

const everyone: readonly Role[] = roleNames;
const admins = ["platform_admin", "admin"] as const;
const builders = [...admins, "consultant"] as const;
const people = [...builders, "operator", "approver", "auditor", "member"] as const;
const watchers = [...builders, "operator", "approver", "auditor"] as const;

export const permissions: Readonly<Record<Permission, PermissionSpec>> = {
  "actions:read": { about: "Read actions and their decisions.", roles: everyone },
  "actions:write": {
    about: "Propose and cancel actions.",
    roles: [...builders, "operator", "member", "agent", "service"],
  },
  "actions:operate": {
    about: "Release, reject and cancel actions of others.",
    roles: [...admins, "operator"],
  },
  "actions:outputs": {
    about: "Read what actions of others gave back.",
    roles: [...builders, "operator"],
  },
  "actions:impersonate": {
    about: "Propose actions in the name of agents and for users without a delegation from them.",
    roles: admins,
  },
  "approvals:read": { about: "Read approvals and their votes.", roles: everyone },
  "approvals:decide": {
    about: "Vote on approvals, within the roles that an approval asks for.",
    roles: [...admins, "approver"],
  },
  "approvals:manage": {
    about: "Change approval workflows and settings, delegate for others, escalate what is overdue now.",
    roles: admins,
  },
  "approvals:break_glass": {
    about: "Run a held action without its votes, in an emergency and in the open.",
    roles: admins,
  },
  "receipts:read": { about: "Read and search receipts.", roles: everyone },
  "receipts:verify": { about: "Verify receipts on the server.", roles: everyone },
  "receipts:disclose": {
    about: "See the sensitive members of receipts: arguments, results, reasons.",
    roles: [...admins, "auditor"],
  },
  "privacy:read": {
    about: "See legal holds, retention rules and erasures.",
    roles: [...admins, "auditor"],
  },
  "privacy:write": {
    about: "Place and release legal holds, set retention, erase people and export their data.",
    roles: admins,
  },
  "policies:read": { about: "Read policy bundles.", roles: watchers },
  "policies:write": { about: "Draft policy bundles.", roles: builders },
  "policies:publish": { about: "Put a policy bundle in force.", roles: admins },
  "flows:read": { about: "Read flows.", roles: everyone },
  "flows:publish": { about: "Publish flow versions.", roles: builders },
  "runs:read": { about: "Read runs, steps and their events.", roles: everyone },
  "runs:start": {
    about: "Start runs.",
    roles: [...builders, "operator", "member", "agent", "service"],
  },
  "runs:operate": { about: "Retry, skip, edit and abort runs of others.", roles: [...builders, "operator"] },
  "runs:signal": {
    about: "Send signals to runs that wait for them.",
    roles: [...builders, "operator", "member", "agent", "service"],
  },
  "connections:read": {
    about: "Read connections, without their secrets.",
    roles: [...people, "agent", "service"],
  },
  "connections:write": { about: "Create and change connections.", roles: builders },
  "tools:review": {
    about: "Classify tools, accept changed ones, and say which the tenant may use.",
    roles: admins,
  },
  "secrets:read": { about: "List secrets by name; no permission shows a value.", roles: [...watchers] },
  "secrets:write": { about: "Store, replace and delete secrets.", roles: builders },
  "access:read": {
    about: "Read principals, roles and API keys.",
    roles: [...builders, "operator", "auditor"],
  },
  "access:write": { about: "Create principals, grant roles, issue and revoke keys.", roles: admins },
  "log:read": { about: "Read the receipt log: checkpoints, proofs, exports.", roles: watchers },
  "keys:write": { about: "Rotate and revoke the keys that sign receipts and the log.", roles: admins },
  "webhooks:read": {
    about: "Read webhooks and what they received.",
    roles: [...builders, "operator", "auditor", "service"],
  },
  "events:read": {
    about: "Read security events.",
    roles: [...admins, "operator", "auditor"],
  },
  "alerts:read": {
    about: "Read alerts, their rules and routes.",
    roles: [...admins, "operator", "approver", "auditor"],
  },
  "alerts:acknowledge": {
    about: "Acknowledge and resolve alerts.",
    roles: [...admins, "operator", "approver"],
  },
  "alerts:write": { about: "Change the rules and routes of alerts.", roles: admins },
  "siem:read": {
    about: "See delivery targets, their state and their dead letters.",
    roles: [...admins, "operator", "auditor"],
  },
  "siem:write": { about: "Change delivery targets; replay and close dead letters.", roles: admins },
  "evidence:read": { about: "Read and verify evidence packs.", roles: [...builders, "operator", "auditor"] },
  "evidence:export": {
    about: "Have evidence packs made, and take them away.",
    roles: [...admins, "auditor"],
  },
  "compliance:read": {
    about: "Read frameworks, mappings of controls and their coverage.",
    roles: [...builders, "operator", "auditor"],
  },
  "compliance:write": {
    about: "Change which receipts are evidence of a control, and which packs are made each month.",
    roles: admins,
  },
  "system:read": {
    about: "See the background jobs of the installation.",
    roles: [...admins, "operator"],
  },
  "platform:operate": {
    about: "Operate the installation: tenants, backups, system health.",
    roles: ["platform_admin"],
  },
};

/** All permissions, in the order of the table. */
export const permissionNames = Object.keys(permissions) as readonly Permission[]; // the table is total over them

const setOf = (role: Role): ReadonlySet<Permission> =>
  new Set(permissionNames.filter((p) => permissions[p].roles.includes(role)));

const byRole: ReadonlyMap<string, ReadonlySet<Permission>> = new Map(roleNames.map((r) => [r, setOf(r)]));

export const isRole = (text: string): text is Role => byRole.has(text);

/** What a role may do; nothing for a name that is no role (any more). */
export const permissionsOf = (role: string): ReadonlySet<Permission> => byRole.get(role) ?? none;

const none: ReadonlySet<Permission> = new Set();

export const permissionsOfAll = (roles: readonly string[]): ReadonlySet<Permission> =>
  new Set(roles.flatMap((role) => [...permissionsOf(role)]));
