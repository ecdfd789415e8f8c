/** The routes that the demo uses, over plain HTTP: what any client in any language would send. */
import type {
  Action,
  Approval,
  DecideApprovalRequest,
  FlowValidation,
  IssuedApiKey,
  Me,
  Page,
  PolicyValidation,
  PolicyVersion,
  Principal,
  Problem,
  PublishedFlowVersion,
  PutConnectionRequest,
  ReceiptBundle,
  Run,
  RunWithSteps,
  TrustDocument,
} from "@oars/contract";

/** A refusal, as the server words it (RFC 9457). */
export class ApiProblem extends Error {
  override readonly name = "ApiProblem";
  readonly problem: Problem;

  constructor(problem: Problem) {
    const at = problem.errors.map((e) => `${e.path}: ${e.message}`).join("; ");
    super(`${problem.code}: ${problem.detail}${at === "" ? "" : ` (${at})`}`);
    this.problem = problem;
  }
}

const answerWithinMs = 20_000;
const pageSize = 200;

export async function readAnswer<T>(response: Response): Promise<T> {
  const text = await response.text();
  const value: unknown = text === "" ? null : JSON.parse(text);
  if (!response.ok) throw new ApiProblem(value as Problem); // every status from 400 up is a problem document
  return value as T; // as the contract of the route says
}

export type Api = ReturnType<typeof createApi>;

export function createApi(url: string, key: string) {
  async function call<T>(
    method: string,
    path: string,
    body?: unknown,
    type = "application/json",
  ): Promise<T> {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { "content-type": type }),
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(answerWithinMs),
    });
    return readAnswer<T>(response);
  }
  const get = <T>(path: string): Promise<T> => call<T>("GET", path);
  async function all<T>(path: string): Promise<T[]> {
    const items: T[] = [];
    let cursor = "";
    for (;;) {
      const page = await get<Page<T>>(`${path}limit=${pageSize}${cursor}`);
      items.push(...page.items);
      if (page.nextCursor === null) return items;
      cursor = `&cursor=${encodeURIComponent(page.nextCursor)}`;
    }
  }
  return {
    me: () => get<Me>("/v1/me"),
    putSecret: (name: string, value: string) => call("PUT", `/v1/secrets/${name}`, { value }),
    putConnection: (name: string, body: PutConnectionRequest) => call("PUT", `/v1/connections/${name}`, body),
    validatePolicy: (cedar: string) => call<PolicyValidation>("POST", "/v1/policies/validate", { cedar }),
    draftPolicy: (cedar: string) => call<PolicyVersion>("POST", "/v1/policies", { cedar }),
    publishPolicy: (id: string) => call<PolicyVersion>("POST", `/v1/policies/${id}/publish`, {}),
    validateFlow: (yaml: string) =>
      call<FlowValidation>("POST", "/v1/flows/validate", yaml, "application/yaml"),
    publishFlow: (yaml: string) => call<PublishedFlowVersion>("POST", "/v1/flows", yaml, "application/yaml"),
    createPerson: (name: string, roles: string[]) =>
      call<Principal>("POST", "/v1/principals", { name, kind: "user", roles }),
    issueKey: (principalId: string) => call<IssuedApiKey>("POST", `/v1/principals/${principalId}/keys`, {}),
    run: (id: string) => get<RunWithSteps>(`/v1/runs/${id}`),
    runs: (status?: Run["status"]) => all<Run>(`/v1/runs?${status === undefined ? "" : `status=${status}&`}`),
    actions: () => all<Action>("/v1/actions?"),
    pendingApprovals: () => all<Approval>("/v1/approvals?state=pending&"),
    decide: (id: string, decision: DecideApprovalRequest) =>
      call<Approval>("POST", `/v1/approvals/${id}/decision`, decision),
    receiptsOf: (runId: string) => get<ReceiptBundle>(`/v1/runs/${runId}/receipts`),
  };
}

/** The public keys of a tenant, as anybody may read them: without credentials. */
export const readTrust = async (url: string, tenantId: string): Promise<TrustDocument> =>
  readAnswer<TrustDocument>(await fetch(`${url}/v1/trust/tenants/${tenantId}/keys`));

/** The refusal that a request must meet. Throws when it is let through. */
export async function refusalOf(request: Promise<unknown>): Promise<Problem> {
  try {
    await request;
  } catch (error) {
    if (error instanceof ApiProblem) return error.problem;
    throw error;
  }
  throw new Error("the request was let through");
}
