--! room: orchestrate/engine
-- Whether the start and the end of the run have receipts: decided when it is started, so that its end never asks again.
alter table run add column signed boolean not null default false;
