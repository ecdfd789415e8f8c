--! room: sign/receipts
select oars_by_month('receipt', 'id');
revoke update, delete on receipt from oars_app, oars_system;
grant update (disclosures) on receipt to oars_app, oars_system;
