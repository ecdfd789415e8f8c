--! room: orchestrate/triggers
-- A slug that the newest version of its flow gave up stays known: senders are told that it is gone, not that it never was.
alter table webhook add column retired_at timestamptz;
