/**
 * Which hosts a tenant may reach, besides the verdict on addresses (address.ts). Rules are the operator's.
 * A tenant that has rules of its own is held to those alone; the others to the common ones. No rule: every host.
 */
import { netError } from "./failure.ts";

export interface EgressRule {
  /** Id of the tenant; null: every tenant without rules of its own. */
  readonly tenantId: string | null;
  /** `api.example.com`, `*.example.com` (any name below, not itself), `*`, or an IP address. Lower case. */
  readonly host: string;
  /** Null: every port. */
  readonly port: number | null;
}

export interface Egress {
  /** Throws NET_EGRESS_FORBIDDEN. `sent`: whether an earlier hop of the same request has been sent. */
  check(tenantId: string, host: string, port: number, sent: boolean): void;
}

/** The rules that a tenant set for itself; null: none. Rejects when they cannot be read. */
export type TenantRules = (
  tenantId: string,
) => readonly EgressRule[] | null | Promise<readonly EgressRule[] | null>;

/** Holds a call to the tenant's own rules as well. Throws NET_EGRESS_FORBIDDEN; NET_UNREACHABLE where they cannot be read. */
export function checkOwn(
  rules: TenantRules | undefined,
  tenantId: string,
  at: { readonly host: string; readonly port: number; readonly sent: boolean },
): void | Promise<void> {
  const { host, port, sent } = at;
  const hold = (list: readonly EgressRule[] | null): void => {
    if (list === null || list.some((rule) => fits(rule, host.toLowerCase(), port))) return;
    throw netError("NET_EGRESS_FORBIDDEN", { host, port }, { sent });
  };
  const list = rules?.(tenantId) ?? null;
  if (!(list instanceof Promise)) return hold(list);
  return list
    .catch((cause: unknown) => {
      const reason = "the hosts that the tenant may reach cannot be read";
      throw netError("NET_UNREACHABLE", { host, reason }, { sent, cause });
    })
    .then(hold);
}

export function createEgress(rules: readonly EgressRule[]): Egress {
  const common = rules.filter((rule) => rule.tenantId === null);
  const own = new Map<string, EgressRule[]>();
  for (const rule of rules) {
    if (rule.tenantId !== null) own.set(rule.tenantId, [...(own.get(rule.tenantId) ?? []), rule]);
  }
  return {
    check(tenantId, host, port, sent) {
      const list = own.get(tenantId) ?? common;
      if (list.length === 0 || list.some((rule) => fits(rule, host.toLowerCase(), port))) return;
      throw netError("NET_EGRESS_FORBIDDEN", { host, port }, { sent });
    },
  };
}

const fits = (rule: EgressRule, host: string, port: number): boolean =>
  (rule.port === null || rule.port === port) &&
  (rule.host === "*" ||
    rule.host === host ||
    (rule.host.startsWith("*.") && host.endsWith(rule.host.slice(1))));
