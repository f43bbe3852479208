-- Keys of programs of S3 are read and written by the server alone, once a member was found to be the maker of their API key.

revoke all on app.s3_keys from public, anon, authenticated, guest, service_role;
grant select, insert, update, delete on app.s3_keys to service_role;
