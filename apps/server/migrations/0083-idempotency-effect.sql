--! room: platform/access
-- When the request under the key committed its first write, in that very transaction: from then on it is not run again,
-- whatever becomes of its answer.
alter table idempotency add column effect_at timestamptz;
