--! room: sign/receipts
-- Bodies go when their time is over; only the retention job, which acts for all tenants, may delete them. Leaf hashes,
-- tiles and checkpoints stay.
grant delete on receipt to oars_system;
