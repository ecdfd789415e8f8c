--! room: sign/receipts
-- Which controls a receipt is evidence of depends on mappings that change; sign/evidence keeps it (receipt_control).
alter table receipt drop column controls;
