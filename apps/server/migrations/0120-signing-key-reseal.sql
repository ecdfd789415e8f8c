--! room: sign/receipts
-- Private halves are sealed anew when the keys of the vault rotate; nothing else of a key's identity may change.
grant update (private_sealed) on signing_key to oars_app, oars_system;
